"""What the double of SQL Server holds: logins, databases, users, roles, permissions."""

from __future__ import annotations

import itertools
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from pysqlbridge.tds.result import QueryError

FIXED_SERVER = {
    name: number
    for number, name in enumerate(
        (
            "sysadmin", "securityadmin", "serveradmin", "setupadmin", "processadmin", "diskadmin",
            "dbcreator", "bulkadmin",
        ),
        3,
    )
}  # fmt: skip
FIXED_DATABASE = {
    "db_owner": 16384, "db_accessadmin": 16385, "db_securityadmin": 16386, "db_ddladmin": 16387,
    "db_backupoperator": 16389, "db_datareader": 16390, "db_datawriter": 16391,
}  # fmt: skip
FIRST_MADE = 256  # of the principals on the server, but for sa and what it came with
# class, major, minor, permission → state
Permissions = dict[tuple[int, int, int, str], str]


def failed(number: int, text: str) -> QueryError:
    return QueryError(text, number=number, severity=14)


def missing(what: str, name: str) -> QueryError:
    """15151: one answer for what does not exist and what may not be touched."""
    text = f"Cannot {what} '{name}', because it does not exist or you do not have permission."
    return failed(15151, text)


def require_policy(name: str, password: str) -> None:
    """CHECK_POLICY: 8 characters, three of four kinds, not the name inside."""
    if len(password) > 128:
        text = f"The identifier that starts with '{password[:60]}' is too long. Maximum is 128."
        raise failed(103, text)
    said = "Password validation failed. The password does not meet the requirements: it is"
    if len(password) < 8:
        raise failed(15116, f"{said} too short.")
    kinds = sum(bool(re.search(kind, password)) for kind in ("[a-z]", "[A-Z]", "[0-9]", r"[\W_]"))
    if kinds < 3 or name.lower() in password.lower():
        raise failed(15118, f"{said} not complex enough.")


@dataclass
class Principal:
    """A login, user or role."""

    name: str
    id: int
    kind: str = "S"
    sid: str = ""
    password: str | None = field(default=None, repr=False)
    members: set[int] = field(default_factory=set)
    permissions: Permissions = field(default_factory=dict)
    # What principals other than the usual grantor gave, besides.
    others_gave: list[tuple[tuple[int, int, int, str], str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    # The number of the error that a login ends in, such as 18486.
    barred: int | None = None


@dataclass
class Trigger:
    """A DDL trigger of a database, which runs as whoever changes something in it."""

    body: str
    events: tuple[str, ...]
    enabled: bool = True
    shipped: bool = False


@dataclass
class Database:
    name: str
    id: int
    containment: int = 0
    trustworthy: bool = False
    read_only: bool = False
    source: int | None = None  # whose snapshot it is
    standby: bool = False
    closed: bool = False  # nobody but sysadmin may enter, whoever has a user
    principals: dict[str, Principal] = field(default_factory=dict)
    schemas: dict[str, int] = field(default_factory=lambda: {"dbo": 1})
    objects: dict[tuple[str, str], tuple[int, list[str]]] = field(default_factory=dict)
    types: dict[tuple[str, str], int] = field(default_factory=dict)
    # Things of the other classes, by class: name → number.
    things: dict[int, dict[str, int]] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    # Whose things are, where not dbo's: class and number → principal.
    owners: dict[tuple[int, int], int] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(5))

    def __post_init__(self) -> None:
        self.principals["dbo"] = Principal("dbo", 1, sid="01")
        for name, number in FIXED_DATABASE.items():
            self.principals[name] = Principal(name, number, "R")

    def user_of(self, login: Principal) -> Principal | None:
        users = self.principals.values()
        return next((u for u in users if u.sid == login.sid and u.kind == "S"), None)

    def add(self, name: str, **fields: Any) -> Principal:
        if name.lower() in self.principals:
            raise failed(15023, f"User, group, or role '{name}' already exists in the database.")
        made = Principal(name, next(self.numbers), **fields)
        self.principals[name.lower()] = made
        if made.kind == "S":
            made.permissions[0, 0, 0, "CONNECT"] = "G"
        return made


def new_login(name: str, number: int, password: str, **options: Any) -> Principal:
    made = Principal(name, number, sid=secrets.token_hex(16), password=password, options=options)
    if number == 1:
        made.sid = "01"
    made.permissions[100, 0, 0, "CONNECT SQL"] = "G"
    return made
