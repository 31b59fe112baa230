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

from rotators.testing.bench import simulator_client
from rotators.testing.certificates import Certificates
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import SecretsManager

if TYPE_CHECKING:
    from rotators.cli.demo_server import DemoServer

ADMIN = "admin"


@dataclass
class Stage:
    """A server with TLS and a simulated Secrets Manager. ``log`` is the function's."""

    server: DemoServer
    simulator: SecretsManagerSimulator
    versions: SecretsManager
    log: io.StringIO = field(default_factory=io.StringIO)
    _passwords: set[str] = field(default_factory=set, repr=False)
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
        self.know(value)
        return self.server.logs_in(value)

    def know(self, value: Mapping[str, Any]) -> None:
        """From now on ``shows_password`` looks for this one, too."""
        self._passwords.add(value["password"])

    def shows_password(self, text: str) -> bool:
        """Whether any password that was ever used here is in ``text``."""
        return any(password in text for password in self._passwords)

    def _new_value(self, name: str) -> dict[str, Any]:
        password = secrets.token_urlsafe(24)
        self._passwords.add(password)
        return self.server.value(name, password)


@contextmanager
def stage(server: DemoServer) -> Iterator[Stage]:
    """Servers and users; none is left at the end. Raises ServerError."""
    with tempfile.TemporaryDirectory(prefix="rotators-demo-") as directory:
        certificates = Certificates.create(Path(directory) / "tls")
        with (
            server.running(certificates),
            SecretsManagerSimulator() as simulator,
            closing(simulator_client(simulator.endpoint_url)) as client,
        ):
            built = Stage(server, simulator, SecretsManager(client))
            built.know(server.superuser())
            yield built
