"""What a function that runs by itself has told."""

from __future__ import annotations

import json

import pytest

from rotators.cli.function_log import as_error, parsed, told
from rotators.errors import LoginRefused, RotationError, ServerUnreachable, UnexpectedError
from rotators.testing.runtime import FunctionError


def line(**fields: object) -> str:
    return json.dumps({"service": "rotators", **fields})


def test_the_outcome_and_what_was_said_are_found_among_other_lines() -> None:
    log = "\n".join(
        [
            "START RequestId: 1",
            line(message="a first word\u2028of two lines"),
            json.dumps({"logger": "botocore", "message": "Found credentials"}),
            line(message="staged a new value", outcome="succeeded"),
            line(_aws={}, outcome="succeeded", StepFailed=[0.0]),
            "[]",
            "",
        ]
    )
    assert told(log) == ("staged a new value", ("a first word\u2028of two lines",))


def test_a_failure_has_no_outcome() -> None:
    assert told(line(message="no", outcome="failed", reason="login-refused")) == (None, ())


@pytest.mark.parametrize("kind", [LoginRefused, ServerUnreachable])
def test_an_error_of_ours_is_what_it_was(kind: type[RotationError]) -> None:
    raised = kind("no session", "Look. Then act.").about(host="db.example.com")
    error = as_error(FunctionError(type(raised).__name__, str(raised)))
    assert type(error) is kind
    assert str(error) == str(raised)


@pytest.mark.parametrize("name", ["Sandbox.Timedout", "Runtime.ExitError", "ValueError", "Scrub"])
def test_another_error_is_the_runtimes(name: str) -> None:
    error = as_error(FunctionError(name, "it ended"))
    assert type(error) is UnexpectedError
    assert error.found == f"the runtime says {name}: it ended"


@pytest.mark.parametrize("text", [None, "", "[1]", "null", "{", "1"])
def test_only_a_json_object_is_a_line(text: str | None) -> None:
    assert parsed(text) is None
