"""The apps that the server knows, and the one bearer of each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from rotators.testing._x.messages import Request


@dataclass(frozen=True, slots=True)
class App:
    """An app of X's developer console. Its repr shows no value.

    `api_key` and `api_key_secret` are the consumer keys; `access_token` and `access_token_secret`
    the owner's own, for OAuth 1.0a; `client_id` and `client_secret` are for OAuth 2.0, and a public
    client has no secret.
    """

    api_key: str = field(repr=False)
    api_key_secret: str = field(repr=False)
    client_id: str = field(repr=False)
    client_secret: str | None = field(repr=False)
    access_token: str = field(repr=False)
    access_token_secret: str = field(repr=False)

    @classmethod
    def new(cls, *, confidential: bool) -> App:
        return cls(
            api_key=secrets.token_hex(12),
            # X asks for percent encoding, although its keys need none today. These do.
            api_key_secret=f"{secrets.token_hex(20)}+/%",
            client_id=secrets.token_urlsafe(24),
            client_secret=secrets.token_urlsafe(32) if confidential else None,
            access_token=f"{secrets.randbelow(10**10):010}-{secrets.token_hex(20)}",
            access_token_secret=secrets.token_hex(22),
        )

    def identifies(self, request: Request) -> bool:
        """HTTP Basic of the consumer keys, each percent-encoded (RFC 1738)."""
        return request.is_basic(quote(self.api_key, safe=""), quote(self.api_key_secret, safe=""))


@dataclass(slots=True)
class Apps:
    """By consumer key, with the one bearer of each, which lives until it is invalidated."""

    by_key: dict[str, App] = field(default_factory=dict, repr=False)
    _bearers: dict[str, str] = field(default_factory=dict, repr=False)

    def add(self, *, confidential: bool) -> App:
        app = App.new(confidential=confidential)
        self.by_key[app.api_key] = app
        return app

    def identified(self, request: Request) -> App | None:
        return next((app for app in self.by_key.values() if app.identifies(request)), None)

    def client(self, client_id: str) -> App | None:
        return next((app for app in self.by_key.values() if app.client_id == client_id), None)

    def basic_client(self, request: Request) -> App | None:
        """The confidential client that this request's HTTP Basic names."""
        named = (
            app
            for app in self.by_key.values()
            if app.client_secret and request.is_basic(app.client_id, app.client_secret)
        )
        return next(named, None)

    def bearer(self, app: App) -> str | None:
        return self._bearers.get(app.api_key)

    def issue(self, app: App) -> str:
        """The outstanding bearer, or a new one."""
        return self._bearers.setdefault(app.api_key, _new_bearer())

    def invalidate(self, app: App, parameters: list[tuple[str, str]]) -> str | None:
        """End the app's bearer if these decoded parameters are exactly `access_token` and it.

        The bearer has literal escapes, which X's example sends as they are. So one decoding of the
        request has to give one decoding of the bearer: an escape of the escapes does not.
        """
        bearer = self.bearer(app)
        if bearer is None or parameters != [("access_token", unquote_plus(bearer))]:
            return None
        return self._bearers.pop(app.api_key)

    def has_bearer(self, token: str) -> bool:
        return token in self._bearers.values()


def _new_bearer() -> str:
    return f"AAAAAAAAAAAA{secrets.token_hex(10)}%2F{secrets.token_hex(16)}%3D{secrets.token_hex(8)}"
