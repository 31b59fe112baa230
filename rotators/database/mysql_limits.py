"""What MySQL sets to a rotation: by its version, by how an account is set, by what it stores."""

from __future__ import annotations

import re

from rotators.database.mysql_accounts import Account
from rotators.errors import MisconfiguredSecret, ValueRefused

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_OLDEST = (8, 0, 14)  # which can discard a password
# One login is refused where AWSPENDING is probed, another after its password was.
OF_DUAL_PASSWORD = 3
# One is refused where setSecret is repeated: AWSPREVIOUS's was, whose the user is.
OF_ALTERNATING_USERS = 2
_ATTEMPTS = re.compile(r" FAILED_LOGIN_ATTEMPTS (\d+) PASSWORD_LOCK_TIME ")
_MOST_BYTES = 256
_LONGEST_OF_THREE_BYTES = "\uffff"


def require_version(said: str) -> None:
    """Refuses a server that would fail when the password is changed already.

    What cannot be read as a version is left to prove itself.
    """
    found = _VERSION.match(said)
    if found and tuple(map(int, found.groups())) < _OLDEST:
        raise MisconfiguredSecret(
            f"the server is MySQL {found[0]}, which lacks statements that a rotation needs",
            "Nothing was changed. Upgrade it to 8.0.21 or later (Aurora MySQL 3), or rotate it by"
            " another function.",
        )


def require_patience(said: str, least: int) -> None:
    """Refuses an account, as SHOW CREATE USER tells of it, that fewer refused logins lock."""
    found = _ATTEMPTS.search(said)
    if found and int(found[1]) < least:
        account = Account.parse(said.removeprefix("CREATE USER "))
        raise MisconfiguredSecret(
            f"{account} has FAILED_LOGIN_ATTEMPTS {found[1]}, so the login that looks whether the"
            " new password is in place could lock it",
            f"ALTER USER {account} FAILED_LOGIN_ATTEMPTS {least} (or more, or 0), or choose another"
            " strategy.",
        )


def require_storable(password: str) -> None:
    """MySQL would take a question mark for what is outside the Basic Multilingual Plane."""
    if max(password) > _LONGEST_OF_THREE_BYTES:
        raise ValueRefused(
            "the password has characters that MySQL does not store (emoji and the like)",
            "Let the password have none.",
        )
    if len(password.encode()) > _MOST_BYTES:
        raise ValueRefused(
            f"the password has more than {_MOST_BYTES} bytes, and MySQL takes no more",
            f"Let PASSWORD_LENGTH be at most {_MOST_BYTES}.",
        )
