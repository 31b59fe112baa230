"""The app-only bearer: one per app, read back as often as one asks, replaced by invalidating it.

So what X has is compared with AWSCURRENT first, and whatever was lost in an earlier try is found
again. X's page on the endpoint and its guide contradict each other about how the invalidation
authenticates, so both ways are tried: HTTP Basic, and OAuth 1.0a where the app's secret has its
owner's token. https://docs.x.com/fundamentals/authentication/api-reference and
/oauth-2-0/application-only
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from rotators.errors import (
    AccessDenied,
    ForbiddenTarget,
    LoginRefused,
    ServiceUnavailable,
)
from rotators.issued.twitter_app import OAUTH, Credential, refusal

if TYPE_CHECKING:
    from rotators.issued.answer import Answer

# X answers 403 to a wrong key, a wrong token and too many requests alike.
PAUSE_SECONDS = 2.0

_KEYS = (
    "Compare api_key and api_key_secret with the developer console; X says the same to an app"
    " that asks too often, so wait some minutes before you change anything."
)


class AppOnlyBearer(Credential):
    """``bearer_token``, of the app with ``api_key`` and ``api_key_secret``."""

    name: ClassVar[str] = "app-only-bearer"
    issued: ClassVar[frozenset[str]] = frozenset({"bearer_token"})
    spends: ClassVar[bool] = False

    def compare(self, *, trusted: bool) -> Mapping[str, Any] | None:
        current = self.value.text("bearer_token")
        live = self._live()
        if _same(live, current):
            return None
        if not trusted and not self._proven(live):
            raise ForbiddenTarget(
                "the app's bearer is none that this secret has held, so that nothing shows that"
                " the app is this secret's to rotate",
                "If it is, store its bearer as bearer_token (put-secret-value), or set"
                " ROTATION_ADMIN_RESET=true on the function.",
            )
        self.rotation.say("X has replaced the bearer already: nothing is invalidated")
        return {"bearer_token": live}

    def obtain(self) -> Mapping[str, Any]:
        current = self.value.text("bearer_token")
        refused = [answer.said for answer in self._invalidations(current)]
        live = self._live()
        if _same(live, current):
            raise ServiceUnavailable(
                f"X did not invalidate the bearer: {'; '.join(refused) or 'it said that it had'}",
                "Secrets Manager will call again. If it stays so, add the app owner's"
                " access_token and access_token_secret (OAuth 1.0a) to the secret with the keys.",
            )
        return {"bearer_token": live}

    def verify(self) -> None:
        # Of all that could be asked, this costs no credit, and it changes nothing.
        if not _same(self._live(), self.value.text("bearer_token")):
            raise LoginRefused(
                "the bearer is not the one that X has for the app",
                "Rotate: the app's bearer will be stored. If AWSPENDING has this one, take its"
                " label away first (update-secret-version-stage): no retry replaces it.",
            )

    def _proven(self, live: str) -> bool:
        """Whether the secret may have the app's bearer, which is not AWSCURRENT's.

        The function reads keys that the secret's writer perhaps must not have. That they are in
        the secret itself, or that the secret has held this bearer, shows that it is the same app.
        """
        previous = self.rotation.previous
        if self.app is self.value:
            return True
        return any(_same(live, str(secret.get("bearer_token"))) for secret in self._older(previous))

    def _older(self, previous: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
        if previous is not None:
            yield previous
        try:
            yield from self.rotation.unlabelled()
        except AccessDenied:
            return

    def _live(self) -> str:
        """The app's bearer. Repeatable: X answers with the same one until it is invalidated."""
        path = self.path("bearer_path", "/oauth2/token")
        form = {"grant_type": "client_credentials"}
        answer = self.provider.post(path, form, basic=self._basic(), repeatable=True)
        if answer.status == HTTPStatus.FORBIDDEN:
            time.sleep(min(PAUSE_SECONDS, self.rotation.deadline.remaining("a pause for X")))
            answer = self.provider.post(path, form, basic=self._basic(), repeatable=True)
        if answer.status != HTTPStatus.OK:
            raise refusal("the app's bearer", answer, _KEYS)
        return answer.text("access_token")

    def _invalidations(self, bearer: str) -> Iterator[Answer]:
        """Invalidates the bearer, in the first way that X takes. The answers that refused.

        A refusal may as well mean that it is invalid already: what X has then tells.
        """
        path = self.path("invalidate_path", "/oauth2/invalidate_token")
        # A bearer has %2F and %3D in it, and is sent as it is: encoded again, X knows it not.
        parameter = f"access_token={bearer if '%' in bearer else quote(bearer, safe='')}"
        for attempt in (self._by_basic, self._by_oauth1):
            answer = attempt(path, parameter)
            if answer is None or answer.status == HTTPStatus.OK:
                return
            if answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise refusal("the invalidation of the bearer", answer, _KEYS)
            yield answer

    def _by_basic(self, path: str, parameter: str) -> Answer | None:
        return self.provider.post(path, parameter, basic=self._basic(), repeatable=True)

    def _by_oauth1(self, path: str, parameter: str) -> Answer | None:
        if "access_token_secret" not in self.app:
            return None
        OAUTH.load()
        from oauthlib.oauth1 import Client

        # At DEBUG it logs what it signs, in an encoding that nobody would recognise and hide.
        logging.getLogger("oauthlib").setLevel(logging.INFO)

        client = Client(
            self.app.text("api_key"),
            client_secret=self.app.text("api_key_secret"),
            resource_owner_key=self.app.text("access_token"),
            resource_owner_secret=self.app.text("access_token_secret"),
        )
        target = f"{path}?{parameter}"
        _, headers, _ = client.sign(self.provider.url(target), http_method="POST")
        return self.provider.post(
            target, "", authorization=headers["Authorization"], repeatable=True
        )

    def _basic(self) -> tuple[str, str]:
        key, secret = self.app.text("api_key"), self.app.text("api_key_secret")
        return quote(key, safe=""), quote(secret, safe="")


def _same(one: str, other: str) -> bool:
    """Whether they are one bearer: tools show it decoded, X does not."""
    return unquote(one) == unquote(other)
