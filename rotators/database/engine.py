"""What a database engine can do: log in, and a statement or two. It knows no steps."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.database.login import Login
    from rotators.deadline import Deadline
    from rotators.driver import Driver


@dataclass(frozen=True, slots=True)
class Session:
    """A login that succeeded. ``connection`` is the driver's."""

    connection: Any
    login: Login
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class NameLimit:
    """How long a user's name may be, as the server counts."""

    most: int
    unit: Literal["bytes", "characters"] = "bytes"

    def excess(self, name: str) -> str | None:
        """How the name exceeds it, as "64 bytes of at most 63"; None if it does not."""
        length = len(name.encode() if self.unit == "bytes" else name)
        return f"{length} {self.unit} of at most {self.most}" if length > self.most else None


class Engine(ABC):
    """One database engine. Stateless; every method is repeatable.

    What a login can end with, and nothing else: a session, LoginRefused (wrong password, the only
    outcome that moves on to another one), AccountLocked, PermissionMissing (for this database),
    UntrustedServer or ServerUnreachable.
    A time-out is never read as a wrong password.
    """

    name: ClassVar[str]
    driver: ClassVar[Driver | None] = None  # what it needs besides the standard library
    default_port: ClassVar[int]
    default_dbname: ClassVar[str]
    username_limit: ClassVar[NameLimit]
    # Characters that no new password has unless EXCLUDE_CHARACTERS says otherwise.
    excluded_characters: ClassVar[str]

    def __init__(self, ca_bundle: Path | None = None) -> None:
        self.ca_bundle = ca_bundle

    @contextmanager
    def session(self, login: Login, deadline: Deadline) -> Iterator[Session]:
        """Logs in; closes the session at the end."""
        session = self.open(login, deadline)
        try:
            yield session
        finally:
            self.close(session)

    @abstractmethod
    def open(self, login: Login, deadline: Deadline) -> Session:
        """Logs in once. Raises as the class says."""

    @abstractmethod
    def close(self, session: Session) -> None:
        """Ends the session. Never raises."""

    @abstractmethod
    def set_password(self, session: Session, username: str, password: str) -> None:
        """Sets a user's password, all or nothing. Setting it twice is no error.

        Raises ValueRefused if the server's policy refuses it, PermissionMissing, ReadOnlyServer,
        VerifierRefused, or ServerUnreachable, after which either password may be in place.
        """

    @abstractmethod
    def verify(self, session: Session) -> None:
        """Proves by one read that the session works and is the user's own."""


@contextmanager
def cut_off(fileno: int, deadline: Deadline, what: str) -> Iterator[None]:
    """Shuts a socket down when time is up, so that no driver waits for a silent server for ever."""
    seconds = deadline.remaining(what)
    line = socket.socket(fileno=os.dup(fileno))

    def shut() -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()
