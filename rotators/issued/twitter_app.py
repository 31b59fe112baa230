"""An app of X, and what both of its credentials that can be rotated have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.driver import Driver
from rotators.errors import LoginRefused, PermissionMissing, RotationError, ServiceUnavailable

if TYPE_CHECKING:
    from rotators.issued.answer import Answer
    from rotators.issued.http import Provider
    from rotators.rotator import Rotation
    from rotators.secret import Secret

BASE_URL = "https://api.x.com"

# For the signatures of OAuth 1.0a; the rest needs no library.
OAUTH = Driver("oauthlib", extra="twitter")


@dataclass(frozen=True)
class Credential(ABC):
    """One credential of one app, in one rotation.

    ``app`` is the secret with the app's keys, ``value`` the one with what X issued.
    """

    rotation: Rotation
    provider: Provider
    app: Secret
    value: Secret

    name: ClassVar[str]
    issued: ClassVar[frozenset[str]]
    spends: ClassVar[bool]

    @abstractmethod
    def compare(self, *, trusted: bool) -> Mapping[str, Any] | None:
        """As IssuedSecretRotator's; ``trusted``: it needs no proof that the app is the secret's."""

    @abstractmethod
    def obtain(self) -> Mapping[str, Any]:
        """As IssuedSecretRotator's."""

    @abstractmethod
    def verify(self) -> None:
        """As IssuedSecretRotator's."""

    def path(self, key: str, default: str) -> str:
        """Where a request goes: what the app's secret says, for X changes its paths."""
        return self.app.text(key) if key in self.app else default


def refusal(what: str, answer: Answer, cure: str) -> RotationError:
    """The error for an answer that says that nothing was done."""
    found = f"{what} was refused by X: {answer.said}"
    passing = answer.status == HTTPStatus.TOO_MANY_REQUESTS
    if passing or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServiceUnavailable(found, "Secrets Manager will call again.")
    if answer.status == HTTPStatus.PAYMENT_REQUIRED:
        return PermissionMissing(found, "The app's account at X needs credits.")
    return LoginRefused(found, cure)
