"""Rotates a credential whose value a provider makes."""

from __future__ import annotations

import hmac
from abc import abstractmethod
from collections.abc import Mapping, Set
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.errors import (
    DeadlineExceeded,
    ForbiddenTarget,
    StrategyUnavailable,
)
from rotators.issued.http import Provider
from rotators.rotator import Rotation, Rotator

if TYPE_CHECKING:
    from rotators.exchange import Exchange
    from rotators.secret import Secret
    from rotators.settings import Settings

# What an exchange and the storing of its answer may take. With less, neither is begun.
NEEDED_SECONDS = 20.0

_ABSENT = object()


class IssuedSecretRotator(Rotator):
    """A rotator of values that a provider makes: ``issued``, ``obtain``, ``verify`` say how.

    The provider says a new value once, so it is obtained in createSecret, where it can be stored,
    and only after what can be tried was tried: first ``compare``, then a mark on the secret
    (``rotators.exchange``), then ``obtain``. The dispatcher stores the answer, for as long as it
    takes, before anybody uses it. setSecret has nothing to set.

    What holds, whatever is lost or repeated: AWSCURRENT changes only after the new value is
    stored. Where asking uses AWSCURRENT's value up (``spends``), a provider that may have been
    asked is asked once more, to find out; then it is ReauthorizationRequired, and no more asked.
    """

    # What talks to the provider.
    provider: ClassVar[type[Provider]] = Provider

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.strategy is not None:
            raise StrategyUnavailable(
                f"the strategy {settings.strategy} is for users of databases, and this credential"
                " is issued by a provider",
                "Unset ROTATION_STRATEGY on this function.",
            )

    @abstractmethod
    def issued(self, current: Secret) -> frozenset[str]:
        """The keys of the secret that the provider fills. No other ever changes."""

    def spends(self, current: Secret) -> bool:  # noqa: ARG002 for those that overwrite it
        """Whether ``obtain`` uses up what AWSCURRENT holds, so that it can be done only once."""
        return True

    def compare(self, rotation: Rotation) -> Mapping[str, Any] | None:  # noqa: ARG002 as above
        """A value that the provider has issued already and that is not AWSCURRENT's, or None.

        For providers that tell. Changes nothing, and is the place for every check that ``obtain``
        would otherwise fail at: the admin's secret, the secret's shape. Repeatable; asked again
        after a ForbiddenTarget, where another delivery has left its mark meanwhile.
        """
        return None

    @abstractmethod
    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        """Asks the provider for the next value: the keys of ``issued``, or some of them.

        Raises AnswerLost if the provider may have acted, ReauthorizationRequired if it said that
        AWSCURRENT's value is used up; anything else says that nothing was issued.
        """

    @abstractmethod
    def verify(self, rotation: Rotation, value: Secret) -> None:
        """Proves that the provider takes ``value``, which may be AWSCURRENT's. Changes nothing.

        Raises LoginRefused. Repeatable.
        """

    def create(self, rotation: Rotation) -> Secret:
        fields = self._compared(rotation)
        if fields is None:
            _require_time(rotation)
            spends, proof = self.spends(rotation.current), self._proof(rotation)
            _exchange(rotation).begin(spends=spends, proof=proof)
            fields = self.obtain(rotation)
        issued = self.issued(rotation.current)
        if other := fields.keys() - issued:
            rotation.say(f"left out, for issued() names it not: {_named(other)}", warning=True)
        return rotation.current.replace(**{key: fields[key] for key in fields if key in issued})

    def set(self, rotation: Rotation) -> None:
        """The provider knows its value: nothing is set. Raises ForbiddenTarget."""
        current, pending = rotation.current, rotation.staged
        issued = self.issued(current)
        kept = {*current, *pending} - issued
        other = {key for key in kept if current.get(key, _ABSENT) != pending.get(key, _ABSENT)}
        if other:
            raise ForbiddenTarget(
                f"AWSPENDING differs from AWSCURRENT in {_named(other)}, which no rotation changes",
                "Find out who wrote it. Do not take AWSPENDING's label away: AWSCURRENT's value may"
                " be used up, and its successor be there alone. Store AWSCURRENT's value with"
                f" AWSPENDING's {_named(issued)} in it (put-secret-value), and rotate again."
                if self.spends(current)
                else "Find out who wrote it. Take AWSPENDING's label away and rotate again.",
            )

    def test(self, rotation: Rotation) -> None:
        self.verify(rotation, rotation.pending or rotation.current)

    def admin(self, rotation: Rotation, secret: Secret) -> Secret:
        """The secret that ``masterarn`` names, or this one where it names none.

        It has the keys that a provider knows the application by, so that whoever reads the issued
        value need not read them. Raises MisconfiguredSecret, AccessDenied.
        """
        if secret.get("masterarn") in (None, ""):
            return secret
        return rotation.secret(secret.text("masterarn"))

    def tried(self, rotation: Rotation) -> bool:
        """Whether an earlier try came past ``compare`` with this AWSCURRENT and admin's secret."""
        return compare_digest(_exchange(rotation).proof, self._proof(rotation))

    def _compared(self, rotation: Rotation) -> Mapping[str, Any] | None:
        try:
            return self.compare(rotation)
        except ForbiddenTarget:
            # What seems to be nobody's may be what another delivery has obtained meanwhile.
            _exchange(rotation).look()
            if not self.tried(rotation):
                raise
        return self.compare(rotation)

    def _proof(self, rotation: Rotation) -> str:
        key = self.admin(rotation, rotation.current).to_json().encode()
        seen = f"{rotation.secret_arn} {rotation.current.to_json()}".encode()
        return hmac.digest(key, seen, "sha256").hex()[:32]

    def connect(self, rotation: Rotation, admin: Secret, base_url: str) -> Provider:
        """The provider at ``base_url`` of the admin's secret, or at this default.

        Who holds the keys says where they are sent: nobody else's ``base_url`` counts. Raises
        MisconfiguredSecret.
        """
        return self.provider(
            admin.text("base_url") if "base_url" in admin else base_url,
            rotation.deadline,
            rotation.redactor,
            ca_bundle=self.settings.ca_bundle,
            plaintext=admin.get("ssl") is False,
        )


def _named(keys: Set[str]) -> str:
    return ", ".join(map(repr, sorted(keys)))


def _exchange(rotation: Rotation) -> Exchange:
    if rotation.exchange is None:
        raise TypeError("only createSecret has an exchange")
    return rotation.exchange


def _require_time(rotation: Rotation) -> None:
    left = rotation.deadline.remaining("an exchange with the provider")
    if left < NEEDED_SECONDS:
        raise DeadlineExceeded(
            f"{left:.0f} s of the function's time are left, and an exchange with the provider may"
            f" need {NEEDED_SECONDS:.0f}: it was not begun",
            "Give the function a time-out of 60 s or more.",
        )
