"""Apps and users of the fake X, as the values of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rotators.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.testing.twitter import App, TwitterServer

SCOPE = "tweet.read users.read offline.access"


class BearerTarget:
    """Each secret is another app's: an app has one bearer. Its keys are in the same secret."""

    admin: Mapping[str, Any] | None = None

    def __init__(self, x: TwitterServer, ca: Path | None) -> None:
        self.x = x
        self.settings = Settings(ca_bundle=ca)
        self.apps: list[App] = []

    def new_app(self) -> App:
        self.apps.append(self.x.new_app())
        return self.apps[-1]

    def new_secret(self) -> dict[str, Any]:
        app = self.new_app()
        return {**self.bearer(app), **self.keys(app)}

    def bearer(self, app: App) -> dict[str, Any]:
        return {"engine": "twitter", "bearer_token": self.x.issue_bearer(app)}

    def keys(self, app: App, *, owner: bool = False) -> dict[str, Any]:
        keys = {
            "api_key": app.api_key,
            "api_key_secret": app.api_key_secret,
            "base_url": self.x.base_url,
        }
        tokens = {
            "access_token": app.access_token,
            "access_token_secret": app.access_token_secret,
        }
        return {**keys, **tokens} if owner else keys

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.x.accepts(secret["bearer_token"])


class UserTarget:
    """Users of one app, whose keys are in a secret of their own."""

    def __init__(self, x: TwitterServer, ca: Path | None, *, confidential: bool = True) -> None:
        self.x = x
        self.settings = Settings(ca_bundle=ca)
        self.app = x.new_app(confidential=confidential)
        self.admin: Mapping[str, Any] | None = {
            "client_id": self.app.client_id,
            "base_url": x.base_url,
            **({"client_secret": self.app.client_secret} if confidential else {}),
        }

    def new_secret(self) -> dict[str, Any]:
        issued = self.x.authorize(self.app, SCOPE)
        return {
            "engine": "twitter",
            "credential": "oauth2-user",
            "access_token": issued["access_token"],
            "refresh_token": issued["refresh_token"],
            "scope": issued["scope"],
        }

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.x.accepts(secret["access_token"])
