"""What holds while a provider is asked: a part of IssuedContract."""

# ruff: noqa: S101 they are tests

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from rotators.errors import AnswerLost, ReauthorizationRequired, RotationError, ValueNotReadable
from rotators.exchange import SETTLE_SECONDS, TAG
from rotators.request import Step
from rotators.testing.crashes import CrashPoints
from rotators.testing.rotations import RotationContract

if TYPE_CHECKING:
    from rotators.testing.bench import Bench

End = Literal["rotated", "reauthorization required"]

# No invocation of a bench lasts longer.
_INVOCATION = timedelta(seconds=60)


class ExchangeContract(RotationContract):
    """Deliveries at once and one after the other, lost answers, and the mark meanwhile."""

    # Whether a crash may end in ReauthorizationRequired: asking uses AWSCURRENT's value up.
    spends: ClassVar[bool] = False

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

    @pytest.mark.parametrize("rest", ["createSecret", "the whole rotation"])
    def test_a_delivery_that_another_overtakes_asks_for_nothing_more(
        self, bench: Bench, rest: str
    ) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)

        def overtaken(point: str) -> None:
            # No value was staged, and AWSCURRENT is still to be read.
            if overtaking or slow.seen[-2:] != ["before get", "before get"]:
                return
            overtaking.append(point)
            bench.points = None
            if rest == "createSecret":
                bench.driver.step(arn, token, Step.CREATE)
            else:
                bench.driver.retry(arn, token)
                # No rotation is faster; who can ask again looks again only then.
                time.sleep(0 if self.spends else SETTLE_SECONDS * 0.6)

        overtaking: list[str] = []
        slow = bench.points = CrashPoints(watch=overtaken)
        bench.driver.step(arn, token, Step.CREATE)
        assert overtaking
        bench.points = None
        if self.spends:
            assert "before post" not in slow.seen
        bench.driver.retry(arn, token)
        self._assert_rotated(bench, arn, old, token)

    def test_a_repeated_delivery_that_reads_too_early_asks_for_nothing_more(
        self, bench: Bench
    ) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.simulator.delay_reads(1)
        bench.points = CrashPoints()
        bench.driver.step(arn, token, Step.CREATE)
        if self.spends:
            assert "before post" not in bench.points.seen
        bench.driver.retry(arn, token)
        self._assert_rotated(bench, arn, old, token)

    def test_a_lost_answer_of_the_provider_leaves_the_mark_and_is_not_asked_for_again(
        self, bench: Bench
    ) -> None:
        """The next invocation does: by then it is known whether this one is over."""
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        asked: list[str] = []

        def lose(point: str) -> None:
            if "after tag" in points.seen and point.endswith(" post"):
                asked.append(point)
                if asked[1:] == ["after post"]:
                    raise AnswerLost("planned by the test", "None.")

        points = bench.points = CrashPoints(watch=lose)
        with pytest.raises(RotationError):
            bench.driver.step(arn, token, Step.CREATE)
        bench.points = None
        assert asked == ["before post", "after post"]
        assert TAG in bench.simulator.secret(arn).tags
        self.settle(bench, arn, old, token)

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
