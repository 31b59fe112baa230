"""How long this invocation may still wait for anybody."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from rotators.errors import DeadlineExceeded

# Kept back from every wait, so that a failure can still be logged and reported.
RESERVE_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant, on ``clock``, after which nothing may be waited for. Seconds throughout."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """The deadline of an invocation that is stopped in so many seconds."""
        return cls(clock() + seconds - RESERVE_SECONDS, clock)

    def remaining(self, what: str, least: float = 0) -> float:
        """Seconds left for ``what``, above ``least``. Raises DeadlineExceeded if there are less."""
        left = self.at - self.clock()
        if left <= least:
            raise DeadlineExceeded(
                f"the function's time was used up before: {what}"
                if left <= 0
                else f"the function has {left:.1f} s left, too few for: {what}",
                "Give the function a longer time-out (Secrets Manager waits for minutes), or mend"
                " what was slow; the log shows each step's duration.",
            )
        return left

    def milliseconds(self, what: str) -> int:
        """As ``remaining``, in whole milliseconds, at least one."""
        return max(1, math.floor(self.remaining(what) * 1000))


_served: ContextVar[Deadline | None] = ContextVar("served", default=None)


@contextmanager
def serving(deadline: Deadline) -> Iterator[None]:
    """Meanwhile ``served`` is this deadline, for what is called back and is not handed any."""
    token = _served.set(deadline)
    try:
        yield
    finally:
        _served.reset(token)


def served() -> Deadline | None:
    """The deadline of the step that this thread serves; None outside of one."""
    return _served.get()
