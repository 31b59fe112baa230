"""The servers of a demonstration, and the users on them. They live as long as it lasts."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from rotators.testing.bench import simulator_client
from rotators.testing.certificates import Certificates
from rotators.testing.postgresql import PostgreSQLServer
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import SecretsManager

if TYPE_CHECKING:
    from rotators.testing.postgresql import Installation

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Stage:
    """A PostgreSQL with TLS and a simulated Secrets Manager. ``log`` is the function's."""

    server: PostgreSQLServer
    simulator: SecretsManagerSimulator
    versions: SecretsManager
    ca: Path
    log: io.StringIO = field(default_factory=io.StringIO)
    _passwords: set[str] = field(default_factory=set, repr=False)

    def superuser(self) -> Mapping[str, Any]:
        """Who makes what the first act needs."""
        return {"username": self.server.user, "password": self.server.password}

    def new_user(self, name: str, maker: Mapping[str, Any], options: str = "") -> dict[str, Any]:
        """A user made by ``maker``, with ``options`` (SQL), as the value of a secret."""
        password = secrets.token_urlsafe(24)
        with self.connect(maker) as session:
            # Not even the first password is to be in the server's log.
            verifier = session.pgconn.encrypt_password(
                password.encode(), name.encode(), b"scram-sha-256"
            )
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(name), sql.Literal(verifier.decode()), sql.SQL(options)
            )
            session.execute(statement)
        self._passwords.add(password)
        return {
            "engine": "postgres",
            "host": self.server.host,
            "port": self.server.port,
            "username": name,
            "password": password,
            "dbname": self.server.dbname,
        }

    def connect(self, value: Mapping[str, Any]) -> Connection:
        """A session of a secret's user."""
        return psycopg.connect(
            host=self.server.host,
            port=self.server.port,
            dbname=self.server.dbname,
            user=value["username"],
            password=value["password"],
            sslmode="verify-full",
            sslrootcert=str(self.ca),
            connect_timeout=10,
        )

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        """False for a user or a password that the server refuses."""
        self._passwords.add(value["password"])
        try:
            self.connect(value).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def shows_password(self, text: str) -> bool:
        """Whether any password that was ever used here is in ``text``."""
        return any(password in text for password in self._passwords)


@contextmanager
def stage(installation: Installation) -> Iterator[Stage]:
    """Servers and users; none is left at the end. Raises ServerError."""
    with tempfile.TemporaryDirectory(prefix="rotators-demo-") as directory:
        certificates = Certificates.create(Path(directory) / "tls")
        server = PostgreSQLServer(
            installation.bindir, tls=certificates.server, settings={"log_statement": "all"}
        )
        with (
            server,
            SecretsManagerSimulator() as simulator,
            closing(simulator_client(simulator.endpoint_url)) as client,
        ):
            yield Stage(server, simulator, SecretsManager(client), certificates.ca)
