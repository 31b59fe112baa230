"""A whole rotation of a real PostgreSQL user, on servers that live as long as it lasts.

Needs the extra ``demo``.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from rotators import handler
from rotators.cli.delivery import Recorder
from rotators.cli.output import function_log
from rotators.registry import Registry
from rotators.request import Step
from rotators.settings import Settings
from rotators.testing.bench import simulator_client
from rotators.testing.certificates import Certificates
from rotators.testing.driver import RotationDriver
from rotators.testing.postgresql import PostgreSQLServer
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import CURRENT, PENDING, SecretsManager

if TYPE_CHECKING:
    from rotators.testing.postgresql import Installation

NAME, USER = "demo/app", "app"


@dataclass(frozen=True)
class Scene:
    """How things are after a step: labels by version, and who can log in (None: not there yet)."""

    step: str
    did: str
    seconds: float
    first: tuple[str, ...]
    second: tuple[str, ...]
    old_logs_in: bool
    new_logs_in: bool | None


@dataclass(frozen=True)
class Finding:
    """What is claimed at the end, and whether it was found so."""

    claim: str
    holds: bool


@dataclass
class Demonstration:
    """One user, one secret, one rotation. ``log`` gets what the function logs."""

    server: PostgreSQLServer
    simulator: SecretsManagerSimulator
    recorder: Recorder
    ca: Path
    old: dict[str, Any] = field(repr=False)
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def new(self) -> dict[str, Any] | None:
        """The value that is rotated in, from createSecret on."""
        text = self._staged or self.simulator.value(NAME)
        value: dict[str, Any] = json.loads(text or "{}")
        return None if value == self.old else value

    @property
    def _staged(self) -> str | None:
        return self.simulator.value(NAME, stage=PENDING)

    def perform(self) -> Iterator[Scene]:
        """The scene before, and after each step. Raises RotationError."""
        driver = RotationDriver(self.simulator, self._handle)
        first = self.simulator.secret(NAME).labels[CURRENT]
        yield self._scene("before", "a user and its secret", 0.0, first)
        token = driver.start(NAME)
        for step in Step:
            start = time.monotonic()
            driver.step(NAME, token, step.value)
            seconds = round(time.monotonic() - start, 3)
            yield self._scene(step.value, self.recorder.did or "", seconds, first, token)

    def findings(self) -> Iterator[Finding]:
        """The claims, each looked up anew."""
        new, old = self.new or {}, self.old
        yield Finding("the old password is refused", not self._logs_in(old))
        yield Finding("the new password is accepted", self._logs_in(new))
        same = {**new, "password": None} == {**old, "password": None}
        yield Finding("nothing else in the secret has changed", same)
        said = self.server.log_text()
        # Without a statement in it, a log without passwords would prove nothing.
        clean = "ALTER ROLE" in said and not self._shows_password(said)
        lines = len(said.splitlines())
        yield Finding(f"the server logged every statement ({lines} lines), no password", clean)
        written = self.log.getvalue()
        clean = bool(written) and not self._shows_password(written)
        yield Finding(f"the function logged {len(written.splitlines())} lines, no password", clean)

    def _handle(self, event: object, context: object) -> None:
        with function_log(self.log):
            handler.serve(event, context, lambda: self.recorder)

    def _scene(
        self, step: str, did: str, seconds: float, first: str, second: str | None = None
    ) -> Scene:
        labels = self.simulator.labels(NAME)
        new = self.new
        return Scene(
            step,
            did,
            seconds,
            tuple(sorted(labels.get(first, ()))),
            tuple(sorted(labels.get(second or "", ()))),
            old_logs_in=self._logs_in(self.old),
            new_logs_in=None if new is None else self._logs_in(new),
        )

    def _logs_in(self, value: dict[str, Any]) -> bool:
        try:
            _connect(self.server, self.ca, value["username"], value["password"]).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def _shows_password(self, text: str) -> bool:
        values = self.old, self.new or {}
        return any(value["password"] in text for value in values if value)


@contextmanager
def demonstration(installation: Installation) -> Iterator[Demonstration]:
    """Servers, user and secret; none is left at the end. Raises ServerError."""
    with tempfile.TemporaryDirectory(prefix="rotators-demo-") as directory:
        certificates = Certificates.create(Path(directory) / "tls")
        server = PostgreSQLServer(
            installation.bindir, tls=certificates.server, settings={"log_statement": "all"}
        )
        with server, SecretsManagerSimulator() as simulator:
            old = _new_user(server, certificates.ca)
            simulator.create_secret(NAME, old)
            with closing(simulator_client(simulator.endpoint_url)) as client:
                settings = Settings(ca_bundle=certificates.ca)
                recorder = Recorder(SecretsManager(client), Registry(), settings)
                yield Demonstration(server, simulator, recorder, certificates.ca, old)


def fingerprint(value: dict[str, Any]) -> str:
    """Tells one password from another, and no more."""
    return f"sha256:{hashlib.sha256(value['password'].encode()).hexdigest()[:8]}…"


def _new_user(server: PostgreSQLServer, ca: Path) -> dict[str, Any]:
    """Creates the application's user, and returns its secret."""
    password = secrets.token_urlsafe(24)
    with _connect(server, ca, server.user, server.password) as admin:
        # Not even the first password is to be in the server's log.
        verifier = admin.pgconn.encrypt_password(password.encode(), USER.encode(), b"scram-sha-256")
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        admin.execute(statement.format(sql.Identifier(USER), sql.Literal(verifier.decode())))
    return {
        "engine": "postgres",
        "host": server.host,
        "port": server.port,
        "username": USER,
        "password": password,
        "dbname": server.dbname,
    }


def _connect(
    server: PostgreSQLServer, ca: Path, user: str, password: str
) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=server.host,
        port=server.port,
        dbname=server.dbname,
        user=user,
        password=password,
        sslmode="verify-full",
        sslrootcert=str(ca),
        connect_timeout=10,
    )
