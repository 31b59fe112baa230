"""The contract on SQL Server: on a double, unless SQLSERVER_TEST_DSN names a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.sqlserver import SQLServerRotator
from rotators.settings import StrategyName
from tests.engines.killed import KilledContract
from tests.engines.sqlserver_target import Server, SQLServerTarget, any_server

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[Server]:
    with any_server(certificates) as server:
        yield server


class SQLServerContract(KilledContract):
    rotator = SQLServerRotator
    engine = "sqlserver"


class TestSQLServer(SQLServerContract):
    @pytest.fixture
    def target(self, server: Server) -> SQLServerTarget:
        return SQLServerTarget(server)


class TestSQLServerAlternatingUsers(SQLServerContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, server: Server) -> SQLServerTarget:
        return SQLServerTarget(server, StrategyName.ALTERNATING_USERS)
