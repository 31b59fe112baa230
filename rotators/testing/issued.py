"""What every rotator of issued values has to hold, at its provider or a fake of it. Needs pytest.

    class TestMyProvider(IssuedContract):
        rotator = MyRotator

        @pytest.fixture
        def target(self) -> Target: ...

proves a rotator: whole rotations, crashes at every point, replays, parallel deliveries, stale
reads, test-only attaches, answers of Secrets Manager that are lost.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from rotators.errors import ReauthorizationRequired, RotationError, ValueNotReadable
from rotators.exchange import TAG
from rotators.request import Step
from rotators.testing.crashes import Crash, CrashPoints
from rotators.testing.rotations import RotationContract

if TYPE_CHECKING:
    from rotators.testing.bench import Bench

End = Literal["rotated", "reauthorization required"]

# No invocation of a bench lasts longer.
_INVOCATION = timedelta(seconds=60)


class IssuedContract(RotationContract):
    """Subclass it as TestX; name ``rotator``, and give the fixture ``target``.

    ``target.logs_in`` says whether the provider takes a value now.
    """

    # Secrets Manager calls of one rotation, and requests to the provider.
    calls: ClassVar[int] = 13
    requests: ClassVar[int] = 2
    # Whether a crash may end in ReauthorizationRequired: asking uses AWSCURRENT's value up.
    spends: ClassVar[bool] = False

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

    @pytest.mark.parametrize("step", list(Step))
    def test_two_deliveries_at_once(self, bench: Bench, step: Step) -> None:
        for _ in range(3):
            arn, old = bench.secret()
            token = bench.driver.start(arn)
            for each in Step:
                if each is not step:
                    bench.driver.step(arn, token, each.value)
                    continue
                if step is Step.CREATE:
                    # Of two that spend, one gives way to the other, and has to wait for it.
                    bench.sleep = time.sleep
                assert bench.driver.parallel(arn, token, each.value) == [None, None]
            self._assert_rotated(bench, arn, old, token)

    @pytest.mark.parametrize(
        "operation", ["TagResource", "PutSecretValue", "UntagResource", "UpdateSecretVersionStage"]
    )
    def test_an_answer_of_secrets_manager_that_is_lost(self, bench: Bench, operation: str) -> None:
        arn, old = bench.secret()
        bench.simulator.drop_next_answer(operation)
        self._assert_rotated(bench, arn, old, bench.driver.rotate(arn))

    def test_what_was_issued_is_offered_until_it_is_stored(self, bench: Bench) -> None:
        arn, old = bench.secret()
        # boto3 gives up after a few attempts of its own.
        bench.simulator.fail_next("PutSecretValue", "InternalServiceError", 500, times=12)
        self._assert_rotated(bench, arn, old, bench.driver.rotate(arn))

    def test_nothing_is_asked_where_no_mark_can_be_left(self, bench: Bench) -> None:
        arn, old = bench.secret()
        bench.simulator.deny("TagResource")
        token = bench.driver.start(arn)
        with pytest.raises(RotationError, match="TagResource"):
            bench.driver.step(arn, token, Step.CREATE)
        assert bench.target.logs_in(old)
        bench.simulator.allow("TagResource")
        bench.driver.retry(arn, token)
        self._assert_rotated(bench, arn, old, token)

    def test_the_mark_is_gone_at_the_end(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        bench.driver.rotate(arn)
        assert TAG not in bench.simulator.secret(arn).tags

    def test_a_mark_that_stays_is_no_failure(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        bench.simulator.deny("UntagResource")
        for _ in range(2):
            old = bench.current(arn)
            self._assert_rotated(bench, arn, old, bench.driver.rotate(arn))

    def test_the_budget(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        bench.points = CrashPoints()
        before = len(bench.simulator.calls)
        bench.driver.rotate(arn)
        asked = sum(bench.points.seen.count(f"before {name}") for name in ("post", "get_from"))
        assert len(bench.simulator.calls) - before == self.calls
        assert asked == self.requests

    def settle(
        self, bench: Bench, arn: str, old: dict[str, Any], token: str, when: str = ""
    ) -> End:
        """Retries as Secrets Manager does, and asserts that one of the two good ends is met."""
        for _ in range(3):
            error = self._retry(bench, arn, token)
            if not isinstance(error, ValueNotReadable):
                break
            # Another invocation might have been at it; by then, none is.
            bench.simulator.advance(_INVOCATION)
        if isinstance(error, ReauthorizationRequired):
            assert self.spends, when
            assert bench.current(arn) == old, when
            return "reauthorization required"
        if error is not None:
            raise error
        self._assert_rotated(bench, arn, old, token, when)
        return "rotated"

    def _retry(self, bench: Bench, arn: str, token: str) -> RotationError | None:
        try:
            bench.driver.retry(arn, token)
        except RotationError as error:
            return error
        return None

    def _assert_rotated(
        self, bench: Bench, arn: str, old: dict[str, Any], token: str, when: str = ""
    ) -> None:
        new = bench.current(arn)
        assert "AWSCURRENT" in bench.simulator.labels(arn)[token], when
        assert new != old, when
        assert bench.target.logs_in(new), when
