"""What every rotator has to hold, whether it chooses its values or a provider issues them."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pytest

from rotators.errors import RotationRejected
from rotators.request import Step
from rotators.testing.bench import Bench, Target

if TYPE_CHECKING:
    from rotators.rotator import Rotator


class RotationContract(ABC):
    """A part of EngineContract and of IssuedContract."""

    rotator: ClassVar[type[Rotator]]

    @pytest.fixture
    def target(self) -> Target:
        """The server, or the provider. To be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def bench(self, target: Target) -> Iterator[Bench]:
        with Bench(self.rotator, target) as bench:
            yield bench

    def test_a_repeated_step_changes_nothing(self, bench: Bench) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        for step in Step:
            bench.driver.replay(arn, token, step.value, deliveries=3)
        self._assert_rotated(bench, arn, old, token, "replayed")

    def test_a_late_step_of_a_finished_rotation_changes_nothing(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        token = bench.driver.rotate(arn)
        finished, labels = bench.current(arn), bench.simulator.labels(arn)
        for step in Step:
            bench.driver.step(arn, token, step.value)
        assert bench.current(arn) == finished
        assert bench.simulator.labels(arn) == labels
        assert bench.target.logs_in(finished)

    @pytest.mark.parametrize("step", list(Step))
    def test_a_superseded_rotation_is_rejected(self, bench: Bench, step: Step) -> None:
        arn, _ = bench.secret()
        stale = bench.driver.start(arn)
        for each in Step:
            if each is step:
                break
            bench.driver.step(arn, stale, each.value)
        bench.driver.put_by_hand(arn, bench.labelled(arn).get("AWSPENDING", bench.current(arn)))
        before = bench.simulator.labels(arn)
        with pytest.raises(RotationRejected, match="not being rotated in"):
            bench.driver.step(arn, stale, step.value)
        assert bench.simulator.labels(arn) == before
        assert bench.lawful(arn)

    def test_an_unknown_version_is_rejected(self, bench: Bench) -> None:
        arn, old = bench.secret()
        bench.driver.start(arn)
        for step in Step:
            with pytest.raises(RotationRejected, match="not being rotated in"):
                bench.driver.step(arn, str(uuid.uuid4()), step.value)
        assert bench.target.logs_in(old)

    def test_a_version_without_a_value_is_never_promoted(self, bench: Bench) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        with pytest.raises(RotationRejected, match="has no value"):
            bench.driver.step(arn, token, Step.FINISH)
        assert bench.current(arn) == old

    def test_stale_reads_are_waited_for(self, bench: Bench) -> None:
        arn, old = bench.secret()
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        for step in (Step.SET, Step.TEST, Step.FINISH):
            bench.simulator.delay_reads(2)
            bench.driver.step(arn, token, step.value)
        self._assert_rotated(bench, arn, old, token, "stale reads")

    @pytest.mark.parametrize("value", ["copy", "missing"])
    def test_an_attach_that_only_tests_changes_nothing(self, bench: Bench, value: str) -> None:
        arn, old = bench.secret()
        labels = bench.simulator.labels(arn)
        bench.driver.test_only(arn, "copy" if value == "copy" else "missing")
        assert bench.simulator.labels(arn) == labels
        assert bench.current(arn) == old
        assert bench.target.logs_in(old)

    def test_rotation_tokens_are_passed_on(self, bench: Bench) -> None:
        bench.simulator.rotation_token_required = True
        arn, old = bench.secret()
        self._assert_rotated(bench, arn, old, bench.driver.rotate(arn), "with RotationToken")

    @abstractmethod
    def _assert_rotated(
        self, bench: Bench, arn: str, old: dict[str, object], token: str, when: str
    ) -> None:
        """The rotation is through, and its value is good."""
