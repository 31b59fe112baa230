"""A secret on a real server, and what tests do with it; engines add what is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from rotators.settings import Settings
from rotators.testing.bench import Bench, Target
from rotators.testing.crashes import CrashPoints

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.request import Step


class Server(Protocol):
    """What every server of the tests has."""

    @property
    def ca(self) -> Path | None: ...


ServerT = TypeVar("ServerT", bound=Server)
TargetT = TypeVar("TargetT", bound=Target)


@dataclass
class Scene(Generic[ServerT, TargetT]):
    """A bench, and one secret, whose user is the base of a pair if it takes turns."""

    server: ServerT
    target: TargetT
    bench: Bench
    arn: str
    old: dict[str, Any]

    @property
    def base(self) -> str:
        return str(self.old["username"])

    @property
    def alternate(self) -> str:
        return f"{self.base}_clone"

    @property
    def admin(self) -> str:
        assert self.target.admin is not None
        return str(self.target.admin["username"])

    @property
    def current(self) -> dict[str, Any]:
        return self.bench.current(self.arn)

    @property
    def pending(self) -> dict[str, Any]:
        return self.bench.labelled(self.arn)["AWSPENDING"]

    def begin(self, *steps: Step) -> str:
        token = self.bench.driver.start(self.arn)
        for step in steps:
            self.bench.driver.step(self.arn, token, step.value)
        return token

    def rotate(self, times: int = 1) -> None:
        for _ in range(times):
            self.bench.driver.rotate(self.arn)

    def configure(self, **changes: Any) -> None:
        """Other settings of the function."""
        kept = {"ca_bundle": self.server.ca, "strategy": self.target.settings.strategy}
        self.target.settings = Settings(**{**kept, **changes})

    def rewrite(self, **fields: object) -> None:
        """AWSCURRENT as somebody puts it who may write the secret."""
        self.bench.driver.put_by_hand(self.arn, {**self.current, **fields})

    def cost(self) -> tuple[int, int, int]:
        """Of one rotation: calls of Secrets Manager, logins, refused logins."""
        points = self.bench.points = CrashPoints()
        before = len(self.bench.simulator.calls)
        self.rotate()
        self.bench.points = None
        opened = points.seen.count("after open")
        calls = len(self.bench.simulator.calls) - before
        return calls, opened, points.seen.count("before open") - opened
