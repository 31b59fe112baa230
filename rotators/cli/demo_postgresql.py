"""PostgreSQL in a demonstration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import sql

from rotators.cli.demo_server import DemoServer, Finding
from rotators.database.postgresql import PostgreSQLRotator
from rotators.testing import postgresql

if TYPE_CHECKING:
    from rotators.testing.certificates import KeyPair

_CHANGED = re.compile(r"ALTER ROLE .*'SCRAM-SHA-256\$")

Connection = psycopg.Connection[tuple[Any, ...]]


class DemoPostgreSQL(DemoServer):
    """PostgreSQL, which logs what it gets: it gets verifiers."""

    title, engine = "PostgreSQL", "postgres"
    cure, failures = postgresql.CURE, psycopg.Error
    strategies = PostgreSQLRotator.strategies
    dbname = postgresql.PostgreSQLServer.dbname

    def __init__(self, installation: postgresql.Installation) -> None:
        self.version, self.origin = installation.version, installation.origin
        self._bindir = installation.bindir

    @classmethod
    def found(cls) -> Sequence[Self]:
        return [cls(installation) for installation in postgresql.find_postgresql()]

    def create_user(self, name: str, password: str, maker: Mapping[str, Any]) -> None:
        # Who makes a user may administer it: from PostgreSQL 16 on, nobody else but a superuser.
        self._create(name, password, maker)

    def create_admin(self, name: str, password: str) -> None:
        self._create(name, password, self.superuser(), "CREATEROLE")

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        try:
            self._connect(value).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def user_of(self, value: Mapping[str, Any]) -> str:
        return str(self._ask(value, "SELECT session_user"))

    def clone_is_base(self, base: str, clone: Mapping[str, Any]) -> Finding:
        return Finding(
            f"it starts as '{base}', to which all that it makes belongs",
            self._ask(clone, "SELECT current_user") == base,
        )

    def is_superuser(self, name: str) -> bool:
        asked = sql.SQL("SELECT rolsuper FROM pg_roles WHERE rolname = {}").format(name)
        return bool(self._ask(self.superuser(), asked))

    def logged(self) -> Finding:
        said = self.log_text()
        lines = len(said.splitlines())
        return Finding(
            f"the server logged every statement ({lines} lines): verifiers",
            _CHANGED.search(said) is not None,
        )

    def log_text(self) -> str:
        return self._server.log_text()

    def _launcher(self, tls: KeyPair) -> postgresql.PostgreSQLServer:
        settings = {"log_statement": "all"}
        return postgresql.PostgreSQLServer(self._bindir, tls=tls, settings=settings)

    def _create(
        self, name: str, password: str, maker: Mapping[str, Any], options: str = ""
    ) -> None:
        with self._connect(maker) as session:
            verifier = session.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            )
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(name), sql.Literal(verifier.decode()), sql.SQL(options)
            )
            session.execute(statement)

    def _connect(self, value: Mapping[str, Any]) -> Connection:
        return psycopg.connect(
            host=self._server.host,
            port=self._server.port,
            dbname=self.dbname,
            user=value["username"],
            password=value["password"],
            sslmode="verify-full",
            sslrootcert=str(self.ca),
            connect_timeout=10,
        )

    def _ask(self, value: Mapping[str, Any], asked: str | sql.Composed) -> object:
        with self._connect(value) as session:
            (answer,) = session.execute(asked).fetchone() or (None,)
        return answer
