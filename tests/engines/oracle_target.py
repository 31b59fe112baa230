"""Oracle as the contract's target: a double on the wire, or a real one by the environment.

ORACLE_TEST_DSN  oracle://user:password@host:port/service of an administrator with the DBA role
ORACLE_TEST_CA   the authority's PEM file that it is verified against (its port is then TCPS's);
                 without it, the server is used without TLS
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

import oracledb
import pytest

from rotators.database.oracle import OracleRotator
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.doubles.oracle import Oracle
from tests.doubles.oracle_wire import Listener

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates

_NEEDS = (
    "CREATE SESSION, CREATE USER, ALTER USER, GRANT ANY ROLE, GRANT ANY PRIVILEGE,"
    " GRANT ANY OBJECT PRIVILEGE, SELECT_CATALOG_ROLE"
)
ROLLOVER = "ROTATORS_ROLLOVER"


@dataclass
class User:
    """A database user that can log in."""

    name: str
    password: str = field(repr=False)


def password() -> str:
    """Of what every verify function likes."""
    return f"Aa1_{secrets.token_hex(10)}"


def unique(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(4)}".upper()


@dataclass
class Server:
    """What tests do beside the code under test. ``double`` is None if the server is real."""

    host: str
    port: int
    dbname: str
    user: str
    password: str = field(repr=False)
    ca: Path | None
    double: Oracle | None = None
    errors: list[Exception] = field(default_factory=list)

    def connect(self, user: str, password: str) -> Any:
        trust: dict[str, Any] = {}
        if self.ca:
            import ssl

            context = ssl.create_default_context(cafile=self.ca)
            trust = {"protocol": "tcps", "ssl_context": context}
        return oracledb.connect(
            user=user,
            password=password,
            host=self.host,
            port=self.port,
            service_name=self.dbname,
            **trust,
        )

    def execute(self, statement: str) -> None:
        """A statement of the administrator's."""
        if self.double is not None:
            with self.double.lock:
                self.double.define("SYSTEM", statement)
            return
        with self.connect(self.user, self.password) as admin:
            admin.cursor().execute(statement)

    def run(self, user: str, password: str, statement: str) -> list[tuple[Any, ...]]:
        """What an application does; over the wire."""
        with self.connect(user, password) as own, own.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def can_log_in(self, user: str, password: str) -> bool:
        """False only for a wrong password."""
        if self.double is not None:
            with self.double.lock:
                name = user.strip('"') if user.startswith('"') else user.upper()
                return name in self.double.users and self.double.knows(name, password)
        try:
            self.connect(user, password).close()
        except oracledb.DatabaseError as error:
            if error.args[0].full_code == "ORA-01017":
                return False
            raise
        return True

    def create_user(self, name: str | None = None, *, options: str = "") -> User:
        user = User(name or unique("APP"), password())
        quoted = user.name if user.name.startswith('"') else f'"{user.name}"'
        self.execute(f'CREATE USER {quoted} IDENTIFIED BY "{user.password}" {options}')
        self.execute(f"GRANT CREATE SESSION TO {quoted}")
        return user

    def secret(self, user: User, **fields: Any) -> dict[str, Any]:
        value = {
            "engine": "oracle",
            "host": self.host,
            "port": self.port,
            "dbname": self.dbname,
            "username": user.name,
            "password": user.password,
        }
        return {**value, **({} if self.ca else {"ssl": False}), **fields}


@contextlib.contextmanager
def serving(certificates: Certificates, *, tls: bool = True) -> Iterator[Server]:
    """The server: a double of its own, unless the environment names a real one."""
    if dsn := os.environ.get("ORACLE_TEST_DSN"):
        yield _real(dsn)
        return
    words = password()
    double = Oracle(words)
    pair = (certificates.server.certificate, certificates.server.key) if tls else (None, None)
    with Listener(double, *pair) as listener:
        yield Server(
            host="localhost",
            port=listener.port,
            dbname="orclpdb1",
            user="SYSTEM",
            password=words,
            ca=certificates.ca if tls else None,
            double=double,
            errors=listener.errors,
        )
    assert not listener.errors


def _real(dsn: str) -> Server:
    said = urlsplit(dsn)
    ca = os.environ.get("ORACLE_TEST_CA")
    return Server(
        host=said.hostname or "localhost",
        port=said.port or 1521,
        dbname=said.path.strip("/"),
        user=unquote(said.username or "system"),
        password=unquote(said.password or ""),
        ca=Path(ca) if ca else None,
    )


def the_double(server: Server) -> Oracle:
    """Skips the test on a real server."""
    if server.double is None:
        pytest.skip("only the double can be told so")
    return server.double


class OracleTarget:
    """A server; each secret has a user of its own, with rights of every kind."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self,
        server: Server,
        strategy: StrategyName = StrategyName.SINGLE_USER,
        *,
        with_admin: bool | None = None,
        lean: bool = False,
    ) -> None:
        """``with_admin`` None: where the strategy needs one. ``lean``: users have few rights."""
        self.server = server
        self.lean = lean
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        self.owner = server.create_user(unique("OWNER")).name
        self.role = unique("READER")
        server.execute(f"CREATE TABLE {self.owner}.t (x INT, y INT)")
        server.execute(f"CREATE TABLE {self.owner}.u (x INT)")
        server.execute(f"CREATE ROLE {self.role}")
        server.execute(f"GRANT SELECT ON {self.owner}.u TO {self.role}")
        if with_admin is None:
            with_admin = strategy is not StrategyName.SINGLE_USER
        with contextlib.suppress(oracledb.DatabaseError):  # a real server may have it already
            server.execute(f"CREATE PROFILE {ROLLOVER} LIMIT PASSWORD_ROLLOVER_TIME 1")
        if with_admin:
            self.admin = server.secret(self.new_admin())

    def new_admin(self) -> User:
        """An admin that may do what it has to, and no more."""
        user = self.server.create_user(unique("ADMIN"))
        self.server.execute(f"GRANT {_NEEDS} TO {user.name}")
        return user

    def new_user(self, name: str | None = None) -> User:
        """A user with rights of every level that may be lent."""
        dual = self.settings.strategy is StrategyName.DUAL_PASSWORD
        user = self.server.create_user(name, options=f"PROFILE {ROLLOVER}" if dual else "")
        if self.lean:
            self.server.execute(f"GRANT {self.role} TO {user.name}")
            return user
        for what in (f"SELECT, UPDATE (x) ON {self.owner}.t", self.role, "CREATE TABLE"):
            self.server.execute(f"GRANT {what} TO {user.name}")
        self.server.execute(f"ALTER USER {user.name} QUOTA 1048576 ON users")
        return user

    def new_secret(self) -> dict[str, Any]:
        return self.server.secret(self.new_user())

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.can_log_in(secret["username"], secret["password"])


@contextlib.contextmanager
def bench_on(
    server: Server,
    strategy: StrategyName = StrategyName.SINGLE_USER,
    *,
    with_admin: bool | None = None,
) -> Iterator[Bench]:
    with Bench(OracleRotator, OracleTarget(server, strategy, with_admin=with_admin)) as bench:
        bench.engines.add("oracle")
        yield bench
