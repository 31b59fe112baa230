"""SQL Server as the contract's target: the double, or the server that SQLSERVER_TEST_DSN names.

SQLSERVER_TEST_DSN   mssql://user:password@host:port/ of a sysadmin
SQLSERVER_TEST_CA    the authority's PEM file; without it, the server is used without TLS
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pymssql
import pytest
from pysqlbridge.tds.result import Query

from rotators.database.sqlserver import SQLServerRotator
from rotators.database.sqlserver_driver import configured
from rotators.deadline import Deadline
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.doubles.sqlserver import Listener, SqlServer

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates, KeyPair

_REFUSED = (18456, 18486, 18470)


def new_password() -> str:
    return f"{secrets.token_urlsafe(18)}-aA1"


@dataclass
class Server:
    """A SQL Server, and what tests do with it beside the code under test."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: Path | None
    model: SqlServer | None = None  # the double's
    listener: Any = None

    def execute(self, sql: str, database: str = "master") -> list[tuple[Any, ...]]:
        """A statement of the sysadmin; on the double, past the wire and its logs."""
        if self.model is not None:
            session = {
                "principal": self.model.logins["sa"],
                "at": self.model.databases[database.lower()],
                "owner": self,
            }
            with self.model.lock:
                result = self.model._answer(Query(sql=sql, session=session), session)
            return [tuple(row) for row in result.rows]
        with self.connect(self.user, self.password, database) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def allow_contained(self) -> None:
        if self.model is None:
            self.execute("EXEC sp_configure 'contained database authentication', 1")
            self.execute("RECONFIGURE")

    @contextlib.contextmanager
    def connect(self, user: str, password: str, database: str) -> Iterator[Any]:
        with configured(self.ca, Deadline.after(20), "a test's login"):
            connection = pymssql.connect(
                server=self.host, port=str(self.port), user=user, password=password,
                database=database, login_timeout=10, timeout=10, autocommit=True,
                encryption="require" if self.ca else "request", tds_version="7.4",
            )  # fmt: skip
        try:
            yield connection
        finally:
            connection.close()

    def can_log_in(self, user: str, password: str, database: str) -> bool:
        if self.model is not None:
            db = self.model.databases[database.lower()]
            login = db.principals.get(user.lower()) if db.containment else None
            login = login or self.model.logins.get(user.lower())
            return login is not None and login.password == password and login.barred is None
        try:
            with self.connect(user, password, database):
                return True
        except pymssql.OperationalError as error:
            if "20018" in str(error):
                return False
            raise

    def secret(self, user: str, password: str, **extra: object) -> dict[str, object]:
        value = {
            "engine": "sqlserver", "host": self.host, "port": self.port, "username": user,
            "password": password,
        }  # fmt: skip
        return {**value, **({} if self.ca else {"ssl": False}), **extra}


@contextlib.contextmanager
def served(
    certificates: Certificates, pair: KeyPair | None = None, **options: Any
) -> Iterator[Server]:
    """A double of its own."""
    password = new_password()
    model = SqlServer(password)
    with Listener(model, pair or certificates.server, **options) as listener:
        yield Server("localhost", listener.port, "sa", password, certificates.ca, model, listener)


@contextlib.contextmanager
def any_server(certificates: Certificates) -> Iterator[Server]:
    """The named server, or a double."""
    if not os.environ.get("SQLSERVER_TEST_DSN"):
        with served(certificates) as server:
            yield server
        return
    dsn = urlsplit(os.environ["SQLSERVER_TEST_DSN"])
    ca = os.environ.get("SQLSERVER_TEST_CA")
    yield Server(
        dsn.hostname or "localhost",
        dsn.port or 1433,
        unquote(dsn.username or "sa"),
        unquote(dsn.password or ""),
        Path(ca) if ca else None,
    )


def the_double(server: Server) -> SqlServer:
    """Skips the test on a real server."""
    if server.model is None:
        pytest.skip("only the double can be told so")
    return server.model


class SQLServerTarget:
    """A shared server; each secret has a login of its own, with rights in one database."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self,
        server: Server,
        strategy: StrategyName = StrategyName.SINGLE_USER,
        *,
        contained: bool = False,
    ) -> None:
        self.server = server
        self.contained = contained
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        self.database = f"db_{secrets.token_hex(4)}"
        if contained:
            server.allow_contained()
        kind = " CONTAINMENT = PARTIAL" if contained else ""
        server.execute(f"CREATE DATABASE [{self.database}]{kind}")
        self.do("CREATE TABLE [dbo].[t] ([x] int, [y] int)")
        self.do("CREATE ROLE [readers]")
        if strategy is StrategyName.ALTERNATING_USERS:
            name, password = self.new_login("admin")
            server.execute(f"GRANT ALTER ANY LOGIN, VIEW ANY DEFINITION TO [{name}]")
            self.do(f"ALTER ROLE [db_owner] ADD MEMBER [{name}]")
            self.admin = server.secret(name, password)

    def do(self, statement: str, database: str | None = None) -> None:
        self.server.execute(statement, database or self.database)

    def new_login(self, kind: str = "app") -> tuple[str, str]:
        """A login with a user of another name in the database."""
        name, password = f"{kind}_{secrets.token_hex(4)}", new_password()
        if self.contained and kind == "app":
            self.do(f"CREATE USER [{name}] WITH PASSWORD = N'{password}'")
            return name, password
        self.server.execute(f"CREATE LOGIN [{name}] WITH PASSWORD = N'{password}'")
        user = name if kind == "admin" else f"{name}_user"
        self.do(f"CREATE USER [{user}] FOR LOGIN [{name}] WITH DEFAULT_SCHEMA = [dbo]")
        if kind == "admin":
            self.do(f"ALTER ROLE [db_owner] ADD MEMBER [{user}]")
        return name, password

    def user(self, login: str) -> str:
        return login if self.contained else f"{login}_user"

    def new_secret(self) -> dict[str, Any]:
        name, password = self.new_login()
        self.do(f"ALTER ROLE [readers] ADD MEMBER [{self.user(name)}]")
        self.do(f"GRANT SELECT ON OBJECT::[dbo].[t] ([x]) TO [{self.user(name)}]")
        return self.server.secret(name, password, dbname=self.database)

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.can_log_in(secret["username"], secret["password"], self.database)


@contextlib.contextmanager
def bench_on(
    server: Server, strategy: StrategyName = StrategyName.SINGLE_USER, **options: Any
) -> Iterator[Bench]:
    with Bench(SQLServerRotator, SQLServerTarget(server, strategy, **options)) as bench:
        yield bench
