"""The contract on real PostgreSQL servers, and a real death at every point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotators.database.aurora import AuroraPostgreSQLRotator
from rotators.database.postgresql import PostgreSQLRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.killed import KilledContract
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from tests.servers import PostgreSQL


class TestPostgreSQL(KilledContract):
    rotator = PostgreSQLRotator
    engine = "postgres"

    @pytest.fixture
    def target(self, postgresql: PostgreSQL) -> PostgreSQLTarget:
        return PostgreSQLTarget(postgresql)


class TestPostgreSQLAlternatingUsers(KilledContract):
    rotator = PostgreSQLRotator
    engine = "postgres"
    calls = 13
    logins = 3
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, postgresql: PostgreSQL) -> PostgreSQLTarget:
        return PostgreSQLTarget(postgresql, StrategyName.ALTERNATING_USERS)


def test_a_secret_of_aurora_is_rotated(postgresql: PostgreSQL) -> None:
    target = PostgreSQLTarget(postgresql)
    with Bench(AuroraPostgreSQLRotator, target) as bench:
        arn, old = bench.secret(engine="aurora-postgresql")
        bench.driver.rotate(arn)
        assert target.logs_in(bench.current(arn))
        assert not target.logs_in(old)
