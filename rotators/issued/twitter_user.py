"""An OAuth 2.0 user's access and refresh token: a chain, each link of which is good for one use.

https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.errors import (
    AnswerLost,
    MisconfiguredSecret,
    ReauthorizationRequired,
    ServiceUnavailable,
)
from rotators.exchange import AUTHORISE
from rotators.issued.twitter_app import Credential, refusal

if TYPE_CHECKING:
    from rotators.issued.answer import Answer

# X says the first of a spent or revoked token, the standard (RFC 6749, 5.2) the second.
_SPENT = frozenset({"invalid_request", "invalid_grant"})
_KNOWN_BUT_REFUSED = frozenset(
    {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
_CLIENT = (
    "Compare client_id and client_secret with the developer console. A confidential client (Web"
    " App, Automated App or Bot) has to have its client_secret in the secret, a public one not."
)


class UserPair(Credential):
    """``access_token`` and ``refresh_token`` of a user, for the app with ``client_id``."""

    name: ClassVar[str] = "oauth2-user"
    issued: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "refresh_token", "token_type", "scope", "expires_at"}
    )
    spends: ClassVar[bool] = True

    def compare(self, *, trusted: bool) -> None:  # noqa: ARG002 X tells nothing about a chain
        self.value.text("refresh_token")
        self.value.text("access_token")
        self.app.text("client_id")

    def obtain(self) -> Mapping[str, Any]:
        client, secret = self.app.text("client_id"), self.app.get("client_secret")
        form = {"grant_type": "refresh_token", "refresh_token": self.value.text("refresh_token")}
        path = self.path("token_path", "/2/oauth2/token")
        began = datetime.now(UTC)
        if secret is None:
            answer = self.provider.post(path, {**form, "client_id": client})
        else:
            basic = client, self.app.text("client_secret")
            answer = self.provider.post(path, form, basic=basic)
        if answer.status != HTTPStatus.OK:
            raise _refused(answer)
        return self._fields(answer, began)

    def verify(self) -> None:
        answer = self.provider.get_from(
            self.path("user_path", "/2/users/me"), bearer=self.value.text("access_token")
        )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._unauthorized(answer)
        elif answer.status in _KNOWN_BUT_REFUSED:
            self.rotation.say(
                f"X knows the access token, and refused the request: {answer.said}", warning=True
            )
        elif answer.status != HTTPStatus.OK:
            raise ServiceUnavailable(
                f"X did not say whether the access token is good: {answer.said}",
                "Secrets Manager will call again.",
            )

    def _fields(self, answer: Answer, began: datetime) -> Mapping[str, Any]:
        granted = str(answer.fields.get("scope") or self.value.get("scope") or "")
        missing = set(str(self.value.get("scope") or "").split()) - set(granted.split())
        if missing:
            self.rotation.say(f"X no longer grants: {', '.join(sorted(missing))}", warning=True)
        renewed = answer.fields.get("refresh_token")
        fields = {
            "access_token": answer.text("access_token"),
            # Without a new one, the old one is good for another use (RFC 6749, 6).
            "refresh_token": answer.text("refresh_token")
            if renewed
            else self.value["refresh_token"],
            "token_type": str(answer.fields.get("token_type") or "bearer"),
            "scope": granted,
        }
        ends = _ends(began, answer.fields.get("expires_in"))
        if ends or "expires_at" in self.value:  # the old token's would be wrong
            fields["expires_at"] = ends
        return fields

    def _unauthorized(self, answer: Answer) -> None:
        ended = self._expired()
        if not ended:
            raise ReauthorizationRequired(
                f"X takes the access token no more: {answer.said}", AUTHORISE
            )
        # An attach that only tests: the next rotation refreshes it, which a test must not.
        self.rotation.say(f"the access token has expired, at {ended}", warning=True)

    def _expired(self) -> str | None:
        text = self.value.get("expires_at")
        try:
            ends = datetime.fromisoformat(str(text))
        except ValueError:
            return None
        known = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
        return str(text) if known <= datetime.now(UTC) else None


def _spent(answer: Answer) -> bool:
    """Whether it is the token that X refuses, and not another part of the request."""
    description = str(answer.fields.get("error_description") or "token")
    return answer.fields.get("error") in _SPENT and "token" in description.lower()


def _ends(began: datetime, seconds: object) -> str | None:
    if not isinstance(seconds, int):
        return None
    try:
        return (began + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    except OverflowError:
        return None


def _refused(answer: Answer) -> Exception:
    what = "the refresh of the user's tokens"
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return AnswerLost(
            f"{what} was done by X, but with another answer than the documented: {answer.said}",
            "Secrets Manager will call again.",
        )
    if answer.status == HTTPStatus.BAD_REQUEST and _spent(answer):
        return ReauthorizationRequired(
            f"X takes the refresh token no more (spent, revoked or expired): {answer.said}",
            AUTHORISE,
        )
    if answer.status == HTTPStatus.BAD_REQUEST:
        return MisconfiguredSecret(f"{what} was refused by X: {answer.said}", _CLIENT)
    # X may have acted before it failed. If so, it says at the next try that the token is spent.
    return refusal(what, answer, _CLIENT)
