"""No password anywhere it does not belong, whatever a rotation ends with."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors as psycopg_errors
from psycopg import sql

from rotators import errors, telemetry
from rotators.database.postgresql import PostgreSQLRotator
from rotators.driver import Driver
from rotators.errors import PermanentError, RotationError, TransientError
from rotators.passwords import PasswordPolicy
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.engines.test_postgresql_gaps import staged, with_policy

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates
    from tests.servers import PostgreSQL


@dataclass
class Case:
    """One rotation that is to fail, and everything secret in it."""

    bench: Bench
    server: PostgreSQL
    certificates: Certificates
    monkeypatch: pytest.MonkeyPatch
    steps: tuple[Step, ...] = tuple(Step)
    canaries: set[str] = field(default_factory=set)

    def begin(self, *, played: tuple[Step, ...] = (), **fields: Any) -> tuple[str, str]:
        arn, _ = self.bench.secret(**fields)
        token = self.bench.driver.start(arn)
        for step in played:
            self.bench.driver.step(arn, token, step.value)
        return arn, token

    def alter(self, arn: str, change: str) -> None:
        with self.server.admin() as admin:
            admin.execute(f"ALTER ROLE {self.bench.current(arn)['username']} {change}")

    def settings(self, **changes: Any) -> None:
        target = self.bench.target
        target.settings = Settings(**{"ca_bundle": self.server.ca, **changes})

    def fail_in_alter(self, error: Exception) -> None:
        """ALTER ROLE raises ``error``, whose text shows the statement, as some of psycopg's do."""
        real = psycopg.Connection.execute

        def execute(connection: Any, statement: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(statement, sql.Composed):
                error.args = (f"{error.args}: {statement.as_string(connection)}",)
                raise error
            return real(connection, statement, *args, **kwargs)

        self.monkeypatch.setattr(psycopg.Connection, "execute", execute)


Scenario = Callable[[Case], None]
SCENARIOS: dict[type[RotationError], Scenario] = {}


def ends_with(kind: type[RotationError]) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[kind] = scenario
        return scenario

    return register


def run(case: Case, arn: str, token: str) -> None:
    case.bench.driver.retry(arn, token)


@ends_with(errors.InvalidEvent)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.bench.handle(
        {"Step": "x", "SecretId": arn, "ClientRequestToken": token, "RotationToken": "r" * 40}, None
    )


@ends_with(errors.InvalidSetting)
def _(case: Case) -> None:
    run(case, *case.begin(masterarn="arn:aws:secretsmanager:us-east-1:123456789012:secret:admin"))


@ends_with(errors.RotationRejected)
def _(case: Case) -> None:
    arn, _ = case.begin()
    case.bench.driver.step(arn, str(uuid.uuid4()), Step.CREATE)


@ends_with(errors.MisconfiguredSecret)
def _(case: Case) -> None:
    run(case, *case.begin(port="nonsense"))


@ends_with(errors.UnknownEngine)
def _(case: Case) -> None:
    arn, token = case.begin(engine="postgress")
    case.bench.engines.clear()
    run(case, arn, token)


@ends_with(errors.DriverMissing)
def _(case: Case) -> None:
    missing = Driver("no_such_driver", extra="postgresql")
    case.monkeypatch.setattr(PostgreSQLRotator.engine, "driver", missing)
    run(case, *case.begin())


@ends_with(errors.StrategyUnavailable)
def _(case: Case) -> None:
    case.settings(strategy=StrategyName.DUAL_PASSWORD)
    run(case, *case.begin())


@ends_with(errors.ForbiddenTarget)
def _(case: Case) -> None:
    arn, token = case.begin()
    staged(case.bench, arn, token, username="postgres", password=uuid.uuid4().hex)
    run(case, arn, token)


@ends_with(errors.LoginRefused)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.alter(arn, "PASSWORD 'set by a person'")
    run(case, arn, token)


@ends_with(errors.AccountLocked)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.alter(arn, "NOLOGIN")
    run(case, arn, token)


@ends_with(errors.UntrustedServer)
def _(case: Case) -> None:
    case.settings(ca_bundle=case.certificates.unrelated_ca)
    run(case, *case.begin())


@ends_with(errors.PermissionMissing)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.fail_in_alter(psycopg_errors.InsufficientPrivilege("permission denied"))
    run(case, arn, token)


@ends_with(errors.ReadOnlyServer)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.fail_in_alter(psycopg_errors.ReadOnlySqlTransaction("cannot execute ALTER ROLE"))
    run(case, arn, token)


@ends_with(errors.VerifierRefused)
def _(case: Case) -> None:
    # What credcheck says, which is in no package here.
    said = "the server says: password type is not a plain text (28000)"
    engine = PostgreSQLRotator.engine
    real = engine.execute

    def execute(itself: Any, session: Any, statement: Any, *values: str) -> Any:
        if isinstance(statement, sql.Composed):
            raise errors.UnexpectedError(said, "Report it.")
        return real(itself, session, statement, *values)

    case.monkeypatch.setattr(engine, "execute", execute)
    run(case, *case.begin())


@ends_with(errors.ValueRefused)
def _(case: Case) -> None:
    arn, _, token = with_policy(case.server, case.bench)
    engine = PostgreSQLRotator.engine
    real = engine.set_password

    def set_password(*args: Any) -> None:
        case.alter(arn, "PASSWORD 'set by a person'")
        real(*args)

    case.monkeypatch.setattr(engine, "set_password", set_password)
    run(case, arn, token)


@ends_with(errors.ValueRejected)
def _(case: Case) -> None:
    arn, _, token = with_policy(case.server, case.bench)
    run(case, arn, token)


@ends_with(errors.AccessDenied)
def _(case: Case) -> None:
    arn, token = case.begin(played=(Step.CREATE,))
    case.bench.simulator.deny("GetSecretValue")
    run(case, arn, token)


@ends_with(errors.UnexpectedError)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.fail_in_alter(ValueError("a defect"))
    run(case, arn, token)


@ends_with(errors.ServerUnreachable)
def _(case: Case) -> None:
    run(case, *case.begin(port=1))


@ends_with(errors.ServiceUnavailable)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.bench.simulator.fail_next("PutSecretValue", "InternalServiceError", 500, times=10)
    run(case, arn, token)


@ends_with(errors.ValueNotReadable)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.bench.driver.step(arn, token, Step.SET)


@ends_with(errors.DeadlineExceeded)
def _(case: Case) -> None:
    arn, token = case.begin()
    driver = type(case.bench.driver)(case.bench.simulator, case.bench.handle, seconds=0.1)
    driver.retry(arn, token)


@pytest.fixture
def case(
    postgresql: PostgreSQL, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Case]:
    # Characters that every layer quotes in its own way.
    policy = PasswordPolicy(length=40, exclude_characters="")
    target = PostgreSQLTarget(postgresql)
    with Bench(PostgreSQLRotator, target) as bench:
        case = Case(bench, postgresql, certificates, monkeypatch)
        case.settings(passwords=policy)
        yield case


def leaks(case: Case, text: str) -> list[str]:
    # Where the policy is to refuse it, the password is the user's name, which is no secret.
    names = {case.bench.current(arn)["username"] for arn in case.bench.arns}
    return [value for value in case.bench.passwords() - names if value in text]


def test_every_failure_has_a_scenario() -> None:
    concrete = {
        kind
        for base in (PermanentError, TransientError)
        for kind in [*base.__subclasses__(), *errors.MisconfiguredSecret.__subclasses__()]
    }
    assert set(SCENARIOS) == concrete


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:.*md5")
def test_a_failure_shows_no_password(
    case: Case, capsys: pytest.CaptureFixture[str], kind: type[RotationError]
) -> None:
    with pytest.raises(kind) as caught:
        SCENARIOS[kind](case)
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = [str(error), repr(error), "".join(traceback.format_exception(error))]
    written = capsys.readouterr().out
    assert "StepFailed" in written
    assert error.reason in written
    for text in [*shown, written, case.server.log_text()]:
        assert not leaks(case, text)


def test_a_success_shows_no_password(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    arn, _ = case.bench.secret(apikey="of another service")
    for _ in range(3):
        case.bench.driver.rotate(arn)
    written = capsys.readouterr().out
    assert "promoted" in written
    assert "StepDuration" in written
    assert not leaks(case, written)
    assert not leaks(case, case.server.log_text())


def test_the_search_finds_what_it_looks_for(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    arn, _ = case.bench.secret()
    password = case.bench.current(arn)["password"]
    telemetry.logger().info(f"careless: {password}")
    assert leaks(case, capsys.readouterr().out) == [password]
    with case.server.admin() as admin:
        admin.execute(f"SELECT '{password}'")
    assert leaks(case, case.server.log_text()) == [password]
