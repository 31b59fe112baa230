"""What every rotator of issued values has to hold, at its provider or a fake of it. Needs pytest.

    class TestMyProvider(IssuedContract):
        rotator = MyRotator

        @pytest.fixture
        def target(self) -> Target: ...

proves a rotator: whole rotations, crashes at every point, replays, deliveries at once and one
after the other, stale reads, test-only attaches, answers that are lost, what a log may show.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from rotators.errors import RotationError, UnexpectedError
from rotators.issued.rotator import IssuedSecretRotator
from rotators.request import Step
from rotators.secret import Secret
from rotators.testing.crashes import Crash, CrashPoints
from rotators.testing.exchanges import End, ExchangeContract

if TYPE_CHECKING:
    from rotators.testing.bench import Bench


class IssuedContract(ExchangeContract):
    """Subclass it as TestX; name ``rotator``, and give the fixture ``target``.

    ``target.logs_in`` says whether the provider takes a value now.
    """

    # Secrets Manager calls of one rotation, and requests to the provider.
    calls: ClassVar[int] = 13
    requests: ClassVar[int] = 2

    def test_a_rotation_replaces_what_is_issued_and_nothing_else(self, bench: Bench) -> None:
        arn, old = bench.secret(note="kept", nothing=None)
        token = bench.driver.rotate(arn)
        self._assert_rotated(bench, arn, old, token)
        new = bench.current(arn)
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        assert changed
        assert not changed & {"engine", "note", "nothing"}
        assert [key for key in new if key in old] == list(old)

    def test_rotations_follow_each_other(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        for _ in range(3):
            old = bench.current(arn)
            self._assert_rotated(bench, arn, old, bench.driver.rotate(arn))

    def test_awscurrent_changes_only_after_the_value_is_stored(self, bench: Bench) -> None:
        arn, old = bench.secret()
        stored: dict[str, Any] = {}
        seen = []

        def watch(point: str) -> None:
            if point == "after put_pending":
                stored.update(bench.labelled(arn)["AWSPENDING"])
            current = bench.current(arn)
            assert current in (old, stored), point
            seen.append(current == old)

        bench.points = CrashPoints(watch=watch)
        bench.driver.rotate(arn)
        assert seen[0]
        assert not seen[-1]

    def test_a_crash_at_any_point_ends_well_or_says_the_cure(self, bench: Bench) -> None:
        ends: set[End] = set()
        at = 0
        while True:
            arn, old = bench.secret()
            token = bench.driver.start(arn)
            bench.points = CrashPoints(at)
            try:
                bench.driver.retry(arn, token)
                break
            except Crash as crash:
                point = f"{crash} ({at})"
            bench.points = None
            ends.add(self.settle(bench, arn, old, token, point))
            at += 1
        assert at > 2 * self.calls
        assert ends == ({"rotated", "reauthorization required"} if self.spends else {"rotated"})

    def test_a_crash_is_not_looped_over(self, bench: Bench) -> None:
        """Whatever the end is, more retries change nothing, and ask the provider for nothing."""
        at = 0
        while True:
            arn, old = bench.secret()
            token = bench.driver.start(arn)
            bench.points = CrashPoints(at)
            try:
                bench.driver.step(arn, token, Step.CREATE)
                break
            except Crash:
                at += 1
            bench.points = None
            self.settle(bench, arn, old, token, f"at {at}")
            before = bench.simulator.labels(arn), bench.current(arn)
            bench.points = CrashPoints()
            for _ in range(3):
                self._retry(bench, arn, token)
            assert (bench.simulator.labels(arn), bench.current(arn)) == before
            assert not {"before post", "before get_from"} & set(bench.points.seen)

    def test_a_value_that_the_provider_does_not_take_fails_the_test(self, bench: Bench) -> None:
        arn, value = bench.secret()
        spoilt = {key: f"un{text}" for key, text in self._issued(bench, value).items()}
        bench.driver.put_by_hand(arn, {**value, **spoilt})
        with pytest.raises(RotationError) as caught:
            bench.driver.test_only(arn)
        assert not isinstance(caught.value, UnexpectedError)

    def test_what_is_printed_shows_no_value(
        self, bench: Bench, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        arn, old = bench.secret()
        capfd.readouterr()
        with caplog.at_level(logging.INFO):
            bench.driver.rotate(arn)
        printed = "".join(capfd.readouterr()) + caplog.text
        assert printed
        for value in (old, bench.current(arn)):
            for text in Secret(self._issued(bench, value)).sensitive():
                assert text not in printed, "an issued value"

    def test_the_budget(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        # Who is slow looks again: that is not to be counted on a slow machine.
        monkeypatch.setattr("rotators.exchange.SETTLE_SECONDS", 60.0)
        arn, _ = bench.secret()
        bench.points = CrashPoints()
        before = len(bench.simulator.calls)
        bench.driver.rotate(arn)
        asked = sum(bench.points.seen.count(f"before {name}") for name in ("post", "get_from"))
        assert len(bench.simulator.calls) - before == self.calls
        assert asked == self.requests

    def _issued(self, bench: Bench, value: dict[str, Any]) -> dict[str, str]:
        """What of a value the provider makes."""
        rotator = self.rotator(bench.target.settings)
        assert isinstance(rotator, IssuedSecretRotator)
        issued = rotator.issued(Secret(value))
        return {key: text for key, text in value.items() if key in issued and isinstance(text, str)}
