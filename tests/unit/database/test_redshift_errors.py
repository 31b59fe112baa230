"""What Redshift and its driver say, and what it means: by SQLSTATE."""

from __future__ import annotations

import pytest

from rotators.database.redshift_errors import (
    grants_lacking,
    is_conflict,
    login_failed,
    password_refused,
    statement_failed,
    untrusted_method,
)
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


class DriverError(Exception):
    """As redshift_connector's, which carry the server's answer as a dictionary."""


def answer(code: str, message: str = "it says why", **more: str) -> DriverError:
    return DriverError({"S": "ERROR", "C": code, "M": message, **more})


LOGINS: list[tuple[Exception, type[RotationError]]] = [
    (answer("28000", 'password authentication failed for user "app"'), LoginRefused),
    (answer("28000", "the password of user app has expired"), AccountLocked),
    (answer("28000", 'role "app" is not permitted to log in'), AccountLocked),
    (answer("42501", "permission denied for database"), PermissionMissing),
    (answer("28000", 'no pg_hba.conf entry for host "1", user "a", SSL off'), ServerUnreachable),
    (answer("3D000", 'database "x" does not exist'), ServerUnreachable),
    (answer("53300", "too many connections"), ServerUnreachable),
    (DriverError("BrokenPipe: server socket closed"), ServerUnreachable),
    (DriverError("communication error", OSError("reset")), ServerUnreachable),
    (OSError(), ServerUnreachable),
]


@pytest.mark.parametrize(("error", "kind"), LOGINS, ids=str)
def test_a_login_ends_so(error: Exception, kind: type[RotationError]) -> None:
    failure = login_failed(error)
    assert type(failure) is kind
    assert failure.cure


STATEMENTS: list[tuple[Exception, type[RotationError], bool]] = [
    (answer("42501"), PermissionMissing, False),
    (answer("25006"), ReadOnlyServer, False),
    (answer("57014", "canceling statement due to statement timeout"), ServerUnreachable, False),
    (answer("XX000", "tuple concurrently updated"), ServerUnreachable, True),
    (answer("XX000", "1023 Serializable isolation violation"), UnexpectedError, False),
    (answer("XX000", "serializable isolation violation on table"), ServerUnreachable, True),
    (answer("XX000", "could not complete because of conflict with concurrent transaction"),
     ServerUnreachable, True),
    (answer("XX000", "assert"), UnexpectedError, False),
    (answer("40001"), ServerUnreachable, True),
    (answer("42710", 'user "app_clone" already exists'), ServerUnreachable, True),
    (answer("42P01"), UnexpectedError, False),
    (DriverError("BrokenPipe"), ServerUnreachable, False),
    (TimeoutError(), ServerUnreachable, False),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "conflict"), STATEMENTS, ids=str)
def test_a_statement_ends_so(
    error: Exception, kind: type[RotationError], *, conflict: bool
) -> None:
    failure = statement_failed(error)
    assert type(failure) is kind
    assert is_conflict(failure) == conflict
    assert failure.cure


def test_no_message_repeats_a_hash_or_a_statement() -> None:
    hashed = "sha256|0123|salt"
    syntax = answer("42601", f'syntax error at or near "{hashed}"')
    policy = answer("0A000", "not so", D=f"PASSWORD '{hashed}'")
    quoting = answer("22023", f"invalid hash {hashed}")
    for error in (syntax, policy, quoting):
        assert hashed not in str(statement_failed(error, hashed))
    assert "already" in str(statement_failed(answer("42710", "already there"), hashed))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer("0A000", "Password must contain a number"), ValueRefused),
        (answer("22023", "MD5 passwords are not allowed"), VerifierRefused),
        (answer("42601", "syntax error"), UnexpectedError),
        (answer("42501"), PermissionMissing),
    ],
    ids=str,
)
def test_a_password_is_refused_for_a_reason(error: Exception, kind: type[RotationError]) -> None:
    assert type(password_refused(statement_failed(error))) is kind


def test_an_admin_is_told_what_it_lacks() -> None:
    denied = statement_failed(answer("42501", "permission denied for relation t"))
    assert isinstance(denied, PermissionMissing)
    told = grants_lacking(denied, "root")
    assert "superuser" in told.cure
    assert "permission denied for relation t" in told.found


@pytest.mark.parametrize("method", [None, 3, 14])
def test_a_question_that_shows_the_password_is_named(method: int | None) -> None:
    assert isinstance(untrusted_method(method), UntrustedServer)
