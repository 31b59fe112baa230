"""What a step leaves behind: log lines and one metric document. Never the event, never a value."""

from __future__ import annotations

import logging
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rotators.dispatcher import Outcome
    from rotators.errors import RotationError
    from rotators.request import RotationRequest

SERVICE = "rotators"
SUCCEEDED, FAILED = "succeeded", "failed"
_UNKNOWN = "unknown"


class _Stdout(logging.StreamHandler[TextIO]):
    """Writes to what sys.stdout is at the time: whoever replaces it wants these lines, too."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout


@cache
def logger() -> Any:  # noqa: ANN401 Powertools is not imported with this module
    """The Powertools logger of this process."""
    from aws_lambda_powertools import Logger

    return Logger(service=SERVICE, location=None, logger_handler=_Stdout())


class Telemetry:
    """The record of one step."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._facts: dict[str, str] = {}

    def about(self, request: RotationRequest) -> None:
        """What every line from here on carries."""
        self._facts = {
            "secret_arn": request.secret_id,
            "step": request.step.value,
            "version_id": request.version_id,
        }

    def say(self, sentence: str, /, *, warning: bool = False, **facts: object) -> None:
        """One log line."""
        level = logging.WARNING if warning else logging.INFO
        logger().log(level, sentence, extra={**self._facts, **facts})

    def succeeded(self, outcome: Outcome) -> None:
        """The step's last line, and its metrics."""
        self._end(outcome.did, SUCCEEDED, outcome.engine, outcome.strategy, None)

    def failed(self, error: RotationError, trace: str | None) -> None:
        """The same for an error, which has been scrubbed."""
        who = error.who
        if trace:
            logger().error("the traceback of a defect", extra={**self._facts, "trace": trace})
        self._end(str(error), FAILED, who.get("engine"), who.get("strategy"), error.reason)

    def _end(
        self, said: str, outcome: str, engine: str | None, strategy: str | None, reason: str | None
    ) -> None:
        from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

        duration = round((time.monotonic() - self._began) * 1000, 1)
        told = {"engine": engine, "strategy": strategy, "reason": reason, "outcome": outcome}
        facts = self._facts | {key: value for key, value in told.items() if value is not None}
        level = logging.INFO if outcome == SUCCEEDED else logging.ERROR
        logger().log(level, said, extra={**facts, "duration_ms": duration})
        metrics = EphemeralMetrics(namespace=SERVICE, service=SERVICE)
        metrics.add_dimension("engine", facts.pop("engine", _UNKNOWN))
        metrics.add_dimension("step", facts.pop("step", _UNKNOWN))
        metrics.add_metric("StepFailed", MetricUnit.Count, int(outcome == FAILED))
        metrics.add_metric("StepDuration", MetricUnit.Milliseconds, duration)
        # High cardinality belongs beside the metric, not in its dimensions.
        for key, value in facts.items():
            metrics.add_metadata(key, value)
        metrics.flush_metrics()
