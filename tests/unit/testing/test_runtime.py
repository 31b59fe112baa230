"""The Runtime API and the launcher, with small functions: what Lambda promises, and no more."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from rotators.testing import runtime_client
from rotators.testing.driver import FUNCTION_ARN, RotationDriver
from rotators.testing.runtime import FunctionError, LambdaFunction, RuntimeMissing
from rotators.testing.runtime_api import Invocation, RuntimeApi
from rotators.testing.simulator import SecretsManagerSimulator

# What the tests ask of the function: an event is a question.
CODE = """
import importlib.util, os, sys, time
count = 0
def answer(event, context):
    global count
    count += 1
    match event:
        case ["raise", text]: raise ValueError(text)
        case ["exit", status]: os._exit(status)
        case ["sleep", seconds]: time.sleep(seconds)
        case ["meet", place]:
            open(os.path.join(place, str(os.getpid())), "w").close()
            while len(os.listdir(place)) < 2: time.sleep(0.01)
        case ["print", text]: print(text)
        case ["context"]: return {
            "name": context.function_name, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(), "id": context.aws_request_id}
        case ["environment"]: return dict(os.environ)
        case ["found", *names]: return [
            name for name in names if importlib.util.find_spec(name) is not None]
        case ["path"]: return sys.path
        case ["cwd"]: return os.getcwd()
        case ["layered"]: import layered, own; return [layered.where, own.where]
    return [count, event]
"""

Make = Callable[[str], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a function's folder with that code in it."""

    def made(code: str) -> Path:
        folder = tmp_path / "function"
        folder.mkdir()
        (folder / "small.py").write_text(code)
        return folder

    return made


@pytest.fixture
def folder(make: Make) -> Path:
    return make(CODE)


@pytest.fixture
def function(folder: Path) -> Iterator[LambdaFunction]:
    with LambdaFunction(folder, handler="small.answer", timeout=20) as function:
        yield function


def ask(function: LambdaFunction, *event: object) -> Any:
    return function.invoke(list(event))


def ended(pid: int, seconds: float = 10) -> bool:
    """Whether the process ends, or has ended, by then."""
    process = Path(f"/proc/{pid}")
    end = time.monotonic() + seconds
    while True:
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            # Nobody can wait for a zombie whose other threads are still ending.
            if state == "Z" and len(list((process / "task").iterdir())) == 1:
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)


def taken(function: LambdaFunction, seconds: float = 10) -> bool:
    """Whether its one process gets an event, or has got one, by then."""
    end = time.monotonic() + seconds
    while function.pids and time.monotonic() < end:
        time.sleep(0.01)
    return not function.pids


def test_an_event_comes_back_as_the_result(function: LambdaFunction) -> None:
    assert function.invoke({"grüße": ["\u2028", None]}) == [1, {"grüße": ["\u2028", None]}]


def test_it_stays_warm(function: LambdaFunction) -> None:
    pids = function.pids
    assert [ask(function, "again")[0] for _ in range(3)] == [1, 2, 3]
    assert function.pids == pids
    assert function.cold_starts == 1


def test_an_error_is_told_as_lambda_tells_it(function: LambdaFunction) -> None:
    with pytest.raises(FunctionError) as raised:
        ask(function, "raise", "no good")
    error = raised.value
    assert (error.error_type, error.error_message) == ("ValueError", "no good")
    assert [line for line in error.stack_trace if "raise ValueError(text)" in line]
    assert str(error) == "ValueError: no good"
    assert ask(function, "still here")[0] == 2
    assert function.cold_starts == 1


def test_the_context_is_lambdas(folder: Path) -> None:
    with LambdaFunction(folder, handler="small.answer", timeout=7) as function:
        first, second = ask(function, "context"), ask(function, "context")
    assert (first["name"], first["arn"]) == ("rotator", FUNCTION_ARN)
    assert 5000 < first["left"] <= 7000
    assert 5000 < second["left"] <= 7000
    assert first["id"] != second["id"]


def test_past_its_time_it_is_killed_and_the_next_event_gets_a_new_one(folder: Path) -> None:
    with LambdaFunction(folder, handler="small.answer", timeout=0.7) as function:
        (pid,) = function.pids
        with pytest.raises(FunctionError, match=r"Task timed out after 0\.70 seconds") as raised:
            ask(function, "sleep", 60)
        assert raised.value.error_type == "Sandbox.Timedout"
        assert ended(pid, 0.1)
        function.timeout = 20
        assert ask(function, "again")[0] == 1
        assert function.cold_starts == 2


@pytest.mark.parametrize(
    ("event", "said"),
    [(["exit", 3], "exit status 3"), (["exit", 0], "exit status 0")],
)
def test_a_process_that_ends_is_said_to_have_ended(
    function: LambdaFunction, event: list[object], said: str
) -> None:
    with pytest.raises(FunctionError, match=f"Runtime exited with error: {said}") as raised:
        function.invoke(event)
    assert raised.value.error_type == "Runtime.ExitError"
    assert ask(function, "again")[0] == 1


def test_one_that_was_killed_is_said_to_have_been(function: LambdaFunction) -> None:
    (pid,) = function.pids
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask, function, "sleep", 60)
        assert taken(function)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(FunctionError, match="signal: SIGKILL"):
            running.result(20)


def test_one_that_is_busy_ends_with_the_function(folder: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        with LambdaFunction(folder, handler="small.answer") as function:
            (pid,) = function.pids
            running = threads.submit(ask, function, "sleep", 60)
            assert taken(function)
        assert ended(pid, 0.1)
        with pytest.raises(FunctionError, match="signal: SIGKILL"):
            running.result(20)


def test_one_that_died_between_events_is_replaced(function: LambdaFunction) -> None:
    (pid,) = function.pids
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert ask(function, "again")[0] == 1
    assert function.cold_starts == 2


def test_two_events_at_once_have_a_process_each(function: LambdaFunction, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(ask, function, "meet", str(place)) for _ in range(2)]
        assert [one.result(20)[0] for one in running] == [1, 1]
    assert function.cold_starts == len(set(function.pids)) == 2


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("import nothing_like_it", "Runtime.ImportModuleError", "nothing_like_it"),
        ("", "Runtime.HandlerNotFound", "Handler 'answer' missing on module 'small'"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        ("import os; os._exit(9)", "Runtime.ExitError", "exit status 9"),
    ],
)
def test_a_failure_to_start_is_told(make: Make, code: str, error_type: str, message: str) -> None:
    function = LambdaFunction(make(code), handler="small.answer")
    with pytest.raises(FunctionError, match=message) as raised, function:
        pass
    assert raised.value.error_type == error_type


def test_it_sees_nothing_of_the_callers_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    given = {"ROTATION_STRATEGY": "single-user", "AWS_REGION": "eu-north-1"}
    with LambdaFunction(folder, handler="small.answer", environment=given) as function:
        seen = ask(function, "environment")
    assert given.items() <= seen.items()
    assert seen["AWS_SECRET_ACCESS_KEY"] == "simulated"
    assert seen["LAMBDA_TASK_ROOT"] == str(folder)
    names = {name for name in seen if not name.startswith(("AWS_", "LAMBDA_"))}
    assert names == {
        "HOME", "LANG", "PATH", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID", "ROTATION_STRATEGY",
    }  # fmt: skip
    assert "AWS_PROFILE" not in seen


def test_it_imports_its_folder_and_nothing_of_this_installation(
    function: LambdaFunction, folder: Path
) -> None:
    ours = ["rotators", "boto3", "botocore", "pytest", "psycopg", "aws_lambda_powertools"]
    assert ask(function, "found", "small", "json", *ours) == ["small", "json"]
    path = ask(function, "path")
    assert path[0] == str(folder)
    assert "" not in path
    assert not [entry for entry in path if "site-packages" in entry]
    assert ask(function, "cwd") == str(folder)


def test_it_leaves_no_trace(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with LambdaFunction(folder, handler="small.answer") as function:
        (pid,) = function.pids
        home = Path(ask(function, "environment")["HOME"])
        assert home.is_dir()
    assert ended(pid, 0.1)
    assert not home.exists()
    assert sorted(folder.rglob("*")) == before


def test_layers_come_after_the_folder(folder: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    for module in (layer / "layered.py", layer / "own.py", folder / "own.py"):
        module.write_text(f"where = {module.parent.name!r}")
    with LambdaFunction(folder, handler="small.answer", layers=[layer]) as function:
        assert ask(function, "layered") == ["layer", "function"]


def test_the_log_has_what_it_prints(function: LambdaFunction) -> None:
    ask(function, "print", '{"level": "INFO"}')
    assert function.log_records() == [{"level": "INFO"}]
    ask(function, "print", "plain")
    assert function.log_text().splitlines() == ['{"level": "INFO"}', "plain"]
    with pytest.raises(ValueError, match="Expecting value"):
        function.log_records()


def test_a_rotation_driver_takes_it_for_a_handler(function: LambdaFunction) -> None:
    with SecretsManagerSimulator() as simulator:
        driver = RotationDriver(simulator, function)
        arn = simulator.create_secret("app", {"password": "old"})
        driver.step(arn, driver.start(arn), "createSecret")
    assert ask(function, "again")[0] == 2


def test_a_caller_that_is_killed_leaves_no_process_behind(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from rotators.testing.runtime import LambdaFunction\n"
        "with LambdaFunction(Path(sys.argv[1]), handler='small.answer') as function:\n"
        "    print(*function.pids, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(  # noqa: S603 our own code
        [sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        assert not ended(pid, 0.1)
        caller.kill()
    assert ended(pid)


def test_without_the_folder_or_the_client_it_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(RuntimeMissing, match="is not a folder"),
        LambdaFunction(folder / "elsewhere"),
    ):
        pass

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(runtime_client, "distribution", missing)
    with (
        pytest.raises(RuntimeMissing, match=r"awslambdaric.*Install rotators\[dev\]"),
        LambdaFunction(folder),
    ):
        pass


def test_the_api_takes_an_outcome_once_and_of_the_event_under_way() -> None:
    invocation = Invocation(b"{}", FUNCTION_ARN, seconds=5)

    def post(path: str) -> int:
        connection.request("POST", f"/2018-06-01/runtime/{path}", b"null")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with RuntimeApi() as api:
        connection = http.client.HTTPConnection(api.address, timeout=5)
        api.offer(invocation)
        connection.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = connection.getresponse()
        assert answer.read() == b"{}"
        assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == invocation.request_id
        outcomes = [
            post("invocation/another/response"),
            post(f"invocation/{invocation.request_id}/guess"),
            post(f"invocation/{invocation.request_id}/response"),
            post(f"invocation/{invocation.request_id}/error"),
        ]
        connection.request("GET", "/2018-06-01/ping")
        assert connection.getresponse().status == 404
        connection.close()
        heard = [api.hear(1), api.hear(1), api.hear(0)]
    assert outcomes == [400, 404, 202, 400]
    assert [message and message.said for message in heard] == ["next", "response", None]
