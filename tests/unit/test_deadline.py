"""The invocation's time, on a clock of our own."""

from __future__ import annotations

import pytest

from rotators.deadline import RESERVE_SECONDS, Deadline, served, serving
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


def test_too_little_time_says_how_much_and_for_what() -> None:
    deadline = Deadline(at=1004.25, clock=Clock())
    assert deadline.remaining("a call", least=4) == 4.25
    with pytest.raises(DeadlineExceeded, match=r"has 4\.2 s left, too few for: a call"):
        deadline.remaining("a call", least=4.25)


def test_the_deadline_that_is_served_is_the_innermost() -> None:
    one, other = Deadline(at=1), Deadline(at=2)
    assert served() is None
    with serving(one):
        with serving(other):
            assert served() is other
        assert served() is one
    assert served() is None
