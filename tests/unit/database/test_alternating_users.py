"""What testSecret says of a pair whose two users are not alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from rotators.database.engine import NameLimit
from rotators.errors import LoginRefused, MisconfiguredSecret, PermissionMissing
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from rotators.testing.memory import Memory, MemoryRotator, MemoryServer
from tests.engines.test_memory import MemoryTarget

ALTERNATING = StrategyName.ALTERNATING_USERS


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with MemoryServer("alternating") as server:
        yield server


@pytest.fixture
def bench(server: MemoryServer) -> Iterator[Bench]:
    with Bench(MemoryRotator, MemoryTarget(server, ALTERNATING)) as bench:
        yield bench


def set_up(bench: Bench) -> tuple[str, dict[str, Any], str]:
    """A rotation that waits for testSecret."""
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    for step in (Step.CREATE, Step.SET):
        bench.driver.step(arn, token, step.value)
    return arn, old, token


def test_rights_that_the_alternate_lacks_are_listed(bench: Bench, server: MemoryServer) -> None:
    arn, old, token = set_up(bench)
    server.rights[old["username"]] = frozenset({"write", "read"})
    with pytest.raises(PermissionMissing, match=r"may not do what .* may: read; write"):
        bench.driver.step(arn, token, Step.TEST)


def test_users_made_by_hand_may_be_equals(bench: Bench, server: MemoryServer) -> None:
    arn, old, token = set_up(bench)
    bench.target.settings = replace(bench.target.settings, provisioned=True)
    server.rights[old["username"]] = frozenset({"read"})
    with pytest.raises(PermissionMissing):
        bench.driver.step(arn, token, Step.TEST)
    server.rights[f"{old['username']}_clone"] = frozenset({"read", "more"})
    bench.driver.step(arn, token, Step.TEST)


def test_awscurrent_that_is_refused_while_rights_are_compared_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, _, token = set_up(bench)

    def compare(*_: object) -> NoReturn:
        raise LoginRefused("wrong password of the other user", "Check it.")

    monkeypatch.setattr(Memory, "compare", compare)
    with pytest.raises(LoginRefused, match="AWSCURRENT does not log in") as caught:
        bench.driver.step(arn, token, Step.TEST)
    assert "put-secret-value" in caught.value.cure


@pytest.mark.parametrize(("unit", "refused"), [("characters", True), ("bytes", False)])
def test_the_limit_of_names_is_for_servers_that_count_characters(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, unit: Any, *, refused: bool
) -> None:
    monkeypatch.setattr(Memory, "username_limit", NameLimit(63, unit))
    bench.target.settings = replace(bench.target.settings, username_character_limit=8)
    arn, _ = bench.secret()
    if refused:
        with pytest.raises(MisconfiguredSecret, match="12 characters of at most 8"):
            bench.driver.rotate(arn)
    else:
        bench.driver.rotate(arn)
