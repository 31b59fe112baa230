"""The kinds of rights that a user of Redshift can have, each with the statements about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from rotators.database.redshift_acl import UNKNOWN
from rotators.database.redshift_statements import identifier, literal

ALL = "ALL"


class Thing(NamedTuple):
    """Whatever rights can be on; its name is SQL. An external one takes no transaction."""

    kind: str
    name: str
    external: bool = False

    def to_owner(self, username: str) -> str:
        return f"ALTER {self.kind} {self.name} OWNER TO {identifier(username)}"


class Grant(NamedTuple):
    """A privilege on a thing."""

    thing: Thing
    privilege: str
    grantable: bool = False

    @property
    def can_be_said(self) -> bool:
        return not self.privilege.startswith(UNKNOWN)

    def __str__(self) -> str:
        option = " WITH GRANT OPTION" if self.grantable else ""
        return f"{self.privilege} ON {self.thing.kind} {self.thing.name}{option}"


class Membership(NamedTuple):
    """A group or a role that the user is in."""

    kind: str
    name: str
    admin: bool = False

    @property
    def can_be_said(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"{self.kind} {self.name}{' WITH ADMIN OPTION' if self.admin else ''}"

    def give(self, user: str) -> str:
        if self.kind == "GROUP":
            return f"ALTER GROUP {self.name} ADD USER {user}"
        return f"GRANT ROLE {self.name} TO {user}{' WITH ADMIN OPTION' if self.admin else ''}"

    def take(self, user: str) -> str:
        if self.kind == "GROUP":
            return f"ALTER GROUP {self.name} DROP USER {user}"
        return f"REVOKE ROLE {self.name} FROM {user}"


class Permission(NamedTuple):
    """One that is in no access list, by GRANT's words before and after the user's name."""

    what: str
    more: str = ""
    grantable: bool = False

    @property
    def can_be_said(self) -> bool:
        return not self.what.startswith(UNKNOWN)

    def __str__(self) -> str:
        return f"{self.what}{self.more}{self._option}"

    def give(self, user: str) -> str:
        return f"GRANT {self.what} TO {user}{self.more}{self._option}"

    def take(self, user: str) -> str:
        return f"REVOKE {self.what} FROM {user}{self.more}"

    @property
    def _option(self) -> str:
        return " WITH GRANT OPTION" if self.grantable else ""


_SCOPES = frozenset({"SCHEMAS", "TABLES", "FUNCTIONS", "PROCEDURES", "LANGUAGES", "COPY JOBS"})
_COMMANDS = {
    "COPY": "COPY", "UNLOAD": "UNLOAD", "CREATE MODEL": "CREATE MODEL",
    # The view's page has both in it.
    "EXTERNAL FUNCTION": "EXTERNAL FUNCTION", "EXFUNC": "EXTERNAL FUNCTION",
}  # fmt: skip
_IAM_ROLES = {"default-aws-iam-role": "default", "ALL": "ALL"}
_ARNS = re.compile(r"arn:[\w:/+=,.@-]+")
_WORDS = re.compile("[A-Z ]+")


def scoped(privilege: str, scope: str, inside: str, name: str, admin: object) -> Permission:
    """On all that there is and will be of a kind, ``inside`` a SCHEMA or a DATABASE."""
    where = f"FOR {scope} IN {inside} {identifier(name)}"
    if scope in _SCOPES and _WORDS.fullmatch(privilege):
        return Permission(f"{privilege} {where}", grantable=bool(admin))
    return Permission(f"{UNKNOWN}{privilege!r} {where}")


def assumed(role: str, command: str) -> Permission:
    """To have a command act as an IAM role."""
    on = literal(role) if _ARNS.fullmatch(role) else _IAM_ROLES.get(role)
    if on is None or command not in _COMMANDS:
        return Permission(f"{UNKNOWN}'ASSUMEROLE' ON {role!r} FOR {command}")
    return Permission(f"ASSUMEROLE ON {on}", f" FOR {_COMMANDS[command]}")


def of_system(privilege: str) -> Permission:
    """GRANT gives users this one; all others it gives to roles only."""
    return Permission(privilege if privilege == "CREATE MODEL" else f"{UNKNOWN}{privilege!r}")


class Default(NamedTuple):
    """What objects to be made will grant; maker or grantee is "" if it is the user itself."""

    maker: str
    schema: str
    kind: str
    grantee: str
    privilege: str
    grantable: bool

    def __str__(self) -> str:
        return self._said("GRANT", "TO", "the user")

    @property
    def can_be_said(self) -> bool:
        return not self.privilege.startswith(UNKNOWN)

    def all_of_it(self) -> Default:
        """Every privilege on the same, for the same."""
        return self._replace(privilege=ALL, grantable=False)

    def between(self, *usernames: str) -> bool:
        """Whether it is one of these users that it is about, besides the one that has it."""
        return bool({self.maker, self.grantee} & set(map(identifier, usernames)))

    def give(self, user: str) -> str:
        return self._said("GRANT", "TO", user)

    def take(self, user: str) -> str:
        return self._said("REVOKE", "FROM", user)

    def _said(self, verb: str, word: str, user: str) -> str:
        schema = f" IN SCHEMA {self.schema}" if self.schema else ""
        option = " WITH GRANT OPTION" if self.grantable and verb == "GRANT" else ""
        return (
            f"ALTER DEFAULT PRIVILEGES FOR USER {self.maker or user}{schema} {verb}"
            f" {self.privilege} ON {self.kind} {word} {self.grantee or user}{option}"
        )
