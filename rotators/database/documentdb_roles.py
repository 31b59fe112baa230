"""Which roles make an administrator, by whatever way they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

ADMIN = "admin"

# Built-in roles that no rotation may lend to anybody.
ADMINISTRATIVE_ROLES = frozenset(
    {
        *("root", "__system", "__queryableBackup", "userAdmin", "userAdminAnyDatabase"),
        *("clusterAdmin", "clusterManager", "hostManager", "restore", "backup"),
    }
)
# Actions by which one gains an account, or leave to act as one.
ADMINISTRATIVE_ACTIONS = frozenset(
    {
        *("anyAction", "applyOps", "authSchemaUpgrade", "impersonate", "internal", "useTenant"),
        *("createUser", "dropUser", "changePassword", "changeCustomData"),
        *("createRole", "dropRole", "grantRole", "revokeRole"),
        *("setAuthenticationRestriction", "changeAuthenticationRestriction"),
    }
)
# Where the server keeps users, roles and keys; a privilege on a whole database leaves them out.
_SYSTEM = frozenset({"system.users", "system.roles", "system.version", "system.keys"})

# Built-in in every database, or in admin alone: elsewhere somebody may have made one of that name.
_HARMLESS = frozenset({"read", "readWrite", "dbAdmin"})
_HARMLESS_IN_ADMIN = frozenset(
    {
        *("readAnyDatabase", "readWriteAnyDatabase", "dbAdminAnyDatabase"),
        *("clusterMonitor", "enableSharding"),
    }
)


class Role(NamedTuple):
    """A role, and the database that it is one of."""

    name: str
    database: str

    def __str__(self) -> str:
        return f"{self.name}@{self.database}"

    @property
    def said(self) -> dict[str, str]:
        """As commands take it."""
        return {"role": self.name, "db": self.database}

    @classmethod
    def all_of(cls, roles: Iterable[Mapping[str, Any]] | None) -> list[Role]:
        return [cls(role["role"], role["db"]) for role in roles or ()]


def administrative(
    roles: Iterable[Role], home: str, ask: Callable[[list[Role]], list[dict[str, Any]]]
) -> list[str]:
    """What is administrative in these roles, and in all that they inherit.

    ``home`` is the database that their user is defined in, beside whom its owner may make others;
    the owner of any other database is none of the administrators. ``ask`` gives the server's
    description of roles that are not built-in.
    """
    found: set[str] = set()
    seen: set[Role] = set()
    waiting = set(roles)
    while waiting:
        seen |= waiting
        found |= {f"role {role}" for role in waiting if _rules(role, home)}
        unknown = sorted(role for role in waiting if not (_rules(role, home) or _harmless(role)))
        waiting = set()
        for info in ask(unknown) if unknown else ():
            found.update(_in_privileges(info))
            waiting.update(Role.all_of(info.get("roles")), Role.all_of(info.get("inheritedRoles")))
        waiting -= seen
    return sorted(found)


def marks_itself(infos: Iterable[Mapping[str, Any]]) -> bool:
    """Whether these roles, as the server describes them, let a user write its own custom data."""
    return any("changeOwnCustomData" in each["actions"] for each in _privileges(infos))


def _privileges(infos: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for info in infos:
        yield from info.get("privileges", ())
        yield from info.get("inheritedPrivileges", ())


def _rules(role: Role, home: str) -> bool:
    return role.name in ADMINISTRATIVE_ROLES or (
        role.name == "dbOwner" and role.database in {ADMIN, home}
    )


def _harmless(role: Role) -> bool:
    return role.name in _HARMLESS | {"dbOwner"} or (
        role.database == ADMIN and role.name in _HARMLESS_IN_ADMIN
    )


def _in_privileges(info: Mapping[str, Any]) -> Iterator[str]:
    (role,) = Role.all_of([info])
    if "privileges" not in info:
        yield f"role {role}, of which the server shows no privileges"
        return
    for privilege in _privileges([info]):
        resource, actions = privilege["resource"], set(privilege["actions"])
        if resource.get("anyResource") or resource.get("collection") in _SYSTEM:
            yield f"role {role} ({', '.join(sorted(actions))} on {_text(resource)})"
        elif actions & ADMINISTRATIVE_ACTIONS:
            yield f"role {role} ({', '.join(sorted(actions & ADMINISTRATIVE_ACTIONS))})"


def _text(resource: Mapping[str, Any]) -> str:
    if resource.get("anyResource"):
        return "any resource"
    return f"{resource.get('db') or 'any database'}.{resource['collection']}"
