"""What a demonstration needs of a server, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.testing.certificates import Certificates, KeyPair

# Each needs its driver, and the extra ``demo``: loaded for the one that is chosen.
SERVERS: Mapping[str, str] = {
    "postgresql": "rotators.cli.demo_postgresql:DemoPostgreSQL",
    "mysql": "rotators.cli.demo_mysql:DemoMySQL",
    "mariadb": "rotators.cli.demo_mysql:DemoMariaDB",
}


@dataclass(frozen=True)
class Finding:
    """What is claimed at the end, and whether it was found so."""

    claim: str
    holds: bool


class Launched(Protocol):
    """A server that runs, as its launcher shows it."""

    host: str
    port: int
    user: str
    password: str

    def log_text(self) -> str:
        """All that it has logged."""


class DemoServer(ABC):
    """A server that can be started, and what is done on it beside the code that is shown.

    A value is a secret's. Methods may raise ``failures``.
    """

    title: ClassVar[str]
    engine: ClassVar[str]  # as a secret says it
    cure: ClassVar[str]  # how to get one
    failures: ClassVar[type[Exception]]  # what its driver raises
    strategies: ClassVar[tuple[str, ...]]
    retains_alone: ClassVar[bool] = False  # a user may keep its old password without an admin

    version: str
    origin: str
    dbname: str
    ca: Path
    address: tuple[str, int]  # as secrets say it
    _server: Launched

    @classmethod
    @abstractmethod
    def found(cls) -> Sequence[Self]:
        """What can be started on this machine; the first is the best."""

    @contextmanager
    def running(self, certificates: Certificates) -> Iterator[None]:
        """Starts it, and leaves no trace at the end. Raises ServerError."""
        self.ca = certificates.ca
        with self._launcher(certificates.server) as self._server:
            self.address = self._server.host, self._server.port
            self._prepare()
            yield

    def superuser(self) -> Mapping[str, Any]:
        """Who makes what the acts need."""
        return {"username": self._server.user, "password": self._server.password}

    def value(self, name: str, password: str) -> dict[str, Any]:
        """A user's secret."""
        host, port = self.address
        return {
            "engine": self.engine,
            "host": host,
            "port": port,
            "username": name,
            "password": password,
            "dbname": self.dbname,
        }

    @abstractmethod
    def create_user(self, name: str, password: str, maker: Mapping[str, Any]) -> None:
        """A user made by ``maker``, with some rights of its own. Its password is not logged."""

    @abstractmethod
    def create_admin(self, name: str, password: str) -> None:
        """No superuser, and yet somebody who may do what ``alternating-users`` needs."""

    def let_retain(self, name: str) -> None:
        """Lets a user keep its old password by itself, where that can be had."""

    @abstractmethod
    def logs_in(self, value: Mapping[str, Any]) -> bool:
        """False for a user or a password that the server refuses."""

    @abstractmethod
    def user_of(self, value: Mapping[str, Any]) -> str:
        """As whom the server lets the value in."""

    @abstractmethod
    def clone_is_base(self, base: str, clone: Mapping[str, Any]) -> Finding:
        """What makes the alternate as good as the base, and no better."""

    @abstractmethod
    def is_superuser(self, name: str) -> bool:
        """Whether the server obeys this user in everything."""

    @abstractmethod
    def logged(self) -> Finding:
        """Whether the log has the statements, and what it shows in the place of passwords."""

    @abstractmethod
    def log_text(self) -> str:
        """All that the server has logged so far, statements included."""

    @abstractmethod
    def _launcher(self, tls: KeyPair) -> AbstractContextManager[Launched]:
        """A server that logs every statement."""

    def _prepare(self) -> None:
        """What there is before any user."""


def server_of(engine: str) -> type[DemoServer]:
    """The class for one of ``SERVERS``. Raises ModuleNotFoundError without its driver."""
    module, _, name = SERVERS[engine].partition(":")
    kind: type[DemoServer] = getattr(import_module(module), name)
    return kind
