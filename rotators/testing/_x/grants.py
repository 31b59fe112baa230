"""What people consented to: pairs of a short-lived access token and a refresh token of one use."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rotators.testing._x.messages import Refused

if TYPE_CHECKING:
    from rotators.testing._x.apps import App
    from rotators.testing._x.switches import Switches

_OFFLINE = "offline.access"


@dataclass(slots=True, eq=False)
class Grant:
    """One person's consent to one app. Tokens are kept with the moment at which they expire."""

    app: App
    scope: frozenset[str]
    access: dict[str, float] = field(default_factory=dict, repr=False)
    refresh: dict[str, float] = field(default_factory=dict, repr=False)
    spent: set[str] = field(default_factory=set, repr=False)

    def end(self) -> None:
        self.access.clear()
        self.refresh.clear()


@dataclass(slots=True, eq=False)
class Grants:
    """Every grant. Grants live on their own, but for the switch `one_grant_per_app`."""

    switches: Switches
    advanced: float = 0.0
    _all: list[Grant] = field(default_factory=list, repr=False)

    def consent(self, app: App, scope: str) -> dict[str, Any]:
        if self.switches.one_grant_per_app:
            for other in self._all:
                if other.app == app:
                    other.end()
        grant = Grant(app, frozenset(scope.split()))
        self._all.append(grant)
        return self._issued(grant)

    def refresh(self, app: App, token: str) -> dict[str, Any]:
        """The next pair. Raises `Refused`; a spent token then ends its grant, if so switched."""
        for grant in self._all:
            if grant.app == app and self._alive(grant.refresh, token):
                return self._refreshed(grant, token)
            if grant.app == app and token in grant.spent and self.switches.kills_family:
                grant.end()
        raise Refused(*self.switches.spent_answer)

    def revoke(self, app: App, token: str) -> None:
        """End this one token. Unknown ones are no error (RFC 7009)."""
        for grant in self._all:
            if grant.app == app:
                grant.access.pop(token, None)
                grant.refresh.pop(token, None)

    def scope_of(self, access_token: str) -> frozenset[str] | None:
        """What this token is let in for; None: it is not."""
        alive = (grant.scope for grant in self._all if self._alive(grant.access, access_token))
        return next(alive, None)

    def refreshes(self, token: str) -> bool:
        return any(self._alive(grant.refresh, token) for grant in self._all)

    def _refreshed(self, grant: Grant, token: str) -> dict[str, Any]:
        del grant.refresh[token]
        grant.spent.add(token)
        if self.switches.access_dies_on_refresh:
            grant.access.clear()
        return self._issued(grant)

    def _issued(self, grant: Grant) -> dict[str, Any]:
        access = secrets.token_urlsafe(48)
        grant.access[access] = self._now() + self.switches.expires_in
        issued = {
            "token_type": "bearer",
            "expires_in": self.switches.expires_in,
            "access_token": access,
            "scope": " ".join(sorted(grant.scope)),
        }
        return issued | self._refresh_token(grant)

    def _refresh_token(self, grant: Grant) -> dict[str, str]:
        if _OFFLINE not in grant.scope:
            return {}
        token, lives = secrets.token_urlsafe(48), self.switches.refresh_expires_in
        grant.refresh[token] = float("inf") if lives is None else self._now() + lives
        return {"refresh_token": token}

    def _alive(self, tokens: dict[str, float], token: str) -> bool:
        return self._now() < tokens.get(token, float("-inf"))

    def _now(self) -> float:
        return time.monotonic() + self.advanced
