"""Delivers events to a function that runs by itself, and looks at what came of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from rotators.cli import function_log
from rotators.cli.delivery import Delivered
from rotators.errors import UnexpectedError
from rotators.testing.driver import FUNCTION_ARN
from rotators.testing.runtime import FunctionError
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.cli.delivery import Plan
    from rotators.cli.demonstration import Act
    from rotators.cli.report import Report


class Invocable(Protocol):
    """A function, however it runs."""

    def invoke(self, event: object) -> object:
        """The handler's result. Raises FunctionError."""

    def log_text(self) -> str:
        """All that it has logged."""


class Delivery:
    """Plays a plan's steps, up to the first error, and reports."""

    def __init__(self, function: Invocable, act: Act, report: Report) -> None:
        self._function = function
        self._act = act
        self._report = report
        self._simulator = act.stage.simulator
        self._arn = self._simulator.secret(act.name).arn

    def play(self, plan: Plan, *, test_only: bool) -> None:
        # With a copy, the function could not tell this from a rotation, nor say so.
        self._simulator.test_only_value = "missing"
        version = plan.request.version_id
        self._simulator.rotations.begin(self._arn, version, FUNCTION_ARN, test=test_only)
        for event in plan.events:
            delivered = self._deliver({**event, "SecretId": self._arn}, plan)
            self._report.steps.append(delivered)
            self._report.error = delivered.error
            if delivered.error:
                break
        self._report.labels = self._simulator.labels(self._arn)
        self._report.notes += [self._logins(), self._search()]

    def _deliver(self, event: Mapping[str, object], plan: Plan) -> Delivered:
        step, error = str(event["Step"]), None
        before, start = len(self._function.log_text()), time.monotonic()
        try:
            self._function.invoke(event)
        except FunctionError as raised:
            error = function_log.as_error(raised)
        seconds = round(time.monotonic() - start, 3)
        did, said = function_log.told(self._function.log_text()[before:])
        return Delivered(step, step in plan.asked, seconds, did, said, error)

    def _logins(self) -> str:
        """Which of the secret's values the server lets in."""
        held = {label: self._value(label) for label in (CURRENT, PENDING)}
        answers = {True: "logs in", False: "is refused"}
        told = [
            f"{label}'s value {answers[self._act.stage.logs_in(value)]}"
            for label, value in held.items()
            if value is not None
        ]
        return f"On the server, {' and '.join(told)}."

    def _value(self, label: str) -> dict[str, Any] | None:
        return function_log.parsed(self._simulator.value(self._arn, stage=label))

    def _search(self) -> str:
        log = self._function.log_text()
        if self._act.stage.shows_password(log):
            self._report.error = UnexpectedError(
                "the function's log shows a password", "Report it: this is a defect."
            )
            return "The function's log shows a password."
        return f"The function logged {len(log.splitlines())} lines, no password."
