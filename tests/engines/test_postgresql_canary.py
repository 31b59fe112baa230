"""No password anywhere it does not belong: PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors as psycopg_errors
from psycopg import sql

from rotators import errors
from rotators.database.postgresql import PostgreSQLRotator
from tests.engines.canary import BY_A_PERSON, Canary, Case
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.engines.test_postgresql_gaps import with_policy

if TYPE_CHECKING:
    from rotators.errors import RotationError
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates
    from tests.servers import PostgreSQL

# What credcheck says, which is in no package here.
WANTS_CLEARTEXT = "the server says: password type is not a plain text (28000)"
ERRORS: dict[type[RotationError], Exception] = {
    errors.PermissionMissing: psycopg_errors.InsufficientPrivilege("permission denied"),
    errors.ReadOnlyServer: psycopg_errors.ReadOnlySqlTransaction("cannot execute ALTER ROLE"),
    errors.UnexpectedError: ValueError("a defect"),
}


class PostgreSQLCase(Case):
    def __init__(self, server: PostgreSQL, *others: Any) -> None:
        self.server = server
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[PostgreSQLRotator], PostgreSQLTarget]:
        return PostgreSQLRotator, PostgreSQLTarget(self.server, strategy)

    def server_logs(self) -> str:
        return self.server.log_text()

    def say(self, text: str) -> None:
        with self.server.admin() as admin:
            admin.execute(f"SELECT '{text}'")

    def alter(self, arn: str, change: str) -> None:
        with self.server.admin() as admin:
            admin.execute(f"ALTER ROLE {self.bench.current(arn)['username']} {change}")

    def set_by_a_person(self, arn: str) -> None:
        self.alter(arn, f"PASSWORD '{BY_A_PERSON}'")

    def lock(self, arn: str) -> None:
        self.alter(arn, "NOLOGIN")

    def with_policy(self) -> tuple[str, str]:
        arn, _, token = with_policy(self.server, self.bench)
        return arn, token

    def refuse(self, kind: type[RotationError]) -> None:
        if kind is errors.VerifierRefused:
            self.want_cleartext()
            return
        error, real = ERRORS[kind], psycopg.Connection.execute

        def execute(connection: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(statement, sql.Composed):
                raise type(error)(f"{error}: {statement.as_string(connection)}")
            return real(connection, statement, *args, **kwargs)

        self.monkeypatch.setattr(psycopg.Connection, "execute", execute)

    def want_cleartext(self) -> None:
        engine = PostgreSQLRotator.engine
        real = engine.execute

        def execute(itself: Any, session: Any, statement: Any, *values: str) -> Any:
            if isinstance(statement, sql.Composed):
                raise errors.UnexpectedError(WANTS_CLEARTEXT, "Report it.")
            return real(itself, session, statement, *values)

        self.monkeypatch.setattr(engine, "execute", execute)


@pytest.fixture
def case(
    postgresql: PostgreSQL, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield PostgreSQLCase(postgresql, stack, certificates, monkeypatch)


class TestPostgreSQL(Canary):
    pass
