"""What a rotator is, and what it may see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

from rotators.errors import MisconfiguredSecret, VersionNotFound
from rotators.secret import Secret
from rotators.versions import CURRENT, PREVIOUS

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.driver import Driver
    from rotators.exchange import Exchange
    from rotators.redaction import Redactor
    from rotators.request import RotationRequest
    from rotators.settings import Settings
    from rotators.versions import ReadsVersions


class Say(Protocol):
    """Says something in the function's log: a sentence, and facts beside it. Never a value."""

    def __call__(self, sentence: str, /, *, warning: bool = False, **facts: object) -> None: ...


@dataclass(frozen=True)
class Rotation:
    """The read-only view of one rotation that the hooks get.

    Values are read when first asked for, once per invocation, and hidden from every log at once.
    ``pending`` is None in createSecret, and in a testSecret that comes alone without a value.
    ``secret_arn`` is the secret's full ARN, however the event addresses it; in testSecret, which
    asks for no labels, what the event says. ``exchange`` is createSecret's alone.
    """

    request: RotationRequest
    deadline: Deadline
    say: Say
    redactor: Redactor
    versions: ReadsVersions
    pending: Secret | None = None
    secret_arn: str = ""
    exchange: Exchange | None = None
    _others: dict[str, Secret] = field(default_factory=dict, repr=False)

    @cached_property
    def current(self) -> Secret:
        """AWSCURRENT's value. Raises MisconfiguredSecret if there is none."""
        try:
            return self._read(stage=CURRENT)
        except VersionNotFound:
            raise MisconfiguredSecret(
                "the secret has no value labelled AWSCURRENT",
                "Store the value that is in use now (put-secret-value), then rotate again.",
            ) from None

    @cached_property
    def previous(self) -> Secret | None:
        """AWSPREVIOUS's value, or None if there is none that can be used."""
        try:
            return self._read(stage=PREVIOUS)
        except (VersionNotFound, MisconfiguredSecret):
            return None

    @property
    def staged(self) -> Secret:
        """AWSPENDING's value, for the hooks that cannot go without."""
        if self.pending is None:
            raise TypeError("this hook has no pending value")
        return self.pending

    def unlabelled(self) -> Iterator[Secret]:
        """Values of versions without a label, newest first, read one by one.

        Raises AccessDenied where the function may not list them.
        """
        for version_id in self.versions.unlabelled(self.request.secret_id):
            try:
                yield self._read(version_id=version_id)
            except (VersionNotFound, MisconfiguredSecret):
                continue

    def secret(self, secret_id: str) -> Secret:
        """AWSCURRENT's value of another secret. Raises MisconfiguredSecret, AccessDenied."""
        if secret_id in self._others:
            return self._others[secret_id]
        try:
            return self._others.setdefault(secret_id, self._read(secret_id, stage=CURRENT))
        except VersionNotFound:
            raise MisconfiguredSecret(
                f"there is no value in the secret {secret_id}",
                "Name a secret that exists and has a value.",
            ) from None

    def tags(self, secret_id: str) -> Mapping[str, str]:
        """Another secret's tags."""
        return self.versions.describe(secret_id).tags

    def _read(self, secret_id: str | None = None, **which: str) -> Secret:
        self.deadline.remaining("GetSecretValue")
        stored = self.versions.get(secret_id or self.request.secret_id, **which)
        secret = Secret.parse(stored.text)
        self.redactor.hide_secret(secret)
        return secret


class Rotator(ABC):
    """Rotates the secrets of one engine: four hooks, called in this order by the dispatcher.

    A hook may run again at any time: after a crash at any instant, twice at once, or for a
    rotation that ended. So each has to find out what is done already and to do only the rest. It
    never writes to Secrets Manager: the dispatcher does. It raises a RotationError to fail the
    step; anything else counts as a defect.
    """

    driver: ClassVar[Driver | None] = None
    strategies: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def strategy(self) -> str | None:
        """The strategy in use, for logs."""
        return None

    @abstractmethod
    def create(self, rotation: Rotation) -> Secret:
        """Returns the value to stage as AWSPENDING. Pure: changes nothing anywhere.

        Called only while no value is staged. Raises MisconfiguredSecret if AWSCURRENT's value
        could not be rotated, so that nothing is staged for it. A value that only a provider can
        make is obtained here: derive from ``rotators.issued.rotator.IssuedSecretRotator``.
        """

    @abstractmethod
    def set(self, rotation: Rotation) -> None:
        """Makes AWSPENDING's value valid on the target. Repeatable.

        Raises ValueRejected if the target refuses the value by policy, the value is known not to
        be in place and AWSCURRENT still works: the dispatcher then takes the label away.
        """

    @abstractmethod
    def test(self, rotation: Rotation) -> None:
        """Proves that AWSPENDING's value works. Changes nothing; repeatable.

        May come without create and set (RotateImmediately=false): the pending value then equals
        AWSCURRENT's, or is missing, and AWSCURRENT's is to be proven.
        """

    def finish(self, rotation: Rotation) -> None:
        """Runs after AWSPENDING became AWSCURRENT: what may be given up only then. Repeatable."""
