"""What the errors, names and rights of Oracle mean: no server is needed."""

from __future__ import annotations

import ssl
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rotators import tls
from rotators.database.oracle_errors import has_code, login_failed, statement_failed
from rotators.database.oracle_names import NameLimitOfOracle, name_of, quoted
from rotators.database.oracle_queries import of_anybody
from rotators.database.oracle_rights import (
    ADMINISTRATIVE_PRIVILEGES,
    ADMINISTRATIVE_ROLES,
    Right,
    Rights,
    changes,
    rights_of,
)
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

if TYPE_CHECKING:
    from rotators.database.engine import NameLimit


class DriverError(Exception):
    """As python-oracledb raises them."""

    def __init__(self, code: str, message: str = "words") -> None:
        super().__init__(SimpleNamespace(full_code=code, message=f"{code}: {message}"))


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


LOGINS: dict[str, type[RotationError]] = {
    "ORA-01017": LoginRefused,
    "ORA-28000": AccountLocked,
    "ORA-28001": AccountLocked,
    "ORA-01045": PermissionMissing,
    "DPY-6001": MisconfiguredSecret,
    "DPY-6003": MisconfiguredSecret,
    "DPY-6006": UntrustedServer,
    "DPY-3010": AccountLocked,
    "DPY-3015": AccountLocked,
    "DPY-4011": ServerUnreachable,
    "DPY-6000": ServerUnreachable,
    "ORA-12541": ServerUnreachable,
    "ORA-01033": ServerUnreachable,
    "ORA-12345": ServerUnreachable,
    "ORA-28003": ValueRefused,
}
STATEMENTS: dict[str, type[RotationError]] = {
    "ORA-28003": ValueRefused,
    "ORA-28007": ValueRefused,
    "ORA-20000": ValueRefused,
    "ORA-20999": ValueRefused,
    "ORA-00972": ValueRefused,
    "ORA-28221": PermissionMissing,
    "ORA-01031": PermissionMissing,
    "ORA-00942": PermissionMissing,
    "ORA-01932": PermissionMissing,
    "ORA-16000": ReadOnlyServer,
    "ORA-28227": StrategyUnavailable,
    "ORA-01918": MisconfiguredSecret,
    "ORA-03113": ServerUnreachable,
    "DPY-4011": ServerUnreachable,
    "ORA-00600": UnexpectedError,
    "ORA-28008": UnexpectedError,
}


@pytest.mark.parametrize(("code", "kind"), LOGINS.items())
@pytest.mark.parametrize("wrapped", [True, False])
def test_what_a_login_ends_with(code: str, kind: type[RotationError], *, wrapped: bool) -> None:
    error: Exception = DriverError(code)
    if wrapped:
        error = caused(DriverError("DPY-6005", "cannot connect"), error)
    failure = login_failed(error)
    assert type(failure) is kind
    assert code in failure.found
    assert failure.cure


@pytest.mark.parametrize(("code", "kind"), STATEMENTS.items())
def test_what_a_statement_ends_with(code: str, kind: type[RotationError]) -> None:
    failure = statement_failed(DriverError(code))
    assert type(failure) is kind
    assert has_code(failure, int(code[4:])) == code.startswith("ORA")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ssl.SSLCertVerificationError("self-signed"), UntrustedServer),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), UntrustedServer),
        (ssl.SSLEOFError("eof"), ServerUnreachable),
        (ConnectionResetError(), ServerUnreachable),
    ],
)
def test_what_a_tls_handshake_ends_with(cause: Exception, kind: type[RotationError]) -> None:
    failure = login_failed(caused(DriverError("DPY-6005", "cannot connect"), cause))
    assert type(failure) is kind
    assert (failure.cure == tls.CURE) == (kind is UntrustedServer)


def test_why_the_verify_function_refused_it_is_said_and_no_more() -> None:
    message = "password verification failed\nORA-20001: too short\nORA-06512: at line 7"
    failure = statement_failed(DriverError("ORA-28003", message))
    assert failure.found.endswith("failed; ORA-20001: too short (ORA-28003)")


@pytest.mark.parametrize(
    ("said", "name"),
    [("app", "APP"), ('"app"', "app"), ("App_Clone", "APP_CLONE"), ('"a b"', "a b"), ("é", "É")],
)
def test_names_are_upper_case_unless_quoted(said: str, name: str) -> None:
    assert name_of(said) == name
    assert quoted(name) == f'"{name}"'


@pytest.mark.parametrize("name", ['""', '"', 'a"b', '"app"_CLONE', "nul\0"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(MisconfiguredSecret):
        name_of(name)


def test_the_limit_of_names_does_not_count_the_quotation_marks() -> None:
    limit: NameLimit = NameLimitOfOracle(3)
    assert limit.excess('"abc"') is None
    assert limit.excess("abcd") == "4 bytes of at most 3"
    assert "quotation mark" in (limit.excess('"a"_CLONE') or "")


def test_importing_the_engine_loads_no_driver() -> None:
    code = "import sys, rotators.database.oracle; sys.exit('oracledb' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 our own code


# ── rights ──


def test_every_administrative_right_is_recognised() -> None:
    for role in ADMINISTRATIVE_ROLES:
        assert Right(role, role=True).administrative
    for privilege in ADMINISTRATIVE_PRIVILEGES:
        assert Right(privilege).administrative
    assert not Right("CREATE SESSION").administrative
    assert not Right("DBA").administrative  # no privilege, but a table could be called so
    assert not Right("CONNECT", role=True).administrative
    assert Right("CREATE ANY TRIGGER", 'SCHEMA "O"').administrative
    assert not Right("EXECUTE ANY PROCEDURE", 'SCHEMA "O"').administrative
    assert not Right("SELECT ANY TABLE", 'SCHEMA "O"').administrative


NAMED = {
    "DIRECTORY": 'DIRECTORY "N"', "USER": 'USER "N"', "EDITION": 'EDITION "N"',
    "MINING MODEL": 'MINING MODEL "O"."N"', "JAVA SOURCE": 'JAVA SOURCE "O"."N"',
    "JAVA RESOURCE": 'JAVA RESOURCE "O"."N"',
    "SQL TRANSLATION PROFILE": 'SQL TRANSLATION PROFILE "O"."N"',
    "TABLE": '"O"."N"', "PACKAGE": '"O"."N"', "JAVA CLASS": '"O"."N"',
}  # fmt: skip


@pytest.mark.parametrize(("kind", "named"), NAMED.items())
def test_each_kind_of_object_is_named_as_grant_wants_it(kind: str, named: str) -> None:
    rows = [("object", "USE", "O", "N", "NO", "NO", kind)]
    rights = rights_of(lambda *_: rows, of_anybody((19, 1)), "BASE", "BASE")
    assert [said for said, _ in changes(rights, Rights(), "A")] == [f'GRANT USE ON {named} TO "A"']


def test_a_privilege_on_a_schema_is_lent_by_other_rights_than_one_on_an_object() -> None:
    assert Right("SELECT ANY TABLE", 'SCHEMA "O"').to_lend() == (
        'GRANT SELECT ANY TABLE ON SCHEMA "O" TO … WITH ADMIN OPTION (or GRANT ANY PRIVILEGE)'
    )


def test_grants_name_objects_as_oracle_wants_them() -> None:
    rows: list[tuple[Any, ...]] = [
        ("object", "READ", "SYS", "D", "NO", "NO", "DIRECTORY"),
        ("object", "INHERIT PRIVILEGES", "SYS", "U", "NO", "NO", "USER"),
        ("object", "SELECT", "O", "it's", "YES", "YES", "TABLE"),
        ("object", "SELECT", "O", "it's", "NO", "NO", "TABLE"),  # of another grantor
        ("object", "SELECT", "BASE", "OWN", "NO", "NO", "TABLE"),
        ("column", "UPDATE", "O", "T", "YES", "C", None),
        ("schema", "SELECT ANY TABLE", "YES", "O", None, None, None),
        ("schema", "SELECT ANY TABLE", "NO", "BASE", None, None, None),
        ("role", "R", "YES", "NO", None, None, None),
        ("system", "CREATE VIEW", "NO", None, None, None, None),
        ("quota", "USERS", "-1", None, None, None, None),
        ("quota", "OTHER", "0", None, None, None, None),
    ]
    rights = rights_of(lambda *_: rows, of_anybody((23, 4)), "BASE", "BASE")
    statements = [statement for statement, _ in changes(rights, Rights(), "A")]
    assert statements == [
        'GRANT CREATE VIEW TO "A"',
        'GRANT INHERIT PRIVILEGES ON USER "U" TO "A"',
        'GRANT "R" TO "A" WITH ADMIN OPTION',
        'GRANT READ ON DIRECTORY "D" TO "A"',
        'GRANT SELECT ON "O"."it\'s" TO "A" WITH HIERARCHY OPTION WITH GRANT OPTION',
        'GRANT SELECT ANY TABLE ON SCHEMA "O" TO "A" WITH ADMIN OPTION',
        'GRANT UPDATE ("C") ON "O"."T" TO "A" WITH GRANT OPTION',
        'ALTER USER "A" QUOTA UNLIMITED ON "USERS"',
    ]
    assert not list(changes(rights, rights, "A"))
    assert rights.lacks(rights) == []
    assert len(Rights().lacks(rights)) == 8


def test_what_is_too_much_goes_first() -> None:
    have = Rights(
        frozenset(
            {Right("SELECT", '"O"."T"'), Right("UPDATE", '"O"."T"', "C"), Right("R", role=True)}
        )
    )
    statements = [statement for statement, _ in changes(Rights(), have, "A")]
    assert statements == [
        'REVOKE "R" FROM "A"',
        'REVOKE SELECT ON "O"."T" FROM "A"',
        'REVOKE UPDATE ON "O"."T" FROM "A"',
    ]
