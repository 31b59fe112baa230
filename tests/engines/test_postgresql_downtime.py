"""What an application sees that logs in every few milliseconds while its secret is rotated.

``pytest -rP`` shows the numbers, of single-user too, where some refused logins are to be expected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.postgresql import PostgreSQLRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.postgresql_client import Client
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from tests.servers import PostgreSQL

ROTATIONS = 50
STRATEGIES = [StrategyName.ALTERNATING_USERS, StrategyName.SINGLE_USER]


@pytest.fixture(params=STRATEGIES)
def bench(request: pytest.FixtureRequest, postgresql: PostgreSQL) -> Iterator[Bench]:
    with Bench(PostgreSQLRotator, PostgreSQLTarget(postgresql, request.param)) as bench:
        yield bench


def test_logins_during_fifty_rotations(
    postgresql: PostgreSQL, bench: Bench, record_property: Callable[[str, object], None]
) -> None:
    strategy = bench.target.settings.strategy
    arn, _ = bench.secret()
    passwords = set()
    with Client(bench, postgresql, arn) as client:
        for _ in range(ROTATIONS):
            bench.driver.rotate(arn)
            passwords.add(bench.current(arn)["password"])
            # What was read before a rotation is valid during the next one, not after it.
            client.settle()
    refused = [failure for failure in client.failures if "password authentication" in failure]
    sys.stdout.write(
        f"{strategy} on PostgreSQL {postgresql.major}: {len(refused)} of"
        f" {client.served + len(client.failures)} logins refused in {ROTATIONS} rotations\n"
    )
    record_property("refused", len(refused))
    assert len(passwords) == ROTATIONS
    assert client.served > ROTATIONS
    assert client.failures == refused
    if strategy is StrategyName.ALTERNATING_USERS:
        assert len(client.users) == 2
        assert not refused
