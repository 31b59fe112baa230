"""The contract on a real MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rotators.database.mariadb import MariaDBRotator
from rotators.settings import StrategyName
from tests.engines.killed import KilledContract
from tests.engines.mysql_target import MySQLTarget
from tests.engines.two_passwords import scene_on

if TYPE_CHECKING:
    from tests.servers_mysql import MySQL


class MariaDBContract(KilledContract):
    rotator = MariaDBRotator
    engine = "mariadb"


class TestMariaDB(MariaDBContract):
    @pytest.fixture
    def target(self, mariadb: MySQL) -> MySQLTarget:
        return MySQLTarget(mariadb)


class TestMariaDBAlternatingUsers(MariaDBContract):
    calls = 13
    logins = 4
    zero_downtime = True
    refused = 1

    @pytest.fixture
    def target(self, mariadb: MySQL) -> MySQLTarget:
        return MySQLTarget(mariadb, StrategyName.ALTERNATING_USERS)


class TestMariaDBDualPassword(MariaDBContract):
    """By an admin: no user may give itself a second password."""

    calls = 12
    logins = 3
    probes = 1
    zero_downtime = True
    refused = 2

    @pytest.fixture
    def target(self, mariadb: MySQL) -> MySQLTarget:
        return MySQLTarget(mariadb, StrategyName.DUAL_PASSWORD)


def test_later_rotations_cost_what_the_proof_of_ownership_does(mariadb: MySQL) -> None:
    """The server has no place for a mark: AWSPREVIOUS has to be read, and to log in."""
    with scene_on(mariadb, StrategyName.ALTERNATING_USERS) as scene:
        assert [scene.cost() for _ in range(3)] == [(13, 4, 0), (14, 5, 0), (14, 5, 0)]
    with scene_on(mariadb, StrategyName.DUAL_PASSWORD) as scene:
        assert [scene.cost() for _ in range(3)] == [(12, 3, 1)] * 3
