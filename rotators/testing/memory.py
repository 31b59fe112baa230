"""A database in memory, and its rotator: the shortest complete engine, and a server for tests.

The function does not know it: it is in no registry unless a test puts it there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from rotators.database.engine import NameLimit, Session
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import ClonesUsers, Mark, Pair, RetainsPassword, User
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ServerUnreachable,
    ValueRefused,
)

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

ENGINE_NAME = "memory"


@dataclass
class MemoryServer:
    """Users and their passwords. Servers are found by their host name while they are open."""

    host: str
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    # The second password of those that have one.
    retained: dict[str, str] = field(default_factory=dict, repr=False)
    locked: set[str] = field(default_factory=set)
    admins: set[str] = field(default_factory=set)
    rights: dict[str, frozenset[str]] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    # Users that may have written their mark themselves.
    forgers: set[str] = field(default_factory=set)
    # Whether second passwords are the admins' business, and not the user's own.
    only_admins_retain: bool = False
    # The policy: whether a password is taken from a user.
    accepts: Callable[[str], bool] = field(default=lambda _: True, repr=False)
    accepted_logins: int = 0
    refused_logins: int = 0

    _open: ClassVar[dict[str, MemoryServer]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()
    _transaction: ClassVar[threading.Lock] = threading.Lock()

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
            if not self.knows(username, password):
                self.refused_logins += 1
                raise LoginRefused("wrong user or password", "Check both.")
            self.accepted_logins += 1

    def knows(self, username: str, password: str) -> bool:
        """Whether it is one of the user's passwords."""
        return password in (self.passwords.get(username), self.retained.get(username))

    def require_accepted(self, password: str) -> None:
        """Raises ValueRefused unless the policy takes it."""
        if not self.accepts(password):
            raise ValueRefused("the policy does not take it", "Draw another.")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that happens inside, or nothing; one at a time."""
        with self._transaction:
            passwords, retained = dict(self.passwords), dict(self.retained)
            rights, marks = dict(self.rights), dict(self.marks)
            try:
                yield
            except BaseException:
                self.passwords, self.retained = passwords, retained
                self.rights, self.marks = rights, marks
                raise


class Memory(ClonesUsers, RetainsPassword):
    """The engine of MemoryServer, with every ability that there is."""

    name = "Memory"
    default_port = 1
    default_dbname = "memory"
    username_limit = NameLimit(63)
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
        server.require_accepted(password)
        server.passwords[username] = password

    def verify(self, session: Session) -> None:
        pass

    def look(self, admin: Session, username: str) -> User | None:
        server: MemoryServer = admin.connection
        if username not in server.passwords:
            return None
        privileges = ("admin",) if username in server.admins else ()
        return User(
            username, privileges, server.marks.get(username), username not in server.forgers
        )

    def locked(
        self,
        admin: Session,
        username: str,  # noqa: ARG002 the whole server is locked
    ) -> AbstractContextManager[None]:
        server: MemoryServer = admin.connection
        return server.transaction()

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        server: MemoryServer = admin.connection
        if admin.login.username not in server.admins:
            raise PermissionMissing("no admin", "Make it one.")
        if provisioned and pair.target not in server.passwords:
            raise MisconfiguredSecret(f"there is no user {pair.target!r}", "Make it.")
        server.require_accepted(password)
        if not provisioned:
            if pair.target == pair.alternate:
                server.rights[pair.alternate] = server.rights.get(pair.base, frozenset())
            server.marks.update(dict.fromkeys(pair.users, mark))
        server.passwords[pair.target] = password
        return []

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        server: MemoryServer = session.connection
        none: frozenset[str] = frozenset()
        mine = server.rights.get(pair.target, none)
        return sorted(server.rights.get(other.username, none) - mine)

    def may_retain(self, own: Session) -> bool:
        server: MemoryServer = own.connection
        return not server.only_admins_retain or own.login.username in server.admins

    def retain_password(self, by: Session, own: Session, password: str) -> None:
        server: MemoryServer = by.connection
        if not self.may_retain(by):
            raise PermissionMissing("only an admin may keep a second password", "Name an admin.")
        username, mine = own.login.username, own.login.password
        server.require_accepted(password)
        if server.passwords[username] == mine:  # else it is the retained one already
            server.retained[username] = mine
        server.passwords[username] = password

    def discard_others(self, session: Session, username: str, password: str) -> str | None:  # noqa: ARG002 the first one
        server: MemoryServer = session.connection
        if username in server.retained and not self.may_retain(session):
            return f"user {username!r} has a second password: let an admin discard it"
        server.retained.pop(username, None)
        return None


class MemoryRotator(DatabaseRotator):
    """Rotates users of a MemoryServer."""

    engine = Memory
