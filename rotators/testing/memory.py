"""A database in memory, and its rotator: the shortest complete engine, and a server for tests.

The function does not know it: it is in no registry unless a test puts it there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from rotators.database.engine import Engine, Session
from rotators.database.rotator import DatabaseRotator
from rotators.driver import Driver
from rotators.errors import AccountLocked, LoginRefused, ServerUnreachable, ValueRefused

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

ENGINE_NAME = "memory"


@dataclass
class MemoryServer:
    """Users and their passwords. Servers are found by their host name while they are open."""

    host: str
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    locked: set[str] = field(default_factory=set)
    # The policy: whether a password is taken from a user.
    accepts: Callable[[str], bool] = field(default=lambda _: True, repr=False)
    accepted_logins: int = 0
    refused_logins: int = 0

    _open: ClassVar[dict[str, MemoryServer]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __enter__(self) -> MemoryServer:
        self._open[self.host] = self
        return self

    def __exit__(self, *_: object) -> None:
        del self._open[self.host]

    @classmethod
    def at(cls, host: str) -> MemoryServer:
        """The open server of that name. Raises ServerUnreachable."""
        if host in cls._open:
            return cls._open[host]
        raise ServerUnreachable(f"no server in memory is called {host!r}", "Open a MemoryServer.")

    def log_in(self, username: str, password: str) -> None:
        """One login. Raises AccountLocked or LoginRefused."""
        if username in self.locked:
            raise AccountLocked("the account is locked", "Unlock it.")
        with self._lock:
            if self.passwords.get(username) != password:
                self.refused_logins += 1
                raise LoginRefused("wrong user or password", "Check both.")
            self.accepted_logins += 1


class Memory(Engine):
    """The engine of MemoryServer."""

    name = "Memory"
    driver = Driver("json", extra="testing")
    default_port = 1
    default_dbname = "memory"
    username_bytes = 63
    excluded_characters = ""

    def open(self, login: Login, deadline: Deadline) -> Session:
        deadline.remaining("a login")
        server = MemoryServer.at(login.host)
        server.log_in(login.username, login.password)
        return Session(server, login, deadline)

    def close(self, session: Session) -> None:
        pass

    def set_password(self, session: Session, username: str, password: str) -> None:
        server: MemoryServer = session.connection
        if not server.accepts(password):
            raise ValueRefused("the policy does not take it", "Draw another.")
        server.passwords[username] = password

    def verify(self, session: Session) -> None:
        pass


class MemoryRotator(DatabaseRotator):
    """Rotates users of a MemoryServer."""

    engine = Memory
