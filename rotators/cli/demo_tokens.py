"""The credentials of X that can be rotated without a person, one act for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from rotators.cli.demo_server import Finding
from rotators.cli.demo_x import XAct, XStage
from rotators.errors import AnswerLost
from rotators.issued.twitter_bearer import AppOnlyBearer
from rotators.issued.twitter_user import UserPair
from rotators.request import Step

if TYPE_CHECKING:
    from rotators.testing.twitter import App

REFRESH = "/2/oauth2/token"
_BEARER, _INVALIDATE, _ME = "/oauth2/token", "/oauth2/invalidate_token", "/2/users/me"


class Bearer(XAct):
    """The one bearer of an app, whose keys are in the same secret."""

    name, credential = "demo/bearer", AppOnlyBearer.name
    about = "the one bearer of an app, which X replaces once it is invalidated"
    key, named = "bearer_token", "bearer"
    headers = ("Old\nbearer", "New\nbearer")
    before = "an app and its secret"

    @classmethod
    def on(cls, stage: XStage) -> Self:
        app = stage.x.new_app()
        value = {
            "engine": "twitter",
            "bearer_token": stage.x.issue_bearer(app),
            "api_key": app.api_key,
            "api_key_secret": app.api_key_secret,
            "base_url": stage.x.base_url,
        }
        return cls(stage, value, app)

    def findings(self) -> Iterator[Finding]:
        yield from self.replaced()
        yield Finding("nothing else in the secret has changed", self.unchanged(self.key))
        yield Finding(
            "X was asked 4 times: what it has, to invalidate it, for the next, and to test",
            self.asked == [_BEARER, _INVALIDATE, _BEARER, _BEARER],
        )
        yield self._healed()

    def _healed(self) -> Finding:
        """What comes of another rotation, with an answer lost half-way."""
        driver = self.driver(self.recorder(self.settings()))
        token, lost = driver.start(self.name), False
        self.asked.clear()
        self.stage.x.drop_next_answer(_INVALIDATE)
        try:
            driver.step(self.name, token, Step.CREATE)
        except AnswerLost:
            lost = True
        driver.retry(self.name, token)
        live = self.stage.x.bearer(self.app) == (self.new or self.old)[self.key]
        return Finding(
            "rotated again, an answer lost: the next try takes what X has, invalidating nothing",
            lost and live and self.asked.count(_INVALIDATE) == 1,
        )


class UserTokens(XAct):
    """A user's access and refresh token, for an app whose keys are in a secret of their own."""

    name, credential = "demo/user", UserPair.name
    about = "a user's access token, renewed by a refresh token that is good for one use"
    key, named = "access_token", "access token"
    headers = ("Old access\ntoken", "New access\ntoken")
    before = "a user's tokens in a secret"

    @classmethod
    def on(cls, stage: XStage) -> Self:
        app = stage.x.new_app()
        keys = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "base_url": stage.x.base_url,
        }
        stage.know(keys)
        masterarn = stage.simulator.create_secret(f"{cls.name}-app", keys)
        value = {"engine": "twitter", "credential": cls.credential, **cls.consent(stage, app)}
        return cls(stage, {**value, "masterarn": masterarn}, app)

    @staticmethod
    def consent(stage: XStage, app: App) -> dict[str, Any]:
        """What a person stores who has authorised the app."""
        answer = stage.x.authorize(app)
        return {key: answer[key] for key in ("access_token", "refresh_token", "scope")}

    def findings(self) -> Iterator[Finding]:
        old, new, x = self.old, self.new or self.old, self.stage.x
        yield from self.replaced()
        spent = not x.refreshes(old["refresh_token"]) and x.refreshes(new["refresh_token"])
        yield Finding("the old refresh token is used up, and X's next one is stored", spent)
        granted = set(new["scope"].split()) == set(old["scope"].split())
        yield Finding(
            f"so is what X grants, and when it ends: {new.get('expires_at')}",
            granted and "expires_at" in new,
        )
        only = self.unchanged(*UserPair.issued)
        yield Finding("nothing that X does not issue has changed in the secret", only)
        yield Finding(
            "X was asked twice: for new tokens, and whose they are", self.asked == [REFRESH, _ME]
        )
