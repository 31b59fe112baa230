"""What a cold start loads: names and counts. How long it takes is measured, and not asserted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.cli.build_function import FUNCTIONS
from rotators.testing.twitter import TwitterServer
from tests.deploy.builds import REPOSITORY
from tests.deploy.cold_start import ColdStart, cold_start, value_of

if TYPE_CHECKING:
    from tests.deploy.runtime_targets import Builds

pytest_plugins = ["tests.deploy.runtime_fixtures"]

# boto3 and Powertools, with what both need. botocore takes certifi where a driver has brought it.
NEEDED = {
    "aws_lambda_powertools", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six",
    "typing_extensions", "urllib3",
}  # fmt: skip


@pytest.fixture
def x() -> Iterator[TwitterServer]:
    with TwitterServer() as x:
        yield x


@pytest.mark.parametrize("function", FUNCTIONS)
def test_create_secret_loads_what_it_needs(function: str, builds: Builds, x: TwitterServer) -> None:
    """No driver: createSecret asks no server. One service's description: Secrets Manager's."""
    start = cold_start(builds.host(function), value_of(function, x))
    assert start.unneeded(function) == set()
    assert start.foreign() - {"certifi"} == NEEDED
    assert start.services == {"secretsmanager"}


def test_importing_the_handler_loads_nothing_of_others(builds: Builds, x: TwitterServer) -> None:
    function = "PostgreSQLFunction"
    start = cold_start(builds.host(function), value_of(function, x), step=False)
    assert "rotators.handler" in start.modules
    assert start.foreign() == set()
    assert start.services == set()
    packages = ("rotators.database", "rotators.issued")
    assert not [name for name in start.modules if name.startswith(packages)]


@pytest.mark.parametrize(
    ("function", "module"),
    [
        ("PostgreSQLFunction", "psycopg"),
        ("PostgreSQLFunction", "oracledb"),
        ("PostgreSQLFunction", "rotators.cli.build"),
        ("PostgreSQLFunction", "rotators.testing.memory"),
        ("PostgreSQLFunction", "rotators.database.mysql_errors"),
        ("MySQLFunction", "rotators.database.mariadb"),
        ("MariaDBFunction", "rotators.database.mysql"),
        ("TwitterFunction", "rotators.database.oracle_session"),
    ],
)
def test_what_is_not_needed_would_be_found(function: str, module: str) -> None:
    assert ColdStart(0, 0, frozenset({module}), frozenset()).unneeded(function) == {module}


def test_another_service_would_be_found() -> None:
    told = {
        "seconds": [1.0, 2.0],
        "modules": {"json": None},
        "opened": ["/f/botocore/data/endpoints.json", "/f/botocore/data/rds/2014-10-31/x.json"],
    }
    start = ColdStart.of(told)
    assert start.seconds == 3.0
    assert start.unneeded("MySQLFunction") == {"botocore/data/rds"}


def test_it_prints_a_table() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.deploy.cold_start", "2"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [line for line in ended.stdout.splitlines() if line.endswith(" nothing |")]
    assert [row.split()[1] for row in rows] == list(FUNCTIONS)
