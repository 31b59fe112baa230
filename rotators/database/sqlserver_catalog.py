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

from rotators.database.sqlserver_rights import OWNER, ROLE, Right, Rights
from rotators.database.sqlserver_statements import Sql, quoted


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
    contained: int
    leads_outside: int

    @property
    def scope(self) -> Sql:
        return scope_of(self.name)


SERVER = Sql("sys.server")  # of which there are …_principals, …_permissions, …_role_members
_DBO = 1

_DATABASES = """
SELECT d.name, d.containment,
CASE WHEN d.is_trustworthy_on = 1 OR d.name IN (N'master', N'msdb') THEN 1 ELSE 0 END
FROM sys.databases d
WHERE d.state = 0 AND d.is_read_only = 0 AND HAS_DBACCESS(d.name) = 1 ORDER BY d.database_id"""
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
        """Those that the session may change."""
        return [Database(*row) for row in self.run(_DATABASES)]

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
        return {who: frozenset(rights) for who, rights in found.items()}

    def all_rights(self, scope: Sql, principal: int) -> Iterator[Right]:
        """Its own, and those of every role that it is in, at whatever remove."""
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
        if right.where not in _SECURABLES:
            return None
        kind, asked = _SECURABLES[right.where]
        database = Sql(scope.removesuffix(".database"))
        rows = self.run(asked, database, right.major)
        if not rows:
            return None
        names = list(rows[0])
        if not kind:
            kind = _KINDS[right.where].get(names.pop(0).strip(), _KINDS[right.where]["S"])
        where = f"{kind}::{'.'.join(map(quoted, names))}"
        if right.where != _OBJECT or not right.minor:
            return where
        columns = self.run(_COLUMN, database, right.major, right.minor)
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


def _ids(numbers: Iterable[int]) -> Sql:
    return Sql(", ".join(str(int(number)) for number in numbers))


def _in_schema(table: str, key: str) -> str:
    joined = f"{{0}}.{table} o JOIN {{0}}.schemas s ON s.schema_id = o.schema_id"
    return f"SELECT s.name, o.name FROM {joined} WHERE o.{key} = {{1}}"  # noqa: S608 ours


def _by_itself(table: str, key: str) -> str:
    return f"SELECT o.name FROM {{0}}.{table} o WHERE o.{key} = {{1}}"  # noqa: S608 ours


_OBJECT = 1
_COLUMN = "SELECT c.name FROM {0}.all_columns c WHERE c.object_id = {1} AND c.column_id = {2}"
_USER = "SELECT o.type, o.name FROM {0}.database_principals o WHERE o.principal_id = {1}"
_OF_SERVER = "SELECT o.type, o.name FROM sys.server_principals o WHERE o.principal_id = {1}"
_KINDS = {
    4: {"R": "ROLE", "A": "APPLICATION ROLE", "S": "USER"},
    101: {"R": "SERVER ROLE", "S": "LOGIN"},
}
# How GRANT calls each class ("sys.database_permissions"), and where its names are.
# fmt: off
_SECURABLES = {
    1: ("OBJECT", _in_schema("all_objects", "object_id")),
    3: ("SCHEMA", _by_itself("schemas", "schema_id")),
    4: ("", _USER),
    5: ("ASSEMBLY", _by_itself("assemblies", "assembly_id")),
    6: ("TYPE", _in_schema("types", "user_type_id")),
    10: ("XML SCHEMA COLLECTION", _in_schema("xml_schema_collections", "xml_collection_id")),
    15: ("MESSAGE TYPE", _by_itself("service_message_types", "message_type_id")),
    16: ("CONTRACT", _by_itself("service_contracts", "service_contract_id")),
    17: ("SERVICE", _by_itself("services", "service_id")),
    18: ("REMOTE SERVICE BINDING",
         _by_itself("remote_service_bindings", "remote_service_binding_id")),
    19: ("ROUTE", _by_itself("routes", "route_id")),
    23: ("FULLTEXT CATALOG", _by_itself("fulltext_catalogs", "fulltext_catalog_id")),
    24: ("SYMMETRIC KEY", _by_itself("symmetric_keys", "symmetric_key_id")),
    25: ("CERTIFICATE", _by_itself("certificates", "certificate_id")),
    26: ("ASYMMETRIC KEY", _by_itself("asymmetric_keys", "asymmetric_key_id")),
    29: ("FULLTEXT STOPLIST", _by_itself("fulltext_stoplists", "stoplist_id")),
    31: ("SEARCH PROPERTY LIST",
         _by_itself("registered_search_property_lists", "property_list_id")),
    32: ("DATABASE SCOPED CREDENTIAL", _by_itself("database_scoped_credentials", "credential_id")),
    34: ("EXTERNAL LANGUAGE", _by_itself("external_languages", "external_language_id")),
    101: ("", _OF_SERVER),
    105: ("ENDPOINT", "SELECT o.name FROM sys.endpoints o WHERE o.endpoint_id = {1}"),
}
# fmt: on
