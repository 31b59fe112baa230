"""Which roles make an administrator, and what a rotation writes where the double cannot show it."""

from __future__ import annotations

from typing import Any

import pytest

from rotators.database.documentdb_engine import grant
from rotators.database.documentdb_roles import (
    ADMINISTRATIVE_ACTIONS,
    ADMINISTRATIVE_ROLES,
    Role,
    administrative,
)

Info = dict[str, Any]


def judge(*roles: Role, home: str = "admin", known: dict[Role, Info] | None = None) -> list[str]:
    asked: list[Role] = []

    def ask(unknown: list[Role]) -> list[Info]:
        asked.extend(unknown)
        return [(known or {})[role] for role in unknown if role in (known or {})]

    found = administrative(roles, home, ask)
    assert len(asked) == len(set(asked))
    return found


def role(name: str, *inherited: Role, privileges: object = (), **more: object) -> tuple[Role, Info]:
    made = Role(name, "admin")
    roles = [one.said for one in inherited]
    return made, {**made.said, "privileges": privileges, "roles": roles, **more}


def privilege(*actions: str, **resource: object) -> Info:
    return {"resource": resource or {"db": "app", "collection": ""}, "actions": list(actions)}


@pytest.mark.parametrize("name", sorted(ADMINISTRATIVE_ROLES))
@pytest.mark.parametrize("database", ["admin", "app"])
def test_an_administrative_role_is_one_in_every_database(name: str, database: str) -> None:
    assert judge(Role(name, database)) == [f"role {name}@{database}"]


@pytest.mark.parametrize("name", ["read", "readWrite", "dbAdmin", "dbOwner"])
def test_a_role_in_a_database_is_harmless_without_asking(name: str) -> None:
    assert judge(Role(name, "app"), known=None) == []


@pytest.mark.parametrize(
    "name",
    ["readAnyDatabase", "readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor", "read"],
)
def test_a_role_of_admins_is_harmless(name: str) -> None:
    assert judge(Role(name, "admin")) == []


@pytest.mark.parametrize(("database", "home"), [("admin", "app"), ("app", "app")])
def test_the_owner_of_where_users_are_defined_is_an_administrator(database: str, home: str) -> None:
    assert judge(Role("dbOwner", database), home=home) == [f"role dbOwner@{database}"]


def test_a_role_that_is_named_as_one_of_admins_is_looked_at() -> None:
    """In another database, anybody with createRole may have made it."""
    fake = Role("clusterMonitor", "app")
    found = judge(fake, known={fake: {**fake.said, "privileges": [privilege("grantRole")]}})
    assert found == ["role clusterMonitor@app (grantRole)"]


@pytest.mark.parametrize("action", sorted(ADMINISTRATIVE_ACTIONS))
def test_an_administrative_action_makes_an_administrator(action: str) -> None:
    one, info = role("one", privileges=[privilege("find"), privilege("insert", action)])
    assert judge(one, known={one: info}) == [f"role one@admin ({action})"]


@pytest.mark.parametrize("action", ["changeOwnPassword", "changeOwnCustomData", "find", "viewUser"])
def test_what_is_ones_own_makes_none(action: str) -> None:
    one, info = role("one", privileges=[privilege(action, db="", collection="")])
    assert judge(one, known={one: info}) == []


SYSTEM = {
    "users": {"db": "admin", "collection": "system.users"},
    "roles": {"db": "admin", "collection": "system.roles"},
    "of any database": {"db": "", "collection": "system.users"},
    "everything": {"anyResource": True},
}


@pytest.mark.parametrize("resource", SYSTEM.values(), ids=SYSTEM)
def test_whoever_reaches_the_systems_collections_is_an_administrator(resource: Info) -> None:
    one, info = role("one", privileges=[privilege("find", **resource)])
    (found,) = judge(one, known={one: info})
    assert found.startswith("role one@admin (find on ")


def test_roles_are_followed_in_circles_and_for_ever() -> None:
    chain = [Role(f"r{number}", "admin") for number in range(150)]
    known = dict(
        role(one.name, following)
        for one, following in zip(chain, [*chain[1:], chain[0]], strict=True)
    )
    assert judge(chain[0], known=known) == []
    known.update([role("r149", Role("root", "admin"))])
    assert judge(chain[0], known=known) == ["role root@admin"]


def test_what_is_only_inherited_counts() -> None:
    one, info = role("one", inheritedPrivileges=[privilege("createUser")])
    assert judge(one, known={one: info}) == ["role one@admin (createUser)"]
    other, info = role("other", inheritedRoles=[Role("restore", "admin").said])
    assert judge(other, known={other: info}) == ["role restore@admin"]


def test_a_role_that_is_not_shown_counts() -> None:
    one, info = role("one")
    del info["privileges"]
    assert judge(one, known={one: info}) == [
        "role one@admin, of which the server shows no privileges"
    ]


def test_a_role_that_is_gone_gives_nothing() -> None:
    assert judge(Role("gone", "admin"), known={}) == []


def test_a_statement_for_people_is_quoted() -> None:
    said = grant('a"b', 'x"); db.dropDatabase("', Role("r'\\", "d\n"))
    assert said == (
        'db.getSiblingDB("a\\"b").grantRolesToUser("x\\"); db.dropDatabase(\\"",'
        ' [{"role": "r\'\\\\", "db": "d\\n"}])'
    )
