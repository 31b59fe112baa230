"""What an alternate of SQL Server's gets, what it cannot get, and whose code runs meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pysqlbridge.tds.result import QueryError

from rotators.errors import (
    ForbiddenTarget,
    PermissionMissing,
    StrategyUnavailable,
)
from rotators.request import Step
from tests.doubles.sqlserver_state import Trigger
from tests.engines.sqlserver_scene import (
    ALTERNATING,
    login_options,
    nothing_changes,
    rights,
    schema_of,
    target,
)
from tests.engines.sqlserver_target import Server, any_server, bench_on, new_password, the_double
from tests.engines.test_postgresql_gaps import played

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from rotators.testing.certificates import Certificates


@pytest.fixture
def server(certificates: Certificates) -> Iterator[Server]:
    with any_server(certificates) as server:
        yield server


@pytest.fixture
def pairs(server: Server) -> Iterator[Bench]:
    with bench_on(server, ALTERNATING) as bench:
        yield bench


@pytest.fixture
def victim(server: Server) -> tuple[str, str]:
    name, password = f"victim_{secrets.token_hex(4)}", new_password()
    server.execute(f"CREATE LOGIN [{name}] WITH PASSWORD = N'{password}'")
    return name, password


def resetting(victim: str) -> str:
    return f"ALTER LOGIN [{victim}] WITH PASSWORD = N'{new_password()}'"


def plant(
    bench: Bench,
    body: str,
    database: str | None = None,
    events: str = "DDL_DATABASE_SECURITY_EVENTS",
) -> None:
    target(bench).do(f"CREATE TRIGGER [planted] ON DATABASE FOR {events} AS {body}", database)


def second_database(bench: Bench, *logins: str) -> str:
    """Where these and the admin have users by their own names."""
    name = f"other_{secrets.token_hex(4)}"
    admin = bench.target.admin["username"]  # type: ignore[index]
    bench.target.server.execute(f"CREATE DATABASE [{name}]")  # type: ignore[attr-defined]
    for login in (admin, *logins):
        target(bench).do(f"CREATE USER [{login}] FOR LOGIN [{login}]", name)
    target(bench).do(f"ALTER ROLE [db_owner] ADD MEMBER [{admin}]", name)
    return name


# ── whose code runs with the admin's rights ──


def test_a_planted_trigger_takes_nobody_over(
    server: Server, pairs: Bench, victim: tuple[str, str]
) -> None:
    arn, old = pairs.secret()
    plant(pairs, resetting(victim[0]))
    token = pairs.driver.start(arn)
    with nothing_changes(server, ForbiddenTarget, r"DDL triggers.*: planted"):
        pairs.driver.retry(arn, token)
    assert server.can_log_in(*victim, "master")
    target(pairs).do("DISABLE TRIGGER [planted] ON DATABASE")
    pairs.driver.retry(arn, token)
    assert rights(pairs, old["username"]) == rights(pairs, f"{old['username']}_clone")


def test_a_trigger_that_is_planted_between_look_and_change_takes_nobody_over(
    server: Server, pairs: Bench, victim: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rotators.database.sqlserver_catalog import Catalog

    arn, old = pairs.secret()
    real = Catalog.triggers

    def look(*args: Any) -> list[str]:
        if not real(*args):
            plant(pairs, resetting(victim[0]))
        return []

    monkeypatch.setattr(Catalog, "triggers", look)
    with pytest.raises(PermissionMissing):
        pairs.driver.rotate(arn)
    assert server.can_log_in(*victim, "master")
    assert pairs.current(arn) == old


def test_a_trigger_elsewhere_forbids_what_would_change_there(
    server: Server, pairs: Bench, victim: tuple[str, str]
) -> None:
    arn, old = pairs.secret()
    other = second_database(pairs, old["username"])
    plant(pairs, resetting(victim[0]), other)
    with nothing_changes(server, ForbiddenTarget, f"{other!r} has DDL triggers"):
        pairs.driver.rotate(arn)
    assert server.can_log_in(*victim, "master")


@pytest.mark.parametrize("event", ["CREATE_USER", "ADD_ROLE_MEMBER", "GRANT_DATABASE"])
def test_a_trigger_on_one_of_the_changes_forbids_them(
    server: Server, pairs: Bench, event: str
) -> None:
    arn, _ = pairs.secret()
    plant(pairs, "PRINT N'audited'", events=f"DROP_TABLE, {event}")
    with nothing_changes(server, ForbiddenTarget, "DDL triggers"):
        pairs.driver.rotate(arn)


def test_a_trigger_that_no_change_runs_is_none_of_ours(pairs: Bench) -> None:
    arn, old = pairs.secret()
    events = "DROP_TABLE, ALTER_TABLE, CREATE_SCHEMA, CREATE_ROLE, DROP_USER"
    plant(pairs, "PRINT N'audited'", events=events)
    pairs.driver.rotate(arn)
    assert rights(pairs, old["username"]) == rights(pairs, f"{old['username']}_clone") != ()


def test_a_trigger_where_nothing_has_to_change_is_none_of_ours(pairs: Bench) -> None:
    arn, _ = pairs.secret()
    for _ in range(2):
        pairs.driver.rotate(arn)
    plant(pairs, "PRINT N'audited'")
    pairs.driver.rotate(arn)


def test_a_trigger_runs_for_no_contained_user(server: Server, victim: tuple[str, str]) -> None:
    with bench_on(server, ALTERNATING, contained=True) as bench:
        arn, _ = bench.secret()
        plant(bench, resetting(victim[0]))
        with nothing_changes(server, ForbiddenTarget, "DDL triggers"):
            bench.driver.rotate(arn)
    assert server.can_log_in(*victim, "master")


def test_double_what_the_server_itself_left_in_a_database_is_no_trigger(
    server: Server, pairs: Bench
) -> None:
    arn, _ = pairs.secret()
    database = the_double(server).databases[target(pairs).database]
    database.triggers["tr_MScdc_ddl_event"] = Trigger(
        "PRINT N''", ("GRANT_DATABASE",), shipped=True
    )
    pairs.driver.rotate(arn)


def test_in_a_trustworthy_database_nobody_becomes_its_owner(server: Server, pairs: Bench) -> None:
    """Who is sa, and would be so everywhere."""
    arn, _ = pairs.secret()
    server.execute(f"ALTER DATABASE [{target(pairs).database}] SET TRUSTWORTHY ON")
    if server.model:
        server.model.asked.clear()
    pairs.driver.rotate(arn)
    if server.model:
        assert not [batch for batch in server.model.asked if "EXECUTE AS" in batch]


# ── what somebody owns ──


def owns(bench: Bench, login: str, what: str) -> str:
    """Makes a SCHEMA, ROLE, or TABLE that the login's user owns; as GRANT names it."""
    mine = f"mine_{secrets.token_hex(4)}"
    named = f"[dbo].[{mine}]" if what == "TABLE" else f"[{mine}]"
    on = f"{'OBJECT' if what == 'TABLE' else what}::{named}"
    user = f"{login}_user" if "_clone" not in login else login
    target(bench).do(f"CREATE {what} {named}{' ([x] int)' if what == 'TABLE' else ''}")
    target(bench).do(f"ALTER AUTHORIZATION ON {on} TO [{user}]")
    return on


@pytest.mark.parametrize("what", ["SCHEMA", "ROLE", "TABLE"])
def test_what_the_base_owns_the_alternate_controls(pairs: Bench, what: str) -> None:
    arn, old = pairs.secret()
    owns(pairs, old["username"], what)
    own = rights(pairs, old["username"])
    for _ in range(3):
        pairs.driver.rotate(arn)
    assert rights(pairs, old["username"]) == own
    roles, permissions = rights(pairs, f"{old['username']}_clone")
    (more,) = set(permissions) - set(own[1])
    assert (roles, more[3:]) == (own[0], ("CONTROL", "G"))


def test_what_the_alternate_owns_the_base_has_to_control(pairs: Bench) -> None:
    """Which is no right to be given to the alternate in its turn."""
    arn, old = pairs.secret()
    pairs.driver.rotate(arn)
    on = owns(pairs, f"{old['username']}_clone", "SCHEMA")
    token = pairs.driver.start(arn)
    with pytest.raises(PermissionMissing, match=r"GRANT CONTROL ON SCHEMA::\[mine_"):
        pairs.driver.retry(arn, token)
    target(pairs).do(f"GRANT CONTROL ON {on} TO [{old['username']}_user]")
    pairs.driver.retry(arn, token)
    pairs.driver.rotate(arn)


def test_who_owns_a_server_role_is_powerful(server: Server, pairs: Bench) -> None:
    arn, old = pairs.secret()
    role = f"mine_{secrets.token_hex(4)}"
    server.execute(f"CREATE SERVER ROLE [{role}]")
    server.execute(f"ALTER AUTHORIZATION ON SERVER ROLE::[{role}] TO [{old['username']}]")
    with nothing_changes(server, ForbiddenTarget, "administrative rights: .*CONTROL"):
        pairs.driver.rotate(arn)


def test_who_owns_something_in_a_trustworthy_database_is_powerful(
    server: Server, pairs: Bench
) -> None:
    arn, old = pairs.secret()
    owns(pairs, old["username"], "SCHEMA")
    server.execute(f"ALTER DATABASE [{target(pairs).database}] SET TRUSTWORTHY ON")
    with nothing_changes(server, ForbiddenTarget, "CONTROL in "):
        pairs.driver.rotate(arn)


def test_what_awscurrent_owns_fails_the_test_unless_the_other_controls_it(pairs: Bench) -> None:
    arn, old, token = played(pairs, Step.CREATE, Step.SET)
    target(pairs).do("CREATE SCHEMA [mine]")
    target(pairs).do(f"ALTER AUTHORIZATION ON SCHEMA::[mine] TO [{old['username']}_user]")
    with pytest.raises(PermissionMissing, match=r"GRANT CONTROL ON SCHEMA::\[mine\]"):
        pairs.driver.step(arn, token, Step.TEST)
    target(pairs).do(f"GRANT CONTROL ON SCHEMA::[mine] TO [{old['username']}_clone]")
    pairs.driver.step(arn, token, Step.TEST)


def test_a_databases_owner_has_an_alternate(server: Server, pairs: Bench) -> None:
    """Which becomes a member of the owners' role; what dbo owns is not listed."""
    arn, old = pairs.secret()
    other = second_database(pairs)
    if server.model:
        login = server.model.logins[old["username"]]
        server.model.databases[other].principals["dbo"].sid = login.sid
    else:
        server.execute(f"ALTER AUTHORIZATION ON DATABASE::[{other}] TO [{old['username']}]")
    pairs.driver.rotate(arn)
    assert rights(pairs, f"{old['username']}_clone", other)[0] == [("db_owner",)]


def test_a_read_only_database_has_the_alternate_already_or_forbids_it(
    server: Server, pairs: Bench
) -> None:
    arn, old = pairs.secret()
    archive = second_database(pairs, old["username"])
    target(pairs).do(f"ALTER ROLE [db_datareader] ADD MEMBER [{old['username']}]", archive)
    said = f"ALTER DATABASE [{archive}] SET"
    server.execute(f"{said} READ_ONLY WITH ROLLBACK IMMEDIATE")
    match = f"read-only database: in {archive}: CREATE USER.*db_datareader.*ADD MEMBER"
    token = pairs.driver.start(arn)
    with nothing_changes(server, StrategyUnavailable, match):
        pairs.driver.retry(arn, token)
    server.execute(f"{said} READ_WRITE")
    pairs.driver.retry(arn, token)
    server.execute(f"{said} READ_ONLY WITH ROLLBACK IMMEDIATE")
    for _ in range(2):
        pairs.driver.rotate(arn)


@pytest.mark.parametrize("copy", ["snapshot", "standby"])
def test_double_a_copy_of_a_database_is_left_out(server: Server, pairs: Bench, copy: str) -> None:
    arn, old = pairs.secret()
    found = the_double(server).databases[second_database(pairs, old["username"])]
    found.read_only = True
    found.source, found.standby = (1, False) if copy == "snapshot" else (None, True)
    for _ in range(2):
        pairs.driver.rotate(arn)


def test_rights_that_are_lost_in_a_read_only_database_fail_the_test(
    server: Server, pairs: Bench
) -> None:
    arn, old = pairs.secret()
    archive = second_database(pairs, old["username"])
    token = pairs.driver.start(arn)
    for step in (Step.CREATE, Step.SET):
        pairs.driver.step(arn, token, step.value)
    target(pairs).do(f"ALTER ROLE [db_datareader] ADD MEMBER [{old['username']}]", archive)
    server.execute(f"ALTER DATABASE [{archive}] SET READ_ONLY WITH ROLLBACK IMMEDIATE")
    with pytest.raises(PermissionMissing, match=f"in {archive}: .*db_datareader"):
        pairs.driver.step(arn, token, Step.TEST)


# ── what an admin has to see ──


@pytest.mark.parametrize("hidden", ["VIEW ANY DEFINITION", "VIEW ANY DATABASE"])
def test_an_admin_that_does_not_see_who_is_powerful_touches_nobody(
    server: Server, pairs: Bench, hidden: str
) -> None:
    arn, old = pairs.secret()
    admin = pairs.target.admin["username"]  # type: ignore[index]
    role = f"role_{secrets.token_hex(4)}"
    server.execute(f"CREATE SERVER ROLE [{role}]")
    server.execute(f"GRANT CONTROL SERVER TO [{role}]")
    server.execute(f"ALTER SERVER ROLE [{role}] ADD MEMBER [{old['username']}]")
    server.execute(f"DENY {hidden} TO [{admin}]")
    with nothing_changes(server, PermissionMissing, f"without {hidden}"):
        pairs.driver.rotate(arn)


# ── what changes between rotations ──


def test_properties_and_databases_that_the_base_gets_later_are_its_alternates(
    server: Server, pairs: Bench
) -> None:
    arn, old = pairs.secret()
    name, clone = old["username"], f"{old['username']}_clone"
    for _ in range(2):
        pairs.driver.rotate(arn)
    target(pairs).do("CREATE SCHEMA [s]")
    target(pairs).do(f"ALTER USER [{name}_user] WITH DEFAULT_SCHEMA = [s]")
    server.execute(f"ALTER LOGIN [{name}] WITH DEFAULT_DATABASE = [{target(pairs).database}]")
    other = second_database(pairs, name)
    target(pairs).do(f"ALTER ROLE [db_datareader] ADD MEMBER [{name}]", other)
    pairs.driver.rotate(arn)
    assert schema_of(server, clone, target(pairs).database) == "s"
    assert login_options(server, clone) == login_options(server, name)
    assert rights(pairs, clone, other) == rights(pairs, name, other)
    assert rights(pairs, clone, other)[0] == [("db_datareader",)]


def test_properties_of_a_contained_user_are_its_alternates(server: Server) -> None:
    asked = "SELECT default_schema_name, default_language_name FROM sys.database_principals"
    with bench_on(server, ALTERNATING, contained=True) as bench:
        arn, old = bench.secret()
        where = target(bench).database
        for _ in range(2):
            bench.driver.rotate(arn)
        target(bench).do("CREATE SCHEMA [s]")
        said = "DEFAULT_SCHEMA = [s], DEFAULT_LANGUAGE = [Deutsch]"
        target(bench).do(f"ALTER USER [{old['username']}] WITH {said}")
        bench.driver.rotate(arn)
        for name in (old["username"], f"{old['username']}_clone"):
            found = server.execute(f"{asked} WHERE name = N'{name}'", where)
            assert found == [("s", "Deutsch")]


@pytest.mark.parametrize("stronger", ["W", "D"])
def test_double_of_two_grantors_the_stronger_counts(
    server: Server, pairs: Bench, stronger: str
) -> None:
    arn, old = pairs.secret()
    database = the_double(server).databases[target(pairs).database]
    user = f"{old['username']}_user"
    target(pairs).do(f"GRANT INSERT ON OBJECT::[dbo].[t] TO [{user}]")
    ((number, _),) = database.objects.values()
    place = (1, number, 0, "INSERT")
    database.principals[user].others_gave.append((place, stronger))
    for _ in range(3):
        pairs.driver.rotate(arn)
    clone = database.principals[f"{old['username']}_clone"]
    assert clone.permissions[place] == stronger


# ── the double ──


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE LOGIN [x] WITH PASSWORD = N'{}', DEFAULT_SCHEMA = [dbo]",
        "CREATE LOGIN [x] WITH PASSWORD = N'{}' DEFAULT_DATABASE = [master]",
        "CREATE LOGIN [x] WITH PASSWORD = N'{}', CHECK_POLICY = [ON]",
        "CREATE LOGIN [x] WITH PASSWORD = [{}]",
        "ALTER LOGIN [sa] WITH PASSWORD = N'{}', OWNER = [x]",
        "ALTER LOGIN [sa] WITH PASSWORD = N'{}',",
        "ALTER LOGIN [sa] PASSWORD = N'{}'",
        "CREATE USER [x] FOR LOGIN [sa] WITH DEFAULT_DATABASE = [master]",
        "CREATE USER [x] FOR LOGIN [sa] DEFAULT_SCHEMA = [dbo]",
        "CREATE USER [x] FOR [sa]",
        "ALTER USER [dbo] WITH DEFAULT_DATABASE = [master]",
        "ALTER USER [dbo] WITH DEFAULT_SCHEMA = [dbo] [more]",
    ],
)
def test_double_what_is_no_option_is_no_statement(server: Server, statement: str) -> None:
    the_double(server)
    with pytest.raises(QueryError) as caught:
        server.execute(statement.format(new_password()))
    assert caught.value.number == 102
