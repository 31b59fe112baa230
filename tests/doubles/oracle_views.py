"""The dictionary views of the double of Oracle, filled with its present state; SQLite runs SELECTs.

Columns and meanings are those of the Database Reference's page of each view.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.doubles.oracle_bytes import OraError

if TYPE_CHECKING:
    from tests.doubles.oracle import Account, Oracle

Rows = Iterable[tuple[Any, ...]]
View = tuple[str, Callable[["Oracle", str], Rows]]


def _yes(said: object) -> str:
    return "YES" if said else "NO"


def _users(db: Oracle, _: str) -> Rows:
    for name, one in db.users.items():
        maintained = "Y" if one.maintained else "N"
        yield (name, db.status(name), one.space, one.temporary, one.profile, maintained)


def _grantees(db: Oracle) -> Iterable[tuple[str, Account]]:
    return [*db.users.items(), *db.roles.items()]


def _roles(db: Oracle, _: str) -> Rows:
    for name, one in _grantees(db):
        for role, admin in one.roles.items():
            yield (name, role, _yes(admin), _yes(one.starts_with(role)))


def _system(db: Oracle, _: str) -> Rows:
    for name, one in _grantees(db):
        for privilege, admin in one.system.items():
            yield (name, privilege, _yes(admin))


def _schemas(db: Oracle, _: str) -> Rows:
    for name, one in _grantees(db):
        for (privilege, schema), admin in one.schemas.items():
            yield (name, privilege, schema, _yes(admin))


def _objects(db: Oracle, _: str) -> Rows:
    for name, one in _grantees(db):
        for (privilege, owner, table), given in one.objects.items():
            kind = db.objects.get((owner, table), "TABLE")
            options = (_yes(given.grantable), _yes(given.hierarchy))
            yield (name, privilege, owner, table, given.grantor, *options, kind)


def _columns(db: Oracle, _: str) -> Rows:
    for name, one in _grantees(db):
        for (privilege, owner, table, column), given in one.columns.items():
            yield (name, privilege, owner, table, column, given.grantor, _yes(given.grantable))


def _quotas(db: Oracle, _: str) -> Rows:
    for name, one in db.users.items():
        for space, most in one.quotas.items():
            yield (name, space, most, "NO")


def _owned(db: Oracle, _: str) -> Rows:
    for (owner, name), kind in db.objects.items():
        yield (owner, name, kind)


def _limits(db: Oracle, who: str) -> Rows:
    return db.limits(db.users[who].profile).items()


def _privileges(db: Oracle, who: str) -> Rows:
    return [(privilege,) for privilege in sorted(db.held(who))]


def _own(rows: Callable[[Oracle, str], Rows]) -> Callable[[Oracle, str], Rows]:
    return lambda db, who: [row for row in rows(db, who) if row[0] == who]


_OF_ROLES = "granted_role, admin_option, default_role"
_OF_OBJECTS = "grantee, privilege, owner, table_name, grantor, grantable, hierarchy, type"
_OF_COLUMNS = "grantee, privilege, owner, table_name, column_name, grantor, grantable"
_OF_USERS = (
    "username, account_status, default_tablespace, temporary_tablespace, profile, oracle_maintained"
)
EVERYBODYS: dict[str, View] = {
    "dual": ("dummy", lambda _, __: [("X",)]),
    "user_users": (_OF_USERS, _own(_users)),
    "user_role_privs": (f"username, {_OF_ROLES}", _own(_roles)),
    "user_sys_privs": ("username, privilege, admin_option", _own(_system)),
    "user_schema_privs": ("username, privilege, schema, admin_option", _own(_schemas)),
    "user_tab_privs": (_OF_OBJECTS, _own(_objects)),
    "user_col_privs": (_OF_COLUMNS, _own(_columns)),
    "user_ts_quotas": ("username, tablespace_name, max_bytes, dropped", _own(_quotas)),
    "user_password_limits": ('resource_name, "limit"', _limits),
    "session_privs": ("privilege", _privileges),
}
ADMINS: dict[str, View] = {
    "dba_users": (_OF_USERS, _users),
    "dba_role_privs": (f"grantee, {_OF_ROLES}", _roles),
    "dba_sys_privs": ("grantee, privilege, admin_option", _system),
    "dba_schema_privs": ("grantee, privilege, schema, admin_option", _schemas),
    "dba_tab_privs": (_OF_OBJECTS, _objects),
    "dba_col_privs": (_OF_COLUMNS, _columns),
    "dba_ts_quotas": ("username, tablespace_name, max_bytes, dropped", _quotas),
    "dba_objects": ("owner, object_name, object_type", _owned),
    "proxy_users": ("proxy, client", lambda db, _: db.proxies),
    "dba_rsrc_consumer_group_privs": ("grantee, granted_group", lambda db, _: db.groups),
    "dba_host_aces": ("host, principal, privilege", lambda db, _: db.hosts),
    "v_pwfile_users": ("username", lambda db, _: [(name,) for name in db.password_file]),
}
# There from 23 on.
NEW = {"user_schema_privs", "dba_schema_privs"}


def query(db: Oracle, who: str, text: str, binds: list[Any]) -> tuple[list[str], Rows]:
    """Column names and rows."""
    text = re.sub(r"(?i)\bsys\.", "", text).replace("v_$", "v_")
    own = who.replace("'", "''")
    text = re.sub(r"(?i)^SELECT USER\b", lambda _: f"SELECT '{own}'", text)
    text = re.sub(r"(?i)\blimit\b", '"limit"', text)
    text = re.sub(r"'(?:[^']|'')*'|:\w+", lambda m: "?" if m[0][0] == ":" else m[0], text)
    views = {**EVERYBODYS, **(ADMINS if db.reads_dictionary(who) else {})}
    if db.version < (23,):
        views = {name: view for name, view in views.items() if name not in NEW}
    memory = sqlite3.connect(":memory:")
    memory.create_function("to_char", 1, lambda value: None if value is None else str(value))
    try:
        for name in set(re.findall(r"\w+", text.lower())) & set(views):
            columns, rows = views[name]
            marks = ",".join("?" * (columns.count(",") + 1))
            memory.execute(f"CREATE TABLE {name} ({columns})")
            memory.executemany(f"INSERT INTO {name} VALUES ({marks})", list(rows(db, who)))  # noqa: S608
        cursor = memory.execute(text, binds)
        return [column[0].upper() for column in cursor.description], cursor.fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise OraError(942, "table or view does not exist") from None
        raise OraError(900, f"invalid SQL statement ({error})") from None
    finally:
        memory.close()
