"""Names as MySQL and MariaDB write them."""

from __future__ import annotations

import re
from typing import NamedTuple

# A name in backticks, or, as in PROXY, in quotes.
QUOTED = r"`(?:[^`]|``)*`|'(?:[^'\\]|''|\\.)*'"
_ACCOUNT = re.compile(rf"({QUOTED})(?:@({QUOTED}))?")


class Account(NamedTuple):
    """A user of the server, with the host that it may come from; a role of MariaDB has none."""

    user: str
    host: str | None = None

    def __str__(self) -> str:
        """As it is written in a statement."""
        return "@".join(quoted(part) for part in self if part is not None)

    @classmethod
    def parse(cls, text: str) -> Account:
        """From the server's spelling."""
        found = _ACCOUNT.match(text)
        if found is None:
            return cls(text)
        user, host = found.groups()
        return cls(plain(user), None if host is None else plain(host))


def quoted(name: str) -> str:
    """An identifier; nothing in it is special, whatever the SQL mode."""
    return "`" + name.replace("`", "``") + "`"


def plain(text: str) -> str:
    """The name that the server quoted."""
    if text[:1] == "`":
        return text[1:-1].replace("``", "`")
    if text[:1] == "'":
        return re.sub(r"\\(.)|''", lambda found: found[1] or "'", text[1:-1])
    return text
