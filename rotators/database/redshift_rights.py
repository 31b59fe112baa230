"""What a user of Redshift has of its own, and the statements that make another user's the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rotators.database.redshift_kinds import ALL, Default, Grant, Membership, Permission, Thing
from rotators.database.redshift_statements import identifier

_MOST = 100  # objects in one statement
_Right = Grant | Membership | Permission | Default


@dataclass(frozen=True)
class Rights:
    """Everything that one user has of its own: not what PUBLIC, groups and roles give it."""

    grants: frozenset[Grant] = frozenset()
    memberships: frozenset[Membership | Permission] = frozenset()
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
    found = map(str, _beyond(wanted, have, *pair))
    return sorted([*found, *(wanted.powers() - have.powers())])


def unsayable(wanted: Rights, have: Rights, *pair: str) -> list[str]:
    """What ``changes`` would have to give or to take, and no statement is known for."""
    given = _beyond(wanted, have, *pair)
    taken = have.memberships - wanted.memberships
    return sorted(str(one) for one in (*given, *taken) if not one.can_be_said)


def _beyond(wanted: Rights, have: Rights, *pair: str) -> Iterator[_Right]:
    for grant in wanted.grants - have.grants:
        if grant.thing not in wanted.owned | have.owned:
            yield grant
    yield from wanted.memberships - have.memberships
    yield from (one for one in wanted.defaults - have.defaults if not one.between(*pair))


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
    inside += [one.take(user) for one in sorted(have.memberships - wanted.memberships)]
    inside += [one.give(user) for one in sorted(wanted.memberships - have.memberships)]
    had, due = (
        {one for one in rights.defaults if not one.between(username, other)}
        for rights in (have, wanted)
    )
    # A letter that is unknown goes with all the others, and what is due comes back.
    all_of = {one.all_of_it() for one in had - due if not one.can_be_said}
    had = {one for one in had if one.all_of_it() not in all_of} | all_of
    inside += [one.take(user) for one in sorted(had - due)]
    inside += [one.give(user) for one in sorted(due - had)]
    grants = list(_grants(wanted, have, user))
    inside += [said for said, external in grants if not external]
    return inside, [said for said, external in grants if external]


def _grants(wanted: Rights, have: Rights, user: str) -> Iterator[tuple[str, bool]]:
    taken = {one for one in have.grants - wanted.grants if one.thing not in have.owned}
    # As with default privileges.
    cleared = {one.thing for one in taken if not one.can_be_said}
    taken = {Grant(one.thing, ALL) if one.thing in cleared else one for one in taken}
    yield from _grouped(taken, f"REVOKE {{}} ON {{}} FROM {user}")
    # Who had it with the grant option and is to have it without has just lost it.
    lost = {one[:2] for one in taken}
    given = {
        Grant(one.thing, ALL) if one.thing in wanted.owned else one
        for one in wanted.grants
        - {one for one in have.grants if one[:2] not in lost and one.thing not in cleared}
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
