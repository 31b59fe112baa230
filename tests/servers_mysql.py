"""Real MySQL and MariaDB for the tests: this machine's, or somebody's own, by the environment.

MYSQL_TEST_DSN, MARIADB_TEST_DSN  mysql://user:password@host:port/ of an administrator
MYSQL_TEST_CA, MARIADB_TEST_CA    the authority's PEM file that the server is verified against;
                                  without it, the server is used without TLS
ROTATORS_REQUIRE_SERVERS          1: a missing server fails the test instead of skipping it
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import pymysql
import pytest

from rotators.testing.mariadb import MariaDBServer, native_verifier
from rotators.testing.mysql import MySQLServer
from tests.servers import skip_or_fail

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    from rotators.testing.certificates import Certificates, KeyPair
    from rotators.testing.mysql_family import Installation, MySQLFamilyServer

Kind = Literal["mysql", "mariadb"]
KINDS: tuple[Kind, ...] = ("mysql", "mariadb")
LAUNCHERS: Mapping[Kind, type[MySQLFamilyServer]] = {"mysql": MySQLServer, "mariadb": MariaDBServer}

_ACCESS_DENIED = 1045


@dataclass(frozen=True)
class User:
    """A database user that can log in."""

    name: str
    password: str = field(repr=False)
    host: str = "%"


@dataclass(frozen=True)
class MySQL:
    """A running MySQL or MariaDB, and what tests do with it beside the code under test.

    ``server`` is None if the server is somebody else's, ``ca`` if it has no TLS. ``cleanup`` is
    None if nothing needs to be tidied up, because the server ends with the test.
    """

    kind: Kind
    version: tuple[int, ...]
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: Path | None
    server: MySQLFamilyServer | None = None
    check_hostname: bool = True
    cleanup: contextlib.ExitStack | None = field(default=None, repr=False)

    @contextlib.contextmanager
    def connect(
        self, user: str, password: str, *, tls: bool = True, database: str | None = None
    ) -> Iterator[Connection[Cursor]]:
        """An autocommit connection, closed at the end; verified, unless there is to be no TLS."""
        connection = pymysql.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=password.encode(),  # a str would be sent as Latin-1
            database=database,
            ssl=self._context() if tls else None,
            ssl_disabled=self.ca is None or not tls,
            connect_timeout=10,
            read_timeout=10,
            write_timeout=10,
            autocommit=True,
        )
        with connection:
            yield connection

    def admin(self) -> contextlib.AbstractContextManager[Connection[Cursor]]:
        """A connection of the administrator."""
        return self.connect(self.user, self.password)

    def execute(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        """The rows of a statement of the administrator, on a connection of its own."""
        with self.admin() as admin, admin.cursor() as cursor:
            cursor.execute(sql, args or None)
            return list(cursor.fetchall())

    def create_user(
        self,
        password: str | None = None,
        *,
        name: str | None = None,
        host: str = "%",
        options: str = "",
    ) -> User:
        """A new user, dropped after the test.

        ``options`` is SQL, such as ``REQUIRE SSL``. Without ``name`` it gets a unique one, and
        every user whose name begins with that (its alternate, say) is dropped with it.
        """
        user = User(
            name or f"app_{secrets.token_hex(6)}", password or secrets.token_urlsafe(18), host
        )
        # MariaDB logs what it gets, so it gets a verifier: tests search the log. MySQL redacts.
        by, given = "IDENTIFIED BY", user.password
        if self.kind == "mariadb":
            by, given = "IDENTIFIED BY PASSWORD", native_verifier(user.password)
        self.drop_later(user.name, alternates=name is None)
        self.execute(
            f"CREATE USER %s@%s {by} %s {options.replace('%', '%%')}", user.name, host, given
        )
        return user

    def create_database(self) -> str:
        """A new database with a unique name, dropped after the test."""
        name = f"db_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        if self.cleanup is not None:
            self.cleanup.callback(self.execute, f"DROP DATABASE IF EXISTS {name}")
        return name

    def drop_later(self, name: str, *, alternates: bool = False) -> None:
        """Drops a user, with any host, after the test, whoever makes it and if it is there then."""
        if self.cleanup is not None:
            self.cleanup.callback(self._drop, name, alternates)

    def can_log_in(self, user: str, password: str, *, tls: bool = True) -> bool:
        """False only if access is denied, for whatever reason; everything else raises."""
        try:
            with self.connect(user, password, tls=tls):
                return True
        except pymysql.OperationalError as error:
            if error.args[0] == _ACCESS_DENIED:
                return False
            raise

    def secret(self, user: str, password: str, **extra: object) -> dict[str, object]:
        """The secret of a user, in AWS's format; plaintext is said where the server has no TLS."""
        fields: dict[str, object] = {
            "engine": self.kind,
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
        }
        plaintext = {"ssl": False} if self.ca is None else {}
        return {**fields, **plaintext, **extra}

    def general_log_text(self) -> str:
        """Every statement that the server got; skips the test if the log is out of reach."""
        return self._own_server().general_log_text()

    def log_text(self) -> str:
        """All that the server has logged; skips the test if the log is out of reach."""
        return self._own_server().log_text()

    def _own_server(self) -> MySQLFamilyServer:
        if self.server is None:
            pytest.skip(f"the logs of {_dsn(self.kind)}'s server cannot be read")
        return self.server

    def _context(self) -> ssl.SSLContext | None:
        if self.ca is None:
            return None
        context = ssl.create_default_context(cafile=str(self.ca))
        context.check_hostname = self.check_hostname
        return context

    def _drop(self, name: str, alternates: bool) -> None:
        where, given = "user = %s", [name]
        if alternates:
            where, given = "LEFT(user, CHAR_LENGTH(%s)) = %s", [name, name]
        with self.admin() as admin, admin.cursor() as cursor:
            cursor.execute(f"SELECT user, host FROM mysql.user WHERE {where}", given)  # noqa: S608
            for user, host in cursor.fetchall():
                if self.kind == "mariadb" and not host:
                    cursor.execute("DROP ROLE %s", [user])
                else:
                    cursor.execute("DROP USER %s@%s", [user, host])
            sessions = f"SELECT id FROM information_schema.processlist WHERE {where}"  # noqa: S608
            cursor.execute(sessions, given)
            for (session,) in cursor.fetchall():
                with contextlib.suppress(pymysql.OperationalError):  # it may have ended by now
                    cursor.execute("KILL %s", [session])


@dataclass(frozen=True)
class PrivateMySQL:
    """Starts a server for one test or module: ``with private_mysql(settings=…) as server``.

    ``tls`` chooses the server's certificate: True the right one, False none.
    """

    kind: Kind
    certificates: Certificates

    @contextlib.contextmanager
    def __call__(
        self, *, settings: Mapping[str, str] | None = None, tls: KeyPair | bool = True
    ) -> Iterator[MySQL]:
        """Skips or fails the test where the server is missing."""
        installation = require_installation(self.kind)
        right = self.certificates.server
        pair = (right if tls else None) if isinstance(tls, bool) else tls
        launcher = LAUNCHERS[self.kind]
        with launcher(installation.root, tls=pair, settings=settings) as server:
            yield MySQL(
                kind=self.kind,
                version=installation.version_info,
                host=server.host,
                port=server.port,
                user=server.user,
                password=server.password,
                ca=None if pair is None else self.certificates.ca,
                check_hostname=pair == right,
                server=server,
            )


@dataclass(frozen=True)
class MySQLServers:
    """The servers that all tests of a session share, each started when it is first asked for."""

    start: Mapping[Kind, PrivateMySQL]
    stopping: contextlib.ExitStack
    running: dict[Kind, MySQL] = field(default_factory=dict)

    def get(self, kind: Kind) -> MySQL:
        """Skips or fails the test where the server is missing."""
        if kind not in self.running:
            named = server_of_environment(kind) if os.environ.get(_dsn(kind)) else None
            self.running[kind] = named or self.stopping.enter_context(self.start[kind]())
        return self.running[kind]

    @contextlib.contextmanager
    def tidied(self, kind: Kind) -> Iterator[MySQL]:
        """The same, for one test: what the test makes there goes with it."""
        with contextlib.ExitStack() as cleanup:
            yield replace(self.get(kind), cleanup=cleanup)


def server_of_environment(kind: Kind) -> MySQL:
    """The server that the DSN of a kind names. Raises PyMySQL's errors if it cannot be used."""
    dsn = urlsplit(os.environ[_dsn(kind)])
    ca = os.environ.get(f"{kind.upper()}_TEST_CA")
    named = MySQL(
        kind=kind,
        version=(),
        host=dsn.hostname or "localhost",
        port=dsn.port or 3306,
        user=unquote(dsn.username or "root"),
        password=unquote(dsn.password or ""),
        ca=Path(ca) if ca else None,
    )
    [(shown,)] = named.execute("SELECT VERSION()")
    if ("MariaDB" in shown) != (kind == "mariadb"):
        pytest.fail(f"{_dsn(kind)} names a server that says {shown}", pytrace=False)
    return replace(named, version=tuple(map(int, re.findall(r"\d+", shown)[:3])))


def require_installation(kind: Kind) -> Installation:
    """Skips the test, or fails it under ROTATORS_REQUIRE_SERVERS=1, where there is none."""
    if not _installations(kind):
        skip_or_fail(f"{LAUNCHERS[kind].name} is not on this machine. {LAUNCHERS[kind].cure}")
    return _installations(kind)[0]


def describe() -> str:
    """One line: which servers the tests will find."""
    here = {
        kind: f"{one.version} ({one.root})" for kind in KINDS for one in _installations(kind)[:1]
    }
    named = {kind: f"of {_dsn(kind)}" for kind in KINDS if os.environ.get(_dsn(kind))}
    found = {**here, **named}
    return ", ".join(
        f"{LAUNCHERS[kind].name} {found.get(kind, 'missing (make servers)')}" for kind in KINDS
    )


def _dsn(kind: Kind) -> str:
    return f"{kind.upper()}_TEST_DSN"


@functools.cache
def _installations(kind: Kind) -> list[Installation]:
    return LAUNCHERS[kind].find()
