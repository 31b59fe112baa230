"""Rights of SQL Server's principals, how two sets of them differ, and which nobody may lend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rotators.database.sqlserver_statements import Sql, quoted

ROLE = -1  # in the place of a class: membership
DB_OWNER = 16384  # the role's number in every database
# Classes whose rights are on the server or database itself, not on something in it.
_WHOLE = frozenset({0, 100})
_OBJECT = 1

# The fixed server roles and the server's permissions that give no power over others. What is not
# in here is administrative, whatever later versions bring.
HARMLESS = frozenset(
    {
        "public", "##MS_DatabaseConnector##", "##MS_DefinitionReader##",
        "##MS_SecurityDefinitionReader##", "##MS_ServerPerformanceStateReader##",
        "##MS_ServerSecurityStateReader##", "##MS_ServerStateReader##",
        "CONNECT", "CONNECT SQL", "VIEW ANY DATABASE", "VIEW ANY DEFINITION",
        "VIEW ANY ERROR LOG", "VIEW ANY PERFORMANCE DEFINITION", "VIEW ANY SECURITY DEFINITION",
        "VIEW DEFINITION", "VIEW SERVER PERFORMANCE STATE", "VIEW SERVER SECURITY STATE",
        "VIEW SERVER STATE",
    }
)  # fmt: skip
# In a database from which there is a way to the whole server: master, msdb, and any that is
# TRUSTWORTHY. Elsewhere they end at the database, which may well be the application's own.
ADMINISTRATIVE = frozenset(
    {
        "db_owner", "db_securityadmin", "db_accessadmin", "db_ddladmin", "db_ssisadmin", "dc_admin",
        "CONTROL", "ALTER", "ALTER ANY APPLICATION ROLE", "ALTER ANY ASSEMBLY",
        "ALTER ANY CERTIFICATE", "ALTER ANY ROLE", "ALTER ANY SCHEMA", "ALTER ANY USER",
        "CREATE ASSEMBLY", "CREATE PROCEDURE", "IMPERSONATE", "TAKE OWNERSHIP",
    }
)  # fmt: skip


class Right(NamedTuple):
    """A row of sys.server_permissions or sys.database_permissions, or a membership."""

    where: int  # the securable's class, or ROLE
    major: int
    minor: int
    name: str  # the permission's, or the role's
    # G(ranted), W(ith grant option), D(enied), R(evoked for a column), M(ember); ours: O(wned)
    state: str

    @property
    def place(self) -> tuple[int, int, int, str]:
        return self[:4]


Rights = frozenset[Right]
OWNED = "O"
_HAS = "GWMO"
OWNER = Right(ROLE, DB_OWNER, 0, "db_owner", "M")


class Change(NamedTuple):
    """One statement, for one right."""

    verb: str
    right: Right

    @property
    def whole(self) -> bool:
        """Whether the statement names no securable."""
        return self.right.where in _WHOLE or self.right.where == ROLE

    def statement(self, on: str, grantee: str, *, server: bool) -> Sql:
        """``on`` names the securable, as the server quotes it."""
        who = quoted(grantee)
        if self.right.where == ROLE:
            role = f"ALTER {'SERVER ' if server else ''}ROLE {quoted(self.right.name)}"
            return Sql(f"{role} {self.verb} MEMBER {who}")
        what = f"{self.right.name}{f' ON {on}' if on else ''}"
        return Sql(_FORMS[self.verb].format(what=what, who=who))


_FORMS = {
    "REVOKE": "REVOKE {what} FROM {who} CASCADE",
    "REVOKE OPTION": "REVOKE GRANT OPTION FOR {what} FROM {who} CASCADE",
    "DENY": "DENY {what} TO {who} CASCADE",
    "GRANT": "GRANT {what} TO {who}",
    "GRANT WITH OPTION": "GRANT {what} TO {who} WITH GRANT OPTION",
}
# What takes rights away comes first, so that nobody has more than the base for a moment.
_ORDER = ("DROP", "REVOKE", "REVOKE OPTION", "DENY", "ADD", "GRANT", "GRANT WITH OPTION")


def changes(wanted: Rights, there: Rights) -> list[Change]:
    """What makes ``there`` into ``wanted``; it may take two rounds where columns are concerned.

    What is owned there comes as CONTROL. The server neither gives nor takes rights on one's own.
    """
    own = _own(there)
    wanted = strongest(_given(right) for right in wanted if right[:2] not in own)
    there = frozenset(right for right in there if right[:2] not in own)
    places = {right.place: right for right in there}
    found = [_removal(right) for right in there if right.place not in {w.place for w in wanted}]
    found += [_addition(right, places.get(right.place)) for right in wanted - there]
    return sorted(found, key=lambda c: (_late(c), _ORDER.index(c.verb), c.right))


def strongest(rights: Iterable[Right]) -> Rights:
    """One right of a place, where several people gave it there: what is denied is denied."""
    weakest_first = sorted(rights, key=lambda right: _STRENGTH.find(right.state))
    return frozenset({right.place: right for right in weakest_first}.values())


_STRENGTH = "RGWD"


def lacking(wanted: Rights, there: Rights) -> list[Right]:
    """What ``wanted`` allows and ``there`` does not."""
    own = _own(there)
    allowed = {right for right in wanted if right.state in _HAS and right[:2] not in own}
    as_good = {right._replace(state=s) for right in there for s in _AS_GOOD.get(right.state, "")}
    denied = {right for right in there - wanted if right.state == "D" and right[:2] not in own}
    return sorted((allowed - there - as_good) | denied)


# Whoever was granted CONTROL may what the owner may.
_AS_GOOD = {"G": "O", "W": "GO"}


def _own(rights: Rights) -> set[tuple[int, ...]]:
    """Class and number of what is owned, on which its owner has every right."""
    return {right[:2] for right in rights if right.state == OWNED}


def administrative_on_server(rights: Iterable[Right]) -> set[str]:
    """Names of those that no rotation may lend. ``rights`` hold those of every role as well."""
    return {r.name for r in rights if r.state in _HAS and r.name not in HARMLESS and _judged(r)}


def administrative_in_database(rights: Iterable[Right], database: str) -> set[str]:
    """As above, in a database from which there is a way to the whole server."""
    return {
        f"{r.name} in {database}" for r in rights if r.state in _HAS and r.name in ADMINISTRATIVE
    }


def _judged(right: Right) -> bool:
    # A role that people made is judged by what it may: those are numbered from 256 on.
    return right.where != ROLE or right.major < _FIRST_MADE


_FIRST_MADE = 256


def _given(right: Right) -> Right:
    return right._replace(state="G") if right.state == OWNED else right


def _removal(right: Right) -> Change:
    if right.where == ROLE:
        return Change("DROP", right)
    # What was revoked for a column is only revoked for good with the rest.
    return Change("REVOKE", right._replace(minor=0) if right.state == "R" else right)


def _addition(right: Right, there: Right | None) -> Change:
    if right.state == "G" and there is not None and there.state == "W":
        return Change("REVOKE OPTION", right)
    return Change(_ADDS[right.state], right)


_ADDS = {
    "M": "ADD",
    "G": "GRANT",
    "W": "GRANT WITH OPTION",
    "D": "DENY",
    "R": "REVOKE",
}


def _late(change: Change) -> bool:
    """A column's exception needs its table's right to be there."""
    right = change.right
    return right.state == "R" and right.where == _OBJECT and right.minor > 0
