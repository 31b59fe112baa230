"""Access lists, as Redshift shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# GRANT's words (Database Developer Guide, r_GRANT) for the letters of an access list
# (r_PG_DEFAULT_ACL has all of them: "arwdRxtXUCTDPA").
_TABLE = {
    "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "x": "REFERENCES", "D": "DROP",
    "P": "TRUNCATE", "A": "ALTER",
}  # fmt: skip
_LETTERS = {
    "TABLE": _TABLE, "TABLES": _TABLE,
    "SCHEMA": {"U": "USAGE", "C": "CREATE", "A": "ALTER", "D": "DROP"},
    "DATABASE": {"C": "CREATE", "T": "TEMP", "U": "USAGE", "A": "ALTER"},
    "LANGUAGE": {"U": "USAGE"},
    "FUNCTION": {"X": "EXECUTE"}, "FUNCTIONS": {"X": "EXECUTE"},
    "PROCEDURE": {"X": "EXECUTE"}, "PROCEDURES": {"X": "EXECUTE"},
}  # fmt: skip
# RULE and TRIGGER: lists show them, and by r_GRANT they are not supported, so no GRANT names them.
_IDLE = frozenset("Rt")
# Before a letter that is none of these: no statement can be made of it.
UNKNOWN = "privilege "
SEPARATOR = "\x1f"
_QUOTABLE = r'"(?:[^"]|"")*"|\w*'
_ITEM = re.compile(
    rf"(?P<kind>(?:group|role) )?(?P<grantee>{_QUOTABLE})=(?P<letters>[A-Za-z*]*)/(?:{_QUOTABLE})"
    rf"(?:{SEPARATOR}|\Z)"
)
_LETTER = re.compile(r"([A-Za-z])(\*?)")


class Item(NamedTuple):
    """One entry of an access list. ``kind`` is "" for a user, who is "" if it is everybody."""

    kind: str
    grantee: str
    letters: str

    def privileges(self, kind: str) -> Iterator[tuple[str, bool]]:
        """Words, each with whether it may be passed on; a letter that is unknown is told."""
        for letter, star in _LETTER.findall(self.letters):
            if letter in _IDLE:
                continue
            yield _LETTERS[kind].get(letter, f"{UNKNOWN}{letter!r}"), bool(star)


def items(acl: str | None) -> list[Item]:
    """The entries of an access list, which the server has joined by SEPARATOR."""
    return [
        Item((one["kind"] or "").strip().upper(), _unquoted(one["grantee"]), one["letters"])
        for one in _ITEM.finditer(acl or "")
    ]


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
