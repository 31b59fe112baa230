"""A secret whose user takes turns with another, on a real server, and all that there is to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from rotators.database.postgresql import PostgreSQLRotator
from rotators.database.users import Mark
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.engines.scene import Scene as SharedScene

if TYPE_CHECKING:
    from tests.servers import PostgreSQL

# Everything that a server knows of its users.
STATE = (
    "SELECT to_jsonb(a) FROM pg_authid a",
    "SELECT to_jsonb(m) FROM pg_auth_members m",
    "SELECT to_jsonb(s) FROM pg_db_role_setting s",
    "SELECT to_jsonb(d) FROM pg_shdescription d WHERE classoid = 'pg_authid'::regclass",
    "SELECT to_jsonb(d) - 'dbid' FROM pg_shdepend d WHERE refclassid = 'pg_authid'::regclass",
)


def fingerprint(server: PostgreSQL) -> list[list[str]]:
    """All users of a server with their passwords, memberships, settings and comments."""
    with server.admin() as admin:
        return [sorted(str(row) for row in admin.execute(query)) for query in STATE]


def alter(server: PostgreSQL, statement: str, *names: str) -> None:
    """One statement of the server's superuser, with quoted names for ``{}``."""
    with server.admin() as admin:
        admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def exists(server: PostgreSQL, name: str) -> bool:
    with server.admin() as admin:
        found = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [name])
        return found.fetchone() is not None


def comment(server: PostgreSQL, name: str) -> str | None:
    """The comment of a user."""
    query = "SELECT shobj_description(oid, 'pg_authid') FROM pg_authid WHERE rolname = %s"
    with server.admin() as admin:
        row = admin.execute(query, [name]).fetchone()
    return None if row is None else row[0]


def settings_of(server: PostgreSQL, name: str) -> dict[str | None, set[str]]:
    """A user's settings, by database."""
    query = """SELECT d.datname, s.setconfig FROM pg_db_role_setting s
               JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
               WHERE r.rolname = %s"""
    with server.admin() as admin:
        return {database: set(lines) for database, lines in admin.execute(query, [name])}


@dataclass
class Scene(SharedScene["PostgreSQL", PostgreSQLTarget]):
    """A bench with an admin that is no superuser, and one secret whose user is the base."""

    def run(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What an application does with AWSCURRENT."""
        now = self.current
        with self.server.connect(now["username"], now["password"]) as connection:
            cursor = connection.execute(query, values or None)
            return list(cursor.fetchall()) if cursor.description else []

    def mark(self, name: str) -> Mark | None:
        """The mark in a user's comment."""
        return Mark.read(comment(self.server, name))

    @property
    def marks(self) -> set[Mark | None]:
        """Those of both users."""
        return {self.mark(self.base), self.mark(self.alternate)}


@contextmanager
def scene_on(server: PostgreSQL) -> Iterator[Scene]:
    """One secret of alternating users, and an admin with CREATEROLE."""
    target = PostgreSQLTarget(server, StrategyName.ALTERNATING_USERS)
    with Bench(PostgreSQLRotator, target) as bench:
        yield Scene(server, target, bench, *bench.secret())
