"""Whole rotations of real PostgreSQL users, one act for each strategy.

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


@dataclass(frozen=True)
class Finding:
    """What is claimed at the end, and whether it was found so."""

    claim: str
    holds: bool


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
        stage = self.stage
        settings = Settings(ca_bundle=stage.ca, strategy=self.strategy)
        recorder = Recorder(stage.versions, Registry(), settings)
        driver = RotationDriver(stage.simulator, partial(self._handle, recorder))
        first = stage.simulator.secret(self.name).labels[CURRENT]
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
        return cls(stage, stage.new_user("app", stage.superuser()))

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
        admin = stage.new_user("admin", stage.superuser(), "CREATEROLE")
        # Who makes a user may administer it: from PostgreSQL 16 on, nobody else but a superuser.
        user = stage.new_user("shop", admin)
        masterarn = stage.simulator.create_secret("demo/admin", admin)
        return cls(stage, {**user, "masterarn": masterarn})

    def findings(self) -> Iterator[Finding]:
        new = self.new or self.old
        yield Finding("'shop' still logs in with the old password", self.stage.logs_in(self.old))
        yield Finding("the new value logs in, as 'shop_clone'", self._who(new)[0] == "shop_clone")
        yield Finding(
            "it starts as 'shop', to which all that it makes belongs", self._who(new)[1] == "shop"
        )
        with self.stage.connect(self.stage.superuser()) as session:
            asked = "SELECT rolcreaterole AND NOT rolsuper FROM pg_roles WHERE rolname = 'admin'"
            yield Finding("the admin is no superuser", session.execute(asked).fetchone() == (True,))
        same = self._unchanged("username", "password")
        yield Finding("nothing but user and password has changed in the secret", same)

    def _who(self, value: dict[str, Any]) -> tuple[Any, ...]:
        with self.stage.connect(value) as session:
            found = session.execute("SELECT session_user, current_user").fetchone()
        return found or ("", "")


ACTS: tuple[type[Act], ...] = (SingleUser, AlternatingUsers)


def logs(stage: Stage) -> Iterator[Finding]:
    """What is claimed of the logs of all acts."""
    said, written = stage.server.log_text(), stage.log.getvalue()
    # Without a statement in it, a log without passwords would prove nothing.
    clean = "ALTER ROLE" in said and not stage.shows_password(said)
    lines = len(said.splitlines())
    yield Finding(f"the server logged every statement ({lines} lines), no password", clean)
    clean = bool(written) and not stage.shows_password(written)
    yield Finding(f"the function logged {len(written.splitlines())} lines, no password", clean)


def fingerprint(value: dict[str, Any]) -> str:
    """Tells one password from another, and no more."""
    return f"sha256:{hashlib.sha256(value['password'].encode()).hexdigest()[:8]}…"
