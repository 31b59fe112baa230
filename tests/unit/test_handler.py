"""The Lambda function as a whole: what it joins, and what it lets out."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from rotators import handler, registry, telemetry
from rotators.deadline import RESERVE_SECONDS, Deadline
from rotators.dispatcher import Dispatcher, Outcome
from rotators.errors import (
    AccessDenied,
    DeadlineExceeded,
    InvalidEvent,
    InvalidSetting,
    LoginRefused,
    PermanentError,
    RotationError,
    RotationRejected,
    ServerUnreachable,
    UnexpectedError,
    ValueRejected,
)
from rotators.redaction import REDACTED, Redactor
from rotators.settings import Settings
from rotators.testing.driver import STEPS, LambdaContext, RotationDriver
from rotators.testing.memory import ENGINE_NAME, MemoryServer
from rotators.testing.simulator import SecretsManagerSimulator

if TYPE_CHECKING:
    from rotators.request import RotationRequest
    from rotators.rotator import Say
    from tests.unit.conftest import Output

# Neither is a word of any message or path.
OLD_PASSWORD = "Zq7xkv-old-Zq7xkv"
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"
VERSION = "12345678-1234-1234-1234-123456789012"


@dataclass
class World:
    """The function, with a Secrets Manager, a database, and all that it says."""

    simulator: SecretsManagerSimulator
    driver: RotationDriver
    server: MemoryServer
    arn: str
    log: Output

    def event(self, step: str, token: str) -> dict[str, str]:
        return self.simulator.rotations.event(self.arn, token, step)

    def secrets(self) -> set[str]:
        """Every password and every RotationToken that there ever was."""
        record = self.simulator.secret(self.arn)
        values = [v.value for v in record.versions.values() if isinstance(v.value, str)]
        tokens = {token for issued in record.rotation_tokens.values() for token in issued}
        return {json.loads(value)["password"] for value in values} | tokens

    def assert_tells_no_secret(self, error: BaseException | None = None) -> None:
        told = f"{self.log.text} {error} {error!r}"
        hidden = self.secrets()
        assert OLD_PASSWORD in hidden
        for value in hidden:
            assert value not in told
            assert json.dumps(value)[1:-1] not in told


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, log: Output) -> Iterator[World]:
    offered = EntryPoint(ENGINE_NAME, "rotators.testing.memory:MemoryRotator", "rotators")
    monkeypatch.setattr(registry, "_entry_points", lambda: [offered])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("ROTATION_ENGINES", "ROTATION_STRATEGY", "PASSWORD_LENGTH", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    handler.dispatcher.cache_clear()
    with SecretsManagerSimulator() as simulator, MemoryServer("handler") as server:
        monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", simulator.endpoint_url)
        server.passwords["app"] = OLD_PASSWORD
        value = {
            "engine": ENGINE_NAME,
            "host": "handler",
            "username": "app",
            "password": OLD_PASSWORD,
        }
        arn = simulator.create_secret("app/db", value)
        driver = RotationDriver(simulator, handler.lambda_handler)
        yield World(simulator, driver, server, arn, log)
        if handler.dispatcher.cache_info().currsize:
            cast("Any", handler.dispatcher().versions)._client.close()
        handler.dispatcher.cache_clear()


def assert_scrubbed(error: RotationError) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None


# ── success ──


def test_four_events_rotate_a_secret(world: World) -> None:
    token = world.driver.rotate(world.arn)
    value = json.loads(world.simulator.value(world.arn) or "")
    assert "AWSCURRENT" in world.simulator.labels(world.arn)[token]
    assert value["password"] != OLD_PASSWORD
    assert world.server.passwords["app"] == value["password"]


def test_the_function_answers_nothing(world: World) -> None:
    token = world.driver.start(world.arn)
    event = world.event("createSecret", token)
    answer = cast("Any", handler.lambda_handler)(event, LambdaContext())
    assert answer is None


def test_one_boto3_client_serves_a_sandbox(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    original = boto3.session.Session.client

    def client(self: boto3.session.Session, name: str, **how: object) -> object:
        made.append(name)
        return original(self, name, **how)

    monkeypatch.setattr(boto3.session.Session, "client", client)
    world.driver.rotate(world.arn)
    world.driver.rotate(world.arn)
    assert made == ["secretsmanager"]


def test_each_step_leaves_one_line_and_one_document(world: World) -> None:
    token = world.driver.rotate(world.arn)
    facts = {
        "secret_arn": world.arn,
        "version_id": token,
        "engine": ENGINE_NAME,
        "strategy": "single-user",
        "outcome": "succeeded",
    }
    lines, documents = world.log.lines(), world.log.metrics()
    assert [line["step"] for line in lines] == list(STEPS)
    assert [document["step"] for document in documents] == list(STEPS)
    for line in lines:
        assert facts.items() <= line.items()
        assert set(line) == {
            *facts, "step", "duration_ms", "level", "message", "timestamp", "service"
        }  # fmt: skip
    for document in documents:
        assert facts.items() <= document.items()
        assert set(document) == {
            *facts, "step", "service", "StepFailed", "StepDuration", "_aws"
        }  # fmt: skip
        assert document["StepFailed"] == [0.0]
    world.assert_tells_no_secret()


def test_the_libraries_below_do_not_tell_either(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # At this level botocore logs whole answers, before anybody knows which values are in them.
    # AWS_LAMBDA_LOG_LEVEL=DEBUG is enough to get there.
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        world.driver.rotate(world.arn)
    assert "promoted the value" in caplog.text
    for value in world.secrets():
        assert value not in caplog.text


# ── failure ──


@pytest.mark.parametrize("event", [None, [], "text", {}, {"Step": "x", "SecretId": "y"}])
def test_a_bad_event_is_an_error_of_ours(world: World, event: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        handler.lambda_handler(event, None)
    assert_scrubbed(caught.value)
    (line,) = world.log.lines()
    assert (line["reason"], line["outcome"]) == ("invalid-event", "failed")
    (document,) = world.log.metrics()
    assert (document["engine"], document["step"]) == ("unknown", "unknown")
    assert world.simulator.calls == []


def test_a_bad_rotation_token_is_not_shown(world: World) -> None:
    event = {**world.event("createSecret", VERSION), "RotationToken": OLD_PASSWORD}
    with pytest.raises(InvalidEvent) as caught:
        handler.lambda_handler(event, None)
    assert OLD_PASSWORD not in f"{caught.value}{caught.value!r}{world.log.text}"


def test_a_bad_setting_is_an_error_of_ours_and_may_be_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.driver.start(world.arn)
    monkeypatch.setenv("PASSWORD_LENGTH", "many")
    with pytest.raises(InvalidSetting, match="PASSWORD_LENGTH is 'many'") as caught:
        world.driver.step(world.arn, token, "createSecret")
    assert_scrubbed(caught.value)
    assert world.log.lines()[-1]["reason"] == "invalid-setting"
    monkeypatch.setenv("PASSWORD_LENGTH", "40")
    world.driver.retry(world.arn, token)
    assert len(world.server.passwords["app"]) == 40


def test_an_engine_that_is_not_allowed_here_is_not_rotated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTATION_ENGINES", "postgres")
    with pytest.raises(RotationError, match="'memory' is not allowed here") as caught:
        world.driver.rotate(world.arn)
    assert caught.value.reason == "unknown-engine"
    monkeypatch.setenv("ROTATION_ENGINES", "postgers")
    handler.dispatcher.cache_clear()
    with pytest.raises(InvalidSetting, match="ROTATION_ENGINES names 'postgers'"):
        world.driver.retry(world.arn, VERSION)


def test_a_failed_step_leaves_one_line_and_one_document(world: World) -> None:
    world.server.passwords["app"] = "changed-by-hand"
    token = world.driver.start(world.arn)
    with pytest.raises(LoginRefused) as caught:
        world.driver.retry(world.arn, token)
    assert_scrubbed(caught.value)
    last, document = world.log.lines()[-1], world.log.metrics()[-1]
    facts = {
        "secret_arn": world.arn,
        "version_id": token,
        "step": "setSecret",
        "engine": ENGINE_NAME,
        "strategy": "single-user",
        "outcome": "failed",
        "reason": "login-refused",
    }
    assert {**facts, "level": "ERROR", "message": str(caught.value)}.items() <= last.items()
    assert {**facts, "StepFailed": [1.0]}.items() <= document.items()
    assert "user 'app'" in str(caught.value)
    assert f"secret {world.arn!r}" in str(caught.value)
    assert "strategy 'single-user'" in str(caught.value)
    world.assert_tells_no_secret(caught.value)


def test_what_a_server_says_of_a_value_is_scrubbed(world: World) -> None:
    def accepts(password: str) -> bool:
        raise ServerUnreachable(f"lost after PASSWORD '{password}'", f"Try {password}.").about(
            user=password
        ) from ValueError(password)

    world.server.accepts = accepts
    with pytest.raises(ServerUnreachable) as caught:
        world.driver.rotate(world.arn)
    assert type(caught.value) is ServerUnreachable
    assert_scrubbed(caught.value)
    assert f"lost after PASSWORD '{REDACTED}'. Try {REDACTED}." in str(caught.value)
    assert caught.value.who["user"] == REDACTED
    world.assert_tells_no_secret(caught.value)


def test_a_value_that_the_policy_refuses_is_given_up_and_told_by_its_type(world: World) -> None:
    world.server.accepts = lambda _: False
    with pytest.raises(ValueRejected) as caught:
        world.driver.rotate(world.arn)
    assert_scrubbed(caught.value)
    assert world.log.lines()[-1]["reason"] == "value-rejected"
    world.assert_tells_no_secret(caught.value)


def test_a_defect_is_told_by_its_type_and_its_traceback_is_in_the_log_scrubbed(
    world: World,
) -> None:
    def accepts(password: str) -> bool:
        try:
            raise KeyError(password)
        except KeyError as cause:
            raise ZeroDivisionError(f"bang {password}") from cause

    world.server.accepts = accepts
    with pytest.raises(UnexpectedError) as caught:
        world.driver.rotate(world.arn)
    assert_scrubbed(caught.value)
    assert str(caught.value) == (
        f"secret {world.arn!r}: a defect: ZeroDivisionError. The function's log has the traceback."
        " Report it; secret values were taken out."
    )
    trace, last = world.log.lines()[-2:]
    assert f"ZeroDivisionError: bang {REDACTED}" in trace["trace"]
    # repr takes double quotes where the password has a single one.
    assert f"KeyError: '{REDACTED}'" in trace["trace"].replace('"', "'")
    assert "test_handler.py" in trace["trace"]
    assert last["reason"] == "unexpected-error"
    assert world.log.metrics()[-1]["StepFailed"] == [1.0]
    world.assert_tells_no_secret(caught.value)


def test_an_error_class_of_somebody_else_cannot_break_the_edge(world: World) -> None:
    class PolicyError(PermanentError):
        def __init__(self, password: str) -> None:
            super().__init__(f"not {password}", "Draw another.")
            self.password = password

        def __str__(self) -> str:
            return f"{super().__str__()} ({self.password})"

    def accepts(password: str) -> bool:
        raise PolicyError(password)

    world.server.accepts = accepts
    with pytest.raises(RotationError) as caught:
        world.driver.rotate(world.arn)
    assert_scrubbed(caught.value)
    assert str(caught.value).endswith(f": not {REDACTED}. Draw another.")
    assert world.log.lines()[-1]["reason"] == "policy-error"
    world.assert_tells_no_secret(caught.value)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_not_held_up(world: World, kind: type[BaseException]) -> None:
    def accepts(_: str) -> bool:
        raise kind

    world.server.accepts = accepts
    with pytest.raises(kind):
        world.driver.rotate(world.arn)


def test_what_the_role_may_not_do_is_told(world: World) -> None:
    world.simulator.deny("PutSecretValue")
    with pytest.raises(AccessDenied, match="PutSecretValue was refused") as caught:
        world.driver.rotate(world.arn)
    assert_scrubbed(caught.value)
    world.assert_tells_no_secret(caught.value)


def test_a_late_event_is_rejected_without_a_login(world: World) -> None:
    world.driver.rotate(world.arn)
    before = world.server.accepted_logins
    with pytest.raises(RotationRejected):
        world.driver.step(world.arn, VERSION, "setSecret")
    assert world.server.accepted_logins == before


def test_nothing_of_one_invocation_is_left_to_the_next(world: World) -> None:
    world.driver.rotate(world.arn)
    with pytest.raises(InvalidEvent):
        handler.lambda_handler({}, None)
    assert "secret_arn" not in world.log.lines()[-1]
    telemetry.logger().info(OLD_PASSWORD)
    assert OLD_PASSWORD in world.log.lines()[-1]["message"]


# ── time ──


class Timed:
    """A dispatcher that looks at the clock and does nothing."""

    def __init__(self) -> None:
        self.left = 0.0
        self.redactor: Redactor | None = None

    def dispatch(
        self, request: RotationRequest, deadline: Deadline, redactor: Redactor, say: Say
    ) -> Outcome:
        self.left = deadline.remaining("the test")
        self.redactor = redactor
        return Outcome("looked", None, None)


EVENT = {
    "Step": "setSecret",
    "SecretId": "app/db",
    "ClientRequestToken": VERSION,
    "RotationToken": ROTATION_TOKEN,
}


@pytest.mark.parametrize(
    ("context", "seconds"),
    [
        (None, 30),
        (SimpleNamespace(), 30),
        (SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000), 900),
        (SimpleNamespace(get_remaining_time_in_millis=lambda: 5000), 5),
    ],
    ids=["none", "of an invocation by hand", "long", "short"],
)
def test_the_deadline_is_that_of_the_invocation(
    log: Output, context: object, seconds: float
) -> None:
    timed = Timed()
    handler.serve(EVENT, context, lambda: cast("Dispatcher", timed))
    assert seconds - RESERVE_SECONDS - 1 < timed.left <= seconds - RESERVE_SECONDS


def test_the_rotation_token_is_hidden_before_anything_else_runs(log: Output) -> None:
    timed = Timed()
    handler.serve(EVENT, None, lambda: cast("Dispatcher", timed))
    assert timed.redactor is not None
    assert timed.redactor.scrub(f"x {ROTATION_TOKEN}") == f"x {REDACTED}"
    assert timed.redactor.scrub(VERSION) == VERSION


def test_an_invocation_without_time_ends_before_it_begins(world: World) -> None:
    token = world.driver.start(world.arn)
    with pytest.raises(DeadlineExceeded) as caught:
        handler.lambda_handler(world.event("createSecret", token), LambdaContext(seconds=1))
    assert caught.value.permanent is False
    assert world.simulator.calls == []


def test_a_context_that_fails_is_a_defect_of_ours(log: Output) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(UnexpectedError, match="ZeroDivisionError") as caught:
        handler.lambda_handler(EVENT, SimpleNamespace(get_remaining_time_in_millis=broken))
    assert_scrubbed(caught.value)


# ── what it stands on ──


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        monkeypatch.delenv(name, raising=False)


def test_every_wait_for_secrets_manager_is_bounded_within_an_invocation(region: None) -> None:
    facade = handler.secrets_manager(Settings(endpoint_url="http://127.0.0.1:9"))
    meta = facade._client.meta
    facade._client.close()
    assert meta.endpoint_url == "http://127.0.0.1:9"
    attempts = meta.config.retries["total_max_attempts"]
    assert attempts == 3
    assert attempts * (meta.config.connect_timeout + meta.config.read_timeout) < 30


def test_without_an_endpoint_boto3_decides(region: None) -> None:
    facade = handler.secrets_manager(Settings())
    facade._client.close()
    assert facade._client.meta.endpoint_url == "https://secretsmanager.eu-west-1.amazonaws.com"


def test_a_region_that_nobody_says_is_an_error_of_the_setting(
    region: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    with pytest.raises(InvalidSetting, match=r"no AWS Region is set\. Set AWS_DEFAULT_REGION"):
        handler.secrets_manager(Settings())


def test_importing_the_function_loads_nothing_heavy() -> None:
    heavy = ("boto3", "botocore", "psycopg", "aws_lambda_powertools", "rotators.database")
    code = (
        "import sys, rotators, rotators.handler\n"
        "loaded = [m for m in sys.modules if m.startswith(tuple(sys.argv[1:]))]\n"
        "print(loaded)\n"
    )
    ran = subprocess.run(  # noqa: S603 this interpreter
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"
