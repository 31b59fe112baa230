"""Which passwords log in, and when they end: the part of the contract about several rotations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing.crashes import CrashPoints
from rotators.testing.rotations import RotationContract

if TYPE_CHECKING:
    from rotators.testing.bench import Bench

_ROTATIONS = 3


class PasswordContract(RotationContract):
    """A part of EngineContract."""

    # Whether AWSCURRENT's value logs in at every instant, and still does as AWSPREVIOUS.
    zero_downtime: ClassVar[bool] = False

    def test_rotations_follow_each_other(self, bench: Bench) -> None:
        arn, _ = bench.secret()
        passwords = set()
        for _ in range(_ROTATIONS):
            bench.driver.rotate(arn)
            passwords.add(bench.current(arn)["password"])
            previous = bench.labelled(arn)["AWSPREVIOUS"]
            assert bench.target.logs_in(previous) == self.zero_downtime
        assert len(passwords) == _ROTATIONS
        assert bench.target.logs_in(bench.current(arn))

    def test_a_password_that_is_set_again_and_again_ends_no_other(self, bench: Bench) -> None:
        for deliveries in range(1, 4):
            arn, old = bench.secret()
            for _ in range(deliveries):
                token = bench.driver.start(arn)
                bench.driver.step(arn, token, Step.CREATE)
                bench.driver.replay(arn, token, Step.SET, deliveries)
                ended = bench.driver.parallel(arn, token, Step.SET, deliveries=3)
                assert ended == [None] * 3
                bench.driver.replay(arn, token, Step.SET)
                assert bench.target.logs_in(bench.labelled(arn)["AWSPENDING"])
                assert bench.target.logs_in(bench.current(arn)) == self.zero_downtime
                bench.driver.retry(arn, token)
            assert bench.target.logs_in(old) == (self.zero_downtime and deliveries == 1)

    @pytest.mark.parametrize("before", [0, 1])
    def test_an_abandoned_rotation_does_not_hinder_the_next(
        self, bench: Bench, before: int
    ) -> None:
        arn, _ = bench.secret()
        for _ in range(before):
            bench.driver.rotate(arn)
        old = bench.current(arn)
        broken: list[str] = []

        def watch(point: str) -> None:
            if not bench.target.logs_in(bench.current(arn)):
                broken.append(point)

        bench.points = CrashPoints(watch=watch if self.zero_downtime else None)
        for _ in range(2):
            self._abandon(bench, arn)
        token = bench.driver.rotate(arn)
        assert not broken
        self._assert_rotated(bench, arn, old, token, "after abandoned ones")

    def test_a_password_that_leaked_is_dead_after_two_rotations(self, bench: Bench) -> None:
        arn, leaked = bench.secret()
        for _ in range(2):
            bench.driver.rotate(arn)
        assert not bench.target.logs_in(leaked)

    @pytest.mark.parametrize("abandoned", [0, 1])
    def test_a_password_that_leaked_is_dead_after_one_rotation_by_single_user(
        self, bench: Bench, abandoned: int
    ) -> None:
        arn, oldest = bench.secret()
        bench.driver.rotate(arn)
        leaked = bench.current(arn)
        for _ in range(abandoned):
            self._abandon(bench, arn)
        settings = bench.target.settings
        bench.target.settings = replace(settings, strategy=StrategyName.SINGLE_USER)
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))
        assert not bench.target.logs_in(leaked)
        assert oldest["username"] != leaked["username"] or not bench.target.logs_in(oldest)

    def _abandon(self, bench: Bench, arn: str) -> None:
        """A rotation that a person gives up after setSecret: its version loses its label."""
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.driver.step(arn, token, Step.SET)
        bench.client.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
        )

    def _assert_rotated(
        self, bench: Bench, arn: str, old: dict[str, object], token: str, when: str
    ) -> None:
        new = bench.current(arn)
        assert "AWSCURRENT" in bench.simulator.labels(arn)[token], when
        assert bench.target.logs_in(new), when
        assert bench.target.logs_in(old) == self.zero_downtime, when
