"""X (Twitter): the credentials of an app that can be rotated without a person.

The secret's ``credential`` says which: ``app-only-bearer`` (when it says nothing) or
``oauth2-user``. The app's keys are in the same secret, or in the one that ``masterarn`` names;
docs/twitter.md has both, and a JSON schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.errors import MisconfiguredSecret
from rotators.issued.rotator import IssuedSecretRotator
from rotators.issued.twitter_app import BASE_URL, OAUTH, Credential
from rotators.issued.twitter_bearer import AppOnlyBearer
from rotators.issued.twitter_user import UserPair

if TYPE_CHECKING:
    from rotators.driver import Driver
    from rotators.rotator import Rotation
    from rotators.secret import Secret

_KINDS: Mapping[str, type[Credential]] = {kind.name: kind for kind in (AppOnlyBearer, UserPair)}

# X has no API that issues these anew.
_BY_HAND: Mapping[str, str] = {
    "oauth1-user": "an OAuth 1.0a access token is issued by its user's consent, or by the console",
    "consumer-keys": "the API key and its secret are regenerated in the developer console alone",
    "client-secret": "the OAuth 2.0 client secret is regenerated in the developer console alone",
}


class TwitterOAuthRotator(IssuedSecretRotator):
    """App-only bearers, and the access and refresh tokens of OAuth 2.0 users."""

    driver: ClassVar[Driver] = OAUTH

    def issued(self, current: Secret) -> frozenset[str]:
        return _kind(current).issued

    def spends(self, current: Secret) -> bool:
        return _kind(current).spends

    def compare(self, rotation: Rotation) -> Mapping[str, Any] | None:
        credential = self._credential(rotation, rotation.current)
        return credential.compare(trusted=self.settings.admin_reset or self.tried(rotation))

    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        return self._credential(rotation, rotation.current).obtain()

    def verify(self, rotation: Rotation, value: Secret) -> None:
        self._credential(rotation, value).verify()

    def _credential(self, rotation: Rotation, value: Secret) -> Credential:
        kind = _kind(value)
        app = self.admin(rotation, value)
        return kind(rotation, self.connect(rotation, app, BASE_URL), app, value)


def _kind(value: Secret) -> type[Credential]:
    name = value.text("credential") if "credential" in value else AppOnlyBearer.name
    if name in _KINDS:
        return _KINDS[name]
    able = " and ".join(_KINDS)
    if name in _BY_HAND:
        raise MisconfiguredSecret(
            # Not its name: the redactor takes it for a value of the secret.
            f"the secret's 'credential' cannot be rotated: {_BY_HAND[name]}",
            f"Rotate it by hand. What can be rotated without a person: {able}.",
        )
    raise MisconfiguredSecret(
        "the secret's 'credential' is none that is known", f"Store one of: {able}."
    )
