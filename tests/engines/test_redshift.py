"""The contract on the double of Redshift, or a real one (REDSHIFT_TEST_DSN)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.redshift import RedshiftRotator
from rotators.settings import StrategyName
from tests.engines.killed import KilledContract
from tests.engines.redshift_target import RedshiftTarget, Server, redshift_server

if TYPE_CHECKING:
    from tests.servers import PrivatePostgreSQL


@pytest.fixture(scope="module")
def server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    with redshift_server(private_postgresql) as server:
        yield server


class RedshiftContract(KilledContract):
    rotator = RedshiftRotator
    engine = "redshift"


class TestRedshiftDouble(RedshiftContract):
    @pytest.fixture
    def target(self, server: Server) -> RedshiftTarget:
        return RedshiftTarget(server)


class TestRedshiftDoubleAlternatingUsers(RedshiftContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, server: Server) -> RedshiftTarget:
        return RedshiftTarget(server, StrategyName.ALTERNATING_USERS, hashed="md5")
