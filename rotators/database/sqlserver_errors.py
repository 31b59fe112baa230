"""What SQL Server's errors mean, by their numbers: its texts depend on the login's language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rotators.errors import (
    AccountLocked,
    ForbiddenTarget,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    ValueRefused,
)


class Message(NamedTuple):
    """What the server said."""

    number: int
    severity: int
    text: str


_ERROR_SEVERITY = 11
TOO_LONG = 103  # its text repeats the beginning of what was too long, such as a password
_Meaning = tuple[frozenset[int], type[RotationError], str]

_LOGINS: tuple[_Meaning, ...] = (
    (
        # Before 18456, which follows these.
        frozenset({4060, 4062, 4064, 916, 33145}),
        PermissionMissing,
        "Give the login a user in the secret's 'dbname' (CREATE USER … FOR LOGIN …), or mend that;"
        " for 4064, the login's default database.",
    ),
    (
        frozenset({18486}),
        AccountLocked,
        "Unlock it: ALTER LOGIN … WITH PASSWORD = '…' UNLOCK, and find out who tried.",
    ),
    (
        frozenset({18487, 18488}),
        AccountLocked,
        "The password has expired, or has to be changed at the next login, which no driver for"
        " functions does: ALTER LOGIN … WITH PASSWORD = '…'; CHECK_EXPIRATION = OFF for logins"
        " that are rotated.",
    ),
    (frozenset({18470}), AccountLocked, "Let it log in: ALTER LOGIN … ENABLE."),
    (
        frozenset({18451, 18461, 17142, 17187, 17188, 17189, 17809, 40197, 40501, 40613}),
        ServerUnreachable,
        "Secrets Manager retries. The server takes no sessions at present.",
    ),
    (
        frozenset({18452, 18456, 18457, 18458, 18459, 18460}),
        LoginRefused,
        "Check user and password, and that the server takes SQL Server logins (mixed mode).",
    ),
)
_STATEMENTS: tuple[_Meaning, ...] = (
    (
        frozenset({15114, 15115, 15116, 15117, 15118, 15119, TOO_LONG}),
        ValueRefused,
        "Match the password settings of the function (PASSWORD_LENGTH of at most 128, EXCLUDE_…)"
        " to the server's policy.",
    ),
    (frozenset({3906, 3908, 976}), ReadOnlyServer, "Store the writer's host in the secret."),
    (
        frozenset({15023, 15025}),
        ForbiddenTarget,
        "Rename one of the two, or drop the other if nobody uses it.",
    ),
    (
        # 15404, 15517: the owner whom the admin would act as is no login that the server knows.
        frozenset(
            {229, 230, 262, 297, 300, 916, 4604, 4611, 4613, 4617, 15007, 15151, 15247}
            | {15404, 15517}
        ),
        PermissionMissing,
        "Give the user of this session the right to do it.",
    ),
    (
        frozenset({978, 983, 1205, 1222, 3960, 17142, 40197, 40501, 40613}),
        ServerUnreachable,
        "Secrets Manager retries. If it keeps failing, look for locks and load.",
    ),
)


def login_refused(messages: Iterable[Message]) -> RotationError | None:
    """What a login ended with, if it was the server that ended it."""
    return _meant(_LOGINS, [each for each in messages if each.severity >= _ERROR_SEVERITY])


def statement_failed(messages: Iterable[Message], said: str) -> RotationError:
    """What a statement ended with; ``said`` is the driver's, where the server said nothing."""
    errors = [each for each in messages if each.severity >= _ERROR_SEVERITY]
    if not errors:
        return unreachable(said)
    numbers = ", ".join(str(each.number) for each in errors)
    defect = UnexpectedError(
        # Of errors that are not known, no text: many repeat the statement, and what is in it.
        f"the server refuses a statement ({numbers})",
        "Report this as a defect, with the number.",
    )
    return _meant(_STATEMENTS, errors) or defect


def unreachable(said: str) -> ServerUnreachable:
    """Nobody to talk to, or no talk."""
    return ServerUnreachable(
        f"no session: {said}",
        "Check host and port of the secret, the network between the function and the server"
        " (subnets, security groups), and whether the server takes connections.",
    )


def _meant(meanings: tuple[_Meaning, ...], messages: list[Message]) -> RotationError | None:
    for numbers, kind, cure in meanings:
        for number, _, text in messages:
            if number in numbers:
                return kind(f"the server says: {_shown(number, text)} ({number})", cure)
    return None


def _shown(number: int, text: str) -> str:
    return "it is too long" if number == TOO_LONG else text.strip().rstrip(".")
