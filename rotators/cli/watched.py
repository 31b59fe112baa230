"""A rotation that somebody looks at. Needs the extra ``demo``."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rotators import handler
from rotators.cli.delivery import Recorder
from rotators.cli.output import function_log
from rotators.registry import Registry
from rotators.request import Step
from rotators.testing.driver import RotationDriver
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.cli.demo_server import Finding
    from rotators.cli.stage import Scenery
    from rotators.settings import Settings


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
class WatchedRotation(ABC):
    """One secret and one rotation of it, with a look around after each step.

    ``key`` is what the rotation replaces in the secret; ``named`` is its name, ``let_in`` what is
    said of one that works, ``before`` of the scene before the first step.
    """

    stage: Scenery
    old: dict[str, Any] = field(repr=False)

    name: ClassVar[str]
    headers: ClassVar[tuple[str, str]]
    about: ClassVar[str]
    key: ClassVar[str]
    named: ClassVar[str]
    let_in: ClassVar[str]
    before: ClassVar[str]

    def __post_init__(self) -> None:
        self.stage.simulator.create_secret(self.name, self.old)

    @property
    @abstractmethod
    def title(self) -> str:
        """What this one is called among the others."""

    @property
    def new(self) -> dict[str, Any] | None:
        """The value that is rotated in, from createSecret on."""
        text = self.stage.simulator.value(self.name, stage=PENDING)
        text = text or self.stage.simulator.value(self.name)
        value: dict[str, Any] = json.loads(text or "{}")
        return None if value == self.old else value

    def perform(self) -> Iterator[Scene]:
        """The scene before, and after each step. Raises RotationError."""
        recorder = self.recorder(self.settings())
        driver = self.driver(recorder)
        first = self.stage.simulator.secret(self.name).labels[CURRENT]
        yield self.scene("before", self.before, 0.0, first)
        token = driver.start(self.name)
        for step in Step:
            start = time.monotonic()
            driver.step(self.name, token, step.value)
            seconds = round(time.monotonic() - start, 3)
            yield self.scene(step.value, self.told(recorder), seconds, first, token)

    def fingerprint(self, value: Mapping[str, Any]) -> str:
        """Tells one value from another, and no more."""
        return f"sha256:{hashlib.sha256(value[self.key].encode()).hexdigest()[:8]}…"

    @abstractmethod
    def settings(self) -> Settings:
        """The function's."""

    @abstractmethod
    def logs_in(self, value: Mapping[str, Any]) -> bool:
        """Whether the value is let in now: tried, not computed."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """The claims, each looked up anew."""

    @abstractmethod
    def document(self) -> dict[str, object]:
        """What JSON says of it first."""

    def recorder(self, settings: Settings) -> Recorder:
        """The function."""
        return Recorder(self.stage.versions, Registry(), settings)

    def driver(self, recorder: Recorder) -> RotationDriver:
        """Secrets Manager's part."""
        return RotationDriver(self.stage.simulator, partial(self.handle, recorder))

    def handle(self, recorder: Recorder, event: object, context: object) -> None:
        """Delivers one event to the function."""
        with function_log(self.stage.log):
            handler.serve(event, context, lambda: recorder)

    def told(self, recorder: Recorder) -> str:
        """What came of the last event."""
        return recorder.did or ""

    def scene(
        self, step: str, did: str, seconds: float, first: str, second: str | None = None
    ) -> Scene:
        """How things are now; ``first`` and ``second`` are versions."""
        labels = self.stage.simulator.labels(self.name)
        new = self.new
        return Scene(
            step,
            did,
            seconds,
            tuple(sorted(labels.get(first, ()))),
            tuple(sorted(labels.get(second or "", ()))),
            old_logs_in=self.logs_in(self.old),
            new_logs_in=None if new is None else self.logs_in(new),
        )

    def unchanged(self, *fields: str) -> bool:
        """Whether the values differ in nothing but ``fields``."""
        put = dict.fromkeys(fields)
        return {**(self.new or {}), **put} == {**self.old, **put}
