"""What the errors of MongoDB, DocumentDB and PyMongo mean, by their codes."""

from __future__ import annotations

import re
from typing import Any

from rotators import tls
from rotators.errors import (
    AccountLocked,
    DriverMissing,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
)

_WANTS_OLDER = "Put the newest PyMongo that still speaks to this server into the function."
_DRIVERS = "DocumentDB 4.0 needs a PyMongo that supports MongoDB 4.0; or upgrade the server."
_RETRIES = "Secrets Manager retries. If it keeps failing, look for load and the network."
_NETWORK = (
    "Check host and port of the secret, the network between the function and the server (subnets,"
    " security groups), and whether the server takes connections."
)
# PyMongo keeps no cause. A server without TLS hangs up on whoever begins with it.
_NO_TRUST = re.compile("CERTIFICATE_VERIFY_FAILED|SSL handshake failed(?!.*timed out)")

_SERVER_SAYS = "the server says: "

_Meaning = tuple[frozenset[int], type[RotationError], str]
_LOGINS: tuple[_Meaning, ...] = (
    (
        frozenset({11, 18, 8000}),
        LoginRefused,
        "Check the password, the secret's 'dbname' (the database that the user is defined in,"
        " mostly admin), and where the user may come from (authenticationRestrictions).",
    ),
    (
        frozenset({334}),
        AccountLocked,
        "The user has no password of the kinds SCRAM-SHA-256 and SCRAM-SHA-1: give it one of those"
        " mechanisms.",
    ),
)
_STATEMENTS: tuple[_Meaning, ...] = (
    (frozenset({13}), PermissionMissing, "Give the user of this session the right to do it."),
    (
        frozenset({10058, 10107, 13435, 13436}),
        ReadOnlyServer,
        "Store the host of the primary in the secret (DocumentDB: the cluster endpoint).",
    ),
    (frozenset({11}), MisconfiguredSecret, "Make the user, with the rights that it is to have."),
    (frozenset({31}), MisconfiguredSecret, "A role that the user has is gone. Rotate again."),
    (
        # 18: the session broke, and the password it would be opened with again is another by now.
        frozenset({6, 7, 18, 24, 50, 64, 89, 91, 112, 133, 189, 202, 262, 358, 384, 462})
        | {9001, 11600, 11602},
        ServerUnreachable,
        _RETRIES,
    ),
)


def has_code(error: RotationError, *codes: int) -> bool:
    """Whether it is the server's error of one of these codes."""
    return error.found.endswith(tuple(f"({code})" for code in codes))


def was_answered(error: RotationError) -> bool:
    """Whether the server said so, and not the driver."""
    return error.found.startswith(_SERVER_SAYS)


def login_failed(error: Exception) -> RotationError:
    """What a login ended with. The messages of this kind hold no password."""
    from pymongo.errors import ConfigurationError, OperationFailure

    if isinstance(error, OperationFailure):
        return _login_answered(error)
    if _NO_TRUST.search(str(error)):
        return UntrustedServer(f"no verified TLS: {_short(error)}", tls.CURE)
    if isinstance(error, ConfigurationError):
        return DriverMissing(
            f"the driver does not speak to this server: {_short(error)}",
            f"{_WANTS_OLDER} {_DRIVERS}",
        )
    if isinstance(error, (ValueError, TypeError)):
        # SASLprep, which all sides apply: the server cannot have such a password either.
        return LoginRefused(
            "the password has characters that SCRAM allows in none", "Store the one that works."
        )
    return unreachable(_short(error))


def _login_answered(error: Any) -> RotationError:  # noqa: ANN401 PyMongo is not imported here
    code, said = _said(error)
    if code is None:  # the driver's own check of what only the owner of the password can know
        return UntrustedServer(
            f"the server does not prove that it knows the password: {said}",
            "Check that the secret's host is the database's.",
        )
    return _meant(_LOGINS, code, said) or unreachable(said)


def unreachable(said: str) -> ServerUnreachable:
    """Nobody to talk to, or no talk."""
    return ServerUnreachable(
        f"no session: {said}", f'{_NETWORK} With "ssl": false: whether it takes them without TLS.'
    )


def statement_failed(error: Exception) -> RotationError:
    """What a command ended with. The command itself is never repeated."""
    from pymongo.errors import ConnectionFailure, InvalidName, OperationFailure

    details = getattr(error, "details", None)
    if isinstance(error, OperationFailure) or (isinstance(details, dict) and "code" in details):
        code, said = _said(error)
        defect = UnexpectedError(said, "Report this as a defect, with the code.")
        return _meant(_STATEMENTS, code or 0, said) or defect
    if isinstance(error, InvalidName):
        return MisconfiguredSecret(
            "the secret's 'dbname' cannot be the name of a database",
            "Store the database that the user is defined in, or leave it out for admin.",
        )
    if isinstance(error, (ConnectionFailure, OSError)):
        return ServerUnreachable(
            f"the server went silent or closed the session: {_short(error)}", _RETRIES
        )
    return UnexpectedError(
        f"the driver could not send a command, or read its answer: {type(error).__name__}",
        "Report this as a defect.",
    )


def _meant(meanings: tuple[_Meaning, ...], code: int, said: str) -> RotationError | None:
    return next((kind(said, cure) for codes, kind, cure in meanings if code in codes), None)


def _said(error: Any) -> tuple[int | None, str]:  # noqa: ANN401 as above
    details = error.details or {}
    code = details.get("code", getattr(error, "code", None))
    message = str(details.get("errmsg") or _short(error)).rstrip(".")
    return code, f"{_SERVER_SAYS}{message}" + ("" if code is None else f" ({code})")


def _short(error: Exception) -> str:
    """The message without what the driver adds about itself."""
    first = str(error).partition(", full error:")[0].partition(" (configured timeouts:")[0]
    return first.partition(", Timeout:")[0].rstrip(". ") or type(error).__name__
