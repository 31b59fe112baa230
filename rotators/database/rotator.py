"""A database rotator: an engine and a strategy, and the checks that all pairs share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from rotators.database.login import Login
from rotators.database.strategies import strategies_of, strategy_for
from rotators.errors import InvalidSetting, MisconfiguredSecret, RotationError
from rotators.rotator import Rotator
from rotators.settings import StrategyName
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.database.engine import Engine
    from rotators.rotator import Rotation
    from rotators.secret import Secret
    from rotators.settings import Settings


class DatabaseRotator(Rotator):
    """Rotates the password of a database user. A subclass names its engine, and is done."""

    engine: ClassVar[type[Engine]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "engine"):  # else it is the base of several that name theirs
            cls.driver = cls.engine.driver
            cls.strategies = strategies_of(cls.engine)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        engine = self.engine(settings.ca_bundle)
        name = settings.strategy or StrategyName.SINGLE_USER
        self._strategy = strategy_for(name, engine, settings)

    @property
    def strategy(self) -> str:
        return self._strategy.name.value

    def create(self, rotation: Rotation) -> Secret:
        with self._about(rotation.current, rotation) as current:
            self._require_strategy_said(rotation.current)
            if self.engine.driver:
                self.engine.driver.require()
            password = self.settings.passwords.generate(self.engine.excluded_characters)
            fields = self._strategy.successor(current, rotation.current)
            return rotation.current.replace(**fields, password=password)

    def set(self, rotation: Rotation) -> None:
        with self._about(rotation.current, rotation) as current:
            self._require_strategy_said(rotation.current)
            self._strategy.apply(rotation, current, self._login(rotation.staged, PENDING))

    def test(self, rotation: Rotation) -> None:
        with self._about(rotation.pending or rotation.current, rotation) as login:
            self._strategy.prove(rotation, login)

    @contextmanager
    def _about(self, secret: Secret, rotation: Rotation) -> Iterator[Login]:
        """The secret's login; whatever fails from here on is about its host and user."""
        label = PENDING if secret is rotation.pending else CURRENT
        login = self._login(secret, label)
        if not login.tls:
            rotation.say('no TLS: the secret says "ssl": false', warning=True, host=login.host)
        try:
            yield login
        except RotationError as error:
            raise error.about(host=login.host, user=login.username) from None

    def _login(self, secret: Secret, label: str) -> Login:
        try:
            return Login.of(secret, self.engine)
        except MisconfiguredSecret as error:
            raise error.about(version=label) from None

    def _require_strategy_said(self, current: Secret) -> None:
        """A secret with an admin could mean two strategies; guessing wrong would lock users out."""
        if self.settings.strategy is None and current.get("masterarn"):
            raise InvalidSetting(
                "the secret has 'masterarn', and the environment variable ROTATION_STRATEGY is"
                " not set",
                f"Set ROTATION_STRATEGY to one of {', '.join(StrategyName)}: AWS's multi-user"
                f" functions are {StrategyName.ALTERNATING_USERS}, its single-user functions"
                f" {StrategyName.SINGLE_USER}.",
            )
