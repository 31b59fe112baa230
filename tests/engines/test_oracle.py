"""The contract on Oracle: the double, unless ORACLE_TEST_DSN names a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.oracle import OracleRotator
from rotators.settings import StrategyName
from tests.engines.killed import KilledContract
from tests.engines.oracle_target import OracleTarget, Server, serving

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


@pytest.fixture
def server(certificates: Certificates) -> Iterator[Server]:
    with serving(certificates, tls=False) as server:
        yield server


class OracleContract(KilledContract):
    rotator = OracleRotator
    engine = "oracle"


class TestOracle(OracleContract):
    @pytest.fixture
    def target(self, server: Server) -> OracleTarget:
        return OracleTarget(server, lean=True)


class TestOracleAlternatingUsers(OracleContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, server: Server) -> OracleTarget:
        return OracleTarget(server, StrategyName.ALTERNATING_USERS, lean=True)


class TestOracleDualPassword(OracleContract):
    """By the user itself, with an admin that ends rollovers before their time."""

    logins = 3
    probes = 1
    zero_downtime = True
    refused = 2

    @pytest.fixture
    def target(self, server: Server) -> OracleTarget:
        return OracleTarget(server, StrategyName.DUAL_PASSWORD, lean=True)
