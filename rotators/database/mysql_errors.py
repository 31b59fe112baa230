"""What the errors of MySQL, MariaDB and PyMySQL mean, by their numbers."""

from __future__ import annotations

import ssl
from typing import Any

from rotators import tls
from rotators.errors import (
    AccountLocked,
    DriverMissing,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
    VerifierRefused,
)

EXPIRED = (1820, 1862)
WANTS_CURRENT = 3892  # PASSWORD REQUIRE CURRENT
NOT_THE_FIRST = 3891  # REPLACE names another password than the first of two
HASH_OF_ANOTHER_KIND = 1372  # MariaDB: the hash does not fit the account's plug-in
OPERATION_FAILED = 1396
NO_SUCH_VALUE = 1231
NOT_THERE = (1049, 1054, 1146, 1305)  # a database, a column, a table, a routine

_NO_TLS = 2026
_SYNTAX = 1064
_OPTION = 1290  # "running with the --… option so it cannot execute this statement"
_CLIENT = range(2000, 3000)  # PyMySQL's own: the connection

_Meaning = tuple[frozenset[int], type[RotationError], str]
_EXPIRED: _Meaning = (
    frozenset(EXPIRED),
    AccountLocked,
    "The password has expired: a rotation by single-user sets a new one, and so does ALTER USER"
    " … IDENTIFIED BY.",
)
_LOGINS: tuple[_Meaning, ...] = (
    (
        frozenset({1045, 1698}),
        LoginRefused,
        "Check the password, the hosts that the user may come from, and what REQUIRE wants of it.",
    ),
    (
        frozenset({3118, 3955, 4150, 4151, 1129}),
        AccountLocked,
        "Unlock it: ALTER USER … ACCOUNT UNLOCK (for 1129 and 4150: FLUSH HOSTS, FLUSH"
        " PRIVILEGES), and find out who tried.",
    ),
    _EXPIRED,
    (
        frozenset({1040, 1203, 1226}),
        ServerUnreachable,
        "Close sessions, or raise what the server names: MAX_USER_CONNECTIONS or another limit of"
        " the user, or max_connections. A rotation by dual-password has two sessions at once.",
    ),
    (
        frozenset({1251, 1524, 2058, 2059, 2061}),
        AccountLocked,
        "The user's authentication plug-in cannot be used here. Give it caching_sha2_password"
        " (MariaDB: mysql_native_password or ed25519).",
    ),
    (
        frozenset({1044, 1049}),
        PermissionMissing,
        "Grant the user something in the secret's 'dbname', or mend that.",
    ),
    (
        frozenset({3159}),
        UntrustedServer,
        'Take "ssl": false from the secret: the server wants TLS.',
    ),
)
_STATEMENTS: tuple[_Meaning, ...] = (
    _EXPIRED,
    (
        frozenset({1792, 1836, 1874}),
        ReadOnlyServer,
        "Store the writer's host in the secret.",
    ),
    (
        frozenset({1819, 3638, HASH_OF_ANOTHER_KIND}),
        ValueRefused,
        "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to the server's"
        " policy.",
    ),
    (
        frozenset(
            {1044, 1045, 1141, 1142, 1143, 1227, 1370, 1403, 1410, 1698, 1699, 3879, 4061}
            | {WANTS_CURRENT, NOT_THE_FIRST, _OPTION}
        ),
        PermissionMissing,
        "Grant the user of this session what the server names.",
    ),
    (
        frozenset({0, *_CLIENT})
        | {1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1206, 1213, 1226, 1317, 3024},
        ServerUnreachable,
        "Secrets Manager retries. If it keeps failing, look for locks, load and the network.",
    ),
)


def has_code(error: RotationError, *codes: int) -> bool:
    """Whether it is the server's error of one of these numbers."""
    return error.found.endswith(tuple(f"({code})" for code in codes))


def login_failed(error: Any) -> RotationError:  # noqa: ANN401 PyMySQL is not imported here
    """What a login ended with. The server's messages of this kind hold no password."""
    code, said = _said(error)
    cause = getattr(error, "original_exception", None)
    if code == _NO_TLS or _no_trust(cause):
        return UntrustedServer(f"no verified TLS: {cause or said}", tls.CURE)
    return _meant(_LOGINS, code, said) or unreachable(str(cause or said))


def unreachable(said: str) -> ServerUnreachable:
    """Nobody to talk to, or no talk."""
    return ServerUnreachable(
        f"no session: {said}",
        "Check host and port of the secret, the network between the function and the server"
        " (subnets, security groups), and whether the server takes connections.",
    )


def not_understood(error: Exception) -> ServerUnreachable:
    """Whoever answers speaks another language. What PyMySQL makes of it may show what was said."""
    return unreachable(f"the server's answer is not understood ({type(error).__name__})")


def library_missing(error: RuntimeError, extra: str) -> DriverMissing:
    """PyMySQL says by a RuntimeError that a plug-in needs another package."""
    return DriverMissing(
        f"the login needs a package that is not installed: {error}",
        f"Install rotators[{extra}], or build the function with that extra.",
    )


def statement_failed(error: Any) -> RotationError:  # noqa: ANN401 PyMySQL is not imported here
    """What a statement ended with. The statement itself is never repeated."""
    code, said = _said(error)
    if code == _OPTION and "read-only" in said:
        return ReadOnlyServer(said, "Store the writer's host in the secret.")
    if code == _OPTION and "strict-password-validation" in said:
        return wants_cleartext(said)
    defect = UnexpectedError(said, "Report this as a defect, with the number.")
    return _meant(_STATEMENTS, code, said) or defect


def wants_cleartext(said: str) -> VerifierRefused:
    """A password-checking plug-in of MariaDB's that is strict takes no hash."""
    return VerifierRefused(
        said,
        "A password-validation plug-in wants cleartext, which is never sent. Allow hashes: SET"
        " GLOBAL strict_password_validation = OFF (on RDS: the parameter group).",
    )


def _meant(meanings: tuple[_Meaning, ...], code: int, said: str) -> RotationError | None:
    return next((kind(said, cure) for codes, kind, cure in meanings if code in codes), None)


def _no_trust(cause: object) -> bool:
    # A server that hangs up in the middle is unreachable, not untrusted.
    return isinstance(cause, ssl.SSLError) and not isinstance(
        cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    )


def _said(error: Any) -> tuple[int, str]:  # noqa: ANN401 as above
    code, *rest = error.args or (0,)
    if not isinstance(code, int):
        return 0, f"the driver says: {code}"
    # A message about syntax repeats the statement, and what is in it (G4).
    message = "the statement is not understood" if code == _SYNTAX else str(*rest[:1])
    return code, f"the server says: {message.rstrip('.')} ({code})"
