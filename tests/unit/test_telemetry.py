"""Exactly what a step leaves in the log and in the metrics."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from rotators import telemetry
from rotators.dispatcher import Outcome
from rotators.errors import InvalidEvent, LoginRefused, ServerUnreachable
from rotators.request import RotationRequest, Step
from rotators.telemetry import Telemetry

if TYPE_CHECKING:
    import pytest

    from tests.unit.conftest import Output

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-a1B2c3"
VERSION = "12345678-1234-1234-1234-123456789012"
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"
REQUEST = RotationRequest(Step.SET, ARN, VERSION, ROTATION_TOKEN)
FACTS = {"secret_arn": ARN, "step": "setSecret", "version_id": VERSION}
ALWAYS = {"level", "message", "timestamp", "service"}


def without(line: dict[str, Any], *keys: str) -> dict[str, Any]:
    assert set(keys) <= set(line)
    return {key: value for key, value in line.items() if key not in keys}


def served(telemetry: Telemetry) -> Telemetry:
    telemetry.about(REQUEST)
    return telemetry


def test_a_line_carries_whom_it_is_about(log: Output) -> None:
    served(Telemetry()).say("a sentence", candidate="AWSCURRENT", count=3)
    (line,) = log.lines()
    assert without(line, "timestamp") == {
        "level": "INFO",
        "message": "a sentence",
        "service": "rotators",
        "candidate": "AWSCURRENT",
        "count": 3,
        **FACTS,
    }


def test_a_warning_is_one(log: Output) -> None:
    served(Telemetry()).say("careful", warning=True)
    assert log.lines()[0]["level"] == "WARNING"


def test_a_success_is_one_line_and_one_document(log: Output) -> None:
    served(Telemetry()).succeeded(Outcome("made the value valid", "postgres", "single-user"))
    (line,) = log.lines()
    assert without(line, "timestamp", "duration_ms") == {
        "level": "INFO",
        "message": "made the value valid",
        "service": "rotators",
        "engine": "postgres",
        "strategy": "single-user",
        "outcome": "succeeded",
        **FACTS,
    }
    (document,) = log.metrics()
    assert without(document, "_aws", "StepDuration") == {
        "engine": "postgres",
        "step": "setSecret",
        "service": "rotators",
        "secret_arn": ARN,
        "version_id": VERSION,
        "strategy": "single-user",
        "outcome": "succeeded",
        "StepFailed": [0.0],
    }
    assert document["StepDuration"] == [line["duration_ms"]]


def test_only_engine_step_and_service_are_dimensions(log: Output) -> None:
    served(Telemetry()).succeeded(Outcome("did", "postgres", "single-user"))
    (document,) = log.metrics()
    assert document["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "rotators",
            "Dimensions": [["engine", "step", "service"]],
            "Metrics": [
                {"Name": "StepFailed", "Unit": "Count"},
                {"Name": "StepDuration", "Unit": "Milliseconds"},
            ],
        }
    ]


def test_a_success_without_an_engine_has_none(log: Output) -> None:
    served(Telemetry()).succeeded(Outcome("nothing to do", None, None))
    (line,) = log.lines()
    assert set(line) == ALWAYS | set(FACTS) | {"outcome", "duration_ms"}
    (document,) = log.metrics()
    assert document["engine"] == "unknown"
    assert "strategy" not in document


def test_a_failure_is_one_line_with_its_reason_and_one_document(log: Output) -> None:
    error = LoginRefused("the server refuses it", "Store the right one.")
    error.about(secret=ARN, engine="postgres", strategy="single-user", host="db", user="app")
    served(Telemetry()).failed(error, None)
    (line,) = log.lines()
    assert without(line, "timestamp", "duration_ms") == {
        "level": "ERROR",
        "message": str(error),
        "service": "rotators",
        "engine": "postgres",
        "strategy": "single-user",
        "reason": "login-refused",
        "outcome": "failed",
        **FACTS,
    }
    (document,) = log.metrics()
    assert without(document, "_aws", "StepDuration") == {
        "engine": "postgres",
        "step": "setSecret",
        "service": "rotators",
        "secret_arn": ARN,
        "version_id": VERSION,
        "strategy": "single-user",
        "reason": "login-refused",
        "outcome": "failed",
        "StepFailed": [1.0],
    }


def test_a_failure_before_the_event_was_read_is_told_too(log: Output) -> None:
    Telemetry().failed(InvalidEvent("Step is missing", "Send one."), None)
    (line,) = log.lines()
    assert set(line) == ALWAYS | {"reason", "outcome", "duration_ms"}
    (document,) = log.metrics()
    assert (document["engine"], document["step"]) == ("unknown", "unknown")


def test_the_traceback_of_a_defect_is_a_line_of_its_own(log: Output) -> None:
    served(Telemetry()).failed(ServerUnreachable("f", "c"), "Traceback …")
    first, second = log.lines()
    assert without(first, "timestamp") == {
        "level": "ERROR",
        "message": "the traceback of a defect",
        "service": "rotators",
        "trace": "Traceback …",
        **FACTS,
    }
    assert second["reason"] == "server-unreachable"
    assert "trace" not in second
    assert len(log.metrics()) == 1


def test_no_line_and_no_document_has_the_rotation_token(log: Output) -> None:
    telemetry = served(Telemetry())
    telemetry.say("a sentence")
    telemetry.succeeded(Outcome("did", "postgres", None))
    telemetry.failed(LoginRefused("f", "c"), "trace")
    assert ROTATION_TOKEN not in log.text


def test_the_duration_is_that_of_the_step(log: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    instants = iter([100.0, 100.25])
    monkeypatch.setattr("rotators.telemetry.time.monotonic", lambda: next(instants))
    Telemetry().succeeded(Outcome("did", None, None))
    assert log.lines()[0]["duration_ms"] == 250.0
    assert log.metrics()[0]["StepDuration"] == [250.0]


def test_one_step_leaves_nothing_to_the_next(log: Output) -> None:
    served(Telemetry()).succeeded(Outcome("did", "postgres", "single-user"))
    Telemetry().succeeded(Outcome("did", None, None))
    assert set(log.lines()[1]) == ALWAYS | {"outcome", "duration_ms"}
    assert log.metrics()[1]["engine"] == "unknown"


def test_there_is_one_logger_per_process() -> None:
    assert telemetry.logger() is telemetry.logger()


def test_a_line_goes_to_what_stdout_is_at_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        stdout = io.StringIO()
        monkeypatch.setattr("sys.stdout", stdout)
        Telemetry().say("a sentence")
        assert json.loads(stdout.getvalue())["message"] == "a sentence"
