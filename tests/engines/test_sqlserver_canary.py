"""No password anywhere it does not belong: SQL Server, on a double."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from rotators import errors
from rotators.database.sqlserver import SQLServerRotator
from tests.engines.canary import BY_A_PERSON, Canary, Case
from tests.engines.sqlserver_target import Server, SQLServerTarget, any_server, the_double

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from rotators.errors import RotationError
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates

# As the double's own, with as much of the statement in them as a server could ever show.
ERRORS: dict[type[RotationError], tuple[int, str]] = {
    errors.PermissionMissing: (15247, "User does not have permission to perform this action."),
    errors.ReadOnlyServer: (3906, "Failed to update the database because it is read-only."),
    errors.ValueRefused: (15118, "Password validation failed: it is not complex enough."),
}
SETTING = re.compile("(ALTER|CREATE) (LOGIN|USER)")


class SQLServerCase(Case):
    def __init__(self, server: Server, *others: Any) -> None:
        self.server = server
        self.double = the_double(server)
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[DatabaseRotator], SQLServerTarget]:
        return SQLServerRotator, SQLServerTarget(self.server, strategy)

    def server_logs(self) -> str:
        return "\n".join(self.double.log)

    def say(self, text: str) -> None:
        self.double.log.append(text)

    def login(self, arn: str) -> Any:
        return self.double.logins[self.bench.current(arn)["username"]]

    def set_by_a_person(self, arn: str) -> None:
        self.login(arn).password = BY_A_PERSON

    def lock(self, arn: str) -> None:
        self.login(arn).barred = 18486

    def with_policy(self) -> tuple[str, str]:
        rotation = self.begin()
        self.refuse(errors.ValueRefused)
        return rotation

    def refuse(self, kind: type[RotationError]) -> None:
        model = self.double
        if kind in ERRORS:
            model.refuse = (SETTING, *ERRORS[kind])
            return
        if kind is errors.VerifierRefused:
            # SQL Server takes no verifier, so it refuses none.
            def refuse(*_: Any) -> None:
                raise errors.VerifierRefused("refused", "Allow it.")

            self.monkeypatch.setattr(SQLServerRotator.engine, "set_password", refuse)
            return
        answer = model._answer

        def repeat(query: Any, session: Any) -> Any:
            if SETTING.search(query.sql):
                from tests.doubles.sqlserver_statements import syntax, tokens

                raise syntax(" ".join(tokens(query.sql)))
            return answer(query, session)

        self.monkeypatch.setattr(model, "_answer", repeat)


@pytest.fixture
def case(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with any_server(certificates) as server, ExitStack() as stack:
        yield SQLServerCase(server, stack, certificates, monkeypatch)


class TestSQLServer(Canary):
    pass
