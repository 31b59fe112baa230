"""The contract on a real MySQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotators.database.aurora import AuroraMySQLRotator
from rotators.database.mysql import MySQLRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.killed import KilledContract
from tests.engines.mysql_target import MySQLTarget
from tests.engines.two_passwords import scene_on

if TYPE_CHECKING:
    from tests.servers_mysql import MySQL


class MySQLContract(KilledContract):
    rotator = MySQLRotator
    engine = "mysql"


class TestMySQL(MySQLContract):
    @pytest.fixture
    def target(self, mysql: MySQL) -> MySQLTarget:
        return MySQLTarget(mysql)


class TestMySQLAlternatingUsers(MySQLContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, mysql: MySQL) -> MySQLTarget:
        return MySQLTarget(mysql, StrategyName.ALTERNATING_USERS)


class TestMySQLDualPassword(MySQLContract):
    probes = 1
    zero_downtime = True
    refused = 2

    @pytest.fixture
    def target(self, mysql: MySQL) -> MySQLTarget:
        return MySQLTarget(mysql, StrategyName.DUAL_PASSWORD)


class TestMySQLDualPasswordByAnAdmin(TestMySQLDualPassword):
    calls = 12
    logins = 3

    @pytest.fixture
    def target(self, mysql: MySQL) -> MySQLTarget:
        return MySQLTarget(mysql, StrategyName.DUAL_PASSWORD, with_admin=True)


def test_later_rotations_cost_what_the_proof_of_ownership_does(mysql: MySQL) -> None:
    """A mark is no proof where users write their own: AWSPREVIOUS has to log in."""
    with scene_on(mysql, StrategyName.ALTERNATING_USERS) as scene:
        assert [scene.cost() for _ in range(3)] == [(13, 4, 0), (14, 5, 0), (14, 5, 0)]
    with scene_on(mysql, StrategyName.DUAL_PASSWORD) as scene:
        assert [scene.cost() for _ in range(3)] == [(11, 2, 1)] * 3


def test_a_secret_of_aurora_is_rotated(mysql: MySQL) -> None:
    target = MySQLTarget(mysql)
    with Bench(AuroraMySQLRotator, target) as bench:
        arn, old = bench.secret(engine="aurora-mysql")
        bench.driver.rotate(arn)
        assert target.logs_in(bench.current(arn))
        assert not target.logs_in(old)
