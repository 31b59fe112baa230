"""X's endpoints, each a method: a request in, an answer out, or `Refused`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from rotators.testing._x.apps import App, Apps
from rotators.testing._x.messages import (
    APP_ONLY,
    BEARER_TOKEN,
    INVALID_TOKEN,
    INVALIDATE_TOKEN,
    ME,
    NOT_ALLOWED,
    REVOKE,
    UNVERIFIED,
    USER_TOKEN,
    Answer,
    Body,
    Refused,
    Request,
    titled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rotators.testing._x.grants import Grants
    from rotators.testing._x.switches import Switches

_PERSON: Body = {"data": {"id": "2244994945", "name": "A person", "username": "a_person"}}
_NOT_PLAYED: Body = {
    "error": "unsupported_grant_type",
    "error_description": "This server plays refresh_token only.",
}


@dataclass(slots=True, eq=False)
class Service:
    """Apps, grants and endpoints behind one lock: requests have their effects one by one."""

    switches: Switches
    grants: Grants
    apps: Apps = field(default_factory=Apps)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _asked: int = 0
    _nonces: set[str] = field(default_factory=set, repr=False)

    def perform(self, request: Request, origin: str) -> Answer:
        """The effect of a request and what X says to it. Raises `Refused` where there is none."""
        endpoints: Mapping[tuple[str, str], Callable[[], Body]] = {
            ("POST", BEARER_TOKEN): lambda: self._bearer_token(request),
            ("POST", INVALIDATE_TOKEN): lambda: self._invalidate_token(request, origin),
            ("POST", USER_TOKEN): lambda: self._user_token(request),
            ("POST", REVOKE): lambda: self._revoke(request),
            ("GET", ME): lambda: self._me(request),
        }
        endpoint = endpoints.get((request.method, request.path))
        if endpoint is None:
            raise Refused(404, titled(404))
        with self.lock:
            self._count(request)
            return Answer(200, endpoint())

    def accepts(self, token: str) -> bool:
        with self.lock:
            return self.apps.has_bearer(token) or self.grants.scope_of(token) is not None

    def _count(self, request: Request) -> None:
        self._asked += request.path in APP_ONLY
        limit = self.switches.too_often_after
        if request.path in APP_ONLY and limit is not None and self._asked >= limit:
            raise Refused(403, UNVERIFIED)

    # ── app-only: every refusal is the same, so that it does not tell which ──

    def _bearer_token(self, request: Request) -> Body:
        app = self.apps.identified(request)
        asked = request.is_form and request.body == "grant_type=client_credentials"
        if app is None or not asked:
            raise Refused(403, UNVERIFIED)
        return {"token_type": "bearer", "access_token": self.apps.issue(app)}

    def _invalidate_token(self, request: Request, origin: str) -> Body:
        scheme, _ = request.authorization
        if scheme == "oauth" and self.switches.invalidate_by_oauth1:
            app, given = self._signer(request, origin), request.query
        elif scheme == "basic" and self.switches.invalidate_by_basic and request.is_form:
            app, given = self.apps.identified(request), request.body
        else:
            raise Refused(403, UNVERIFIED)
        parameters = parse_qsl(given, keep_blank_values=True)
        ended = None if app is None else self.apps.invalidate(app, parameters)
        if ended is None:
            raise Refused(403, UNVERIFIED)
        return {"access_token": ended}

    def _signer(self, request: Request, origin: str) -> App | None:
        from rotators.testing._x.signatures import signer

        return signer(request, origin, self.apps.by_key, self._nonces)

    # ── OAuth 2.0, for a person ──

    def _user_token(self, request: Request) -> Body:
        form = _form(request)
        app = self._client(request, form)
        if form.get("grant_type") != "refresh_token":
            raise Refused(400, _NOT_PLAYED)
        return self.grants.refresh(app, form.get("refresh_token", ""))

    def _revoke(self, request: Request) -> Body:
        form = _form(request)
        self.grants.revoke(self._client(request, form), form.get("token", ""))
        return {"revoked": True}

    def _client(self, request: Request, form: Mapping[str, str]) -> App:
        """Who asks: confidential clients say so by HTTP Basic alone, public ones by client_id."""
        if request.authorization[0]:
            app = self.apps.basic_client(request)
        else:
            app = self.apps.client(form.get("client_id", ""))
            app = None if app is None or app.client_secret else app
        if (
            app is None
            or "client_secret" in form
            or form.get("client_id") not in {None, app.client_id}
        ):
            raise Refused(*self.switches.no_basic_answer)
        return app

    def _me(self, request: Request) -> Body:
        scheme, token = request.authorization
        if scheme != "bearer" or not self.accepts(token):
            raise Refused(401, INVALID_TOKEN)
        scope = self.grants.scope_of(token) or frozenset()
        if not {"users.read", "tweet.read"} <= scope:
            raise Refused(403, NOT_ALLOWED)
        if self.switches.out_of_credits:
            raise Refused(402, titled(402))
        return _PERSON


def _form(request: Request) -> Mapping[str, str]:
    """The decoded body; nothing where the request does not call it a form."""
    return dict(parse_qsl(request.body, keep_blank_values=True)) if request.is_form else {}
