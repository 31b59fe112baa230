"""What the errors of Oracle and python-oracledb mean, by their numbers."""

from __future__ import annotations

import ssl
from typing import Any

from rotators import tls
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    StrategyUnavailable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
)

EXPIRED = 28001
NO_CREATE_SESSION = 1045
OLD_IS_WRONG = 28008
EXISTS_ALREADY = 1920
NO_SUCH_VIEW = 942

NO_SUCH_SERVICE = ("DPY-6001", "ORA-12514")
_NO_SUCH_SID = ("DPY-6003", "ORA-12505")
_WRONG_NAME = "DPY-6006"
_TOO_OLD = ("DPY-3010", "DPY-3015", "DPY-3001")

_Meaning = tuple[frozenset[int], type[RotationError], str]
_LOGINS: tuple[_Meaning, ...] = (
    (
        frozenset({1017, 1005}),
        LoginRefused,
        "Check user and password. An unquoted user name counts in upper case.",
    ),
    (
        frozenset({28000, 28002, EXPIRED}),
        AccountLocked,
        "As an admin: ALTER USER … ACCOUNT UNLOCK, and find out who tried. An expired password is"
        " replaced by a rotation by single-user.",
    ),
    (
        frozenset({NO_CREATE_SESSION}),
        PermissionMissing,
        "As an admin: GRANT CREATE SESSION TO this user.",
    ),
    (frozenset({28009, 28040, 28274}), AccountLocked, "Let the account log in by its password."),
)
_PASSING = frozenset(
    {18, 20, 28, 54, 60, 1012, 1013, 1033, 1034, 1089, 1090, 1092, 2396, 3113, 3114, 3135, 4021}
    | {12516, 12519, 12520, 12528, 12537, 12541, 12543, 12547, 12570, 12571}
)
_POLICY = (28003, 28007, 28219, 972, 988, *range(20000, 21000))
_STATEMENTS: tuple[_Meaning, ...] = (
    (
        frozenset({16000, 1552, 16397}),
        ReadOnlyServer,
        "Store the host of the primary in the secret: this database takes no changes.",
    ),
    (
        frozenset(_POLICY),
        ValueRefused,
        "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to the profile's"
        " PASSWORD_VERIFY_FUNCTION and PASSWORD_REUSE_… limits.",
    ),
    (
        frozenset({990, 1031, 1720, 1749, 1917, 1919, 1924, 1927, 1929, 1932, 1951, 1952})
        | {NO_SUCH_VIEW, 4042, 4043, 28221, 28228},
        PermissionMissing,
        "Give the user of this session the right to do it.",
    ),
    (
        frozenset({28227}),
        StrategyUnavailable,
        "Users with administrative privileges have no second password: choose another strategy.",
    ),
    (
        frozenset({1918}),
        MisconfiguredSecret,
        "Make the user, with the rights that it is to have.",
    ),
    (
        _PASSING,
        ServerUnreachable,
        "Secrets Manager retries. If it keeps failing, look for locks, load and the network.",
    ),
)


def has_code(error: RotationError, *codes: int) -> bool:
    """Whether it is the server's error of one of these numbers."""
    return error.found.endswith(tuple(f"(ORA-{code:05d})" for code in codes))


def code_of(error: BaseException) -> str:
    """The driver's own code, such as "ORA-01017" or "DPY-6005", of the error that caused it."""
    cause = error.__cause__
    if cause is not None and _full_code(cause):
        return code_of(cause)
    return _full_code(error)


def login_failed(error: BaseException) -> RotationError:
    """What a login ended with. The server's messages of this kind hold no password."""
    root = _root(error)
    code, said = code_of(error), _said(error)
    if code == _WRONG_NAME or _no_trust(root):
        return UntrustedServer(f"no verified TLS: {said or root}", tls.CURE)
    if code in (*NO_SUCH_SERVICE, *_NO_SUCH_SID):
        return MisconfiguredSecret(
            f"the listener knows no such service or SID: {said}",
            "Mend the secret's 'dbname': it is a service name (lsnrctl services), or a SID.",
        )
    if code in _TOO_OLD:
        return AccountLocked(
            said,
            "The driver needs Oracle 12.1 or later, no native network encryption (TCPS instead),"
            " and a password verifier of 11g or later (set the password once).",
        )
    # A login may set a new password as well.
    meant = _meant(_LOGINS, code, said) or _meant(_STATEMENTS, code, said)
    return meant or unreachable(said or str(root))


def unreachable(said: str) -> ServerUnreachable:
    """Nobody to talk to, or no talk."""
    return ServerUnreachable(
        f"no session: {said}",
        "Check host and port of the secret (RDS has one port for TCP, and another, usually 2484,"
        " for TLS), the network between the function and the server (subnets, security groups),"
        " and whether the server takes connections.",
    )


def statement_failed(error: BaseException) -> RotationError:
    """What a statement ended with. The statement itself is never repeated."""
    code, said = code_of(error), _said(error)
    if not code.startswith("ORA-"):
        return unreachable(f"the session ended: {said or _root(error)}")
    defect = UnexpectedError(said, "Report this as a defect, with the number.")
    return _meant(_STATEMENTS, code, said) or defect


def _meant(meanings: tuple[_Meaning, ...], code: str, said: str) -> RotationError | None:
    number = int(code[4:]) if code.startswith("ORA-") else 0
    return next((kind(said, cure) for codes, kind, cure in meanings if number in codes), None)


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _no_trust(cause: object) -> bool:
    # A server that hangs up in the middle is unreachable, not untrusted.
    return isinstance(cause, ssl.SSLError) and not isinstance(
        cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    )


def _full_code(error: BaseException) -> str:
    return str(getattr(_details(error), "full_code", None) or "")


def _details(error: BaseException) -> Any:  # noqa: ANN401 the driver's
    return error.args[0] if error.args else None


def _said(error: BaseException) -> str:
    """The server's words with the number at the end, or the driver's."""
    code = code_of(error)
    while error.__cause__ is not None and _full_code(error.__cause__):
        error = error.__cause__
    first, *more = str(getattr(_details(error), "message", error)).splitlines() or [""]
    text = first.removeprefix(f"{code}: ").rstrip(".")
    if code.startswith("ORA-"):
        # Why the verify function refused it is in its own error, which follows.
        why = [line for line in more if line.startswith("ORA-20")][:1]
        return f"the server says: {'; '.join([text, *why]).rstrip('.')} ({code})"
    return f"the driver says: {text} ({code})" if code else text
