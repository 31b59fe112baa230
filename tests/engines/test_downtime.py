"""What an application sees that logs in every few milliseconds while its secret is rotated.

``pytest -rP`` shows the numbers, of single-user too, where some refused logins are to be expected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from rotators.database.postgresql import PostgreSQLRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.client import Client
from tests.engines.mysql_target import ROTATORS, MySQLTarget
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from tests.servers import PostgreSQL
    from tests.servers_mysql import MySQL

ROTATIONS = 50

Record = Callable[[str, object], None]


@pytest.mark.parametrize("strategy", PostgreSQLRotator.strategies)
def test_logins_to_postgresql(
    postgresql: PostgreSQL, strategy: StrategyName, record_property: Record
) -> None:
    with Bench(PostgreSQLRotator, PostgreSQLTarget(postgresql, strategy)) as bench:
        logins_during_rotations(bench, postgresql, record_property)


@pytest.mark.parametrize("strategy", StrategyName)
def test_logins_to_mysql_and_mariadb(
    mysql_or_mariadb: MySQL, strategy: StrategyName, record_property: Record
) -> None:
    rotator = ROTATORS[mysql_or_mariadb.kind]
    with Bench(rotator, MySQLTarget(mysql_or_mariadb, strategy)) as bench:
        logins_during_rotations(bench, mysql_or_mariadb, record_property)


def logins_during_rotations(
    bench: Bench, server: PostgreSQL | MySQL, record_property: Record
) -> None:
    """No login is refused, unless the strategy says so."""
    strategy = bench.target.settings.strategy
    arn, _ = bench.secret()
    passwords = set()
    with Client(bench, server, arn) as client:
        for _ in range(ROTATIONS):
            bench.driver.rotate(arn)
            passwords.add(bench.current(arn)["password"])
            # What was read before a rotation is valid during the next one, not after it.
            client.settle()
    refused = len(client.refused)
    sys.stdout.write(
        f"{strategy} on {bench.rotator.__name__}'s server: {refused} of"
        f" {client.served + len(client.failures)} logins refused in {ROTATIONS} rotations\n"
    )
    record_property("refused", refused)
    assert len(passwords) == ROTATIONS
    assert client.served > ROTATIONS
    assert client.failures == client.refused
    assert len(client.users) == 1 + (strategy is StrategyName.ALTERNATING_USERS)
    assert strategy is StrategyName.SINGLE_USER or not refused
