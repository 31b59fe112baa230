"""Names as Oracle takes them: of users, of objects, of the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rotators.database.engine import NameLimit
from rotators.errors import MisconfiguredSecret

if TYPE_CHECKING:
    from rotators.database.login import Login

# Anything else would add to the connect descriptor.
_SERVICE = re.compile(r"[\w.$#-]+")
_IN_NO_NAME = frozenset('"\0')


class NameLimitOfOracle(NameLimit):
    """As the server counts: without the quotation marks around an exact name."""

    __slots__ = ()

    def excess(self, name: str) -> str | None:
        inner = name[1:-1] if _quoted(name) else name
        if _IN_NO_NAME & set(inner):
            return "a quotation mark inside, which no name can have (such users take no turns)"
        return NameLimit(self.most, self.unit).excess(inner)


def name_of(username: str) -> str:
    """The user's name as the dictionary has it: in upper case, unless it is quoted."""
    inner = username[1:-1] if _quoted(username) else username.upper()
    if not inner or _IN_NO_NAME & set(inner):
        raise MisconfiguredSecret(
            f"{username!r} can be no user's name", "Store the name of a user that exists."
        )
    return inner


def _quoted(name: str) -> bool:
    return len(name) > 1 and name[0] == name[-1] == '"'


def quoted(name: str) -> str:
    """A name of the dictionary's as a part of a statement."""
    if not name or _IN_NO_NAME & set(name):
        raise MisconfiguredSecret(f"{name!r} can be no name in Oracle", "Use another name.")
    return f'"{name}"'


def service_of(login: Login) -> str:
    """The secret's dbname. Raises MisconfiguredSecret."""
    if _SERVICE.fullmatch(login.dbname):
        return login.dbname
    raise MisconfiguredSecret(
        "the secret's 'dbname' is not one service name or SID",
        "Store the service name (or the SID) of the database.",
    )
