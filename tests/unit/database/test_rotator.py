"""A database rotator: the checks that every engine and strategy shares."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotators.database.postgresql import PostgreSQLRotator
from rotators.database.rotator import DatabaseRotator
from rotators.deadline import Deadline
from rotators.driver import Driver
from rotators.errors import (
    DriverMissing,
    ForbiddenTarget,
    InvalidSetting,
    LoginRefused,
    MisconfiguredSecret,
    ServerUnreachable,
    StrategyUnavailable,
    VersionNotFound,
)
from rotators.passwords import PasswordPolicy
from rotators.redaction import Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation
from rotators.secret import Secret
from rotators.settings import Settings, StrategyName
from rotators.testing.memory import Memory, MemoryRotator, MemoryServer
from rotators.versions import SecretMetadata, StoredValue

FIELDS: dict[str, Any] = {
    "engine": "memory",
    "host": "rotator",
    "username": "app",
    "password": "old-password",
    "note": "kept",
}


class OneSecret:
    """AWSCURRENT, and nothing else."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.text = json.dumps(fields)

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        if stage != "AWSCURRENT":
            raise VersionNotFound
        return StoredValue("old", frozenset({stage}), self.text)

    def unlabelled(self, secret_id: str) -> list[str]:
        return []

    def describe(self, secret_id: str) -> SecretMetadata:
        raise AssertionError("a rotator does not ask for labels")


class Said:
    def __init__(self) -> None:
        self.lines: list[tuple[str, bool, dict[str, object]]] = []

    def __call__(self, sentence: str, /, *, warning: bool = False, **facts: object) -> None:
        self.lines.append((sentence, warning, facts))


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with MemoryServer("rotator", {"app": "old-password"}) as server:
        yield server


def rotation(current: dict[str, Any], pending: dict[str, Any] | None = None) -> Rotation:
    return Rotation(
        request=RotationRequest(Step.SET, "arn", "v" * 32),
        deadline=Deadline.after(30),
        say=Said(),
        redactor=Redactor(),
        versions=OneSecret(current),
        pending=None if pending is None else Secret(pending),
    )


def test_a_subclass_names_its_engine_and_is_done() -> None:
    class Mine(DatabaseRotator):
        engine = Memory

    assert Mine.driver is Memory.driver is None
    assert Mine.strategies == tuple(StrategyName)
    strategy = Mine(Settings()).strategy
    # Errors show it by repr.
    assert (type(strategy), strategy) == (str, "single-user")


def test_several_engines_may_share_a_base_that_has_none() -> None:
    class Base(DatabaseRotator):
        """Names no engine."""

    class Mine(Base):
        engine = PostgreSQLRotator.engine

    assert (Base.driver, Base.strategies) == (None, ())
    assert Mine.driver is PostgreSQLRotator.driver is not None
    assert Mine.strategies == PostgreSQLRotator.strategies


def test_the_engine_gets_the_bundle_of_the_settings() -> None:
    rotator = MemoryRotator(Settings(ca_bundle=Path("/bundle.pem")))
    assert rotator._strategy.engine.ca_bundle == Path("/bundle.pem")


def test_a_strategy_that_the_engine_cannot_do_is_refused() -> None:
    with pytest.raises(StrategyUnavailable):
        PostgreSQLRotator(Settings(strategy=StrategyName.DUAL_PASSWORD))


# ── create ──


def test_creating_replaces_the_password_and_nothing_else_and_needs_no_server() -> None:
    created = MemoryRotator(Settings()).create(rotation(FIELDS))
    assert list(created.items()) == list({**FIELDS, "password": created["password"]}.items())
    assert created["password"] != "old-password"
    assert len(created["password"]) == 32


def test_creating_twice_gives_two_passwords() -> None:
    rotator = MemoryRotator(Settings())
    assert rotator.create(rotation(FIELDS)) != rotator.create(rotation(FIELDS))


def test_creating_keeps_to_the_policy_and_to_what_the_engine_excludes() -> None:
    class Picky(Memory):
        excluded_characters = "0123456789"

    class PickyRotator(DatabaseRotator):
        engine = Picky

    policy = PasswordPolicy(length=400, exclude_punctuation=True)
    password = PickyRotator(Settings(passwords=policy)).create(rotation(FIELDS))["password"]
    assert len(password) == 400
    assert password.isalpha()


def test_nothing_is_created_without_the_driver() -> None:
    class Undriven(Memory):
        driver = Driver("absent_driver", extra="absent")

    class UndrivenRotator(DatabaseRotator):
        engine = Undriven

    with pytest.raises(DriverMissing, match=r"rotators\[absent\]") as caught:
        UndrivenRotator(Settings()).create(rotation(FIELDS))
    assert caught.value.who == {"host": "rotator", "user": "app"}


@pytest.mark.parametrize(
    "change", [{"host": "a,b"}, {"username": ""}, {"port": "x"}, {"password": None}]
)
def test_nothing_is_created_for_a_secret_that_could_not_be_set(change: dict[str, Any]) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        MemoryRotator(Settings()).create(rotation({**FIELDS, **change}))
    assert caught.value.who == {"version": "AWSCURRENT"}


@pytest.mark.parametrize("hook", ["create", "set"])
def test_a_secret_with_an_admin_has_to_be_told_its_strategy(
    server: MemoryServer, hook: str
) -> None:
    fields = {**FIELDS, "masterarn": "arn:admin"}
    view = rotation(fields, {**fields, "password": "new-password"})
    with pytest.raises(InvalidSetting) as caught:
        getattr(MemoryRotator(Settings()), hook)(view)
    assert "'masterarn'" in caught.value.found
    assert "ROTATION_STRATEGY" in caught.value.found
    assert "alternating-users" in caught.value.cure
    assert server.passwords == {"app": "old-password"}
    getattr(MemoryRotator(Settings(strategy=StrategyName.SINGLE_USER)), hook)(view)


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_admin_of_no_name_is_none(nothing: str | None) -> None:
    assert MemoryRotator(Settings()).create(rotation({**FIELDS, "masterarn": nothing}))


def test_a_test_does_not_ask_for_the_strategy(server: MemoryServer) -> None:
    fields = {**FIELDS, "masterarn": "arn:admin"}
    MemoryRotator(Settings()).test(rotation(fields, fields))
    assert server.accepted_logins == 1


# ── set ──


def test_setting_makes_the_pending_password_valid(server: MemoryServer) -> None:
    pending = {**FIELDS, "password": "new-password"}
    MemoryRotator(Settings()).set(rotation(FIELDS, pending))
    assert server.passwords == {"app": "new-password"}


@pytest.mark.parametrize(
    "change", [{"username": "admin"}, {"host": "elsewhere"}, {"port": 2}, {"engine": "other"}]
)
def test_a_pending_value_for_somebody_else_changes_nothing(
    server: MemoryServer, change: dict[str, Any]
) -> None:
    server.passwords["admin"] = "old-password"
    before = dict(server.passwords)
    with MemoryServer("elsewhere", dict(before)) as elsewhere:
        with pytest.raises(ForbiddenTarget) as caught:
            MemoryRotator(Settings()).set(
                rotation(FIELDS, {**FIELDS, "password": "new-password", **change})
            )
        assert elsewhere.passwords == before
    assert server.passwords == before
    assert server.accepted_logins == 0
    assert caught.value.who == {"host": "rotator", "user": "app"}


def test_a_pending_value_that_cannot_be_used_is_named(server: MemoryServer) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        MemoryRotator(Settings()).set(rotation(FIELDS, {**FIELDS, "password": 7}))
    assert caught.value.who == {"version": "AWSPENDING", "host": "rotator", "user": "app"}
    assert server.passwords == {"app": "old-password"}


def test_an_error_is_told_about_host_and_user() -> None:
    pending = {**FIELDS, "password": "new-password"}
    with pytest.raises(ServerUnreachable) as caught:
        MemoryRotator(Settings()).set(rotation(FIELDS, pending))
    assert caught.value.who == {"host": "rotator", "user": "app"}
    assert caught.value.__suppress_context__


# ── test ──


def test_testing_logs_in_with_the_pending_value(server: MemoryServer) -> None:
    pending = {**FIELDS, "password": "new-password"}
    with pytest.raises(LoginRefused, match="refuses the password to be tested"):
        MemoryRotator(Settings()).test(rotation(FIELDS, pending))
    server.passwords["app"] = "new-password"
    MemoryRotator(Settings()).test(rotation(FIELDS, pending))


def test_testing_alone_logs_in_with_the_current_value(server: MemoryServer) -> None:
    MemoryRotator(Settings()).test(rotation(FIELDS))
    assert server.accepted_logins == 1
    server.passwords.clear()
    with pytest.raises(LoginRefused):
        MemoryRotator(Settings()).test(rotation(FIELDS))


@pytest.mark.parametrize(("pending", "label"), [(None, "AWSCURRENT"), (FIELDS, "AWSPENDING")])
def test_a_value_that_cannot_be_tested_is_named(pending: dict[str, Any] | None, label: str) -> None:
    broken = {"host": "a,b"}
    view = rotation({**FIELDS, **broken}, None if pending is None else {**pending, **broken})
    with pytest.raises(MisconfiguredSecret) as caught:
        MemoryRotator(Settings()).test(view)
    assert caught.value.who == {"version": label}


@pytest.mark.parametrize("hook", ["create", "set", "test"])
@pytest.mark.parametrize(("ssl", "warnings"), [(False, 1), (True, 0), (None, 0)])
def test_a_login_without_tls_is_warned_of(
    server: MemoryServer, hook: str, ssl: bool | None, warnings: int
) -> None:
    fields = {**FIELDS, "ssl": ssl}
    said = Said()
    view = dataclasses.replace(rotation(fields, fields), say=said)
    getattr(MemoryRotator(Settings()), hook)(view)
    warned = [line for line in said.lines if line[1]]
    assert (
        warned == [('no TLS: the secret says "ssl": false', True, {"host": "rotator"})] * warnings
    )


def test_finishing_does_nothing(server: MemoryServer) -> None:
    MemoryRotator(Settings()).finish(rotation(FIELDS, FIELDS))
    assert server.accepted_logins == 0
