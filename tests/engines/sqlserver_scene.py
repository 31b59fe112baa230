"""What tests ask SQL Server of, beside the code under test: a double or a real one."""

# ruff: noqa: S608  # the names in statements are the tests' own

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rotators.settings import StrategyName
from tests.engines.sqlserver_target import Server, SQLServerTarget

if TYPE_CHECKING:
    from rotators.errors import RotationError
    from rotators.testing.bench import Bench

ALTERNATING = StrategyName.ALTERNATING_USERS
_STATE = (
    "SELECT name, CONVERT(varchar(600), password_hash, 2), is_disabled FROM sys.sql_logins",
    "SELECT * FROM sys.server_permissions",
    "SELECT * FROM sys.server_role_members",
)


def state(server: Server) -> list[Any]:
    """All that the double knows of its principals; of a real server, what is the server's."""
    model = server.model
    if model is None:
        return [sorted(map(repr, server.execute(sql))) for sql in _STATE]
    everybody = [model.logins, model.roles, *(db.principals for db in model.databases.values())]
    return [
        sorted(repr({**one.__dict__, "members": sorted(one.members)}) for one in each.values())
        for each in everybody
    ]


@contextmanager
def nothing_changes(server: Server, kind: type[RotationError], said: str) -> Iterator[None]:
    before = state(server)
    with pytest.raises(kind, match=said) as caught:
        yield
    assert caught.value.cure
    assert state(server) == before


def target(bench: Bench) -> SQLServerTarget:
    assert isinstance(bench.target, SQLServerTarget)
    return bench.target


def rights(bench: Bench, login: str, database: str | None = None) -> tuple[Any, ...]:
    """Roles and permissions of a login's user, by name; on the server for database ''."""
    server = target(bench).server
    where = target(bench).database if database is None else database
    scope, name = "database" if where else "server", login.replace("'", "''")
    asked = f"SELECT p.principal_id FROM sys.{scope}_principals p WHERE p.name = N'{name}'"
    if where and not target(bench).contained:
        asked = (
            "SELECT p.principal_id FROM sys.database_principals p JOIN sys.server_principals l"
            f" ON l.sid = p.sid WHERE l.name = N'{name}'"
        )
    found = server.execute(asked, where or "master")
    if not found:
        return ()
    ((number,),) = found
    roles = server.execute(
        f"SELECT r.name FROM sys.{scope}_role_members m JOIN sys.{scope}_principals r"
        f" ON r.principal_id = m.role_principal_id WHERE m.member_principal_id = {number}",
        where or "master",
    )
    permissions = server.execute(
        "SELECT p.class, p.major_id, p.minor_id, p.permission_name, p.state"
        f" FROM sys.{scope}_permissions p WHERE p.grantee_principal_id = {number}",
        where or "master",
    )
    return sorted(roles), sorted(permissions)


def schema_of(server: Server, login: str, database: str) -> str:
    """The default schema of a login's user."""
    ((schema,),) = server.execute(
        "SELECT u.default_schema_name FROM sys.database_principals u JOIN sys.server_principals l"
        f" ON l.sid = u.sid WHERE l.name = N'{login}'",
        database,
    )
    return str(schema)


def login_options(server: Server, login: str) -> tuple[Any, ...]:
    (row,) = server.execute(
        "SELECT default_database_name, default_language_name, is_policy_checked,"
        f" is_expiration_checked FROM sys.sql_logins WHERE name = N'{login}'"
    )
    return row


def has_login(server: Server, login: str) -> bool:
    name = login.replace("'", "''")
    return bool(server.execute(f"SELECT name FROM sys.sql_logins WHERE name = N'{name}'"))
