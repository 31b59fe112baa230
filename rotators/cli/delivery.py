"""Delivers events to the function as Lambda does, and remembers what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from rotators import handler
from rotators.cli.output import function_log
from rotators.dispatcher import Dispatcher, Outcome
from rotators.errors import RotationError
from rotators.request import RotationRequest, Step

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.redaction import Redactor
    from rotators.rotator import Say


@dataclass(frozen=True)
class Delivered:
    """One step that was served. ``asked`` is False for one that had to be played first."""

    step: str
    asked: bool
    seconds: float
    did: str | None
    said: tuple[str, ...]
    error: RotationError | None


@dataclass(frozen=True)
class Plan:
    """The events to deliver, in order, and which of them were asked for."""

    request: RotationRequest
    events: tuple[Mapping[str, object], ...]
    asked: frozenset[str]

    @classmethod
    def of(cls, event: object, *, play_earlier: bool) -> Plan:
        """An event without Step stands for all four. Raises InvalidEvent, as the function would."""
        fields = dict(event) if isinstance(event, Mapping) else {}
        if fields and "Step" not in fields:
            request = RotationRequest.from_event({**fields, "Step": Step.CREATE})
            chosen, asked = list(Step), frozenset(Step)
        else:
            request = RotationRequest.from_event(event)
            chosen, asked = [request.step], frozenset([request.step])
            if play_earlier:
                chosen = list(Step)[: list(Step).index(request.step) + 1]
        return cls(request, tuple({**fields, "Step": step.value} for step in chosen), asked)


class Recorder(Dispatcher):
    """A dispatcher that remembers the last step's outcome and what was said in its log."""

    did: str | None = None
    said: tuple[str, ...] = ()

    def dispatch(
        self, request: RotationRequest, deadline: Deadline, redactor: Redactor, say: Say
    ) -> Outcome:
        def note(sentence: str, /, *, warning: bool = False, **facts: object) -> None:
            self.said += (redactor.scrub(sentence),)
            say(sentence, warning=warning, **facts)

        self.did, self.said = None, ()
        outcome = super().dispatch(request, deadline, redactor, note)
        self.did = outcome.did
        return outcome


def deliver(
    plan: Plan, recorder: Recorder, log: TextIO, began: Callable[[str], None]
) -> Iterator[Delivered]:
    """Serves the plan's events one by one, up to the first error.

    ``log`` gets the function's log; ``began`` hears of each step.
    """
    for event in plan.events:
        step = str(event["Step"])
        began(step)
        start, error = time.monotonic(), None
        try:
            with function_log(log):
                handler.serve(event, None, lambda: recorder)
        except RotationError as raised:
            error = raised
        seconds = round(time.monotonic() - start, 3)
        yield Delivered(step, step in plan.asked, seconds, recorder.did, recorder.said, error)
        if error:
            return
