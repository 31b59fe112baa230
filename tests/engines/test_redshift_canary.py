"""No password anywhere it does not belong: the double of Redshift."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from redshift_connector.cursor import Cursor
from redshift_connector.error import ProgrammingError

from rotators import errors
from rotators.database.redshift import RedshiftRotator
from rotators.errors import RotationError, UnexpectedError
from tests.engines.canary import BY_A_PERSON, Canary, Case
from tests.engines.redshift_target import RedshiftTarget, Server, quoted, redshift_server

if TYPE_CHECKING:
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates
    from tests.servers import PrivatePostgreSQL

ERRORS: dict[type[RotationError], tuple[str, str]] = {
    errors.PermissionMissing: ("42501", "must be superuser to alter users"),
    errors.ReadOnlyServer: ("25006", "cannot execute ALTER USER in a read-only transaction"),
    errors.VerifierRefused: ("22023", "invalid password hash {}"),
    errors.ValueRefused: ("0A000", "Password must contain a number: {}"),
}


@pytest.fixture(scope="module")
def server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    with redshift_server(private_postgresql) as server:
        yield server


class RedshiftCase(Case):
    def __init__(self, server: Server, *others: Any) -> None:
        self.server = server
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[RedshiftRotator], RedshiftTarget]:
        return RedshiftRotator, RedshiftTarget(self.server, strategy, hashed="md5")

    def server_logs(self) -> str:
        # What people set in clear is not the rotation's.
        lines = self.server.log_text().splitlines()
        return "\n".join(one for one in lines if "CREATE USER" not in one or "_clone" in one)

    def say(self, text: str) -> None:
        self.server.execute("SELECT '" + text.replace("'", "''") + "'")

    def shapes(self, password: str, logged: bool) -> list[str]:
        shown = [password, password.replace("'", "''")]
        if not logged:  # the server is sent hashes
            names = [self.bench.current(arn)["username"] for arn in self.bench.arns]
            both = [*names, *(f"{name}_clone" for name in names)]
            shown += [hashlib.md5((password + name).encode()).hexdigest() for name in both]  # noqa: S324
        return list(dict.fromkeys(shown))

    def alter(self, arn: str, change: str) -> None:
        self.server.execute(f"ALTER USER {quoted(self.bench.current(arn)['username'])} {change}")

    def set_by_a_person(self, arn: str) -> None:
        self.alter(arn, f"PASSWORD '{BY_A_PERSON}'")

    def lock(self, arn: str) -> None:
        self.alter(arn, "NOLOGIN")

    def with_policy(self) -> tuple[str, str]:
        rotation = self.begin()
        self.refuse(errors.ValueRefused)
        return rotation

    def refuse(self, kind: type[RotationError]) -> None:
        real = Cursor.execute

        def execute(cursor: Any, statement: str, *args: Any, **kwargs: Any) -> Any:
            if "PASSWORD '" not in statement or BY_A_PERSON in statement:
                return real(cursor, statement, *args, **kwargs)
            if kind is UnexpectedError:
                return real(cursor, statement.replace("PASSWORD '", "PASSWORD, '"), *args, **kwargs)
            code, said = ERRORS[kind]
            said = said.format(statement) if kind is errors.ValueRefused else said
            raise ProgrammingError({"S": "ERROR", "C": code, "M": said})

        self.monkeypatch.setattr(Cursor, "execute", execute)


@pytest.fixture
def case(
    server: Server, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield RedshiftCase(server, stack, certificates, monkeypatch)


class TestRedshiftDouble(Canary):
    pass
