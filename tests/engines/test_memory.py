"""The contract on the engine in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rotators.settings import Settings
from rotators.testing.contract import EngineContract
from rotators.testing.memory import ENGINE_NAME, MemoryRotator, MemoryServer


class MemoryTarget:
    settings = Settings()

    def __init__(self, server: MemoryServer) -> None:
        self.server = server

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
        return self.server.passwords[secret["username"]] == str(secret["password"])


class TestMemory(EngineContract):
    rotator = MemoryRotator

    @pytest.fixture
    def target(self) -> Iterator[MemoryTarget]:
        with MemoryServer("contract") as server:
            yield MemoryTarget(server)
