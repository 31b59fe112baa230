"""Whole rotations of real database users, one act for each strategy.

Needs the extra ``demo``.
"""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rotators import handler
from rotators.cli.delivery import Recorder
from rotators.cli.demo_server import Finding
from rotators.cli.output import function_log
from rotators.registry import Registry
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.driver import RotationDriver
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.cli.stage import Stage


@dataclass(frozen=True)
class Scene:
    """How things are after a step: labels by version, and which value logs in (None: not yet)."""

    step: str
    did: str
    seconds: float
    first: tuple[str, ...]
    second: tuple[str, ...]
    old_logs_in: bool
    new_logs_in: bool | None


@dataclass
class Act(ABC):
    """One user, one secret, one rotation."""

    stage: Stage
    old: dict[str, Any] = field(repr=False)

    strategy: ClassVar[StrategyName]
    name: ClassVar[str]
    headers: ClassVar[tuple[str, str]]
    about: ClassVar[str]

    def __post_init__(self) -> None:
        self.stage.simulator.create_secret(self.name, self.old)

    @property
    def new(self) -> dict[str, Any] | None:
        """The value that is rotated in, from createSecret on."""
        text = self.stage.simulator.value(self.name, stage=PENDING)
        text = text or self.stage.simulator.value(self.name)
        value: dict[str, Any] = json.loads(text or "{}")
        return None if value == self.old else value

    def perform(self) -> Iterator[Scene]:
        """The scene before, and after each step. Raises RotationError."""
        recorder = self._recorder(self.strategy)
        driver = self._driver(recorder)
        first = self.stage.simulator.secret(self.name).labels[CURRENT]
        yield self._scene("before", "a user and its secret", 0.0, first)
        token = driver.start(self.name)
        for step in Step:
            start = time.monotonic()
            driver.step(self.name, token, step.value)
            seconds = round(time.monotonic() - start, 3)
            yield self._scene(step.value, recorder.did or "", seconds, first, token)

    @classmethod
    @abstractmethod
    def on(cls, stage: Stage) -> Self:
        """The act, with what it needs on the server."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """The claims, each looked up anew."""

    def _recorder(self, strategy: StrategyName) -> Recorder:
        settings = Settings(ca_bundle=self.stage.server.ca, strategy=strategy)
        return Recorder(self.stage.versions, Registry(), settings)

    def _driver(self, recorder: Recorder) -> RotationDriver:
        return RotationDriver(self.stage.simulator, partial(self._handle, recorder))

    def _handle(self, recorder: Recorder, event: object, context: object) -> None:
        with function_log(self.stage.log):
            handler.serve(event, context, lambda: recorder)

    def _scene(
        self, step: str, did: str, seconds: float, first: str, second: str | None = None
    ) -> Scene:
        labels = self.stage.simulator.labels(self.name)
        new = self.new
        return Scene(
            step,
            did,
            seconds,
            tuple(sorted(labels.get(first, ()))),
            tuple(sorted(labels.get(second or "", ()))),
            old_logs_in=self.stage.logs_in(self.old),
            new_logs_in=None if new is None else self.stage.logs_in(new),
        )

    def _unchanged(self, *fields: str) -> bool:
        """Whether the values differ in nothing but ``fields``."""
        put = dict.fromkeys(fields)
        return {**(self.new or {}), **put} == {**self.old, **put}


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
        yield Finding("nothing else in the secret has changed", self._unchanged("password"))


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
        same = self._unchanged("username", "password")
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
        yield Finding("nothing else in the secret has changed", self._unchanged("password"))
        self._driver(self._recorder(StrategyName.SINGLE_USER)).rotate(self.name)
        alive = [self.stage.logs_in(value) for value in (self.old, new, self.new or new)]
        yield Finding(
            "rotated once more, by single-user, as after a leak: neither of the two logs in",
            alive == [False, False, True],
        )


ACTS: tuple[type[Act], ...] = (SingleUser, AlternatingUsers, DualPassword)


def logs(stage: Stage) -> Iterator[Finding]:
    """What is claimed of the logs of all acts."""
    # Without a statement in it, a log without passwords would prove nothing.
    logged = stage.server.logged()
    clean = logged.holds and not stage.shows_password(stage.server.log_text())
    yield Finding(f"{logged.claim}, no password", clean)
    written = stage.log.getvalue()
    clean = bool(written) and not stage.shows_password(written)
    yield Finding(f"the function logged {len(written.splitlines())} lines, no password", clean)


def fingerprint(value: dict[str, Any]) -> str:
    """Tells one password from another, and no more."""
    return f"sha256:{hashlib.sha256(value['password'].encode()).hexdigest()[:8]}…"
