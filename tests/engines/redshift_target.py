"""Redshift as the contract's target: the double, or a real one.

REDSHIFT_TEST_DSN  redshift://user:password@host:port/dbname of a superuser: that server instead of
                   the double. Verified TLS, by the driver's own authorities.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import pytest
import redshift_connector
from redshift_connector.error import Error, InterfaceError

from rotators.database.redshift import RedshiftRotator
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.doubles.redshift import SCHEMA, RedshiftDouble
from tests.doubles.redshift_permissions import LETTERS

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.testing.certificates import KeyPair
    from tests.servers import PostgreSQL, PrivatePostgreSQL

DSN = "REDSHIFT_TEST_DSN"
# A database without the views that PostgreSQL does not have.
BARE = "bare"
Hash = Literal["md5", "sha256"]
_HBA = "host all all 127.0.0.1/32 md5\nhost all all ::1/128 md5\n"
# A superuser's that psycopg and the driver both log in by.
_VERSION = "17"
_SUFFIXES = ("", "_clone")


@dataclass
class Server:
    """A running double, or a Redshift, and what tests do with it beside the code under test."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    dbname: str
    ca: Path | None = None
    # Both None if it is a real one.
    double: RedshiftDouble | None = None
    behind: PostgreSQL | None = None
    _admin: Any = None
    _users: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def connect(self, user: str, password: str) -> Iterator[Any]:
        """An autocommit connection of the driver, as an application has it."""
        with redshift_connector.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=password,
            database=self.dbname,
            ssl=self.double is None,
            sslmode="verify-full",
            timeout=30,
        ) as connection:
            connection.autocommit = True
            yield connection

    def execute(self, statement: str, *values: Any) -> list[list[Any]]:
        """A statement of the administrator."""
        if self._admin is None:
            self._admin = self._stack.enter_context(self.connect(self.user, self.password))
        with self._admin.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def execute_as(self, user: str, password: str, *statements: str) -> list[list[Any]]:
        with self.connect(user, password) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def create_user(self, name: str | None = None, hashed: Hash = "sha256") -> tuple[str, str]:
        """A new user, dropped when the server is let go: its name and password."""
        name = name or f"u_{secrets.token_hex(4)}"
        password = f"Aa1-{secrets.token_urlsafe(12)}"
        prefix = "sha256|" if hashed == "sha256" else ""
        self.execute(f"CREATE USER {quoted(name)} PASSWORD '{prefix}{password}'")
        self._users.append(name)
        return name, password

    def can_log_in(self, user: str, password: str) -> bool:
        """False only for a wrong password; whatever else is in the way raises."""
        try:
            with self.connect(user, password):
                return True
        except InterfaceError as error:
            close_left_open(error)
            if "password authentication failed" in str(error):
                return False
            raise

    def secret(self, user: str, password: str, **extra: object) -> dict[str, object]:
        """The secret of a user, in AWS's format."""
        return {
            "engine": "redshift",
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            "dbname": self.dbname,
            **extra,
        }

    @property
    def front(self) -> RedshiftDouble:
        """The double; skips the test on a real server."""
        if self.double is None:
            pytest.skip(f"what {DSN}'s server is told cannot be seen, or kept from it")
        return self.double

    @contextlib.contextmanager
    def fronted(self, tls: KeyPair | None) -> Iterator[Server]:
        """The same users, behind another certificate or none."""
        with RedshiftDouble(self.front.behind, tls) as double:
            double.digests = self.front.digests
            with replace(self, port=double.port, double=double, _admin=None) as other:
                yield other

    def said(self) -> list[str]:
        """The statements that clients have sent."""
        return [statement for _, statement in self.front.statements]

    def log_text(self) -> str:
        """All that was written on the way, and by the server behind."""
        said = "\n".join(self.said())
        assert self.behind is not None
        return said + self.behind.log_text()

    def __enter__(self) -> Server:
        self._stack = contextlib.ExitStack()
        return self

    def __exit__(self, *_: object) -> None:
        if self.double is None:
            for name in self._users:
                for suffix in _SUFFIXES:
                    with contextlib.suppress(Error):
                        self.execute(f"DROP USER {quoted(name + suffix)}")
        self._stack.close()


def close_left_open(error: BaseException) -> None:
    """The driver does not close the socket of a login that is refused."""
    trace = error.__traceback__
    while trace is not None:
        driver = trace.tb_frame.f_locals.get("self")
        for name in ("_sock", "_usock"):
            line = getattr(driver, name, None)
            if line is not None:
                line.close()
        trace = trace.tb_next


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def redshift_server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    """The server of the environment, or a double of one's own, for a test or a module."""
    if os.environ.get(DSN):
        with _of_environment() as server:
            yield server
        return
    with private_postgresql(_VERSION, settings={"password_encryption": "md5"}, hba=_HBA) as behind:
        with behind.admin() as admin:
            admin.execute(SCHEMA)
            # What initdb stored is SCRAM's. As a hash: tests search the log for passwords.
            hashed = admin.pgconn.encrypt_password(
                behind.password.encode(), behind.user.encode(), b"md5"
            )
            admin.execute(f"ALTER ROLE {behind.user} PASSWORD '{hashed.decode()}'")
            admin.execute(f"CREATE DATABASE {BARE} TEMPLATE template0")
        with behind.connect(behind.user, behind.password, BARE) as admin:
            admin.execute(LETTERS)
        with (
            RedshiftDouble(behind.port, private_postgresql.certificates.server) as double,
            Server(
                host="localhost",
                port=double.port,
                user=behind.user,
                password=behind.password,
                dbname=behind.dbname,
                ca=behind.ca,
                double=double,
                behind=behind,
            ) as server,
        ):
            yield server


def _of_environment() -> Server:
    dsn = urlsplit(os.environ[DSN])
    return Server(
        host=dsn.hostname or "",
        port=dsn.port or 5439,
        user=unquote(dsn.username or ""),
        password=unquote(dsn.password or ""),
        dbname=dsn.path.strip("/") or "dev",
    )


class RedshiftTarget:
    """A shared server; each secret has a user of its own, with rights of several kinds."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self,
        server: Server,
        strategy: StrategyName = StrategyName.SINGLE_USER,
        *,
        hashed: Hash = "sha256",
        with_admin: bool = False,
    ) -> None:
        self.server = server
        self.hashed: Hash = hashed
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        if with_admin or strategy is StrategyName.ALTERNATING_USERS:
            # A superuser, as a cluster's admin is.
            self.admin = server.secret(server.user, server.password)

    def new_secret(self) -> dict[str, Any]:
        name, password = self.server.create_user(hashed=self.hashed)
        if self.admin is not None:
            self.server.execute(f"GRANT USAGE ON SCHEMA public TO {quoted(name)}")
        return self.server.secret(name, password)

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.can_log_in(secret["username"], secret["password"])


@contextlib.contextmanager
def bench_on(
    server: Server,
    strategy: StrategyName = StrategyName.SINGLE_USER,
    *,
    settings: Settings | None = None,
    hashed: Hash = "sha256",
    with_admin: bool = False,
) -> Iterator[Bench]:
    target = RedshiftTarget(server, strategy, hashed=hashed, with_admin=with_admin)
    target.settings = settings or target.settings
    with Bench(RedshiftRotator, target) as bench:
        bench.engines.add("redshift")
        yield bench
