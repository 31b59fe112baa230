"""The contract, and a real death at every point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import ClassVar

import pytest

from rotators.request import Step
from rotators.testing.bench import CREDENTIALS, Bench
from rotators.testing.contract import EngineContract
from rotators.testing.crashes import CrashPoints


class KilledContract(EngineContract):
    """For engines that a process of its own can reach."""

    # As secrets name it.
    engine: ClassVar[str]

    @pytest.mark.parametrize("step", list(Step))
    def test_a_process_killed_at_any_point_is_healed_by_a_retry(
        self, bench: Bench, step: Step
    ) -> None:
        at = 0
        with Mortals(bench, self.engine) as mortals:
            while True:
                arn, old = bench.secret()
                token = bench.driver.start(arn)
                for earlier in list(Step)[: list(Step).index(step)]:
                    bench.driver.step(arn, token, earlier.value)
                event = {"Step": step.value, "SecretId": arn, "ClientRequestToken": token}
                if mortals.serve(event, at) == 0:
                    break
                assert self._lawful(bench, arn), at
                bench.driver.retry(arn, token)
                self._assert_rotated(bench, arn, old, token, f"killed at {at}")
                at += 1
        assert at == len(points_of(bench, step))


def points_of(bench: Bench, step: Step) -> list[str]:
    """The points that this step passes in a rotation without a crash."""
    arn, _ = bench.secret()
    token = bench.driver.start(arn)
    for each in Step:
        bench.points = CrashPoints() if each is step else None
        bench.driver.step(arn, token, each.value)
        if bench.points:
            return bench.points.seen
    raise AssertionError(step)


class Mortals:
    """Processes that serve one event each, and die at a given point."""

    def __init__(self, bench: Bench, engine: str) -> None:
        environment = {
            **{key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ},
            "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": CREDENTIALS["region_name"],
            "SECRETS_MANAGER_ENDPOINT": bench.simulator.endpoint_url,
            "ROTATION_STRATEGY": bench.target.settings.strategy or "",
            "ROTATION_CA_BUNDLE": str(bench.target.settings.ca_bundle or ""),
        }
        self._parent = subprocess.Popen(  # noqa: S603 its own class names the engine
            [sys.executable, "-m", "rotators.testing.crashes", engine],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Mortals:
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.communicate(timeout=60)

    def serve(self, event: dict[str, str], at: int) -> int:
        """0 if the process outlived all its points; else it was killed."""
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.write(json.dumps({"at": at, "event": event}) + "\n")
        self._parent.stdin.flush()
        code = int(self._parent.stdout.readline())
        assert code in {0, -signal.SIGKILL}
        return code
