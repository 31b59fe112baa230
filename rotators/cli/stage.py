"""What a demonstration stands on. It lasts as long as the demonstration does."""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotators.testing.bench import simulator_client
from rotators.testing.certificates import Certificates
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import SecretsManager

if TYPE_CHECKING:
    from rotators.cli.demo_server import DemoServer

ADMIN = "admin"


@dataclass(kw_only=True)
class Scenery:
    """Throw-away certificates and a simulated Secrets Manager. ``log`` is the function's."""

    certificates: Certificates
    simulator: SecretsManagerSimulator
    versions: SecretsManager
    log: io.StringIO = field(default_factory=io.StringIO)
    _known: set[str] = field(default_factory=set, repr=False)

    def remember(self, *values: str) -> None:
        """From now on ``shows`` looks for these, too: passwords, keys, tokens."""
        self._known.update(values)

    def shows(self, text: str) -> bool:
        """Whether anything that is to be kept secret here is in ``text``."""
        return any(value in text for value in self._known)


@dataclass(kw_only=True)
class Stage(Scenery):
    """With a database server, and users on it."""

    server: DemoServer
    _admin: tuple[Mapping[str, Any], str] | None = field(default=None, repr=False)

    def new_user(self, name: str, maker: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A user made by ``maker``, by default the superuser, as the value of a secret."""
        value = self._new_value(name)
        self.server.create_user(name, value["password"], maker or self.server.superuser())
        return value

    def admin(self) -> tuple[Mapping[str, Any], str]:
        """The one admin, who is no superuser: its secret's value, and its secret's ARN."""
        if self._admin is None:
            value = self._new_value(ADMIN)
            self.server.create_admin(ADMIN, value["password"])
            self._admin = value, self.simulator.create_secret("demo/admin", value)
        return self._admin

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        """False for a user or a password that the server refuses."""
        self.remember(value["password"])
        return self.server.logs_in(value)

    def shows_password(self, text: str) -> bool:
        """Whether any password that was ever used here is in ``text``."""
        return self.shows(text)

    def _new_value(self, name: str) -> dict[str, Any]:
        password = secrets.token_urlsafe(24)
        self.remember(password)
        return self.server.value(name, password)


@contextmanager
def scenery() -> Iterator[Scenery]:
    """Without a server to rotate anything on."""
    with (
        tempfile.TemporaryDirectory(prefix="rotators-demo-") as directory,
        SecretsManagerSimulator() as simulator,
        closing(simulator_client(simulator.endpoint_url)) as client,
    ):
        yield Scenery(
            certificates=Certificates.create(Path(directory) / "tls"),
            simulator=simulator,
            versions=SecretsManager(client),
        )


@contextmanager
def stage(server: DemoServer) -> Iterator[Stage]:
    """Servers and users; none is left at the end. Raises ServerError."""
    with scenery() as made, server.running(made.certificates):
        built = Stage(
            certificates=made.certificates,
            simulator=made.simulator,
            versions=made.versions,
            server=server,
        )
        built.remember(server.superuser()["password"])
        yield built
