"""The invocation's time, on a clock of our own."""

from __future__ import annotations

import pytest

from rotators.deadline import RESERVE_SECONDS, Deadline
from rotators.errors import DeadlineExceeded


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_reserve_is_kept_back_from_every_wait() -> None:
    clock = Clock()
    deadline = Deadline.after(10, clock)
    assert deadline.remaining("a login") == 10 - RESERVE_SECONDS
    clock.now += 2
    assert deadline.remaining("a login") == 8 - RESERVE_SECONDS
    assert RESERVE_SECONDS > 0


def test_no_time_left_says_before_what() -> None:
    clock = Clock()
    deadline = Deadline.after(10, clock)
    clock.now += 10 - RESERVE_SECONDS
    with pytest.raises(DeadlineExceeded) as caught:
        deadline.remaining("a login")
    assert caught.value.found == "the function's time was used up before: a login"
    assert "longer time-out" in caught.value.cure


def test_an_instant_before_the_end_is_still_time() -> None:
    clock = Clock()
    deadline = Deadline(clock.now + 0.25, clock)
    assert deadline.remaining("a login") == 0.25


def test_milliseconds_are_whole_and_never_zero() -> None:
    clock = Clock()
    assert Deadline(clock.now + 1.2559, clock).milliseconds("a login") == 1255
    # A driver takes zero for "for ever".
    assert Deadline(clock.now + 0.0001, clock).milliseconds("a login") == 1
    with pytest.raises(DeadlineExceeded):
        Deadline(clock.now, clock).milliseconds("a login")


def test_the_clock_of_a_deadline_is_the_monotonic_one_unless_told_otherwise() -> None:
    left = Deadline.after(30).remaining("a login")
    assert 28 < left <= 30 - RESERVE_SECONDS
