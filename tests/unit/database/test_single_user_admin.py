"""A user that may not set its own password, and the admin that does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rotators.errors import PermissionMissing, ValueRejected
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.testing.memory import Memory, MemoryRotator, MemoryServer
from tests.engines.test_memory import MemoryTarget

if TYPE_CHECKING:
    from rotators.database.engine import Session


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryServer]:
    real = Memory.set_password

    def set_password(itself: Memory, session: Session, username: str, password: str) -> None:
        if session.login.username == username:
            raise PermissionMissing("nobody may set one's own", "Grant it.")
        real(itself, session, username, password)

    monkeypatch.setattr(Memory, "set_password", set_password)
    with MemoryServer("denied") as server:
        yield server


@pytest.fixture
def bench(server: MemoryServer) -> Iterator[Bench]:
    target = MemoryTarget(server, StrategyName.ALTERNATING_USERS)
    target.settings = Settings(strategy=StrategyName.SINGLE_USER)
    with Bench(MemoryRotator, target) as bench:
        yield bench


def logs_in(bench: Bench, value: dict[str, Any]) -> bool:
    return bench.target.logs_in(value)


def test_the_admin_sets_it(bench: Bench) -> None:
    arn, old = bench.secret()
    bench.driver.rotate(arn)
    assert logs_in(bench, bench.current(arn))
    assert not logs_in(bench, old)


def test_a_value_refused_to_the_admin_is_given_up(bench: Bench, server: MemoryServer) -> None:
    arn, old = bench.secret()
    server.accepts = lambda _: False
    with pytest.raises(ValueRejected):
        bench.driver.rotate(arn)
    assert logs_in(bench, old)


def test_without_an_admin_the_grant_is_named(server: MemoryServer) -> None:
    with Bench(MemoryRotator, MemoryTarget(server, StrategyName.SINGLE_USER)) as bench:
        arn, old = bench.secret()
        with pytest.raises(PermissionMissing, match="Grant it") as caught:
            bench.driver.rotate(arn)
        assert "admin" not in caught.value.found
        assert logs_in(bench, old)


def test_an_admin_does_not_help_an_admin(bench: Bench, server: MemoryServer) -> None:
    arn, old = bench.secret()
    server.admins.add(old["username"])
    with pytest.raises(PermissionMissing, match=r"could not help: .*administrative rights"):
        bench.driver.rotate(arn)
    assert logs_in(bench, old)


def test_an_admin_that_does_not_log_in_is_told(bench: Bench, server: MemoryServer) -> None:
    arn, old = bench.secret()
    assert bench.target.admin is not None
    server.passwords[bench.target.admin["username"]] = "changed by somebody"
    with pytest.raises(PermissionMissing, match="could not help: wrong user or password"):
        bench.driver.rotate(arn)
    assert logs_in(bench, old)
