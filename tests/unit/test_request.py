"""The event: every shape that Secrets Manager sends, and every hostile one."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

import pytest

from rotators.errors import InvalidEvent
from rotators.request import RotationRequest, Step

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-a1B2c3"
TOKEN = "12345678-1234-1234-1234-123456789012"
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"
EVENT: dict[str, Any] = {"Step": "setSecret", "SecretId": ARN, "ClientRequestToken": TOKEN}


def test_an_event_becomes_a_request() -> None:
    request = RotationRequest.from_event({**EVENT, "RotationToken": ROTATION_TOKEN, "New": 1})
    assert request == RotationRequest(Step.SET, ARN, TOKEN, ROTATION_TOKEN)


@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
def test_every_step_of_secrets_manager_is_known(step: str) -> None:
    assert RotationRequest.from_event({**EVENT, "Step": step}).step.value == step


def test_there_is_no_fifth_step() -> None:
    assert [step.name for step in Step] == ["CREATE", "SET", "TEST", "FINISH"]


def test_an_event_without_a_rotation_token_is_taken() -> None:
    assert RotationRequest.from_event(EVENT).rotation_token is None
    assert RotationRequest.from_event({**EVENT, "RotationToken": None}).rotation_token is None


def test_an_event_may_be_any_mapping() -> None:
    assert RotationRequest.from_event(MappingProxyType(EVENT)).version_id == TOKEN


def test_a_request_never_shows_its_rotation_token() -> None:
    request = RotationRequest.from_event({**EVENT, "RotationToken": ROTATION_TOKEN})
    assert ROTATION_TOKEN not in repr(request)
    assert TOKEN in repr(request)


def test_a_request_cannot_be_changed() -> None:
    request = RotationRequest.from_event(EVENT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.version_id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (None, "missing"),
        ("{}", "of type str"),
        (b"{}", "of type bytes"),
        (3, "of type int"),
        ([EVENT], "of type list"),
        (True, "of type bool"),
    ],
)
def test_an_event_that_is_no_object_is_refused(event: object, kind: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        RotationRequest.from_event(event)
    assert str(caught.value) == (
        f"the event is {kind}, not a JSON object. Send Step, SecretId and ClientRequestToken, as"
        " in events/create_secret.json."
    )


@pytest.mark.parametrize("key", ["Step", "SecretId", "ClientRequestToken"])
@pytest.mark.parametrize("value", [None, "", 7, True, [], {}, 1.5, b"bytes"])
def test_a_key_without_a_usable_value_is_named(key: str, value: object) -> None:
    with pytest.raises(InvalidEvent, match=rf"\b{key} (is|has) ") as caught:
        RotationRequest.from_event({**EVENT, key: value})
    assert caught.value.cure


@pytest.mark.parametrize("key", ["Step", "SecretId", "ClientRequestToken"])
def test_a_missing_key_is_named(key: str) -> None:
    event = {name: value for name, value in EVENT.items() if name != key}
    with pytest.raises(InvalidEvent, match=f"{key} is missing"):
        RotationRequest.from_event(event)


@pytest.mark.parametrize(
    ("key", "least", "most"), [("SecretId", 1, 2048), ("ClientRequestToken", 32, 64)]
)
def test_text_is_taken_exactly_within_its_limits(key: str, least: int, most: int) -> None:
    for length in (least, most):
        RotationRequest.from_event({**EVENT, key: "x" * length})
    for length in (least - 1, most + 1):
        with pytest.raises(
            InvalidEvent,
            match=f"{key} has {length} characters; .* of {least} to {most} characters",
        ):
            RotationRequest.from_event({**EVENT, key: "x" * length})


@pytest.mark.parametrize(
    "step",
    ["CREATE", "createsecret", "CreateSecret", "createSecret ", "create", "finishSecret\n"],
)
def test_an_unknown_step_is_shown_beside_the_known_ones(step: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        RotationRequest.from_event({**EVENT, "Step": step})
    assert str(caught.value) == (
        f"secret {ARN!r}: Step is {step!r}. Send one of createSecret, setSecret, testSecret,"
        " finishSecret: case matters."
    )


def test_a_long_step_is_shown_in_part_only() -> None:
    with pytest.raises(InvalidEvent) as caught:
        RotationRequest.from_event({**EVENT, "Step": "s" * 100_000})
    assert "s" * 40 in caught.value.found
    assert "s" * 41 not in caught.value.found


def test_what_is_wrong_with_an_event_is_told_about_its_secret() -> None:
    with pytest.raises(InvalidEvent) as caught:
        RotationRequest.from_event({**EVENT, "ClientRequestToken": "short"})
    assert caught.value.who == {"secret": ARN}
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("token", ["-" * 36, "aZ09-" * 51, "a" * 256])
def test_a_rotation_token_is_taken_within_its_limits(token: str) -> None:
    request = RotationRequest.from_event({**EVENT, "RotationToken": token})
    assert request.rotation_token == token


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a" * 35,
        "a" * 257,
        "a" * 36 + "\n",
        "a" * 36 + "_",
        "ä" * 36,
        "a b" * 20,
        7 * 10**40,
        ["a" * 36],
        {"a" * 36: 1},
        False,
        b"a" * 36,
    ],
    ids=lambda token: f"{type(token).__name__}-{len(str(token))}",
)
def test_a_rotation_token_that_is_none_is_refused_and_not_shown(token: object) -> None:
    with pytest.raises(InvalidEvent, match="RotationToken is not 36 to 256") as caught:
        RotationRequest.from_event({**EVENT, "RotationToken": token})
    assert not token or str(token) not in str(caught.value)
    assert caught.value.who == {"secret": ARN}
