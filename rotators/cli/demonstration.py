"""Whole rotations of real database users, one act for each strategy.

Needs the extra ``demo``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import click

from rotators.cli.demo_server import Finding, server_of
from rotators.cli.programme import Programme
from rotators.cli.stage import Stage, stage
from rotators.cli.watched import WatchedRotation
from rotators.settings import Settings, StrategyName

if TYPE_CHECKING:
    from rotators.cli.demo_server import DemoServer


@dataclass
class Act(WatchedRotation):
    """One user, one secret, one rotation."""

    stage: Stage

    strategy: ClassVar[StrategyName]
    key: ClassVar[str] = "password"
    named: ClassVar[str] = "password"
    let_in: ClassVar[str] = "logs in"
    before: ClassVar[str] = "a user and its secret"

    @classmethod
    @abstractmethod
    def on(cls, stage: Stage) -> Self:
        """The act, with what it needs on the server."""

    @property
    def title(self) -> str:
        return str(self.strategy)

    def settings(self) -> Settings:
        return Settings(ca_bundle=self.stage.server.ca, strategy=self.strategy)

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        return self.stage.logs_in(value)

    def document(self) -> dict[str, object]:
        new = self.new or self.old
        return {
            "strategy": self.strategy,
            "users": {"old": self.old["username"], "new": new["username"]},
        }


class SingleUser(Act):
    """A user that changes its own password."""

    strategy = StrategyName.SINGLE_USER
    name = "demo/app"
    headers = ("Old\npassword", "New\npassword")
    about = "the user 'app' changes its own password"

    @classmethod
    def on(cls, stage: Stage) -> Self:
        return cls(stage, stage.new_user("app"))

    def findings(self) -> Iterator[Finding]:
        yield Finding("the old password is refused", not self.stage.logs_in(self.old))
        yield Finding("the new password is accepted", self.stage.logs_in(self.new or self.old))
        yield Finding("nothing else in the secret has changed", self.unchanged("password"))


class AlternatingUsers(Act):
    """Two users in turn, by an admin that is no superuser, as on RDS."""

    strategy = StrategyName.ALTERNATING_USERS
    name = "demo/shop"
    headers = ("User\nshop", "User\nshop_clone")
    about = "'shop' and 'shop_clone' take turns, by an admin that is no superuser"

    @classmethod
    def on(cls, stage: Stage) -> Self:
        admin, masterarn = stage.admin()
        return cls(stage, {**stage.new_user("shop", admin), "masterarn": masterarn})

    def findings(self) -> Iterator[Finding]:
        new, server = self.new or self.old, self.stage.server
        yield Finding("'shop' still logs in with the old password", self.stage.logs_in(self.old))
        yield Finding("the new value logs in, as 'shop_clone'", server.user_of(new) == "shop_clone")
        yield server.clone_is_base("shop", new)
        admin, _ = self.stage.admin()
        yield Finding("the admin is no superuser", not server.is_superuser(admin["username"]))
        same = self.unchanged("username", "password")
        yield Finding("nothing but user and password has changed in the secret", same)


class DualPassword(Act):
    """One user with two passwords, until both are taken from it."""

    strategy = StrategyName.DUAL_PASSWORD
    name = "demo/site"
    headers = ("Old\npassword", "New\npassword")
    about = "the old password of 'site' goes on to log in beside the new one"

    @classmethod
    def on(cls, stage: Stage) -> Self:
        user = stage.new_user("site")
        if stage.server.retains_alone:
            stage.server.let_retain("site")
            return cls(stage, user)
        _, masterarn = stage.admin()
        return cls(stage, {**user, "masterarn": masterarn})

    def findings(self) -> Iterator[Finding]:
        new = self.new or self.old
        yield Finding("the old password still logs in", self.stage.logs_in(self.old))
        yield Finding("the new password logs in, too", self.stage.logs_in(new))
        yield Finding("nothing else in the secret has changed", self.unchanged("password"))
        alone = replace(self.settings(), strategy=StrategyName.SINGLE_USER)
        self.driver(self.recorder(alone)).rotate(self.name)
        alive = [self.stage.logs_in(value) for value in (self.old, new, self.new or new)]
        yield Finding(
            "rotated once more, by single-user, as after a leak: neither of the two logs in",
            alive == [False, False, True],
        )


ACTS: tuple[type[Act], ...] = (SingleUser, AlternatingUsers, DualPassword)


@dataclass
class DatabaseProgramme(Programme):
    """One act for each strategy of the engine, on the first server of this machine."""

    on: DemoServer
    kinds: list[type[Act]]

    @classmethod
    def chosen(cls, engine: str, strategy: str | None) -> Self:
        kind = server_of(engine)
        kinds = _kinds(kind, strategy)
        found = kind.found()
        if not found:
            raise click.ClickException(f"There is no {kind.title} on this machine. {kind.cure}")
        server = found[0]
        return cls(
            title=kind.title,
            opening=f"{kind.title} {server.version} ({_WHOSE[server.origin]}), verified TLS,"
            " Secrets Manager simulated.",
            server={"engine": engine, "version": server.version, "origin": server.origin},
            searched="every password",
            failures=kind.failures,
            on=server,
            kinds=kinds,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        with stage(self.on) as self._stage:
            yield

    def acts(self) -> Iterator[Act]:
        for kind in self.kinds:
            yield kind.on(self._stage)

    def logs(self) -> Iterator[Finding]:
        shows = self._stage.shows
        # Without a statement in it, a log without passwords would prove nothing.
        logged = self.on.logged()
        clean = logged.holds and not shows(self.on.log_text())
        yield Finding(f"{logged.claim}, no password", clean)
        written = self._stage.log.getvalue()
        clean = bool(written) and not shows(written)
        yield Finding(f"the function logged {len(written.splitlines())} lines, no password", clean)


def _kinds(kind: type[DemoServer], strategy: str | None) -> list[type[Act]]:
    """The acts that the engine can play. Raises UsageError if ``strategy`` is none of them."""
    playable = [act for act in ACTS if act.strategy in kind.strategies]
    if strategy is None:
        return playable
    if strategy not in kind.strategies:
        known = ", ".join(act.strategy for act in playable)
        raise click.UsageError(
            f"{kind.title} cannot be rotated by {strategy!r}. Choose one of: {known}."
        )
    return [act for act in playable if act.strategy == strategy]


_WHOSE = {
    "machine": "this machine's",
    "wheel": "the one of rotators[demo]",
    "fetched": "the one of make servers",
}
