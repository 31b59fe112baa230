"""No password anywhere it does not belong: the double of MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import database
from pymongo.errors import NotPrimaryError, OperationFailure

from rotators import errors
from rotators.database.documentdb import DocumentDBRotator
from tests.engines.canary import BY_A_PERSON, Canary, Case
from tests.engines.documentdb_target import MongoTarget

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from rotators.errors import RotationError
    from rotators.settings import StrategyName
    from rotators.testing.certificates import Certificates
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]

CODES: dict[type[RotationError], int] = {
    errors.PermissionMissing: 13,
    errors.ReadOnlyServer: 10107,
    errors.ValueRefused: 2,
}
SETTING = ("updateUser", "createUser")


class MongoCase(Case):
    def __init__(self, server: Mongo, *others: Any) -> None:
        self.server = server
        super().__init__(*others)

    def target(self, strategy: StrategyName) -> tuple[type[DatabaseRotator], MongoTarget]:
        return DocumentDBRotator, MongoTarget(self.server, strategy)

    def server_logs(self) -> str:
        return self.server.log_text()

    def say(self, text: str) -> None:
        self.server.command("usersInfo", text)

    def set_by_a_person(self, arn: str) -> None:
        name = self.bench.current(arn)["username"]
        self.server.command("updateUser", name, pwd=BY_A_PERSON)

    def lock(self, arn: str) -> None:
        self.stack.enter_context(self.server.failing("saslContinue", 334))

    def with_policy(self) -> tuple[str, str]:
        rotation = self.begin()
        self.refuse(errors.ValueRefused)
        return rotation

    def refuse(self, kind: type[RotationError]) -> None:
        """The server's message shows all of the command, as no server should."""
        real = database.Database.command

        def command(itself: Any, name: Any, value: Any = 1, *args: Any, **fields: Any) -> Any:
            if name not in SETTING or fields.get("pwd") == BY_A_PERSON:
                return real(itself, name, value, *args, **fields)
            said = f"not in {fields}"
            if kind is errors.UnexpectedError:
                raise RuntimeError(said)
            details = {"errmsg": said, "code": CODES[kind]}
            if kind is errors.ReadOnlyServer:
                raise NotPrimaryError(said, details)
            raise OperationFailure(said, CODES[kind], details)

        def refusing(*_: Any, **fields: Any) -> None:
            raise errors.VerifierRefused(f"not in {fields}", "It is what other engines end with.")

        if kind is errors.VerifierRefused:
            self.monkeypatch.setattr(DocumentDBRotator.engine, "_write", refusing)
            return
        self.monkeypatch.setattr(database.Database, "command", command)


@pytest.fixture
def case(
    mongo: Mongo, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    with ExitStack() as stack:
        yield MongoCase(mongo, stack, certificates, monkeypatch)


class TestMongoDouble(Canary):
    pass
