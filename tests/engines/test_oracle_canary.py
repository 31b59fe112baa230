"""No password anywhere it does not belong: Oracle, on the double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators import errors
from rotators.database.oracle import OracleRotator
from rotators.errors import RotationError, VerifierRefused
from tests.doubles.oracle_bytes import OraError
from tests.engines.canary import BY_A_PERSON, POLICY, Canary, Case
from tests.engines.oracle_target import OracleTarget, Server, serving, the_double

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates

ERRORS: dict[type[RotationError], tuple[int, str]] = {
    errors.PermissionMissing: (1031, "insufficient privileges"),
    errors.ReadOnlyServer: (16000, "database open for read-only access"),
    errors.UnexpectedError: (1410, "invalid ROWID"),
}


class OracleCase(Case):
    def __init__(self, server: Server, *others: Any) -> None:
        self.server = server
        self.double = the_double(server)
        self.person_comes_first = False
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[DatabaseRotator], OracleTarget]:
        return OracleRotator, OracleTarget(self.server, strategy)

    def rotate_by(self, strategy: StrategyName) -> None:
        super().rotate_by(strategy)
        target = self.bench.target
        # An admin's statement cannot hold a double quote.
        target.settings = replace(
            target.settings, passwords=replace(POLICY, exclude_characters='"')
        )

    def server_logs(self) -> str:
        """What an audit trail shows."""
        return self.double.audit

    def say(self, text: str) -> None:
        self.double.asked.append(("SYSTEM", f"-- {text}"))

    def set_by_a_person(self, arn: str) -> None:
        name = self.bench.current(arn)["username"]
        self.server.execute(f'ALTER USER "{name}" IDENTIFIED BY "{BY_A_PERSON}"')

    def set_by_a_person_first(self, arn: str) -> None:
        """While the server looks at the new one: else the old one would be wrong already."""
        self.person_comes_first = True

    def lock(self, arn: str) -> None:
        self.server.execute(f'ALTER USER "{self.bench.current(arn)["username"]}" ACCOUNT LOCK')

    def refuse(self, kind: type[RotationError]) -> None:
        if kind is VerifierRefused:  # Oracle gets none
            engine: Any = self.rotator.engine
            self.monkeypatch.setattr(engine, "change_own", _refuse_verifier)
            return
        number, said = ERRORS[kind]

        def set_password(name: str, password: str) -> None:
            del name, password
            raise OraError(number, said)

        self.monkeypatch.setattr(self.double, "set_password", set_password)

    def with_policy(self) -> tuple[str, str]:
        arn, token = self.begin()

        def verify(_: str, new: str) -> str | None:
            if new == BY_A_PERSON:
                return None
            if self.person_comes_first:
                self.set_by_a_person(arn)
            return "too plain"

        self.double.verify = verify
        return arn, token


def _refuse_verifier(*_: object) -> None:
    raise VerifierRefused("it wants something else", "Give it that.")


@pytest.fixture
def case(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    with ExitStack() as stack:
        server = stack.enter_context(serving(certificates))
        yield OracleCase(server, stack, certificates, monkeypatch)


class TestOracleDouble(Canary):
    pass
