"""What SQL Server's catalogs say of principals and their rights.

Rights are read and compared by number, as every user sees its own even where it may not see the
names; a name is looked up for a statement only. Databases are named in three parts, so that
nothing depends on where a session stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from rotators.database.sqlserver_rights import (
    OWNED,
    OWNER,
    ROLE,
    Right,
    Rights,
    strongest,
)
from rotators.database.sqlserver_securables import COLUMN, OBJECT, SECURABLES, owned
from rotators.database.sqlserver_statements import Sql, quoted
from rotators.errors import ForbiddenTarget, PermissionMissing


class Run(Protocol):
    """Runs one statement; its rows."""

    def __call__(self, statement: str, *parts: object) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Principal:
    """A login, or a contained user, which logs in to its database only."""

    id: int
    name: str
    contained: bool
    owner: bool  # sa, or dbo
    own: bool  # the login of this session
    # As ALTER LOGIN (or USER) sets them, by name.
    options: tuple[tuple[str, str], ...]


class DatabaseUser(NamedTuple):
    """A login's user in one database."""

    login: int
    id: int
    name: str
    schema: str


class Database(NamedTuple):
    name: str
    leads_outside: int
    read_only: int

    @property
    def scope(self) -> Sql:
        return scope_of(self.name)

    def refused(self, triggers: list[str]) -> ForbiddenTarget:
        return ForbiddenTarget(
            f"database {self.name!r} has DDL triggers, which would run with the admin's rights:"
            f" {', '.join(triggers)}",
            "Disable them for the rotation (DISABLE TRIGGER … ON DATABASE), or give both users of"
            " the pair the same rights by hand and set ROTATION_PROVISIONED=true; a contained user"
            " can rotate itself (single-user).",
        )


SERVER = Sql("sys.server")  # of which there are …_principals, …_permissions, …_role_members
_DBO = 1

# Snapshots and standbys are copies, which nobody changes but by their sources.
_DATABASES = """
SELECT d.name,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END,
d.is_read_only FROM sys.databases d
WHERE d.state = 0 AND d.source_database_id IS NULL AND d.is_in_standby = 0
AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id"""
# What the two kinds call differently is in columns of its own, as collations differ.
_FIND = """
SELECT 1, u.principal_id, u.name, u.default_schema_name, u.default_language_name, N'', N'', N'',
0, 0, 0 FROM {}_principals u WHERE u.authentication_type = 2 AND u.name = {} UNION ALL
SELECT 0, l.principal_id, N'', N'', N'', l.name, l.default_database_name, l.default_language_name,
l.is_policy_checked, l.is_expiration_checked, CASE WHEN l.sid = SUSER_SID() THEN 1 ELSE 0 END
FROM sys.sql_logins l WHERE l.name = {}"""
_USERS = """
SELECT l.principal_id, u.principal_id, u.name, u.default_schema_name
FROM {}_principals u JOIN sys.server_principals l ON l.sid = u.sid WHERE l.principal_id IN ({})"""
# Those that the server made itself, as for change data capture, nobody else could write. The events
# are those of the statements that are run here; a trigger on a group has a row for each of its own.
_TRIGGERS = """
SELECT t.name FROM {0}.triggers t
WHERE t.parent_class = 0 AND t.is_disabled = 0 AND t.is_ms_shipped IN (0, {1})
AND EXISTS (SELECT 1 FROM {0}.trigger_events e WHERE e.object_id = t.object_id AND e.type_desc IN (
N'CREATE_USER', N'ALTER_USER', N'ALTER_ROLE', N'ADD_ROLE_MEMBER', N'DROP_ROLE_MEMBER',
N'GRANT_DATABASE', N'DENY_DATABASE', N'REVOKE_DATABASE')) ORDER BY t.name"""
_SIGHT = ("VIEW ANY DEFINITION", "VIEW ANY DATABASE")
_SEES = "SELECT " + ", ".join(f"HAS_PERMS_BY_NAME(NULL, NULL, N'{one}')" for one in _SIGHT)
# The names are in columns of their own, as their collations differ.
_RIGHTS = """
SELECT p.grantee_principal_id, p.class, p.major_id, p.minor_id, p.permission_name, N'', p.state
FROM {}_permissions p WHERE p.grantee_principal_id IN ({}) UNION ALL
SELECT m.member_principal_id, -1, m.role_principal_id, 0, N'', r.name, N'M'
FROM {}_role_members m JOIN {}_principals r ON r.principal_id = m.role_principal_id
WHERE m.member_principal_id IN ({})"""


class Catalog:
    """The catalogs, as one session sees them; ``home`` is the database that it logged in to."""

    def __init__(self, run: Run, home: str) -> None:
        self.run = run
        self.home = home

    def databases(self) -> list[Database]:
        """Those that the session may enter."""
        return [Database(*row) for row in self.run(_DATABASES)]

    def home_database(self) -> Database:
        """Raises PermissionMissing if the session may not know what kind of database it is."""
        for database in self.databases():
            if database.name.casefold() == self.home.casefold():
                return database
        raise PermissionMissing(
            f"it does not see database {self.home!r} among the server's",
            "GRANT VIEW ANY DATABASE to it.",
        )

    def blind_without(self) -> list[str]:
        """Permissions that the session lacks to see everybody's rights on the server."""
        (row,) = self.run(_SEES)
        return [permission for permission, has in zip(_SIGHT, row, strict=True) if has != 1]

    def triggers(self, database: Database) -> list[str]:
        """DDL triggers that a change of users or rights in the database would run."""
        rows = self.run(_TRIGGERS, _views(database.scope), database.leads_outside)
        return [name for (name,) in rows]

    def find(self, name: str) -> Principal | None:
        """Who logs in to the home database by that name, as the server compares names."""
        # In a contained database, its own users go before logins.
        rows = self.run(_FIND, scope_of(self.home), name, name)
        return _principal(max(rows, key=itemgetter(0))) if rows else None

    def users(self, scope: Sql, logins: Iterable[int]) -> dict[int, DatabaseUser]:
        """The users of these logins in one database."""
        rows = self.run(_USERS, scope, _ids(logins))
        return {row[0]: DatabaseUser(row[0], row[1], row[2], row[3] or "") for row in rows}

    def rights(self, scope: Sql, *principals: int) -> dict[int, Rights]:
        """What each has of its own. The owner of a database has what its owners' role has."""
        ids = _ids(principals)
        found: dict[int, set[Right]] = {number: set() for number in principals}
        for who, where, major, minor, permission, role, state in self.run(
            _RIGHTS, scope, ids, scope, scope, ids
        ):
            found[who].add(Right(where, major, minor, permission or role, state.strip()))
        if scope != SERVER and _DBO in found:
            found[_DBO] = {OWNER}
        return {who: strongest(rights) for who, rights in found.items()}

    def owned(self, scope: Sql, *principals: int) -> dict[int, Rights]:
        """What is each one's own, as rights; a database's owner has those as its owner."""
        found: dict[int, set[Right]] = {number: set() for number in principals}
        ids = [number for number in principals if scope == SERVER or number != _DBO]
        query = owned(server=scope == SERVER)
        for who, where, major in self.run(query, _views(scope), _ids(ids)) if ids else ():
            found[who].add(Right(where, major, 0, "CONTROL", OWNED))
        return {who: frozenset(rights) for who, rights in found.items()}

    def held(self, scope: Sql, *principals: int) -> dict[int, Rights]:
        """What each has, and what is its own."""
        own = self.owned(scope, *principals)
        return {who: has | own[who] for who, has in self.rights(scope, *principals).items()}

    def all_rights(self, scope: Sql, principal: int) -> Iterator[Right]:
        """What it has or owns, and what every role has that it is in, at whatever remove.

        What those roles own is left out: the fixed ones own the schemas of their names.
        """
        yield from self.owned(scope, principal)[principal]
        known: set[int] = set()
        waiting = {principal}
        while waiting:
            known |= waiting
            found = {
                right for own in self.rights(scope, *sorted(waiting)).values() for right in own
            }
            yield from found
            waiting = {right.major for right in found if right.where == ROLE} - known

    def securable(self, scope: Sql, right: Right) -> str | None:
        """What the right is on, as GRANT names it; None if that cannot be seen."""
        kind = SECURABLES.get(right.where)
        rows = self.run(kind.asked(), _views(scope), right.major) if kind else []
        if kind is None or not rows:
            return None
        where = kind.named(right.where, rows[0])
        if right.where != OBJECT or not right.minor:
            return where
        columns = self.run(COLUMN, _views(scope), right.major, right.minor)
        return f"{where} ({quoted(columns[0][0])})" if columns else None


def _principal(row: tuple[Any, ...]) -> Principal:
    contained, number, user, schema, language, login, database, spoken, *flags = row
    policy, expiration, own = flags
    named = {"DEFAULT_SCHEMA": schema, "DEFAULT_LANGUAGE": language}
    checks = {}
    if not contained:
        named = {"DEFAULT_DATABASE": database, "DEFAULT_LANGUAGE": spoken}
        checks = {"CHECK_EXPIRATION": expiration, "CHECK_POLICY": policy}
    options = [(option, str(quoted(value))) for option, value in named.items() if value]
    options += [(option, "ON" if value else "OFF") for option, value in checks.items()]
    return Principal(
        number, user or login, bool(contained), number == _DBO, bool(own), tuple(options)
    )


def scope_of(database: str) -> Sql:
    """The same for a database as SERVER for the server."""
    return Sql(f"{quoted(database)}.sys.database")


def _views(scope: Sql) -> Sql:
    """Where the other views of the same place are."""
    return Sql(scope.rpartition(".")[0])


def _ids(numbers: Iterable[int]) -> Sql:
    return Sql(", ".join(str(int(number)) for number in numbers))
