"""Each function's zip, built for this machine, unpacked, and run by Lambda's own runtime client."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rotators.cli.build_function import FUNCTIONS
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.target import Target as BuildTarget
from rotators.target import this_architecture, this_python
from rotators.testing.runtime import HANDLER, FunctionError
from tests.deploy.builds import REPOSITORY, drivers_of
from tests.deploy.runtime_targets import WITNESS, Builds, BuiltBench, target_of

if TYPE_CHECKING:
    from rotators.testing.bench import Target

pytest_plugins = ["tests.deploy.runtime_fixtures"]

SINGLE, ALTERNATING, DUAL = StrategyName
WRONG = "no-password-of-anybody"
# What a function's driver is imported as.
DRIVERS = {name: next(iter(drivers_of(name).values())) for name in FUNCTIONS}


@pytest.fixture
def postgresql_target(request: pytest.FixtureRequest) -> Iterator[Target]:
    with target_of("PostgreSQLFunction", request) as target:
        yield target


@pytest.fixture
def bench(builds: Builds, postgresql_target: Target) -> Iterator[BuiltBench]:
    with BuiltBench(builds.host("PostgreSQLFunction"), postgresql_target) as bench:
        yield bench


def own_lines(bench: BuiltBench) -> list[dict[str, Any]]:
    """The last line of each step. Every line of the log is JSON."""
    return [line for line in bench.function.log_records() if "duration_ms" in line]


@pytest.mark.parametrize(
    ("function", "strategy"),
    [
        *((function, SINGLE) for function in FUNCTIONS),
        ("PostgreSQLFunction", ALTERNATING),
        ("MySQLFunction", DUAL),
        ("OracleFunction", DUAL),
    ],
)
def test_a_whole_rotation(
    function: str, strategy: StrategyName, builds: Builds, request: pytest.FixtureRequest
) -> None:
    """Twice, in one warm process, with the handler that the template names."""
    folder = builds.host(function)
    with (
        target_of(function, request, strategy) as target,
        BuiltBench(folder, target) as bench,
    ):
        arn, _ = bench.secret()
        pids = bench.function.pids
        for _ in range(2):
            before = bench.current(arn)
            bench.driver.rotate(arn)
            new = bench.current(arn)
            assert new != before
            assert target.logs_in(new)
            assert target.logs_in(before) == (strategy is not SINGLE)
        assert bench.function.pids == pids
        assert bench.function.cold_starts == 1
        told = [(line["step"], line["outcome"]) for line in own_lines(bench)]
        assert told == [(step, "succeeded") for step in Step] * 2
        log = bench.function.log_text()
        hidden = bench.hidden()
        assert len(hidden) >= 3, "of AWSCURRENT, AWSPREVIOUS, and the one before"
        assert not [value for value in hidden if value in log]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_everything_comes_out_of_the_build(
    function: str, builds: Builds, request: pytest.FixtureRequest
) -> None:
    """One boto3 client, one driver; and nothing of this installation."""
    folder = builds.host(function)
    with (
        target_of(function, request) as target,
        BuiltBench(folder, target, handler=WITNESS) as bench,
    ):
        arn, _ = bench.secret()
        bench.driver.rotate(arn)
        bench.driver.rotate(arn)
        told = bench.told()
    files = {name: file for name, file in told["modules"].items() if file}
    standard = str(Path(json.__file__).parents[1])
    strangers = {
        name: file
        for name, file in files.items()
        if not file.startswith((f"{folder}/", f"{standard}/")) and name != "simplejson"
    }
    assert strangers == {}
    ours = ["rotators.handler", "boto3", "botocore", "aws_lambda_powertools", DRIVERS[function]]
    for name in ours:
        assert files[name].startswith(f"{folder}/")
    read = [name for name in told["opened"] if "/botocore/data/secretsmanager/" in name]
    assert len(read) == len(set(read)), "a second client was made"
    loaded = {driver for driver in DRIVERS.values() if driver in files}
    assert loaded == {DRIVERS[function]}


def test_an_error_reaches_lambda_without_a_value(bench: BuiltBench) -> None:
    arn, _ = bench.secret(password=WRONG)
    token = bench.driver.start(arn)
    bench.driver.step(arn, token, Step.CREATE)
    with pytest.raises(FunctionError) as raised:
        bench.driver.step(arn, token, Step.SET)
    error = raised.value
    assert error.error_type == "LoginRefused"
    assert arn in error.error_message
    told = "".join([str(error), *error.stack_trace, bench.function.log_text()])
    hidden = bench.hidden()
    assert WRONG in hidden
    assert len(hidden) == 2
    assert not [value for value in hidden if value in told]
    assert [line.get("reason") for line in own_lines(bench)] == [None, "login-refused"]


def test_an_error_leaves_the_process_warm(bench: BuiltBench) -> None:
    with pytest.raises(FunctionError, match="InvalidEvent"):
        bench.function.invoke({"Step": "create_secret"})
    arn, old = bench.secret()
    bench.driver.rotate(arn)
    assert not bench.target.logs_in(old)
    assert bench.function.cold_starts == 1


@pytest.mark.parametrize("step", list(Step))
def test_two_deliveries_at_once_in_two_processes(bench: BuiltBench, step: Step) -> None:
    arn, _ = bench.secret()
    token = bench.driver.start(arn)
    together = threading.Barrier(2, timeout=30)
    for each in Step:
        if each is step:
            # However late a thread is: neither ends before the other is under way.
            bench.simulator.before("GetSecretValue", lambda _: together.wait(), times=2)
            assert bench.driver.parallel(arn, token, each) == [None, None]
        else:
            bench.driver.step(arn, token, each)
    assert bench.target.logs_in(bench.current(arn))
    assert bench.function.cold_starts == 2


def test_a_server_that_is_not_trusted_is_refused(
    builds: Builds, postgresql_target: Target, certificates: Any
) -> None:
    """The build's own authorities are the world's, not the test's."""
    folder = builds.host("PostgreSQLFunction")
    variables = {"ROTATION_CA_BUNDLE": ""}
    with BuiltBench(folder, postgresql_target, **variables) as bench:
        arn, old = bench.secret()
        with pytest.raises(FunctionError, match="UntrustedServer"):
            bench.driver.rotate(arn)
        assert bench.target.logs_in(old)


@pytest.mark.parametrize(
    ("python", "architecture"),
    [
        (this_python(), "arm64" if this_architecture() == "x86_64" else "x86_64"),
        ("3.14" if sys.version_info[:2] != (3, 14) else "3.13", this_architecture()),
    ],
    ids=["architecture", "python"],
)
def test_a_build_for_something_else_is_refused(
    python: str, architecture: str, builds: Builds, postgresql_target: Target
) -> None:
    folder = builds.unpacked(BuildTarget("PostgreSQLFunction", python, architecture))
    with BuiltBench(folder, postgresql_target) as bench:
        arn, _ = bench.secret()
        with pytest.raises(FunctionError) as raised:
            bench.driver.rotate(arn)
        (line,) = own_lines(bench)
    error = raised.value
    assert error.error_type == "InvalidSetting"
    assert f"was built for Python {python} on {architecture}" in error.error_message
    assert f"TARGET_PYTHON={this_python()} ARCHITECTURE={this_architecture()}" in str(error)
    assert line["reason"] == "invalid-setting"


def test_the_handler_is_the_templates() -> None:
    template = (REPOSITORY / "template.yaml").read_text(encoding="utf-8")
    handlers = {
        line.partition(":")[2].strip()
        for line in template.splitlines()
        if line.strip().startswith("Handler:")
    }
    assert handlers == {HANDLER}
