"""What Redshift's errors mean. Codes and sentences are those of PostgreSQL 8.0, and some more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rotators.errors import (
    AccountLocked,
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

# A view that this server has not, or not with that column.
NOT_THERE = ("42P01", "3F000", "42703")
# Two sessions at one row of a catalog ("tuple concurrently updated", serializable isolation
# violation, a user that appeared meanwhile). The internal error is Redshift's for many things, so
# it counts as one only by its words.
_CONFLICTS = ("40001", "40P01", "23505", "42710")
_CONFLICT = re.compile("concurrent|serializable isolation|deadlock")
_REACHABLE = (
    "Check host, port and dbname of the secret, the network between the function and the cluster or"
    " workgroup (subnets, security groups), and whether it is paused."
)


def unreachable(said: str) -> ServerUnreachable:
    """The server could not be reached, fell silent, or hung up."""
    return ServerUnreachable(f"no session: {said}", _REACHABLE)


def untrusted_method(code: int | None) -> UntrustedServer:
    """The server asks for something that would show the password, or prove nothing."""
    asks = "for nothing" if code is None else f"by method {code}, not md5 or sha256"
    return UntrustedServer(
        f"the server asks {asks}, so the login would prove nothing, or show the password",
        "Check that the secret's host is a Redshift cluster or workgroup, and that the user has a"
        " password of its own.",
    )


def login_failed(error: Exception) -> RotationError:
    """What a login ended with, by the driver's exception. It holds no password."""
    details = _details(error)
    if not details:
        return unreachable(_plain(error))
    code, message = details.get("C", ""), details.get("M", "nothing")
    said = f"the server says: {message} ({code})"
    if "password authentication failed" in message:
        return LoginRefused(
            said, "Check the password, whether it was disabled, and VALID UNTIL of the user."
        )
    if re.search("expired|not permitted to log in|locked", message):
        return AccountLocked(said, "Allow it: ALTER USER … PASSWORD … VALID UNTIL 'infinity'.")
    if code == _INSUFFICIENT_PRIVILEGE:
        return PermissionMissing(said, "Let this user connect to the database (dbname).")
    if "SSL" in message or "pg_hba.conf" in message:
        return ServerUnreachable(
            f"no session: {said}",
            'The cluster may want TLS (require_ssl): take "ssl": false out of the secret.',
        )
    return ServerUnreachable(f"no session: {said}", _REACHABLE)


def statement_failed(error: Exception, hidden: str = "") -> RotationError:
    """What a statement ended with, by SQLSTATE. The statement is never repeated.

    ``hidden`` is what the server's message may not show; where it does, only the code is told.
    """
    details = _details(error)
    if not details:
        return ServerUnreachable(_CUT_OFF, _RETRIED)
    code, message = details.get("C", "no code"), details.get("M", "nothing")
    if code == _SYNTAX_ERROR or (hidden and hidden in str(details)):
        message = "what would repeat the statement"
    said = f"the server says: {message} ({code})"
    if code[:2] in _PASSING or _conflicts(code, message):
        return ServerUnreachable(f"the server had to give up: {said}", _RETRIED)
    if code == _INSUFFICIENT_PRIVILEGE:
        return PermissionMissing(
            said, "A user may change its own password unless it was disabled (PASSWORD DISABLE)."
        )
    if code == _READ_ONLY:
        return ReadOnlyServer(said, "Store the endpoint that takes changes in the secret.")
    return UnexpectedError(said, "Report this as a defect, with the SQLSTATE.")


def is_conflict(error: RotationError) -> bool:
    """Whether another session was at the same user, so that a repetition may succeed."""
    return has_code(error, *_CONFLICTS) or (
        isinstance(error, ServerUnreachable) and bool(_CONFLICT.search(error.found))
    )


def has_code(error: RotationError, *codes: str) -> bool:
    """Whether the server gave one of these SQLSTATEs."""
    return error.found.endswith(tuple(f"({code})" for code in codes))


def password_refused(error: RotationError) -> RotationError:
    """Why a statement with a password was refused: if for no general reason, a policy did it."""
    if not isinstance(error, UnexpectedError) or has_code(error, _SYNTAX_ERROR):
        return error
    if _VERIFIER.search(error.found):
        return VerifierRefused(
            error.found,
            "The server does not take the hash that the user's present password has, and cleartext"
            " is never sent. Give the user a password of the other kind, by hand:"
            " ALTER USER … PASSWORD 'sha256|…'.",
        )
    return ValueRefused(
        error.found,
        "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to the"
        " server's policy.",
    )


def grants_lacking(error: PermissionMissing, admin: str) -> PermissionMissing:
    """The same, where it is the admin that lacks them."""
    return PermissionMissing(
        f"the admin {admin!r} may not do what it has to: {error.found}",
        "Let masterarn name a superuser (the cluster's admin), as whom alone every right can be"
        f' passed on. To set passwords only: GRANT ROLE sys:secadmin TO "{admin}"; with'
        " ROTATION_PROVISIONED=true.",
    )


def _details(error: Exception) -> Mapping[str, Any]:
    """The server's answer, which the driver passes on as a dictionary; empty if it gave none."""
    given = error.args[0] if error.args else None
    return given if isinstance(given, dict) else {}


def _plain(error: Exception) -> str:
    return str(error.args[-1] if error.args else type(error).__name__) or "it hung up"


def _conflicts(code: str, message: str) -> bool:
    return code in _CONFLICTS or (code == _INTERNAL and bool(_CONFLICT.search(message)))


_VERIFIER = re.compile("(?i)hash|digest|md5|sha256|salt")
_PASSING = frozenset({"08", "53", "57", "58"})
_INTERNAL = "XX000"
_INSUFFICIENT_PRIVILEGE = "42501"
_READ_ONLY = "25006"
_SYNTAX_ERROR = "42601"
_CUT_OFF = "the server went silent or closed the session"
_RETRIED = "Secrets Manager retries. If it keeps failing, look for locks, load and the network."
