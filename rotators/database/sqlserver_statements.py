"""How names and values become parts of Transact-SQL: neither is ever pasted."""

from __future__ import annotations

import re

from rotators.errors import MisconfiguredSecret

# In a string literal, a backslash at the end of a line joins it to the next, so the server would
# read another text than the one that was meant.
_CONTINUED = re.compile(r"\\\r?\n")


class Sql(str):
    """A part of a statement that is SQL already."""

    __slots__ = ()


def quoted(name: str) -> Sql:
    """An identifier as QUOTENAME gives it, which would give NULL for long ones."""
    return Sql("[" + name.replace("]", "]]") + "]")


def literal(text: str) -> Sql:
    """A Unicode literal. Raises MisconfiguredSecret for a text that no literal can hold."""
    if _CONTINUED.search(text) or "\0" in text:
        raise MisconfiguredSecret(
            "a name or password has a backslash at the end of a line, or a NUL, which SQL Server"
            " does not take in a statement",
            "Use another.",
        )
    return Sql("N'" + text.replace("'", "''") + "'")


def compose(statement: str, *parts: object) -> str:
    """The statement with its ``{}`` filled in: SQL as it is, numbers, and texts as literals."""
    return statement.format(*map(_part, parts)) if parts else statement


def _part(part: object) -> str:
    if isinstance(part, Sql):
        return str(part)
    return str(part) if isinstance(part, int) else str(literal(str(part)))
