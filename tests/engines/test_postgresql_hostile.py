"""Input that would hurt a careless rotator, on real servers: nothing breaks, nothing changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from rotators.database.postgresql import PostgreSQLRotator
from rotators.errors import (
    ForbiddenTarget,
    InvalidEvent,
    LoginRefused,
    MisconfiguredSecret,
    RotationError,
    UnknownEngine,
)
from rotators.request import Step
from rotators.testing.bench import Bench
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from tests.servers import PostgreSQL

NASTY = (
    "it's",
    'we"ird user;--',
    "back\\slash\\",
    "per%cent %s %(x)s",
    " blanks around ",
    "semi;colon; DROP ROLE postgres",
    "dollar $1 $$ $body$",
    "ünïcödé ключ 密码",
    "line\nbreak\ttab",
    "{brace} {}",
    "x" * 63,
    "é" * 31,
    "current_user",
    "PUBLIC",
    "host=evil dbname=x",
    "postgresql://evil/x",
)


@pytest.fixture
def bench(postgresql: PostgreSQL) -> Iterator[Bench]:
    with Bench(PostgreSQLRotator, PostgreSQLTarget(postgresql)) as bench:
        bench.engines.add("postgres")
        yield bench


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_user_name(postgresql: PostgreSQL, bench: Bench, name: str) -> None:
    role = postgresql.create_user(name=name)
    arn = bench.simulator.create_secret("nasty", postgresql.secret(role.name, role.password))
    bench.driver.rotate(arn)
    assert postgresql.can_log_in(name, bench.current(arn)["password"])
    assert not postgresql.can_log_in(name, role.password)


@pytest.mark.parametrize("password", [*NASTY, "\u00a0Ⅸ\u00ad", "😀" * 20, "y" * 500, "a"])
def test_a_nasty_password(postgresql: PostgreSQL, bench: Bench, password: str) -> None:
    role = postgresql.create_user(password)
    arn = bench.simulator.create_secret("nasty", postgresql.secret(role.name, role.password))
    token = bench.driver.start(arn)
    new = password[::-1] + "!"
    staged(bench, arn, token, password=new)
    bench.driver.retry(arn, token)
    assert bench.current(arn)["password"] == new
    assert postgresql.can_log_in(role.name, new)
    assert not postgresql.can_log_in(role.name, password)


def test_a_role_that_starts_as_another_changes_its_own_password(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    owner, member = postgresql.create_user(), postgresql.create_user()
    with postgresql.admin() as admin:
        names = [sql.Identifier(owner.name), sql.Identifier(member.name)]
        admin.execute(sql.SQL("GRANT {} TO {}").format(*names))
        admin.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(*reversed(names)))
    arn = bench.simulator.create_secret("member", postgresql.secret(member.name, member.password))
    bench.driver.rotate(arn)
    assert postgresql.can_log_in(member.name, bench.current(arn)["password"])
    assert postgresql.can_log_in(owner.name, owner.password)


SETTINGS = (
    "default_transaction_read_only = on",
    "search_path = hostile, pg_catalog",
    "standard_conforming_strings = off",
    "client_encoding = 'LATIN1'",
    "password_encryption = 'md5'",
    "default_transaction_isolation = 'serializable'",
    "lock_timeout = '1ms'",
    "row_security = off",
)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.filterwarnings("ignore:.*md5")
def test_a_role_with_a_setting_of_its_own(
    postgresql: PostgreSQL, bench: Bench, setting: str
) -> None:
    role = postgresql.create_user()
    with postgresql.admin() as admin:
        admin.execute(f"ALTER ROLE {role.name} SET {setting}")
    arn = bench.simulator.create_secret("setting", postgresql.secret(role.name, role.password))
    bench.driver.rotate(arn)
    bench.driver.rotate(arn)
    assert postgresql.can_log_in(role.name, bench.current(arn)["password"])


BAD_VALUES: dict[str, Any] = {
    "binary": b"\x00\xff",
    "no json": "user:password",
    "a list": "[]",
    "a text": '"text"',
    "null": "null",
    "a key twice": '{"engine": "postgres", "engine": "postgres"}',
    "empty": "{}",
}
BAD_FIELDS: dict[str, dict[str, Any]] = {
    "no engine": {"engine": None},
    "another engine": {"engine": "oracel"},
    "no host": {"host": None},
    "two hosts": {"host": "localhost,evil.example"},
    "a socket": {"host": "/var/run/postgresql"},
    "a port in words": {"port": "five"},
    "port 0": {"port": 0},
    "a port too high": {"port": "65536"},
    "an empty port": {"port": ""},
    "no user": {"username": None},
    "an empty user": {"username": ""},
    "a user that would be cut off": {"username": "x" * 64},
    "a NUL in the user": {"username": "postgres\0x"},
    "no password": {"password": None},
    "an empty password": {"password": ""},
    "ssl maybe": {"ssl": "maybe"},
}


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_secret_that_is_none(bench: Bench, value: str | bytes) -> None:
    arn = bench.simulator.create_secret("bad", value)
    token = bench.driver.start(arn)
    with pytest.raises(MisconfiguredSecret):
        bench.driver.step(arn, token, Step.CREATE)
    assert bench.simulator.value(arn, version_id=token) is None


@pytest.mark.parametrize("fields", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_bad_field_is_refused_before_anything_is_staged(
    bench: Bench, fields: dict[str, Any]
) -> None:
    arn, old = bench.secret()
    bench.driver.put_by_hand(arn, {**old, **fields})
    token = bench.driver.start(arn)
    with pytest.raises(MisconfiguredSecret) as caught:
        bench.driver.step(arn, token, Step.CREATE)
    assert next(iter(fields)) in str(caught.value)
    assert caught.value.cure
    assert old["password"] not in str(caught.value)
    assert bench.simulator.value(arn, version_id=token) is None
    assert bench.target.logs_in(old)


def test_an_unknown_engine_is_told_the_nearest(bench: Bench) -> None:
    arn, _ = bench.secret(engine="postgres")
    bench.driver.put_by_hand(arn, {**bench.current(arn), "engine": "postgress"})
    with pytest.raises(UnknownEngine, match="Did you mean 'postgres'"):
        bench.driver.rotate(arn)


@pytest.mark.parametrize("dbname", [None, "", "postgres"])
@pytest.mark.parametrize("as_text", [True, False])
def test_what_aws_documents_is_taken(bench: Bench, dbname: str | None, *, as_text: bool) -> None:
    arn, old = bench.secret(dbname=dbname)
    port = str(old["port"]) if as_text else old["port"]
    bench.driver.put_by_hand(arn, {**old, "port": port})
    bench.driver.rotate(arn)
    new = bench.current(arn)
    assert (new["port"], new["dbname"]) == (port, dbname)
    assert bench.target.logs_in(new)


@pytest.mark.parametrize("field", ["username", "host", "port", "engine"])
def test_a_pending_value_for_somebody_else_changes_nobody(
    postgresql: PostgreSQL, bench: Bench, field: str
) -> None:
    victim = postgresql.create_user()
    arn, old = bench.secret()
    bench.engines.add("aurora-postgresql")
    forged = {
        "username": victim.name,
        "host": "127.0.0.1",
        "port": old["port"] + 1,
        "engine": "aurora-postgresql",
    }
    token = bench.driver.start(arn)
    staged(bench, arn, token, password=uuid.uuid4().hex, **{field: forged[field]})
    with pytest.raises(ForbiddenTarget, match="AWSPENDING is for"):
        bench.driver.step(arn, token, Step.SET)
    assert bench.target.logs_in(old)
    assert postgresql.can_log_in(victim.name, victim.password)


def test_a_secret_rewritten_to_name_another_user_changes_nobody(
    postgresql: PostgreSQL, bench: Bench
) -> None:
    victim = postgresql.create_user()
    arn, old = bench.secret()
    bench.driver.put_by_hand(arn, {**old, "username": victim.name})
    with pytest.raises(LoginRefused):
        bench.driver.rotate(arn)
    assert postgresql.can_log_in(victim.name, victim.password)
    assert bench.target.logs_in(old)


BAD_EVENTS: dict[str, Any] = {
    "none": None,
    "a list": [],
    "empty": {},
    "another step": {"Step": "create_secret"},
    "no token": {"Step": "createSecret"},
    "a short token": {"Step": "createSecret", "ClientRequestToken": "x" * 31},
}


@pytest.mark.parametrize("event", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_a_bad_event(bench: Bench, event: Any) -> None:
    arn, old = bench.secret()
    sent = {"SecretId": arn, **event} if event else event
    with pytest.raises(InvalidEvent) as caught:
        bench.handle(sent, None)
    assert isinstance(caught.value, RotationError)
    assert caught.value.cure
    assert len(bench.simulator.calls) == 0
    assert bench.target.logs_in(old)
