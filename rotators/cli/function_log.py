"""What a function that runs by itself has told: in its log, and in its errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rotators import errors
from rotators.errors import RotationError, UnexpectedError
from rotators.telemetry import SERVICE, SUCCEEDED

if TYPE_CHECKING:
    from rotators.testing.runtime import FunctionError


def told(log: str) -> tuple[str | None, tuple[str, ...]]:
    """What a step came to, None if it failed, and what else was said on the way."""
    did, said = None, []
    for line in _own_lines(log):
        if "outcome" not in line:
            said.append(str(line["message"]))
        elif line["outcome"] == SUCCEEDED:
            did = str(line["message"])
    return did, tuple(said)


def as_error(raised: FunctionError) -> RotationError:
    """The error of this package that the function has raised, or that its runtime stands for."""
    kind = getattr(errors, raised.error_type, None)
    if isinstance(kind, type) and issubclass(kind, RotationError):
        found, _, cure = raised.error_message.partition(". ")
        return kind(found, cure)
    return UnexpectedError(f"the runtime says {raised}", "Look at the function's log, with -v.")


def parsed(text: str | None) -> dict[str, Any] | None:
    """A JSON object; None for everything else."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _own_lines(log: str) -> Iterator[dict[str, Any]]:
    """Log lines of this package, metrics and other loggers' aside."""
    for text in log.split("\n"):
        line = parsed(text)
        if line is not None and line.get("service") == SERVICE and "message" in line:
            yield line
