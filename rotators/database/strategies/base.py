"""What a strategy is, and the passwords that it may find."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rotators.database.login import Login
from rotators.errors import LoginRefused, MisconfiguredSecret, ValueRefused, ValueRejected

if TYPE_CHECKING:
    from rotators.database.engine import Engine, Session
    from rotators.rotator import Rotation
    from rotators.secret import Secret
    from rotators.settings import Settings, StrategyName

# Every refused login counts towards a lock-out (G13), so there are never more in one setSecret.
MOST_REFUSED = 4
# How many versions without a label are read in search of a password that works.
MOST_UNLABELLED = 8

IN_PLACE = "the new password is in place already"


class Strategy(ABC):
    """How one user's password is replaced by the next. Stateless."""

    name: ClassVar[StrategyName]
    needs: ClassVar[type] = object  # the ability that an engine must have

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings

    @abstractmethod
    def successor(self, current: Login, secret: Secret) -> Mapping[str, str]:
        """The fields, besides the password, in which AWSPENDING differs from AWSCURRENT.

        Raises MisconfiguredSecret if ``secret``, AWSCURRENT's value, lacks what the strategy needs.
        """

    @abstractmethod
    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        """Makes ``pending`` log in. Repeatable. Raises as Rotator.set."""

    def prove(self, rotation: Rotation, login: Login) -> None:
        """Proves that ``login`` works. Changes nothing."""
        with self.session_to_test(rotation, login):
            pass

    @contextmanager
    def session_to_test(self, rotation: Rotation, login: Login) -> Iterator[Session]:
        """A session of AWSPENDING's that works."""
        with ExitStack() as stack:
            try:
                session = stack.enter_context(self.engine.session(login, rotation.deadline))
                self.engine.verify(session)
            except LoginRefused as error:
                raise LoginRefused(
                    f"the server refuses the password to be tested: {error.found}",
                    "Secrets Manager starts the rotation again, which sets the password again. If"
                    " it keeps failing, somebody else changes this user's password.",
                ) from None
            yield session

    def judge(
        self, rotation: Rotation, refused: ValueRefused, pending: Login, current: Login | None
    ) -> None:
        """Ends well if the refused value is in place: a password history refuses it on a repeat.

        Raises ValueRejected if it is not and ``current``, unless None, still logs in: then it may
        be given up. Else it may be the only one that is left, and ``refused`` is raised.
        """
        if self._logs_in(rotation, pending):
            rotation.say("the server refuses the new password, but it is in place already")
            return
        if current is not None and self._logs_in(rotation, current):
            raise ValueRejected(
                f"{refused.found}; it is not in place, and AWSCURRENT still logs in",
                f"{refused.cure} AWSPENDING was taken from this version, so the next rotation"
                " draws a new value.",
            )
        raise refused

    def _logs_in(self, rotation: Rotation, login: Login) -> bool:
        try:
            with self.engine.session(login, rotation.deadline):
                return True
        except LoginRefused:
            return False

    def readable(self, value: Secret | None) -> Iterator[Login]:
        """The value's login, or nothing where it has none."""
        try:
            if value is not None:
                yield Login.of(value, type(self.engine))
        except MisconfiguredSecret:
            return

    def unlabelled(self, rotation: Rotation) -> Iterator[Login]:
        """Logins of versions without a label, newest first. Raises AccessDenied.

        Where a rotation died after setSecret and its label was cleared, the password that works is
        in one of them (G3).
        """
        for value in islice(rotation.unlabelled(), MOST_UNLABELLED):
            yield from self.readable(value)
