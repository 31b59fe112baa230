"""No password anywhere it does not belong, whatever a rotation ends with: for every engine."""

from __future__ import annotations

import traceback
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators import errors, telemetry
from rotators.database.strategies.dual_password import DualPassword
from rotators.driver import Driver
from rotators.errors import PermanentError, RotationError, TransientError
from rotators.passwords import PasswordPolicy
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from rotators.testing.bench import Target
    from rotators.testing.certificates import Certificates

# Only what a provider issues ends so: test_twitter_canary.py.
OF_ISSUED_VALUES = {errors.AnswerLost, errors.ReauthorizationRequired}

# Characters that every layer quotes in its own way.
POLICY = PasswordPolicy(length=40, exclude_characters="")
BY_A_PERSON = "set by a person"


class Case(ABC):
    """One rotation on a real server, and everything secret in it."""

    rotator: type[DatabaseRotator]
    bench: Bench

    def __init__(
        self, stack: ExitStack, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.stack = stack
        self.certificates = certificates
        self.monkeypatch = monkeypatch
        self.rotate_by(StrategyName.SINGLE_USER)

    def rotate_by(self, strategy: StrategyName) -> None:
        rotator, target = self.target(strategy)
        target.settings = replace(target.settings, passwords=POLICY)
        self.rotator = rotator
        self.bench = self.stack.enter_context(Bench(rotator, target))

    def begin(self, *, played: tuple[Step, ...] = (), **fields: Any) -> tuple[str, str]:
        arn, _ = self.bench.secret(**fields)
        token = self.bench.driver.start(arn)
        for step in played:
            self.bench.driver.step(arn, token, step.value)
        return arn, token

    def settings(self, **changes: Any) -> None:
        target = self.bench.target
        target.settings = Settings(**{"ca_bundle": target.settings.ca_bundle, **changes})

    def set_by_a_person_first(self, arn: str) -> None:
        """Somebody else is faster, when the rotation sets the password."""
        engine: Any = self.rotator.engine
        real = engine.set_password

        def set_password(*args: Any) -> None:
            self.set_by_a_person(arn)
            real(*args)

        self.monkeypatch.setattr(engine, "set_password", set_password)

    def leaks(self, text: str, *, logged: bool = False) -> list[str]:
        """What of the passwords is in a text, which may be one that the server ``logged``."""
        # Where a policy is to refuse it, the password is the user's name, which is no secret.
        names = {self.bench.current(arn)["username"] for arn in self.bench.arns}
        admin = [self.bench.target.admin["password"]] if self.bench.target.admin else []
        passwords = {*self.bench.passwords(), *admin} - names
        shapes = (shape for value in sorted(passwords) for shape in self.shapes(value, logged))
        return [shape for shape in shapes if shape in text]

    def shapes(self, password: str, logged: bool) -> list[str]:
        """What of a password is nobody's business."""
        return [password]

    @abstractmethod
    def target(self, strategy: StrategyName) -> tuple[type[DatabaseRotator], Target]:
        """The server, for secrets that rotate so."""

    @abstractmethod
    def server_logs(self) -> str:
        """All that the server writes anywhere."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Has the server log it, in a statement that is no rotation's."""

    @abstractmethod
    def set_by_a_person(self, arn: str) -> None: ...

    @abstractmethod
    def lock(self, arn: str) -> None: ...

    @abstractmethod
    def refuse(self, kind: type[RotationError]) -> None:
        """Setting a password ends in such an error, whose text shows what it can of a statement."""

    @abstractmethod
    def with_policy(self) -> tuple[str, str]:
        """A rotation of which the server refuses the value."""


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
    case.settings()
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
    missing = Driver("no_such_driver", extra="any")
    case.monkeypatch.setattr(case.rotator.engine, "driver", missing)
    run(case, *case.begin())


@ends_with(errors.StrategyUnavailable)
def _(case: Case) -> None:
    case.monkeypatch.setattr(DualPassword, "needs", Case)
    case.settings(strategy=StrategyName.DUAL_PASSWORD)
    run(case, *case.begin())


@ends_with(errors.ForbiddenTarget)
def _(case: Case) -> None:
    arn, token = case.begin()
    staged(case.bench, arn, token, username="root", password=uuid.uuid4().hex)
    run(case, arn, token)


@ends_with(errors.LoginRefused)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.set_by_a_person(arn)
    run(case, arn, token)


@ends_with(errors.AccountLocked)
def _(case: Case) -> None:
    arn, token = case.begin()
    case.lock(arn)
    run(case, arn, token)


@ends_with(errors.UntrustedServer)
def _(case: Case) -> None:
    case.settings(ca_bundle=case.certificates.unrelated_ca)
    run(case, *case.begin())


def refused(kind: type[RotationError]) -> Scenario:
    def scenario(case: Case) -> None:
        arn, token = case.begin()
        case.refuse(kind)
        run(case, arn, token)

    return scenario


for each in (
    errors.PermissionMissing,
    errors.ReadOnlyServer,
    errors.VerifierRefused,
    errors.UnexpectedError,
):
    ends_with(each)(refused(each))


@ends_with(errors.ValueRefused)
def _(case: Case) -> None:
    arn, token = case.with_policy()
    case.set_by_a_person_first(arn)
    run(case, arn, token)


@ends_with(errors.ValueRejected)
def _(case: Case) -> None:
    run(case, *case.with_policy())


@ends_with(errors.AccessDenied)
def _(case: Case) -> None:
    arn, token = case.begin(played=(Step.CREATE,))
    case.bench.simulator.deny("GetSecretValue")
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


def concrete_errors() -> set[type[RotationError]]:
    """Every error that a rotation can end with."""
    return {
        kind
        for base in (PermanentError, TransientError)
        for kind in [*base.__subclasses__(), *errors.MisconfiguredSecret.__subclasses__()]
    }


class Canary:
    """The tests. A subclass has a fixture ``case``."""

    def test_every_failure_has_a_scenario(self) -> None:
        assert set(SCENARIOS) == concrete_errors() - OF_ISSUED_VALUES

    @pytest.mark.parametrize("kind", SCENARIOS, ids=lambda kind: kind.__name__)
    @pytest.mark.filterwarnings("ignore:.*md5")
    def test_a_failure_shows_no_password(
        self, case: Case, capsys: pytest.CaptureFixture[str], kind: type[RotationError]
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
        for text in [*shown, written]:
            assert not case.leaks(text)
        assert not case.leaks(case.server_logs(), logged=True)

    def test_a_success_shows_no_password(
        self, case: Case, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for strategy in map(StrategyName, case.rotator.strategies):
            case.rotate_by(strategy)
            arn, _ = case.bench.secret(apikey="of another service")
            for _ in range(2):
                case.bench.driver.rotate(arn)
            written = capsys.readouterr().out
            assert written.count("promoted") == 2
            assert "StepDuration" in written
            assert not case.leaks(written)
            assert not case.leaks(case.server_logs(), logged=True)

    def test_the_search_finds_what_it_looks_for(
        self, case: Case, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arn, _ = case.bench.secret()
        password = case.bench.current(arn)["password"]
        telemetry.logger().info(f"careless: {password}")
        assert case.leaks(capsys.readouterr().out) == [password]
        case.say(password)
        assert case.leaks(case.server_logs(), logged=True) == [password]
