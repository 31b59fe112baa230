"""The driver plays the service's part as the contract says: the name of a test is the rule."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from rotators.testing.driver import STEPS, LambdaContext, RotationDriver, RotationIncompleteError
from rotators.testing.simulator import SecretsManagerSimulator, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Client = Any  # boto3 makes its clients at run time
Session = Any


class Function:
    """A small, right rotation function on boto3, with a place to break it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[dict[str, str]] = []
        self.contexts: list[LambdaContext] = []
        self.first: dict[str, Callable[[], object]] = {}

    @property
    def steps(self) -> list[str]:
        return [event["Step"] for event in self.events]

    def __call__(self, event: dict[str, str], context: LambdaContext) -> None:
        self.events.append(event)
        self.contexts.append(context)
        step = event["Step"]
        self.first.pop(step, lambda: None)()
        if step == "createSecret":
            self.create(event)
        if step == "finishSecret":
            self.finish(event["SecretId"], event["ClientRequestToken"])

    def create(self, event: dict[str, str]) -> None:
        self.client.put_secret_value(
            SecretId=event["SecretId"],
            ClientRequestToken=event["ClientRequestToken"],
            SecretString="value of " + event["ClientRequestToken"],
            VersionStages=["AWSPENDING"],
            RotationToken=event["RotationToken"],
        )

    def finish(self, arn: str, token: str) -> None:
        versions = self.client.describe_secret(SecretId=arn)["VersionIdsToStages"]
        (current,) = [key for key, held in versions.items() if "AWSCURRENT" in held]
        if current != token:
            self.client.update_secret_version_stage(
                SecretId=arn,
                VersionStage="AWSCURRENT",
                MoveToVersionId=token,
                RemoveFromVersionId=current,
            )


def fail() -> None:
    raise LookupError("broken")


@pytest.fixture
def simulator() -> Iterator[SecretsManagerSimulator]:
    with SecretsManagerSimulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def session() -> Session:
    return boto3.session.Session(
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="example",
        region_name="us-east-1",
    )


@pytest.fixture
def function(simulator: SecretsManagerSimulator, session: Session) -> Iterator[Function]:
    client = session.client(
        "secretsmanager",
        endpoint_url=simulator.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield Function(client)
    finally:
        client.close()


@pytest.fixture
def driver(simulator: SecretsManagerSimulator, function: Function) -> RotationDriver:
    return RotationDriver(simulator, function)


@pytest.fixture
def arn(simulator: SecretsManagerSimulator) -> str:
    return simulator.create_secret("app/db", {"password": "first"})


def names(simulator: SecretsManagerSimulator) -> list[str]:
    return [event.name for event in simulator.events]


def test_start_stages_an_empty_version_and_calls_nothing(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    token = driver.start(arn)
    assert simulator.labels(arn)[token] == {"AWSPENDING"}
    assert simulator.value(arn, version_id=token) is None
    assert simulator.secret(arn).rotation_enabled is True
    assert function.events == []


def test_start_is_refused_while_a_rotation_is_open(driver: RotationDriver, arn: str) -> None:
    driver.start(arn)
    with pytest.raises(ServiceError, match="A previous rotation isn't complete") as caught:
        driver.start(arn)
    assert caught.value.code == "InvalidRequestException"


def test_start_never_overwrites_a_version(
    simulator: SecretsManagerSimulator, driver: RotationDriver, arn: str
) -> None:
    token = driver.rotate(arn)
    with pytest.raises(ServiceError, match="ResourceExistsException"):
        driver.start(arn, token)
    assert simulator.value(arn) == f"value of {token}"


def test_rotate_plays_four_steps_with_one_token(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    wanted = str(uuid.uuid4())
    token = driver.rotate("app/db", wanted)
    assert token == wanted
    assert function.steps == ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert {event["ClientRequestToken"] for event in function.events} == {token}
    assert {event["SecretId"] for event in function.events} == {arn}
    assert simulator.value(arn) == f"value of {token}"
    assert names(simulator) == ["RotationStarted", "RotationSucceeded"]


@pytest.mark.parametrize("step", STEPS)
def test_every_event_carries_a_rotation_token_that_the_service_accepts(
    simulator: SecretsManagerSimulator,
    driver: RotationDriver,
    function: Function,
    arn: str,
    step: str,
) -> None:
    simulator.rotation_token_required = True
    token = driver.start(arn)
    driver.step(arn, token, "createSecret")
    driver.step(arn, token, step)
    for event in function.events:
        assert re.fullmatch(r"[a-zA-Z0-9\-]{36,256}", event["RotationToken"])
    assert simulator.value(arn, version_id=token) == f"value of {token}"


def test_step_delivers_one_event_whatever_the_state(
    driver: RotationDriver, function: Function, arn: str
) -> None:
    token = driver.rotate(arn)
    driver.step(arn, token, "setSecret")
    assert function.steps[4:] == ["setSecret"]


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_step_ends_the_rotation_and_comes_through(
    simulator: SecretsManagerSimulator,
    driver: RotationDriver,
    function: Function,
    arn: str,
    step: str,
) -> None:
    function.first[step] = fail
    with pytest.raises(LookupError, match="broken"):
        driver.rotate(arn)
    assert function.steps[-1] == step
    assert simulator.events[-1].name == "RotationFailed"
    assert simulator.events[-1].message is not None
    assert simulator.events[-1].message.endswith(f"during {step} step")


def test_a_crash_of_the_function_is_a_failed_step(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    class Crash(BaseException):
        pass

    def crash() -> None:
        raise Crash

    function.first["setSecret"] = crash
    with pytest.raises(Crash):
        driver.rotate(arn)
    assert names(simulator) == ["RotationStarted", "RotationFailed"]


@pytest.mark.parametrize("step", STEPS)
def test_retry_repeats_the_whole_rotation_with_the_same_token(
    simulator: SecretsManagerSimulator,
    driver: RotationDriver,
    function: Function,
    arn: str,
    step: str,
) -> None:
    token = str(uuid.uuid4())
    function.first[step] = fail
    with pytest.raises(LookupError):
        driver.rotate(arn, token)
    driver.retry(arn, token)
    assert function.steps[-4:] == list(STEPS)
    assert {event["ClientRequestToken"] for event in function.events} == {token}
    assert simulator.value(arn) == f"value of {token}"
    assert names(simulator) == ["RotationStarted", "RotationFailed", "RotationSucceeded"]


def test_four_steps_without_a_new_awscurrent_are_incomplete(
    simulator: SecretsManagerSimulator, arn: str
) -> None:
    driver = RotationDriver(simulator, lambda event, context: None)
    with pytest.raises(RotationIncompleteError, match="AWSCURRENT is not on version"):
        driver.rotate(arn)
    assert names(simulator) == ["RotationStarted", "RotationFailed"]


def test_replay_delivers_the_very_same_event_again(
    driver: RotationDriver, function: Function, arn: str
) -> None:
    token = driver.start(arn)
    driver.replay(arn, token, "createSecret", deliveries=3)
    assert function.steps == ["createSecret"] * 3
    assert function.events[0] == function.events[1] == function.events[2]
    assert function.events[0] is not function.events[1]


def test_parallel_delivers_at_the_same_time(simulator: SecretsManagerSimulator, arn: str) -> None:
    together = threading.Barrier(2, timeout=10)
    events: list[dict[str, str]] = []

    def meet(event: dict[str, str], context: LambdaContext) -> None:
        events.append(event)
        together.wait()

    driver = RotationDriver(simulator, meet)
    assert driver.parallel(arn, driver.start(arn), "createSecret") == [None, None]
    assert events[0] == events[1]


def test_parallel_uses_a_thread_for_each_delivery(
    simulator: SecretsManagerSimulator, arn: str
) -> None:
    threads: list[int] = []
    driver = RotationDriver(simulator, lambda event, context: threads.append(threading.get_ident()))
    driver.parallel(arn, driver.start(arn), "setSecret", deliveries=8)
    assert len(set(threads)) == 8


def test_parallel_answers_what_each_delivery_raised(
    driver: RotationDriver, function: Function, arn: str
) -> None:
    token = driver.start(arn)
    function.first["setSecret"] = fail
    raised = driver.parallel(arn, token, "setSecret", deliveries=3)
    assert sorted(type(error).__name__ for error in raised) == [
        "LookupError",
        "NoneType",
        "NoneType",
    ]


def test_test_only_sends_test_secret_alone_with_a_copy_and_removes_the_version(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    seen: list[tuple[object, object]] = []

    def look() -> None:
        pending = simulator.value(arn, stage="AWSPENDING")
        seen.append((pending, len(simulator.labels(arn))))

    function.first["testSecret"] = look
    before = simulator.labels(arn)
    token = driver.test_only(arn)
    assert function.steps == ["testSecret"]
    assert seen == [(simulator.value(arn), 2)]
    assert function.events[0]["ClientRequestToken"] == token
    assert simulator.labels(arn) == before
    assert token not in simulator.secret(arn).versions


def test_test_only_may_come_without_a_value(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    seen: list[object] = []
    function.first["testSecret"] = lambda: seen.extend(
        (len(simulator.labels(arn)), simulator.value(arn, stage="AWSPENDING"))
    )
    driver.test_only(arn, "missing")
    assert seen == [2, None]


def test_test_only_that_fails_comes_through_and_cleans_up(
    simulator: SecretsManagerSimulator, driver: RotationDriver, function: Function, arn: str
) -> None:
    function.first["testSecret"] = fail
    before = simulator.labels(arn)
    with pytest.raises(LookupError):
        driver.test_only(arn)
    assert simulator.labels(arn) == before
    assert names(simulator) == ["TestRotationStarted", "TestRotationFailed"]


def test_cancel_leaves_the_label_and_turns_rotation_off(
    simulator: SecretsManagerSimulator, driver: RotationDriver, arn: str
) -> None:
    token = driver.start(arn)
    driver.cancel(arn)
    assert simulator.labels(arn)[token] == {"AWSPENDING"}
    assert simulator.secret(arn).rotation_enabled is False


def test_a_value_put_by_hand_abandons_the_rotation(
    simulator: SecretsManagerSimulator, driver: RotationDriver, arn: str
) -> None:
    token = driver.start(arn)
    by_hand = driver.put_by_hand(arn, {"password": "by hand"})
    assert token not in simulator.labels(arn)
    assert simulator.labels(arn)[by_hand] == {"AWSCURRENT"}
    assert names(simulator) == ["RotationStarted", "RotationAbandoned"]


@pytest.mark.parametrize("closes", ["cancel", "put_by_hand"])
def test_a_rotation_closed_half_way_ends_quietly(
    simulator: SecretsManagerSimulator,
    driver: RotationDriver,
    function: Function,
    arn: str,
    closes: str,
) -> None:
    close = {
        "cancel": lambda: driver.cancel(arn),
        "put_by_hand": lambda: driver.put_by_hand(arn, "by hand"),
    }
    function.first["setSecret"] = close[closes]
    driver.rotate(arn)
    assert function.steps == ["createSecret", "setSecret"]
    assert "RotationSucceeded" not in names(simulator)


def test_the_driver_is_no_client(
    simulator: SecretsManagerSimulator, driver: RotationDriver, arn: str
) -> None:
    driver.start(arn)
    driver.put_by_hand(arn, "by hand")
    driver.cancel(arn)
    assert simulator.calls == []


def test_each_invocation_has_a_context_of_its_own(
    simulator: SecretsManagerSimulator, function: Function, arn: str
) -> None:
    RotationDriver(simulator, function, seconds=9).rotate(arn)
    assert {context.seconds for context in function.contexts} == {9}
    assert len({context.aws_request_id for context in function.contexts}) == 4
    for context in function.contexts:
        assert context.invoked_function_arn == simulator.secret(arn).lambda_arn
        assert context.function_name
        assert context.memory_limit_in_mb > 0


def test_the_time_of_a_context_runs_down_to_zero() -> None:
    context = LambdaContext(seconds=60)
    first = context.get_remaining_time_in_millis()
    time.sleep(0.01)
    assert 0 < context.get_remaining_time_in_millis() < first <= 60_000
    assert LambdaContext(seconds=-1).get_remaining_time_in_millis() == 0


def test_a_context_is_frozen() -> None:
    name = "seconds"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(LambdaContext(), name, 1)
