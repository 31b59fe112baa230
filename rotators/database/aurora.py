"""Amazon Aurora: PostgreSQL and MySQL, of which one instance writes."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators import rds
from rotators.database.engine import Engine, Session
from rotators.database.mysql import MySQL
from rotators.database.postgresql import PostgreSQL
from rotators.database.rotator import DatabaseRotator
from rotators.errors import AccountLocked, ReadOnlyServer

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline


class _Aurora(Engine):
    """What is the same for both: every login goes to the writer, which alone takes changes."""

    def open(self, login: Login, deadline: Deadline) -> Session:
        writer = replace(login, host=rds.writer_of(login.host))
        # The engine that comes next in the class line.
        opened = super().open(writer, deadline)  # type: ignore[safe-super]
        session = replace(opened, login=login)
        try:
            self._require_writer(session)
        except BaseException:
            self.close(session)
            raise
        return session

    def _require_writer(self, session: Session) -> None:
        with suppress(AccountLocked):  # an expired password may not even ask
            if self._is_reader(session):
                raise ReadOnlyServer(
                    f"{session.login.host} is a reader of its cluster",
                    "Store the cluster's writer endpoint (….cluster-….rds.amazonaws.com) as the"
                    " secret's 'host'.",
                )

    @abstractmethod
    def _is_reader(self, session: Session) -> bool:
        """Whether the session is on an instance that only reads."""


class AuroraPostgreSQL(_Aurora, PostgreSQL):
    """Aurora PostgreSQL."""

    name = "Aurora PostgreSQL"

    def _is_reader(self, session: Session) -> bool:
        ((reader,),) = self.execute(session, "SELECT pg_catalog.pg_is_in_recovery()")
        return bool(reader)


class AuroraMySQL(_Aurora, MySQL):
    """Aurora MySQL 3."""

    name = "Aurora MySQL"

    def _is_reader(self, session: Session) -> bool:
        ((reader,),) = self.execute(session, "SELECT @@innodb_read_only")
        return bool(reader)


class AuroraPostgreSQLRotator(DatabaseRotator):
    """Rotates users of Aurora PostgreSQL."""

    engine = AuroraPostgreSQL


class AuroraMySQLRotator(DatabaseRotator):
    """Rotates users of Aurora MySQL."""

    engine = AuroraMySQL
