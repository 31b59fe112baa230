"""The JSON schema of docs/ takes what the rotator takes, and refuses what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.testing.bench import Bench
from rotators.testing.twitter import TwitterServer
from tests.engines.twitter_target import BearerTarget, UserTarget

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA = json.loads((DOCS / "twitter.secret.schema.json").read_text())


@pytest.fixture
def x() -> Iterator[TwitterServer]:
    with TwitterServer() as x:
        yield x


def valid(value: object) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(value))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_secrets_before_and_after_a_rotation_fit(x: TwitterServer) -> None:
    bearer, user = BearerTarget(x, None), UserTarget(x, None)
    assert user.admin is not None
    user.admin = {**user.admin, "ssl": False}
    for target in (bearer, user):
        with Bench(TwitterOAuthRotator, target) as bench:
            arn, old = bench.secret(ssl=False)
            bench.driver.rotate(arn)
            assert valid(old)
            assert valid(bench.current(arn))
    assert valid(user.admin)
    assert valid(bearer.keys(x.new_app(), owner=True))


def test_a_secret_whose_tokens_end_nobody_knows_when_fits(x: TwitterServer) -> None:
    user = UserTarget(x, None)
    assert user.admin is not None
    user.admin = {**user.admin, "ssl": False}
    x.fail_next(
        "/2/oauth2/token", 200, {"access_token": "new-access", "refresh_token": "new-refresh"}
    )
    with Bench(TwitterOAuthRotator, user) as bench:
        arn, _ = bench.secret(expires_at="2020-01-01T00:00:00+00:00")
        bench.driver.step(arn, bench.driver.start(arn), Step.CREATE)
        staged = bench.labelled(arn)["AWSPENDING"]
    assert staged["expires_at"] is None
    assert valid(staged)


def test_the_examples_of_the_page_fit() -> None:
    shown = re.findall(r"^\{.*\}$", (DOCS / "twitter.md").read_text(), re.MULTILINE)
    assert len(shown) == 3
    for text in shown:
        assert valid(json.loads(text)), text


BEARER: dict[str, Any] = {"engine": "twitter", "bearer_token": "b", "masterarn": "arn"}
USER: dict[str, Any] = {
    "engine": "twitter",
    "credential": "oauth2-user",
    "access_token": "a",
    "refresh_token": "r",
    "client_id": "c",
}


@pytest.mark.parametrize(
    "value",
    [
        {**BEARER, "engine": "x"},
        {**BEARER, "bearer_token": ""},
        {**BEARER, "masterarn": 7},
        {**BEARER, "credential": "consumer-keys"},
        {**USER, "refresh_token": None},
        {**USER, "base_url": "ftp://x"},
        {key: value for key, value in USER.items() if key != "client_id"},
        {key: value for key, value in BEARER.items() if key != "masterarn"},
    ],
)
def test_what_cannot_be_rotated_does_not_fit(value: dict[str, Any]) -> None:
    assert valid(BEARER)
    assert valid(USER)
    assert not valid(value)
