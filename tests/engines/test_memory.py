"""The contract on the engine in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rotators.settings import Settings, StrategyName
from rotators.testing.contract import EngineContract
from rotators.testing.memory import ENGINE_NAME, MemoryRotator, MemoryServer


class MemoryTarget:
    admin: Mapping[str, Any] | None = None

    def __init__(self, server: MemoryServer, strategy: StrategyName) -> None:
        self.server = server
        self.settings = Settings(strategy=strategy)
        if strategy is StrategyName.ALTERNATING_USERS or server.only_admins_retain:
            self.admin = self.new_secret()
            server.admins.add(self.admin["username"])

    def new_secret(self) -> dict[str, Any]:
        user, password = f"user-{len(self.server.passwords)}", uuid.uuid4().hex
        self.server.passwords[user] = password
        return {
            "engine": ENGINE_NAME,
            "host": self.server.host,
            "username": user,
            "password": password,
        }

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.knows(secret["username"], secret["password"])


class TestMemory(EngineContract):
    rotator = MemoryRotator

    @pytest.fixture
    def target(self) -> Iterator[MemoryTarget]:
        with MemoryServer("contract") as server:
            yield MemoryTarget(server, StrategyName.SINGLE_USER)


class TestMemoryAlternatingUsers(EngineContract):
    rotator = MemoryRotator
    calls = 13
    logins = 3
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self) -> Iterator[MemoryTarget]:
        with MemoryServer("contract") as server:
            yield MemoryTarget(server, StrategyName.ALTERNATING_USERS)


class TestMemoryDualPassword(EngineContract):
    rotator = MemoryRotator
    probes = 1
    zero_downtime = True
    refused = 2

    @pytest.fixture
    def target(self) -> Iterator[MemoryTarget]:
        with MemoryServer("contract") as server:
            yield MemoryTarget(server, StrategyName.DUAL_PASSWORD)


class TestMemoryDualPasswordByAnAdmin(TestMemoryDualPassword):
    calls = 12
    logins = 3

    @pytest.fixture
    def target(self) -> Iterator[MemoryTarget]:
        with MemoryServer("contract", only_admins_retain=True) as server:
            yield MemoryTarget(server, StrategyName.DUAL_PASSWORD)
