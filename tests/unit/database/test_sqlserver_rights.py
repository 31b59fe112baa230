"""Rights of SQL Server as values, and statements about them; errors by their numbers."""

from __future__ import annotations

import pytest

from rotators import errors
from rotators.database.sqlserver_errors import (
    Message,
    login_refused,
    statement_failed,
)
from rotators.database.sqlserver_rights import (
    HARMLESS,
    ROLE,
    Change,
    Right,
    administrative_in_database,
    administrative_on_server,
    changes,
    lacking,
    strongest,
)
from rotators.database.sqlserver_statements import compose, literal, quoted

SELECT = Right(1, 7, 0, "SELECT", "G")
READERS = Right(ROLE, 16390, 0, "readers", "M")


def test_names_and_values_are_quoted() -> None:
    assert quoted("a]; DROP LOGIN [sa") == "[a]]; DROP LOGIN [sa]"
    assert literal("it's {} %s") == "N'it''s {} %s'"
    said = compose("ALTER LOGIN {} WITH PASSWORD = {}", quoted("{x} %s"), "'; DROP LOGIN sa --")
    assert said == "ALTER LOGIN [{x} %s] WITH PASSWORD = N'''; DROP LOGIN sa --'"


@pytest.mark.parametrize("text", ["vic\\\ntim", "vic\\\r\ntim", "vic\0tim"])
def test_a_literal_that_the_server_would_read_as_another_is_refused(text: str) -> None:
    with pytest.raises(errors.MisconfiguredSecret):
        literal(text)


@pytest.mark.parametrize(
    ("wanted", "there", "verbs"),
    [
        ({SELECT}, set(), ["GRANT"]),
        (set(), {SELECT}, ["REVOKE"]),
        ({SELECT}, {SELECT._replace(state="D")}, ["GRANT"]),
        ({SELECT._replace(state="D")}, {SELECT}, ["DENY"]),
        ({SELECT._replace(state="W")}, {SELECT}, ["GRANT WITH OPTION"]),
        ({SELECT}, {SELECT._replace(state="W")}, ["REVOKE OPTION"]),
        ({READERS}, set(), ["ADD"]),
        (set(), {READERS}, ["DROP"]),
        ({SELECT, SELECT._replace(minor=2, state="R")}, set(), ["GRANT", "REVOKE"]),
        ({SELECT}, {SELECT, SELECT._replace(minor=2, state="R")}, ["REVOKE"]),
        ({SELECT, READERS}, {SELECT, READERS}, []),
    ],
)
def test_what_makes_the_one_into_the_other(
    wanted: set[Right], there: set[Right], verbs: list[str]
) -> None:
    assert [c.verb for c in changes(frozenset(wanted), frozenset(there))] == verbs


def test_what_takes_away_comes_first() -> None:
    denied = Right(1, 8, 0, "SELECT", "D")
    made = changes(frozenset({SELECT, READERS, denied}), frozenset({Right(3, 5, 0, "ALTER", "G")}))
    assert [change.verb for change in made] == ["REVOKE", "DENY", "ADD", "GRANT"]


@pytest.mark.parametrize(
    ("change", "on", "expected"),
    [
        (Change("GRANT", SELECT), "OBJECT::[s].[t]", "GRANT SELECT ON OBJECT::[s].[t] TO [a]]b]"),
        (Change("DENY", SELECT), "SCHEMA::[s]", "DENY SELECT ON SCHEMA::[s] TO [a]]b] CASCADE"),
        (Change("REVOKE", SELECT), "", "REVOKE SELECT FROM [a]]b] CASCADE"),
        (
            Change("REVOKE OPTION", SELECT),
            "OBJECT::[{t}]",
            "REVOKE GRANT OPTION FOR SELECT ON OBJECT::[{t}] FROM [a]]b] CASCADE",
        ),
        (Change("ADD", READERS), "", "ALTER ROLE [readers] ADD MEMBER [a]]b]"),
    ],
)
def test_statements(change: Change, on: str, expected: str) -> None:
    assert change.statement(on, "a]b", server=False) == expected


def test_a_server_role_is_said() -> None:
    said = Change("DROP", READERS).statement("", "x", server=True)
    assert said == "ALTER SERVER ROLE [readers] DROP MEMBER [x]"


def test_lacking_knows_the_stronger_and_the_denied() -> None:
    strong, denied = SELECT._replace(state="W"), SELECT._replace(major=9, state="D")
    assert lacking(frozenset({SELECT}), frozenset({strong})) == []
    assert lacking(frozenset({strong}), frozenset({SELECT})) == [strong]
    assert lacking(frozenset(), frozenset({denied})) == [denied]
    assert lacking(frozenset({denied}), frozenset()) == []


def test_of_several_grantors_rights_the_strongest_counts() -> None:
    given, denied = SELECT._replace(state="W"), SELECT._replace(state="D")
    assert strongest([given, SELECT, READERS]) == {given, READERS}
    assert strongest([denied, given, SELECT]) == {denied}
    assert changes(strongest([SELECT, given]), frozenset({given})) == []


def test_owning_is_as_good_as_control() -> None:
    owned = Right(3, 5, 0, "CONTROL", "O")
    control = owned._replace(state="G")
    assert lacking(frozenset({owned}), frozenset()) == [owned]
    for one, other in ((owned, control), (control, owned), (owned, owned)):
        assert lacking(frozenset({one}), frozenset({other})) == []


def test_an_owner_lacks_nothing() -> None:
    owned = SELECT._replace(name="CONTROL", state="O")
    denied, elsewhere = SELECT._replace(minor=2, state="D"), SELECT._replace(major=8)
    assert lacking(frozenset({SELECT, elsewhere}), frozenset({owned, denied})) == [elsewhere]


def test_owning_becomes_control_and_is_left_alone() -> None:
    owned = Right(3, 5, 0, "CONTROL", "O")
    control, grant = owned._replace(state="G"), owned._replace(state="W")
    assert changes(frozenset({owned}), frozenset()) == [Change("GRANT", control)]
    for wanted, there in (({owned}, control), ({owned, grant}, grant), (set(), owned)):
        assert changes(frozenset(wanted), frozenset({there})) == []
    assert changes(frozenset({control}), frozenset({owned})) == []


@pytest.mark.parametrize(
    "name",
    [
        "CONTROL SERVER", "ALTER ANY LOGIN", "IMPERSONATE ANY LOGIN", "ALTER ANY CREDENTIAL",
        "UNSAFE ASSEMBLY", "ADMINISTER BULK OPERATIONS", "CONNECT ANY DATABASE",
        "of a later version",
    ],
)  # fmt: skip
def test_permissions_of_the_server_that_nobody_lends(name: str) -> None:
    for state, found in {"G": {name}, "W": {name}, "O": {name}, "D": set()}.items():
        assert administrative_on_server([Right(100, 0, 0, name, state)]) == found


@pytest.mark.parametrize(
    ("role", "number"),
    [("sysadmin", 3), ("securityadmin", 4), ("serveradmin", 5), ("setupadmin", 6),
     ("processadmin", 7), ("dbcreator", 9), ("bulkadmin", 10), ("##MS_LoginManager##", 12)],
)  # fmt: skip
def test_fixed_roles_that_nobody_lends(role: str, number: int) -> None:
    assert administrative_on_server([Right(ROLE, number, 0, role, "M")]) == {role}


def test_harmless_rights_and_roles_that_people_made() -> None:
    rights = [Right(100, 0, 0, name, "G") for name in HARMLESS]
    assert administrative_on_server([*rights, Right(ROLE, 300, 0, "team", "M")]) == set()


@pytest.mark.parametrize("name", ["db_owner", "db_securityadmin", "CONTROL", "IMPERSONATE"])
def test_rights_in_a_database_that_leads_outside(name: str) -> None:
    found = administrative_in_database([Right(ROLE, 16384, 0, name, "M")], "msdb")
    assert found == {f"{name} in msdb"}


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([18456], errors.LoginRefused),
        ([4060, 18456], errors.PermissionMissing),
        ([18486], errors.AccountLocked),
        ([18487], errors.AccountLocked),
        ([18488], errors.AccountLocked),
        ([18470], errors.AccountLocked),
        ([18461], errors.ServerUnreachable),
    ],
)
def test_logins_end_by_number(numbers: list[int], kind: type[errors.RotationError]) -> None:
    assert type(login_refused([Message(n, 14, "said") for n in numbers])) is kind


def test_a_login_that_the_server_did_not_end() -> None:
    assert login_refused([]) is None
    assert login_refused([Message(18456, 10, "only information")]) is None


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *((number, errors.ValueRefused) for number in (103, *range(15114, 15120))),
        *((number, errors.PermissionMissing) for number in (229, 916, 15151, 15247, 15517, 4613)),
        (3906, errors.ReadOnlyServer),
        (15025, errors.ForbiddenTarget),
        (1222, errors.ServerUnreachable),
        (102, errors.UnexpectedError),
    ],
)
def test_statements_end_by_number(number: int, kind: type[errors.RotationError]) -> None:
    error = statement_failed([Message(number, 15, "near 'hunter2'")], "")
    assert type(error) is kind
    assert str(number) in error.found
    assert error.cure
    if number in {102, 103}:
        assert "hunter2" not in str(error)


def test_silence_is_no_refusal() -> None:
    assert type(statement_failed([], "the connection failed")) is errors.ServerUnreachable
