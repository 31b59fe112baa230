"""How long this invocation may still wait for anybody."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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

    def remaining(self, what: str) -> float:
        """Seconds left for ``what``, above zero. Raises DeadlineExceeded when there are none."""
        left = self.at - self.clock()
        if left <= 0:
            raise DeadlineExceeded(
                f"the function's time was used up before: {what}",
                "Give the function a longer time-out (Secrets Manager waits for minutes), or mend"
                " what was slow; the log shows each step's duration.",
            )
        return left

    def milliseconds(self, what: str) -> int:
        """As ``remaining``, in whole milliseconds, at least one."""
        return max(1, math.floor(self.remaining(what) * 1000))
