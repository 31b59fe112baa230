"""What a user of Redshift has of its own, and the statements that make another user's the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rotators.database.redshift_acl import UNKNOWN
from rotators.database.redshift_statements import identifier

ALL = "ALL"
_MOST = 100  # objects in one statement


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

    def __str__(self) -> str:
        option = " WITH GRANT OPTION" if self.grantable else ""
        return f"{self.privilege} ON {self.thing.kind} {self.thing.name}{option}"


class Membership(NamedTuple):
    """A group or a role that the user is in."""

    kind: str
    name: str
    admin: bool = False

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


@dataclass(frozen=True)
class Rights:
    """Everything that one user has of its own: not what PUBLIC, groups and roles give it."""

    grants: frozenset[Grant] = frozenset()
    memberships: frozenset[Membership] = frozenset()
    defaults: frozenset[Default] = frozenset()
    owned: frozenset[Thing] = frozenset()
    # Those of them whose access list is empty, so that the owner has all rights without a word.
    unlisted: frozenset[Thing] = frozenset()
    # What ALTER USER says, by what it is about: "CREATEDB" → "CREATEDB" or "NOCREATEDB".
    attributes: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    valid_until: str | None = None

    def powers(self) -> set[str]:
        """The attributes that let the user do something."""
        return {said for said in self.attributes.values() if said in _POWERS}


# A user that has just been made.
FRESH = Rights(
    attributes={
        "CREATEDB": "NOCREATEDB",
        "CONNECTION LIMIT": "CONNECTION LIMIT UNLIMITED",
        "SYSLOG ACCESS": "SYSLOG ACCESS RESTRICTED",
        "SESSION TIMEOUT": "RESET SESSION TIMEOUT",
    }
)
_POWERS = frozenset({"CREATEDB", "SYSLOG ACCESS UNRESTRICTED"})


def lacking(wanted: Rights, have: Rights, *pair: str) -> list[str]:
    """What the one may and the other may not, but for default privileges between the two."""
    grants = {
        grant
        for grant in wanted.grants - have.grants
        if grant.thing not in wanted.owned | have.owned
    }
    found = [*grants, *(wanted.memberships - have.memberships), *(wanted.powers() - have.powers())]
    defaults = {one for one in wanted.defaults - have.defaults if not one.between(*pair)}
    return sorted(map(str, [*found, *defaults]))


def unreached(wanted: Rights, have: Rights) -> list[Thing]:
    """What the one owns and the other has not all the same rights on."""
    missing = {grant.thing for grant in wanted.grants - have.grants}
    return sorted((wanted.owned & (missing | wanted.unlisted)) - have.owned)


def changes(wanted: Rights, have: Rights, username: str, other: str) -> tuple[list[str], list[str]]:
    """The statements that make ``username`` have what is wanted: in a transaction, and after it.

    What the user owns stays as it is, and default privileges between the two of a pair do.
    """
    user = identifier(username)
    inside = [*_attributes(wanted, have, user)]
    had, due = (
        {one for one in rights.defaults if one.can_be_said and not one.between(username, other)}
        for rights in (have, wanted)
    )
    inside += [one.take(user) for one in sorted(have.memberships - wanted.memberships)]
    inside += [one.give(user) for one in sorted(wanted.memberships - have.memberships)]
    inside += [one.take(user) for one in sorted(had - due)]
    inside += [one.give(user) for one in sorted(due - had)]
    grants = list(_grants(wanted, have, user))
    inside += [said for said, external in grants if not external]
    return inside, [said for said, external in grants if external]


def _grants(wanted: Rights, have: Rights, user: str) -> Iterator[tuple[str, bool]]:
    taken = {one for one in have.grants - wanted.grants if one.thing not in have.owned}
    yield from _grouped(taken, f"REVOKE {{}} ON {{}} FROM {user}")
    # Who had it with the grant option and is to have it without has just lost it.
    lost = {one[:2] for one in taken}
    given = {
        Grant(one.thing, ALL) if one.thing in wanted.owned else one
        for one in wanted.grants - {one for one in have.grants if one[:2] not in lost}
        if one.thing not in have.owned
    }
    given |= {Grant(thing, ALL) for thing in wanted.unlisted - have.owned}
    for grantable, option in ((False, ""), (True, " WITH GRANT OPTION")):
        some = {one for one in given if one.grantable == grantable}
        yield from _grouped(some, f"GRANT {{}} ON {{}} TO {user}{option}")


def _grouped(grants: Iterable[Grant], statement: str) -> Iterator[tuple[str, bool]]:
    """As few statements as it takes, each with whether it is about something external."""
    by_thing: dict[Thing, set[str]] = defaultdict(set)
    for grant in grants:
        if not grant.privilege.startswith(UNKNOWN):
            by_thing[grant.thing].add(grant.privilege)
    alike: dict[tuple[str, bool, str], list[str]] = defaultdict(list)
    for thing, privileges in sorted(by_thing.items()):
        what = "ALL PRIVILEGES" if ALL in privileges else ", ".join(sorted(privileges))
        alike[thing.kind, thing.external, what].append(thing.name)
    for (kind, external, what), names in alike.items():
        most = 1 if external else _MOST
        for start in range(0, len(names), most):
            where = f"{kind} {', '.join(names[start : start + most])}"
            yield _filled(statement, what, where), external


def _filled(statement: str, what: str, where: str) -> str:
    """``statement`` may have braces in the user's name, too."""
    verb, _, rest = statement.partition("{}")
    joint, _, rest = rest.partition("{}")
    return f"{verb}{what}{joint}{where}{rest}"


def _attributes(wanted: Rights, have: Rights, user: str) -> Iterator[str]:
    for about, said in wanted.attributes.items():
        if about in have.attributes and have.attributes[about] != said:
            yield f"ALTER USER {user} {said}"
    for name in sorted(have.settings.keys() - wanted.settings.keys()):
        yield f"ALTER USER {user} RESET {name}"
    for name, said in sorted(wanted.settings.items()):
        if have.settings.get(name) != said:
            yield f"ALTER USER {user} SET {said}"
