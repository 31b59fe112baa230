"""What every rotator of passwords has to hold, on a real server. Needs pytest.

    class TestMyEngine(EngineContract):
        rotator = MyRotator

        @pytest.fixture
        def target(self) -> Target: ...

proves an engine: whole rotations, crashes at every point, replays, parallel deliveries, stale
reads, test-only attaches, superseded and abandoned rotations, passwords that leaked.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar

import pytest

from rotators.errors import LoginRefused, RotationRejected
from rotators.request import Step
from rotators.testing.crashes import Crash, CrashPoints
from rotators.testing.passwords import PasswordContract

if TYPE_CHECKING:
    from rotators.testing.bench import Bench


class EngineContract(PasswordContract):
    """Subclass it as TestX; name ``rotator``, and give the fixture ``target``."""

    # Secrets Manager calls of one rotation, and its logins that succeed.
    calls: ClassVar[int] = 11
    logins: ClassVar[int] = 2
    # Its logins that are refused: those that find out whether AWSPENDING is in place.
    probes: ClassVar[int] = 0
    # Logins that are refused, at most, where no stored password works.
    refused: ClassVar[int] = 4

    def test_a_rotation_replaces_the_password_and_nothing_else(self, bench: Bench) -> None:
        arn, old = bench.secret(note="kept", dbInstanceIdentifier=None)
        token = bench.driver.rotate(arn)
        new = bench.current(arn)
        assert "AWSCURRENT" in bench.simulator.labels(arn)[token]
        self._assert_rotated(bench, arn, old, token, "once")
        replaced = {key: new[key] for key in ("username", "password")}
        assert list(new.items()) == list({**old, **replaced}.items())

    def test_the_law_holds_at_every_instant(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        broken: list[str] = []

        def watch(point: str) -> None:
            if not self._lawful(bench, arn):
                broken.append(point)

        bench.points = CrashPoints(watch=watch)
        bench.driver.rotate(arn)
        assert not broken

    def test_a_crash_at_any_point_is_healed_by_a_retry(self, bench: Bench) -> None:
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
            assert self._lawful(bench, arn), point
            bench.points = None
            bench.driver.retry(arn, token)
            self._assert_rotated(bench, arn, old, token, point)
            at += 1
        assert at > 2 * self.calls

    @pytest.mark.parametrize("step", list(Step))
    def test_two_deliveries_at_once_both_end_well(self, bench: Bench, step: Step) -> None:
        for _ in range(3):
            arn, old = bench.secret()
            token = bench.driver.start(arn)
            for each in Step:
                if each is step:
                    assert bench.driver.parallel(arn, token, each.value) == [None, None]
                else:
                    bench.driver.step(arn, token, each.value)
            self._assert_rotated(bench, arn, old, token, f"parallel {step}")

    def test_a_finish_that_another_overtakes_ends_well(self, bench: Bench) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        for step in (Step.CREATE, Step.SET, Step.TEST):
            bench.driver.step(arn, token, step.value)

        def overtake(_: object) -> None:
            bench.driver.step(arn, token, Step.FINISH)

        bench.simulator.before("GetSecretValue", overtake, times=1)
        bench.driver.step(arn, token, Step.FINISH)
        self._assert_rotated(bench, arn, old, token, "overtaken")

    @pytest.mark.parametrize("read", [1, 2])
    def test_a_set_that_a_whole_rotation_overtakes_ends_well(self, bench: Bench, read: int) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        reads = 0

        def overtake(point: str) -> None:
            nonlocal reads
            reads += point == "before get"
            if reads == read:
                bench.points = None
                for step in (Step.SET, Step.TEST, Step.FINISH):
                    bench.driver.step(arn, token, step)

        bench.points = CrashPoints(watch=overtake)
        bench.driver.step(arn, token, Step.SET)
        self._assert_rotated(bench, arn, old, token, f"overtaken before read {read}")

    def test_a_cancelled_rotation_is_rejected(self, bench: Bench) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.driver.cancel(arn)
        with pytest.raises(RotationRejected, match="not enabled"):
            bench.driver.step(arn, token, Step.SET)
        assert bench.target.logs_in(old)

    def test_a_wrong_password_fails_the_test(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        with pytest.raises(LoginRefused):
            bench.driver.step(arn, token, Step.TEST)

    def test_a_lost_answer_is_no_failure_for_ever(self, bench: Bench) -> None:
        for operation in ("PutSecretValue", "UpdateSecretVersionStage"):
            arn, old = bench.secret()
            bench.simulator.drop_next_answer(operation)
            self._assert_rotated(bench, arn, old, bench.driver.rotate(arn), operation)

    def test_the_budget(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        bench.points = CrashPoints()
        before = len(bench.simulator.calls)
        bench.driver.rotate(arn)
        opened = bench.points.seen.count("after open")
        assert len(bench.simulator.calls) - before == self.calls
        assert opened == self.logins
        assert bench.points.seen.count("before open") - opened == self.probes

    def test_a_lost_password_costs_few_logins_and_says_the_cure(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        for _ in range(self.refused):
            bench.driver.put_by_hand(arn, {**bench.current(arn), "password": uuid.uuid4().hex})
        bench.points = CrashPoints()
        with pytest.raises(LoginRefused, match="put-secret-value"):
            bench.driver.rotate(arn)
        assert bench.points.seen.count("before open") == self.refused

    def _lawful(self, bench: Bench, arn: str) -> bool:
        if self.zero_downtime:
            return bench.target.logs_in(bench.current(arn))
        return bench.lawful(arn)
