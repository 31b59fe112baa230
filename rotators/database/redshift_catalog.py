"""What Redshift says of one user: its own rights, and the administrative ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rotators.database.redshift_acl import SEPARATOR, Item, items
from rotators.database.redshift_errors import NOT_THERE, has_code
from rotators.database.redshift_kinds import (
    Default,
    Grant,
    Membership,
    Permission,
    Thing,
    assumed,
    of_system,
    scoped,
)
from rotators.database.redshift_queries import (
    ASSUMED,
    COLUMNS,
    DEFAULTS,
    EXTERNAL,
    GROUPS,
    INFO,
    MODELS,
    PROCEDURES,
    ROLES,
    ROLES_OF_ROLES,
    SCOPED,
    SYSTEM,
    THINGS,
    THINGS_ASKED,
    USERS,
)
from rotators.database.redshift_rights import Rights
from rotators.database.redshift_statements import identifier, setting
from rotators.errors import UnexpectedError

Run = Callable[..., list[tuple[Any, ...]]]
# With its owner and its access list.
_Listed = tuple[Thing, str, str | None]

_KINDS = {"r": "TABLES", "f": "FUNCTIONS", "p": "PROCEDURES"}

# Who has one of these could make itself whatever it wants to be, see everything or stop anybody.
ADMINISTRATIVE = frozenset({
    "superuser", "sys:superuser", "sys:secadmin", "sys:operator", "sys:dba",
    "CREATE USER", "ALTER USER", "DROP USER", "CREATE ROLE", "DROP ROLE", "GRANT ROLE",
    "ALTER DEFAULT PRIVILEGES", "ACCESS SYSTEM TABLE", "ACCESS CATALOG", "CANCEL",
    "CREATE OR REPLACE EXTERNAL FUNCTION", "IGNORE RLS",
})  # fmt: skip


@dataclass
class Catalog:
    """Looks it up in one session, changing nothing. Each question is a statement of its own.

    Asked of two users, the first of whose names the other one's begins with; or of one.
    """

    run: Run
    names: tuple[str, str]
    # What could not be asked here.
    missing: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, run: Run, base: str, alternate: str | None = None) -> Catalog:
        return cls(run, (base, alternate or base))

    def privileges(self) -> Mapping[str, tuple[str, ...]]:
        """The administrative ones of each user that exists, by whichever role."""
        users = self.run(USERS, *self.names)
        direct = self._if_there(ROLES, *self.names) if users else []
        edges = self._if_there(ROLES_OF_ROLES) if direct else []
        system = self._if_there(SYSTEM, *self.names) if users else []
        found = {}
        for name, superuser, *_ in users:
            roles = _closed({role for user, role, _ in direct if user == name}, edges)
            whose = {("user", name), *(("role", role) for role in roles)}
            held = {"superuser"} if superuser else set()
            held |= roles | {privilege for *who, privilege in system if tuple(who) in whose}
            found[name] = tuple(sorted(held & ADMINISTRATIVE))
        return found

    def rights(self) -> Mapping[str, Rights]:
        """What each user that exists has of its own."""
        users = self.run(USERS, *self.names)
        things = list(self._things())
        memberships, attributes = list(self._memberships()), self._attributes()
        columns, defaults = list(self._columns()), self._defaults()
        return {
            name: Rights(
                grants=frozenset(
                    (*_granted(name, things), *(one for user, one in columns if user == name))
                ),
                memberships=frozenset(one for user, one in memberships if user == name),
                defaults=frozenset(_own_defaults(name, defaults)),
                owned=frozenset(thing for thing, owner, _ in things if owner == name),
                unlisted=frozenset(
                    thing for thing, owner, acl in things if owner == name and acl is None
                ),
                attributes={
                    "CREATEDB": "CREATEDB" if createdb else "NOCREATEDB",
                    **attributes.get(name, {}),
                },
                settings=dict(_settings(config)),
                valid_until=valid_until or "infinity",
            )
            for name, _, createdb, valid_until, config in users
        }

    @property
    def _mine(self) -> tuple[str, str, str]:
        """Both names, and how access lists mention either."""
        return (*self.names, self.names[0].replace('"', '""'))

    def _things(self) -> Iterator[_Listed]:
        rows = self.run(THINGS, *self._mine * THINGS_ASKED)
        kinds = {kind for kind, *_ in rows}
        external = self._if_there(EXTERNAL) if "SCHEMA" in kinds else []
        procedures = self._if_there(PROCEDURES) if "FUNCTION" in kinds else []
        for kind, schema, name, owner, acl in rows:
            if kind == "TABLE":
                thing = Thing(kind, f"{identifier(schema)}.{identifier(name)}")
            elif kind == "FUNCTION":
                # Its name is a signature, and SQL already.
                thing = Thing("PROCEDURE" if (name,) in procedures else kind, name)
            else:
                thing = Thing(kind, identifier(name), (name,) in external and kind == "SCHEMA")
            yield thing, owner, acl

    def _columns(self) -> Iterator[tuple[str, Grant]]:
        for user, schema, table, column, privilege in self._if_there(COLUMNS, *self.names):
            thing = Thing("TABLE", f"{identifier(schema)}.{identifier(table)}")
            yield user, Grant(thing, f"{privilege} ({identifier(column)})")
        for user, schema, model, privilege, admin in self._if_there(MODELS, *self.names):
            thing = Thing("MODEL", f"{identifier(schema)}.{identifier(model)}")
            yield user, Grant(thing, privilege, bool(admin))

    def _defaults(self) -> list[tuple[Any, ...]]:
        return [row for row in self.run(DEFAULTS, *self._mine) if row[1] in _KINDS]

    def _memberships(self) -> Iterator[tuple[str, Membership | Permission]]:
        for user, name in self.run(GROUPS, *self.names):
            yield user, Membership("GROUP", identifier(name))
        for user, name, admin in self._if_there(ROLES, *self.names):
            yield user, Membership("ROLE", identifier(name), bool(admin))
        for kind, user, privilege in self._if_there(SYSTEM, *self.names):
            if kind == "user":
                yield user, of_system(privilege)
        for inside, query in SCOPED.items():
            for user, privilege, scope, name, admin in self._if_there(query, *self.names):
                yield user, scoped(privilege, scope, inside, name, admin)
        for user, role, command in self._if_there(ASSUMED, *self.names):
            yield user, assumed(role, command)

    def _attributes(self) -> dict[str, dict[str, str]]:
        rows = self._if_there(INFO, *self.names)
        if not rows:
            self.missing.add("SVV_USER_INFO")  # which shows others to superusers only
        return {name: _limits(*values) for name, *values in rows}

    def _if_there(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in self.run(query, *values)]
        except UnexpectedError as error:
            if not has_code(error, *NOT_THERE):
                raise
        relation = query.partition(" FROM pg_catalog.")[2].split()[0]
        self.missing.add(relation.upper())
        return []


def _closed(roles: set[str], edges: Iterable[tuple[str, str]]) -> set[str]:
    """Those, and the ones that these have."""
    found: set[str] = set()
    waiting = roles
    while waiting:
        found |= waiting
        waiting = {granted for role, granted in edges if role in waiting} - found
    return found


def _granted(name: str, things: Iterable[_Listed]) -> Iterator[Grant]:
    for thing, _, acl in things:
        for one in items(acl):
            if (one.kind, one.grantee) == ("", name):
                for privilege, grantable in one.privileges(thing.kind):
                    yield Grant(thing, privilege, grantable)


def _own_defaults(name: str, rows: Iterable[tuple[Any, ...]]) -> Iterator[Default]:
    """Those that the user makes, or is granted."""
    for schema, kind, maker, acl in rows:
        made_by = "" if maker == name else identifier(maker)
        for one in items(acl):
            grantee = _grantee(one, name)
            # What makers grant themselves goes without saying.
            if (made_by and grantee) or (one.kind, one.grantee) == ("", maker):
                continue
            for privilege, grantable in one.privileges(_KINDS[kind]):
                inside = identifier(schema) if schema else ""
                yield Default(made_by, inside, _KINDS[kind], grantee, privilege, grantable)


def _limits(limit: object, syslog: object, seconds: object) -> dict[str, str]:
    most = limit if str(limit).isdigit() else "UNLIMITED"
    timeout = int(str(seconds or 0))
    access = "UNRESTRICTED" if str(syslog).strip() == "UNRESTRICTED" else "RESTRICTED"
    return {
        "CONNECTION LIMIT": f"CONNECTION LIMIT {most}",
        "SYSLOG ACCESS": f"SYSLOG ACCESS {access}",
        "SESSION TIMEOUT": f"SESSION TIMEOUT {timeout}" if timeout else "RESET SESSION TIMEOUT",
    }


def _grantee(item: Item, username: str) -> str:
    """As SQL; "" if it is the user."""
    if not item.kind and item.grantee == username:
        return ""
    name = identifier(item.grantee) if item.grantee else "PUBLIC"
    return f"{item.kind} {name}".strip()


def _settings(config: str | None) -> Iterator[tuple[str, str]]:
    for one in config.split(SEPARATOR) if config else ():
        name, _, value = one.partition("=")
        said = setting(name, value)
        if said is not None:
            yield name, said
