"""Statements with names in them, quoted by psycopg."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.sql import Composable

# Settings whose value is a list of names, each quoted by itself (GUC_LIST_QUOTE in PostgreSQL).
_LISTS = frozenset(
    {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"}
)
_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')


def setting(role: str, key: tuple[str | None, str], value: str | None) -> Composable:
    """Gives a role a setting, in (a database or None for all, by its name); None takes it away."""
    from psycopg import sql

    database, name = key
    where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
    start = sql.SQL("ALTER ROLE {}{} ").format(sql.Identifier(role), where)
    named = sql.Identifier(*name.split("."))
    if value is None:
        return start + sql.SQL("RESET {}").format(named)
    items = list(_items(value)) if name in _LISTS else [value]
    values = sql.SQL(", ").join(sql.Literal(item) for item in items or [""])
    return start + sql.SQL("SET {} = {}").format(named, values)


def _items(value: str) -> Iterator[str]:
    for quoted, plain in _ITEM.findall(value):
        yield plain or quoted.replace('""', '"')


def compose(template: str, *names: str) -> Composable:
    """Names for ``{}``, a text for ``{:L}``."""
    from psycopg import sql

    kinds = re.findall(r"\{(:L)?\}", template)
    values = [
        sql.Literal(name) if kind else sql.Identifier(name)
        for kind, name in zip(kinds, names, strict=True)
    ]
    return sql.SQL(template.replace("{:L}", "{}")).format(*values)


def text(template: str, *names: str) -> str:
    """The same for a person to read and run."""
    return compose(template, *names).as_string(None)
