"""Fixtures of the whole suite, and its one rule: no network but loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rotators.testing.certificates import Certificates
from tests import servers, servers_mysql
from tests.servers import PostgreSQL, PostgreSQLServers, PrivatePostgreSQL
from tests.servers_mysql import KINDS, Kind, MySQL, MySQLServers, PrivateMySQL

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def pytest_report_header() -> str:
    return f"servers: {servers.describe()}, {servers_mysql.describe()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("allow_hosts") is None:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Throw-away TLS material; every server of the session uses it."""
    return Certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def private_postgresql(certificates: Certificates) -> PrivatePostgreSQL:
    """A factory of servers for one test, or for a fixture of any scope."""
    return PrivatePostgreSQL(certificates)


@pytest.fixture(scope="session")
def postgresql_servers(private_postgresql: PrivatePostgreSQL) -> Iterator[PostgreSQLServers]:
    """The shared servers, which ``postgresql`` hands out; for fixtures of a wider scope."""
    with contextlib.ExitStack() as stopping:
        yield PostgreSQLServers(private_postgresql, stopping)


@pytest.fixture(params=servers.versions())
def postgresql(
    request: pytest.FixtureRequest, postgresql_servers: PostgreSQLServers
) -> Iterator[PostgreSQL]:
    """A shared server, once per version; the users that a test makes on it go with the test."""
    with contextlib.ExitStack() as cleanup:
        yield replace(postgresql_servers.get(request.param), cleanup=cleanup)


@pytest.fixture(scope="session")
def private_mysql(certificates: Certificates) -> PrivateMySQL:
    """A factory of MySQL servers for one test, or for a fixture of any scope."""
    return PrivateMySQL("mysql", certificates)


@pytest.fixture(scope="session")
def private_mariadb(certificates: Certificates) -> PrivateMySQL:
    """The same for MariaDB."""
    return PrivateMySQL("mariadb", certificates)


@pytest.fixture(scope="session")
def mysql_servers(
    private_mysql: PrivateMySQL, private_mariadb: PrivateMySQL
) -> Iterator[MySQLServers]:
    """The shared servers, which ``mysql`` and its like hand out; for fixtures of a wider scope."""
    with contextlib.ExitStack() as stopping:
        yield MySQLServers({"mysql": private_mysql, "mariadb": private_mariadb}, stopping)


@pytest.fixture
def mysql(mysql_servers: MySQLServers) -> Iterator[MySQL]:
    """A shared MySQL; users and databases that a test makes on it go with the test."""
    with mysql_servers.tidied("mysql") as server:
        yield server


@pytest.fixture
def mariadb(mysql_servers: MySQLServers) -> Iterator[MySQL]:
    """A shared MariaDB; users and databases that a test makes on it go with the test."""
    with mysql_servers.tidied("mariadb") as server:
        yield server


@pytest.fixture(params=KINDS)
def mysql_or_mariadb(
    request: pytest.FixtureRequest, mysql_servers: MySQLServers
) -> Iterator[MySQL]:
    """The one, then the other."""
    kind: Kind = request.param
    with mysql_servers.tidied(kind) as server:
        yield server
