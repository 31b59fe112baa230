"""No password anywhere it does not belong: MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
from pymysql.converters import escape_string
from pymysql.cursors import Cursor

from rotators import errors
from rotators.errors import RotationError, UnexpectedError
from rotators.testing.mariadb import native_verifier
from tests.engines.canary import BY_A_PERSON, Canary, Case
from tests.engines.mysql_target import ROTATORS, MySQLTarget

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates
    from tests.servers_mysql import MySQL

ERRORS: dict[type[RotationError], tuple[int, str]] = {
    errors.PermissionMissing: (1227, "Access denied; you need CREATE USER for this operation"),
    errors.ReadOnlyServer: (1290, "The MySQL server is running with the --read-only option"),
    errors.VerifierRefused: (1290, "running with the --strict-password-validation option"),
    errors.ValueRefused: (1819, "Your password does not satisfy the current policy"),
}
SETTING = ("ALTER USER", "SET PASSWORD", "CREATE USER")


class MySQLCase(Case):
    def __init__(self, server: MySQL, *others: Any) -> None:
        self.server = server
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[DatabaseRotator], MySQLTarget]:
        return ROTATORS[self.server.kind], MySQLTarget(self.server, strategy)

    def server_logs(self) -> str:
        return self.server.log_text() + self.server.general_log_text()

    def say(self, text: str) -> None:
        self.server.execute("SELECT '" + text.replace("'", "''") + "'")

    def shapes(self, password: str, logged: bool) -> list[str]:
        verifier = native_verifier(password)
        # MariaDB logs what it is sent: hashes.
        shown = [] if logged else [verifier, verifier[1:].lower()]
        return [*dict.fromkeys([password, escape_string(password)]), *shown]

    def alter(self, arn: str, change: str) -> None:
        self.server.execute(f"ALTER USER `{self.bench.current(arn)['username']}`@`%` {change}")

    def set_by_a_person(self, arn: str) -> None:
        self.alter(arn, f"IDENTIFIED BY '{BY_A_PERSON}'")

    def lock(self, arn: str) -> None:
        self.alter(arn, "ACCOUNT LOCK")

    def with_policy(self) -> tuple[str, str]:
        rotation = self.begin()
        self.refuse(errors.ValueRefused)
        return rotation

    def refuse(self, kind: type[RotationError]) -> None:
        real = Cursor.execute

        def execute(cursor: Any, statement: Any, args: Any = None) -> Any:
            if not statement.startswith(SETTING) or BY_A_PERSON in statement:
                return real(cursor, statement, args)
            if kind is UnexpectedError:
                return real(cursor, miswritten(statement), args)
            code, said = ERRORS[kind]
            raise pymysql.OperationalError(code, said)

        self.monkeypatch.setattr(Cursor, "execute", execute)


def miswritten(statement: str) -> str:
    """A syntax error (1064), about which the server's message repeats the password or hash."""
    before, quote, password = statement.partition("'")
    return f"{before}, {quote}{password}"


@pytest.fixture
def case(
    mysql_or_mariadb: MySQL, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield MySQLCase(mysql_or_mariadb, stack, certificates, monkeypatch)


class TestMySQL(Canary):
    pass


def test_g4_the_server_repeats_what_it_does_not_understand(mysql_or_mariadb: MySQL) -> None:
    """So the scenario of UnexpectedError shows something."""
    for setting in ("ALTER USER USER() IDENTIFIED BY 'hunter2'", "SET PASSWORD = 'hunter2'"):
        with pytest.raises(pymysql.ProgrammingError, match="hunter2"):
            mysql_or_mariadb.execute(miswritten(setting))


def test_the_search_finds_a_hash(
    mariadb: MySQL, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        case = MySQLCase(mariadb, stack, certificates, monkeypatch)
        arn, value = case.bench.secret()
        verifier = native_verifier(value["password"])
        assert case.leaks(f"said: {verifier}") == [verifier]
        case.bench.driver.rotate(arn)
        assert native_verifier(case.bench.current(arn)["password"]) in case.server_logs()
