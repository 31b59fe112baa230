"""Each rule of Secrets Manager's contract, asked through boto3: the name of a test is the rule."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from rotators.testing._state.store import Store
from rotators.testing.simulator import Call, SecretsManagerSimulator, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotators.testing.simulator import SecretRecord

Client = Any  # boto3 makes its clients at run time

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:rotator"
NEVER = str(uuid.UUID(int=0))
CREDENTIALS = {
    "aws_access_key_id": "AKIDEXAMPLE",
    "aws_secret_access_key": "example",
    "region_name": "us-east-1",
}
# One session for all, for it reads the service's model once; clients are made one at a time.
_SESSION = boto3.session.Session(**CREDENTIALS)
_SESSION_LOCK = threading.Lock()


def token() -> str:
    return str(uuid.uuid4())


@contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


@contextmanager
def client_of(simulator: SecretsManagerSimulator, attempts: int = 1) -> Iterator[Client]:
    # The service's own checks are under test, so the client makes none and repeats nothing.
    config = Config(parameter_validation=False, retries={"total_max_attempts": attempts})
    with _SESSION_LOCK:
        client = _SESSION.client(
            "secretsmanager", endpoint_url=simulator.endpoint_url, config=config
        )
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def simulator() -> Iterator[SecretsManagerSimulator]:
    with SecretsManagerSimulator() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: SecretsManagerSimulator) -> Iterator[Client]:
    with client_of(simulator) as client:
        yield client


@pytest.fixture
def arn(simulator: SecretsManagerSimulator) -> str:
    return simulator.create_secret("app/db", "first")


@pytest.fixture
def first(simulator: SecretsManagerSimulator, arn: str) -> str:
    return holder(simulator, arn, "AWSCURRENT")


def holder(simulator: SecretsManagerSimulator, secret_id: str, label: str) -> str:
    (version,) = [key for key, held in simulator.labels(secret_id).items() if label in held]
    return version


def put(client: Client, secret_id: str, value: str, *stages: str, **more: str) -> str:
    version = more.pop("ClientRequestToken", token())
    given = {"VersionStages": list(stages)} if stages else {}
    client.put_secret_value(
        SecretId=secret_id, ClientRequestToken=version, SecretString=value, **given, **more
    )
    return version


def move(client: Client, secret_id: str, label: str, to: str | None, source: str | None) -> None:
    versions = {"MoveToVersionId": to, "RemoveFromVersionId": source}
    given = {key: version for key, version in versions.items() if version is not None}
    client.update_secret_version_stage(SecretId=secret_id, VersionStage=label, **given)


def post(
    simulator: SecretsManagerSimulator, operation: str, given: Mapping[str, object]
) -> tuple[int, dict[str, Any]]:
    """A request that no SDK would make."""
    request = urllib.request.Request(  # noqa: S310 - the simulator's own address
        simulator.endpoint_url,
        data=json.dumps(given).encode(),
        headers={"X-Amz-Target": f"secretsmanager.{operation}"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


class TestGetSecretValue:
    def test_returns_awscurrent_by_default(self, client: Client, arn: str, first: str) -> None:
        put(client, arn, "staged", "AWSPENDING")
        answer = client.get_secret_value(SecretId=arn)
        assert (answer["SecretString"], answer["VersionId"]) == ("first", first)
        assert answer["VersionStages"] == ["AWSCURRENT"]

    def test_default_follows_a_moved_label(self, client: Client, arn: str, first: str) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        move(client, arn, "AWSCURRENT", pending, first)
        assert client.get_secret_value(SecretId=arn)["VersionId"] == pending

    def test_default_follows_a_label_moved_back(self, client: Client, arn: str, first: str) -> None:
        second = put(client, arn, "second")
        move(client, arn, "AWSCURRENT", first, second)
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "first"

    def test_finds_by_stage_by_version_and_by_both(self, client: Client, arn: str) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        for given in (
            {"VersionStage": "AWSPENDING"},
            {"VersionId": pending},
            {"VersionId": pending, "VersionStage": "AWSPENDING"},
        ):
            assert client.get_secret_value(SecretId=arn, **given)["SecretString"] == "second"

    def test_version_and_stage_must_be_the_same_version(
        self, client: Client, arn: str, first: str
    ) -> None:
        put(client, arn, "second", "AWSPENDING")
        with refused("InvalidRequestException", "not associated to the provided VersionId"):
            client.get_secret_value(SecretId=arn, VersionId=first, VersionStage="AWSPENDING")

    def test_unknown_secret(self, client: Client) -> None:
        text = "Secrets Manager can't find the specified secret."
        with refused("ResourceNotFoundException", text):
            client.get_secret_value(SecretId="nowhere")

    def test_unknown_stage(self, client: Client, arn: str) -> None:
        text = "can't find the specified secret value for staging label: AWSPENDING"
        with refused("ResourceNotFoundException", text):
            client.get_secret_value(SecretId=arn, VersionStage="AWSPENDING")

    def test_unknown_version(self, client: Client, arn: str) -> None:
        text = f"can't find the specified secret value for VersionId: {NEVER}"
        with refused("ResourceNotFoundException", text):
            client.get_secret_value(SecretId=arn, VersionId=NEVER)

    def test_a_version_without_a_value_is_not_found(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        by_stage = "specified secret value for staging label: AWSPENDING"
        with refused("ResourceNotFoundException", by_stage):
            client.get_secret_value(SecretId=arn, VersionId=version, VersionStage="AWSPENDING")
        with refused("ResourceNotFoundException", f"VersionId: {version}"):
            client.get_secret_value(SecretId=arn, VersionId=version)

    def test_unlabelled_version_is_readable_by_id(
        self, client: Client, arn: str, first: str
    ) -> None:
        put(client, arn, "second")
        put(client, arn, "third")
        assert client.get_secret_value(SecretId=arn, VersionId=first)["SecretString"] == "first"

    def test_binary_value_comes_back_as_bytes(
        self, simulator: SecretsManagerSimulator, client: Client
    ) -> None:
        simulator.create_secret("binary", b"\x00\xff")
        answer = client.get_secret_value(SecretId="binary")
        assert answer["SecretBinary"] == b"\x00\xff"
        assert "SecretString" not in answer
        assert simulator.value("binary") == "AP8="

    @pytest.mark.parametrize("length", [31, 65])
    def test_version_id_has_32_to_64_characters(
        self, client: Client, arn: str, length: int
    ) -> None:
        with refused("InvalidParameterException", "VersionId"):
            client.get_secret_value(SecretId=arn, VersionId="v" * length)


class TestAddressing:
    def test_by_arn_by_name_and_by_partial_arn(self, client: Client, arn: str) -> None:
        for secret_id in (arn, "app/db", arn[:-7]):
            assert client.describe_secret(SecretId=secret_id)["ARN"] == arn

    def test_a_part_of_the_name_is_nothing(self, client: Client, arn: str) -> None:
        for secret_id in ("app", arn[:-1], arn[:-8]):
            with refused("ResourceNotFoundException"):
                client.describe_secret(SecretId=secret_id)

    def test_the_arn_ends_in_six_random_characters(
        self, simulator: SecretsManagerSimulator
    ) -> None:
        one, two = simulator.create_secret("one", "x"), simulator.create_secret("two", "x")
        prefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:one-"
        assert one.startswith(prefix)
        assert len(one) == len(prefix) + 6
        assert one[-6:] != two[-6:]


class TestPutSecretValue:
    def test_without_stages_moves_awscurrent_and_awsprevious(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        second = put(client, arn, "second")
        third = put(client, arn, "third")
        assert simulator.labels(arn) == {
            second: frozenset({"AWSPREVIOUS"}),
            third: frozenset({"AWSCURRENT"}),
        }
        assert first in simulator.secret(arn).versions

    def test_with_stages_leaves_awscurrent(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        assert simulator.labels(arn) == {
            first: frozenset({"AWSCURRENT"}),
            pending: frozenset({"AWSPENDING"}),
        }

    def test_a_label_of_a_new_version_is_taken_from_the_old_one(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        put(client, arn, "second", "blue")
        third = put(client, arn, "third", "blue")
        assert holder(simulator, arn, "blue") == third

    def test_custom_labels_of_the_old_current_stay(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        move(client, arn, "blue", first, None)
        put(client, arn, "second", "AWSCURRENT")
        assert simulator.labels(arn)[first] == {"AWSPREVIOUS", "blue"}

    def test_first_version_takes_awscurrent_whatever_its_stages(
        self, simulator: SecretsManagerSimulator, client: Client
    ) -> None:
        client.create_secret(Name="empty")
        version = put(client, "empty", "first", "blue")
        assert simulator.labels("empty") == {version: frozenset({"AWSCURRENT", "blue"})}

    def test_same_token_and_same_value_does_nothing(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        second = put(client, arn, "second", "AWSPENDING")
        before = simulator.secret(arn)
        put(client, arn, "second", "AWSCURRENT", ClientRequestToken=second)
        assert simulator.secret(arn) == before

    def test_same_token_and_another_value_is_refused(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        second = put(client, arn, "second", "AWSPENDING")
        with refused("ResourceExistsException", "already exists"):
            put(client, arn, "other", "AWSPENDING", ClientRequestToken=second)
        assert simulator.value(arn, version_id=second) == "second"

    def test_the_empty_version_of_a_rotation_takes_one_value(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        put(client, arn, "second", "AWSPENDING", ClientRequestToken=version)
        assert simulator.value(arn, stage="AWSPENDING") == "second"
        with refused("ResourceExistsException"):
            put(client, arn, "other", "AWSPENDING", ClientRequestToken=version)

    def test_an_empty_version_without_awspending_takes_none(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        simulator.put_by_hand(arn, "by hand")
        with refused("ResourceExistsException"):
            put(client, arn, "late", "AWSPENDING", ClientRequestToken=version)

    @pytest.mark.parametrize("length", [31, 65])
    def test_token_has_32_to_64_characters(self, client: Client, arn: str, length: int) -> None:
        with refused("InvalidParameterException", "ClientRequestToken"):
            put(client, arn, "second", ClientRequestToken="t" * length)

    @pytest.mark.parametrize("length", [32, 64])
    def test_token_of_32_and_of_64_characters(self, client: Client, arn: str, length: int) -> None:
        assert put(client, arn, "second", ClientRequestToken="t" * length) == "t" * length

    def test_a_token_is_mandatory(self, simulator: SecretsManagerSimulator, arn: str) -> None:
        status, answer = post(simulator, "PutSecretValue", {"SecretId": arn, "SecretString": "x"})
        assert (status, answer["__type"]) == (400, "InvalidRequestException")
        assert answer["message"].startswith("You must provide a ClientRequestToken value.")

    def test_text_or_binary_and_not_both(self, client: Client, arn: str) -> None:
        with refused("InvalidParameterException", "both"):
            client.put_secret_value(SecretId=arn, SecretString="x", SecretBinary=b"x")
        with refused("InvalidRequestException", "SecretString or SecretBinary"):
            client.put_secret_value(SecretId=arn)

    def test_a_value_has_at_most_65536_bytes(self, client: Client, arn: str) -> None:
        put(client, arn, "x" * 65_536)
        put(client, arn, "é" * 32_768)
        client.put_secret_value(SecretId=arn, SecretBinary=b"x" * 65_536)
        for value in ("x" * 65_537, "é" * 32_769, ""):
            with refused("InvalidParameterException", "SecretString must have 1 to 65536 bytes"):
                put(client, arn, value)
        with refused("InvalidParameterException", "SecretBinary must have 1 to 65536 bytes"):
            client.put_secret_value(SecretId=arn, SecretBinary=b"x" * 65_537)

    def test_1_to_20_stages(self, client: Client, arn: str) -> None:
        for stages in ([], [f"s{number}" for number in range(21)]):
            with refused("InvalidParameterException", "VersionStages"):
                client.put_secret_value(SecretId=arn, SecretString="x", VersionStages=stages)

    def test_a_stage_has_at_most_256_characters(self, client: Client, arn: str) -> None:
        put(client, arn, "second", "s" * 256)
        with refused("InvalidParameterException", "VersionStages"):
            put(client, arn, "third", "s" * 257)

    def test_a_value_is_never_repeated_in_an_error(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        given = {"SecretId": arn, "ClientRequestToken": NEVER, "RotationToken": "!"}
        _, answer = post(simulator, "PutSecretValue", {**given, "SecretString": "hunter2" * 9999})
        assert "hunter2" not in answer["message"]


class TestRotationToken:
    @pytest.mark.parametrize("given", ["a" * 35, "a" * 257, "a" * 35 + "_", "a" * 36 + "\n"])
    def test_has_36_to_256_letters_digits_and_hyphens(
        self, client: Client, arn: str, given: str
    ) -> None:
        with refused("InvalidParameterException", "RotationToken"):
            put(client, arn, "second", RotationToken=given)

    def test_is_accepted_where_it_is_not_required(self, client: Client, arn: str) -> None:
        put(client, arn, "second", RotationToken="a" * 36)
        put(client, arn, "third", RotationToken="a-Z-9" * 51)

    def test_required_and_absent_or_wrong_is_refused(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.rotation_token_required = True
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        simulator.rotations.event(arn, version, "createSecret")
        message = (
            f"Pending secret version {version} for Secret {arn} was not created by Lambda {LAMBDA}."
            " Remove the AWSPENDING staging label and restart rotation"
        )
        for given in ({}, {"RotationToken": token()}):
            with refused("InvalidRequestException", message):
                put(client, arn, "new", "AWSPENDING", ClientRequestToken=version, **given)
        assert simulator.value(arn, version_id=version) is None

    def test_required_and_right_is_accepted(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.rotation_token_required = True
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        sent = simulator.rotations.event(arn, version, "createSecret")["RotationToken"]
        put(client, arn, "new", "AWSPENDING", ClientRequestToken=version, RotationToken=sent)
        assert simulator.value(arn, version_id=version) == "new"

    def test_of_an_earlier_event_stays_right_for_its_version(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.rotation_token_required = True
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        sent = simulator.rotations.event(arn, version, "createSecret")["RotationToken"]
        simulator.rotations.event(arn, version, "createSecret")
        put(client, arn, "new", "AWSPENDING", ClientRequestToken=version, RotationToken=sent)
        assert simulator.value(arn, version_id=version) == "new"

    def test_required_binds_no_one_but_the_rotation(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.rotation_token_required = True
        simulator.rotations.event(arn, token(), "createSecret")
        put(client, arn, "by hand")
        assert simulator.value(arn) == "by hand"


class TestUpdateSecret:
    def test_a_value_becomes_awscurrent(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        version = client.update_secret(SecretId=arn, SecretString="second")["VersionId"]
        assert simulator.labels(arn) == {
            first: frozenset({"AWSPREVIOUS"}),
            version: frozenset({"AWSCURRENT"}),
        }

    def test_an_existing_token_is_an_error_even_with_the_same_value(
        self, client: Client, arn: str, first: str
    ) -> None:
        with refused("ResourceExistsException", "already exists"):
            client.update_secret(SecretId=arn, ClientRequestToken=first, SecretString="first")

    def test_the_empty_version_of_a_rotation_is_an_existing_token(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        with refused("ResourceExistsException"):
            client.update_secret(SecretId=arn, ClientRequestToken=version, SecretString="x")

    def test_without_a_value_makes_no_version(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        answer = client.update_secret(SecretId=arn, Description="new")
        assert "VersionId" not in answer
        assert simulator.labels(arn) == {first: frozenset({"AWSCURRENT"})}
        assert client.describe_secret(SecretId=arn)["Description"] == "new"


class TestUpdateSecretVersionStage:
    def test_awsprevious_follows_awscurrent(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        second = put(client, arn, "second", "blue")
        move(client, arn, "AWSCURRENT", second, first)
        assert simulator.labels(arn)[first] == {"AWSPREVIOUS"}
        move(client, arn, "AWSCURRENT", first, second)
        assert simulator.labels(arn) == {
            first: frozenset({"AWSCURRENT"}),
            second: frozenset({"AWSPREVIOUS", "blue"}),
        }

    def test_taking_awscurrent_removes_awspending_in_the_same_call(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        move(client, arn, "AWSCURRENT", pending, first)
        assert simulator.labels(arn)[pending] == {"AWSCURRENT"}

    def test_keep_pending_label_keeps_it(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        simulator.keep_pending_label = True
        pending = put(client, arn, "second", "AWSPENDING")
        move(client, arn, "AWSCURRENT", pending, first)
        assert simulator.labels(arn)[pending] == {"AWSCURRENT", "AWSPENDING"}

    def test_awspending_of_another_version_stays(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        other = put(client, arn, "third", "blue")
        move(client, arn, "AWSCURRENT", other, first)
        assert simulator.labels(arn)[pending] == {"AWSPENDING"}

    @pytest.mark.parametrize("label", ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "blue"])
    def test_remove_from_is_mandatory_for_any_label_held_elsewhere(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, label: str
    ) -> None:
        held = put(client, arn, "second", label)
        other = put(client, arn, "third", "green")
        text = f"Staging label {label} is currently attached to version {held}"
        with refused("InvalidParameterException", text):
            move(client, arn, label, other, None)
        assert holder(simulator, arn, label) == held

    @pytest.mark.parametrize("label", ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS", "blue"])
    def test_remove_from_must_match_for_any_label(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, label: str
    ) -> None:
        held = put(client, arn, "second", label)
        other = put(client, arn, "third", "green")
        with refused("InvalidParameterException", "it must be set to the version"):
            move(client, arn, label, other, other)
        assert holder(simulator, arn, label) == held

    def test_remove_from_must_match_for_a_label_that_no_version_has(
        self, client: Client, arn: str, first: str
    ) -> None:
        with refused("InvalidParameterException", "it must be set to the version"):
            move(client, arn, "blue", first, first)

    def test_a_free_label_needs_no_remove_from(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        move(client, arn, "blue", first, None)
        move(client, arn, "blue", first, None)
        assert simulator.labels(arn) == {first: frozenset({"AWSCURRENT", "blue"})}

    def test_without_move_to_the_label_is_removed(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        move(client, arn, "AWSPENDING", None, pending)
        assert pending not in simulator.labels(arn)

    def test_a_label_is_removed_only_from_its_holder(
        self, client: Client, arn: str, first: str
    ) -> None:
        put(client, arn, "second", "AWSPENDING")
        with refused("InvalidParameterException"):
            move(client, arn, "AWSPENDING", None, first)

    def test_awscurrent_is_never_removed_altogether(
        self, client: Client, arn: str, first: str
    ) -> None:
        with refused("InvalidParameterException", "can't be completely removed"):
            move(client, arn, "AWSCURRENT", None, first)

    def test_some_version_must_be_named(self, client: Client, arn: str) -> None:
        with refused("InvalidParameterException", "MoveToVersionId or RemoveFromVersionId"):
            move(client, arn, "blue", None, None)

    def test_the_version_must_exist(self, client: Client, arn: str, first: str) -> None:
        with refused("ResourceNotFoundException", f"VersionId: {NEVER}"):
            move(client, arn, "AWSCURRENT", NEVER, first)


class TestVersions:
    def test_describe_hides_unlabelled_versions(self, client: Client, arn: str, first: str) -> None:
        put(client, arn, "second")
        put(client, arn, "third")
        assert first not in client.describe_secret(SecretId=arn)["VersionIdsToStages"]

    def test_describe_shows_a_labelled_version_without_a_value(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        shown = client.describe_secret(SecretId=arn)["VersionIdsToStages"]
        assert shown[version] == ["AWSPENDING"]

    def test_describe_answers_only_fields_that_have_a_value(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        _, answer = post(simulator, "DescribeSecret", {"SecretId": arn})
        assert answer.keys() == {
            "ARN",
            "Name",
            "CreatedDate",
            "LastChangedDate",
            "Tags",
            "VersionIdsToStages",
        }

    def test_list_shows_unlabelled_versions_only_with_include_deprecated(
        self, client: Client, arn: str, first: str
    ) -> None:
        second = put(client, arn, "second")
        third = put(client, arn, "third")
        listed = client.list_secret_version_ids(SecretId=arn)["Versions"]
        assert {version["VersionId"] for version in listed} == {second, third}
        every = client.list_secret_version_ids(SecretId=arn, IncludeDeprecated=True)["Versions"]
        assert {version["VersionId"] for version in every} == {first, second, third}

    def test_list_omits_a_version_without_a_value(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        simulator.rotations.begin(arn, token(), LAMBDA)
        listed = client.list_secret_version_ids(SecretId=arn, IncludeDeprecated=True)["Versions"]
        assert [version["VersionId"] for version in listed] == [first]

    def test_list_comes_in_pages(self, client: Client, arn: str, first: str) -> None:
        made = [first, *(put(client, arn, f"value {number}") for number in range(4))]
        listed: list[list[str]] = []
        more: dict[str, str] = {}
        while not listed or more:
            page = client.list_secret_version_ids(
                SecretId=arn, IncludeDeprecated=True, MaxResults=2, **more
            )
            listed.append([version["VersionId"] for version in page["Versions"]])
            more = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
        assert [len(page) for page in listed] == [2, 2, 1]
        assert sorted(version for page in listed for version in page) == sorted(made)

    def test_list_refuses_a_foreign_next_token(self, client: Client, arn: str) -> None:
        for foreign in ("somewhere", f"{arn}|x", f"{arn}x|1"):
            with refused("InvalidNextTokenException"):
                client.list_secret_version_ids(SecretId=arn, NextToken=foreign)

    @pytest.mark.parametrize("size", [0, 101])
    def test_a_page_has_1_to_100_versions(self, client: Client, arn: str, size: int) -> None:
        with refused("InvalidParameterException", "MaxResults"):
            client.list_secret_version_ids(SecretId=arn, MaxResults=size)


class TestQuotas:
    def test_100_versions_while_none_is_older_than_24_hours(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        for number in range(99):
            simulator.put_by_hand(arn, f"value {number}")
        with refused("LimitExceededException", "100 versions"):
            put(client, arn, "one too many")
        assert simulator.value(arn) == "value 98"

    def test_older_unlabelled_versions_make_room(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        move(client, arn, "keep", first, None)
        for number in range(99):
            simulator.put_by_hand(arn, f"value {number}")
        simulator.advance(timedelta(hours=25))
        put(client, arn, "one more")
        versions = simulator.secret(arn).versions
        assert len(versions) == 100
        assert first in versions

    def test_20_labels_over_all_versions(self, client: Client, arn: str) -> None:
        put(client, arn, "second", *(f"label {number}" for number in range(19)))
        with refused("LimitExceededException", "20 labels"):
            put(client, arn, "third", "one too many")


class TestGetRandomPassword:
    def password(self, client: Client, **given: object) -> str:
        return str(client.get_random_password(**given)["RandomPassword"])

    def test_has_32_characters_of_every_type_by_default(self, client: Client) -> None:
        password = self.password(client)
        assert len(password) == 32
        for kind in (
            string.ascii_lowercase,
            string.ascii_uppercase,
            string.digits,
            string.punctuation,
        ):
            assert set(password) & set(kind)
        assert " " not in password

    def test_two_are_never_the_same(self, client: Client) -> None:
        assert self.password(client) != self.password(client)

    @pytest.mark.parametrize("length", [4, 4096])
    def test_has_the_length_asked_for(self, client: Client, length: int) -> None:
        assert len(self.password(client, PasswordLength=length)) == length

    @pytest.mark.parametrize("length", [0, 4097])
    def test_length_is_1_to_4096(self, client: Client, length: int) -> None:
        with refused("InvalidParameterException", "PasswordLength"):
            self.password(client, PasswordLength=length)

    @pytest.mark.parametrize(
        ("flag", "kind"),
        [
            ("ExcludeLowercase", string.ascii_lowercase),
            ("ExcludeUppercase", string.ascii_uppercase),
            ("ExcludeNumbers", string.digits),
            ("ExcludePunctuation", string.punctuation),
        ],
    )
    def test_excludes_a_type(self, client: Client, flag: str, kind: str) -> None:
        password = self.password(client, PasswordLength=500, **{flag: True})
        assert not set(password) & set(kind)

    def test_excludes_characters(self, client: Client) -> None:
        excluded = "abcXYZ0189/@\"'\\"
        password = self.password(client, PasswordLength=2000, ExcludeCharacters=excluded)
        assert not set(password) & set(excluded)

    def test_includes_space_only_if_asked(self, client: Client) -> None:
        assert " " in self.password(client, PasswordLength=5, IncludeSpace=True)

    def test_a_length_without_room_for_each_type_is_refused(self, client: Client) -> None:
        with refused("InvalidParameterException", "too short"):
            self.password(client, PasswordLength=3)
        assert len(self.password(client, PasswordLength=3, RequireEachIncludedType=False)) == 3
        assert len(self.password(client, PasswordLength=3, ExcludeNumbers=True)) == 3

    def test_excluding_everything_is_refused(self, client: Client) -> None:
        kinds = ("Lowercase", "Uppercase", "Numbers", "Punctuation")
        with refused("InvalidParameterException"):
            self.password(client, **{f"Exclude{kind}": True for kind in kinds})
        with refused("InvalidParameterException"):
            excluded = string.ascii_letters + string.digits + string.punctuation
            self.password(client, ExcludeCharacters=excluded)


class Function:
    """A rotation function that does it right, or fails at one step."""

    def __init__(self, simulator: SecretsManagerSimulator, client: Client) -> None:
        self.simulator = simulator
        self.client = client
        self.fails_at: str | None = None
        self.seen: list[tuple[str, str | None]] = []
        self.lastly: Any = None
        simulator.register_function(LAMBDA, self)

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.seen]

    def __call__(self, event: dict[str, str], context: object) -> None:
        arn, version, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
        self.seen.append((step, self.simulator.value(arn, version_id=version)))
        if step == self.fails_at:
            raise RuntimeError("driver says: password 'hunter2'")
        if step == "createSecret":
            put(
                self.client,
                arn,
                f"value of {version}",
                "AWSPENDING",
                ClientRequestToken=version,
                RotationToken=event["RotationToken"],
            )
        if step == "finishSecret":
            current = holder(self.simulator, arn, "AWSCURRENT")
            move(self.client, arn, "AWSCURRENT", version, current)
        if self.lastly is not None:
            self.lastly(step)


@pytest.fixture
def function(simulator: SecretsManagerSimulator) -> Iterator[Function]:
    with client_of(simulator) as client:
        yield Function(simulator, client)


def names(simulator: SecretsManagerSimulator) -> list[str]:
    return [event.name for event in simulator.events]


class TestRotateSecret:
    def rotate(self, client: Client, arn: str, **given: object) -> str:
        given.setdefault("RotationLambdaARN", LAMBDA)
        return str(client.rotate_secret(SecretId=arn, **given)["VersionId"])

    def test_runs_the_four_steps_in_order_on_a_version_staged_empty(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        version = self.rotate(client, arn)
        value = f"value of {version}"
        assert function.seen == [
            ("createSecret", None),
            ("setSecret", value),
            ("testSecret", value),
            ("finishSecret", value),
        ]
        assert holder(simulator, arn, "AWSCURRENT") == version
        assert names(simulator) == ["RotationStarted", "RotationSucceeded"]

    def test_the_version_carries_awspending_before_the_function_is_called(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        seen: list[tuple[frozenset[str], str | None]] = []

        def look(event: dict[str, str], context: object) -> None:
            version = event["ClientRequestToken"]
            value = simulator.value(arn, version_id=version)
            seen.append((simulator.labels(arn)[version], value))

        simulator.register_function(LAMBDA, look)
        self.rotate(client, arn)
        assert seen[0] == (frozenset({"AWSPENDING"}), None)

    def test_the_event_has_four_fields_and_the_full_arn(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        events: list[dict[str, str]] = []
        simulator.register_function(LAMBDA, lambda event, _: events.append(event))
        self.rotate(client, "app/db", ClientRequestToken="t" * 32)
        assert {event["SecretId"] for event in events} == {arn}
        assert {event["ClientRequestToken"] for event in events} == {"t" * 32}
        for event in events:
            assert event.keys() == {"Step", "SecretId", "ClientRequestToken", "RotationToken"}
            assert 36 <= len(event["RotationToken"]) <= 256

    @pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
    def test_stops_at_the_first_failure_and_logs_it(
        self,
        simulator: SecretsManagerSimulator,
        client: Client,
        arn: str,
        function: Function,
        step: str,
    ) -> None:
        function.fails_at = step
        version = self.rotate(client, arn)
        assert function.steps[-1] == step
        assert function.steps.count(step) == 1
        failed = simulator.events[-1]
        assert (failed.name, failed.version_id) == ("RotationFailed", version)
        assert failed.message == f"Error when executing lambda {LAMBDA} during {step} step"
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "first"

    def test_a_stuck_awspending_refuses_the_next(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        function.fails_at = "setSecret"
        version = self.rotate(client, arn)
        text = "A previous rotation isn't complete. That rotation will be reattempted."
        for given in ({}, {"RotateImmediately": False}, {"ClientRequestToken": version}):
            with refused("InvalidRequestException", text):
                self.rotate(client, arn, **given)
        assert holder(simulator, arn, "AWSPENDING") == version

    def test_clearing_awspending_allows_the_next(
        self, client: Client, arn: str, function: Function
    ) -> None:
        function.fails_at = "setSecret"
        version = self.rotate(client, arn)
        move(client, arn, "AWSPENDING", None, version)
        function.fails_at = None
        assert self.rotate(client, arn) != version

    @pytest.mark.parametrize("kept", [True, False])
    def test_a_second_rotation_after_either_good_end(
        self,
        simulator: SecretsManagerSimulator,
        client: Client,
        arn: str,
        function: Function,
        kept: bool,
    ) -> None:
        simulator.keep_pending_label = kept
        self.rotate(client, arn)
        second = self.rotate(client, arn)
        assert holder(simulator, arn, "AWSCURRENT") == second
        assert names(simulator).count("RotationSucceeded") == 2

    def test_four_steps_that_change_nothing_are_no_success(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.register_function(LAMBDA, lambda event, context: None)
        self.rotate(client, arn)
        assert names(simulator) == ["RotationStarted", "RotationFailed"]

    def test_awspending_taken_away_instead_is_no_success(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        def clear(event: dict[str, str], context: object) -> None:
            if event["Step"] == "finishSecret":
                move(client, arn, "AWSPENDING", None, event["ClientRequestToken"])

        simulator.register_function(LAMBDA, clear)
        self.rotate(client, arn)
        assert names(simulator) == ["RotationStarted", "RotationFailed"]

    def test_the_stored_function_is_used(
        self, client: Client, arn: str, function: Function
    ) -> None:
        self.rotate(client, arn)
        client.rotate_secret(SecretId=arn)
        assert len(function.steps) == 8
        assert client.describe_secret(SecretId=arn)["RotationLambdaARN"] == LAMBDA

    def test_without_a_function_ever_it_is_refused(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        with refused("InvalidRequestException", "doesn't already have a Lambda function ARN"):
            client.rotate_secret(SecretId=arn)
        assert simulator.labels(arn) == {first: frozenset({"AWSCURRENT"})}

    def test_a_missing_function_is_refused_and_leaves_nothing(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        with refused("AccessDeniedException", "cannot invoke the specified Lambda function"):
            self.rotate(client, arn)
        assert simulator.labels(arn) == {first: frozenset({"AWSCURRENT"})}

    def test_a_token_that_is_a_version_already_starts_nothing(
        self, client: Client, arn: str, function: Function
    ) -> None:
        version = self.rotate(client, arn)
        assert self.rotate(client, arn, ClientRequestToken=version) == version
        assert len(function.steps) == 4

    @pytest.mark.parametrize(
        "rules",
        [
            {"AutomaticallyAfterDays": 1},
            {"AutomaticallyAfterDays": 1000, "Duration": "3h"},
            {"ScheduleExpression": "rate(4 hours)"},
            {"ScheduleExpression": "rate(999 days)"},
            {"ScheduleExpression": "cron(0 8 * * ? *)", "Duration": "2h"},
        ],
    )
    def test_a_schedule_turns_rotation_on(
        self, client: Client, arn: str, function: Function, rules: dict[str, object]
    ) -> None:
        self.rotate(client, arn, RotationRules=rules)
        described = client.describe_secret(SecretId=arn)
        assert described["RotationEnabled"] is True
        assert described["RotationRules"] == rules

    @pytest.mark.parametrize(
        "rules",
        [
            {},
            {"AutomaticallyAfterDays": 0},
            {"AutomaticallyAfterDays": 1001},
            {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(4 hours)"},
            {"ScheduleExpression": "rate(3 hours)"},
            {"ScheduleExpression": "rate(1000 days)"},
            {"ScheduleExpression": "cron(15 8 * * ? *)"},
            {"ScheduleExpression": "cron(0 8 * * ? 2030)"},
            {"AutomaticallyAfterDays": 1, "Duration": "0h"},
            {"AutomaticallyAfterDays": 1, "Duration": "3d"},
        ],
    )
    def test_an_impossible_schedule_is_refused(
        self,
        simulator: SecretsManagerSimulator,
        client: Client,
        arn: str,
        function: Function,
        rules: dict[str, object],
    ) -> None:
        with refused("InvalidParameterException"):
            self.rotate(client, arn, RotationRules=rules)
        assert function.steps == []
        assert simulator.secret(arn).rotation_enabled is None

    def test_last_rotated_date_is_set_by_success_only(
        self, client: Client, arn: str, function: Function
    ) -> None:
        function.fails_at = "testSecret"
        version = self.rotate(client, arn)
        assert "LastRotatedDate" not in client.describe_secret(SecretId=arn)
        move(client, arn, "AWSPENDING", None, version)
        function.fails_at = None
        self.rotate(client, arn)
        assert "LastRotatedDate" in client.describe_secret(SecretId=arn)

    def test_in_background_it_answers_before_the_function_ends(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        simulator.rotate_in_background = True
        answered = threading.Event()
        function.lastly = lambda step: answered.wait(10)
        version = self.rotate(client, arn)
        assert holder(simulator, arn, "AWSPENDING") == version
        answered.set()

    def test_leaving_the_simulator_waits_for_rotations_in_background(self) -> None:
        with SecretsManagerSimulator() as simulator, client_of(simulator) as client:
            simulator.rotate_in_background = True
            function = Function(simulator, client)
            function.lastly = lambda step: time.sleep(0.05)
            arn = simulator.create_secret("app/db", "first")
            self.rotate(client, arn)
            simulator.__exit__(None, None, None)
            assert function.steps[-1] == "finishSecret"


class TestTestOnly:
    def rotate(self, client: Client, arn: str) -> str:
        answer = client.rotate_secret(
            SecretId=arn, RotationLambdaARN=LAMBDA, RotateImmediately=False
        )
        return str(answer["VersionId"])

    @pytest.mark.parametrize(("mode", "value"), [("copy", "first"), ("missing", None)])
    def test_runs_test_secret_alone_on_a_version_with_awspending(
        self,
        *,
        simulator: SecretsManagerSimulator,
        client: Client,
        arn: str,
        function: Function,
        mode: Literal["copy", "missing"],
        value: str | None,
    ) -> None:
        simulator.test_only_value = mode
        pending: list[str] = []
        function.lastly = lambda step: pending.append(holder(simulator, arn, "AWSPENDING"))
        version = self.rotate(client, arn)
        assert function.seen == [("testSecret", value)]
        assert pending == [version]

    @pytest.mark.parametrize("fails_at", [None, "testSecret"])
    def test_removes_its_version_afterwards(
        self,
        *,
        simulator: SecretsManagerSimulator,
        client: Client,
        arn: str,
        first: str,
        function: Function,
        fails_at: str | None,
    ) -> None:
        function.fails_at = fails_at
        version = self.rotate(client, arn)
        assert version not in simulator.secret(arn).versions
        assert simulator.labels(arn) == {first: frozenset({"AWSCURRENT"})}
        assert client.describe_secret(SecretId=arn)["RotationEnabled"] is True
        ended = "TestRotationFailed" if fails_at else "TestRotationSucceeded"
        assert names(simulator) == ["TestRotationStarted", ended]


class TestOpenRotations:
    @pytest.fixture
    def version(self, simulator: SecretsManagerSimulator, arn: str) -> str:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        return version

    @pytest.mark.parametrize("by", ["put_secret_value", "update_secret"])
    def test_a_version_made_by_hand_abandons_it(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, version: str, by: str
    ) -> None:
        made = getattr(client, by)(SecretId=arn, SecretString="by hand")["VersionId"]
        assert version not in simulator.labels(arn)
        assert holder(simulator, arn, "AWSCURRENT") == made
        abandoned = simulator.events[-1]
        assert (abandoned.name, abandoned.version_id) == ("RotationAbandoned", version)

    def test_its_own_value_does_not_abandon_it(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, version: str
    ) -> None:
        put(client, arn, "second", "AWSPENDING", ClientRequestToken=version)
        assert holder(simulator, arn, "AWSPENDING") == version
        assert names(simulator) == ["RotationStarted"]

    def test_an_abandoned_rotation_gets_no_further_step(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        function.lastly = lambda step: simulator.put_by_hand(arn, "by hand")
        client.rotate_secret(SecretId=arn, RotationLambdaARN=LAMBDA)
        assert function.steps == ["createSecret"]
        assert names(simulator) == ["RotationStarted", "RotationAbandoned"]

    def test_a_version_by_hand_after_the_end_abandons_nothing(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        client.rotate_secret(SecretId=arn, RotationLambdaARN=LAMBDA)
        put(client, arn, "by hand")
        assert "RotationAbandoned" not in names(simulator)

    def test_awspending_put_by_hand_is_no_rotation(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        put(client, arn, "third")
        assert holder(simulator, arn, "AWSPENDING") == pending

    def test_cancel_turns_rotation_off_and_leaves_the_labels(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str, version: str
    ) -> None:
        answer = client.cancel_rotate_secret(SecretId=arn)
        assert answer["VersionId"] == version
        assert client.describe_secret(SecretId=arn)["RotationEnabled"] is False
        assert simulator.labels(arn) == {
            first: frozenset({"AWSCURRENT"}),
            version: frozenset({"AWSPENDING"}),
        }

    def test_cancel_after_the_end_names_no_version(
        self, client: Client, arn: str, function: Function
    ) -> None:
        client.rotate_secret(SecretId=arn, RotationLambdaARN=LAMBDA)
        assert "VersionId" not in client.cancel_rotate_secret(SecretId=arn)

    def test_cancelled_and_not_cleaned_up_blocks_the_next(
        self, client: Client, arn: str, version: str, function: Function
    ) -> None:
        client.cancel_rotate_secret(SecretId=arn)
        with refused("InvalidRequestException", "A previous rotation isn't complete."):
            client.rotate_secret(SecretId=arn)

    def test_a_cancelled_rotation_gets_no_further_step(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, function: Function
    ) -> None:
        function.lastly = lambda step: simulator.cancel_rotation(arn)
        client.rotate_secret(SecretId=arn, RotationLambdaARN=LAMBDA)
        assert function.steps == ["createSecret"]

    def test_rotation_enabled_is_absent_until_rotation_was_configured(
        self, client: Client, arn: str
    ) -> None:
        assert "RotationEnabled" not in client.describe_secret(SecretId=arn)


class TestSecrets:
    def test_create_labels_the_first_version(
        self, simulator: SecretsManagerSimulator, client: Client
    ) -> None:
        answer = client.create_secret(Name="new", SecretString="x", Description="d")
        assert simulator.labels("new") == {answer["VersionId"]: frozenset({"AWSCURRENT"})}
        assert client.describe_secret(SecretId="new")["Description"] == "d"

    def test_create_without_a_value_makes_no_version(self, client: Client) -> None:
        assert "VersionId" not in client.create_secret(Name="new")
        assert "VersionIdsToStages" not in client.describe_secret(SecretId="new")
        with refused("ResourceNotFoundException", "staging label: AWSCURRENT"):
            client.get_secret_value(SecretId="new")

    def test_create_is_repeatable_with_the_same_token_and_value(
        self, client: Client, arn: str, first: str
    ) -> None:
        given = {"Name": "app/db", "ClientRequestToken": first}
        assert client.create_secret(**given, SecretString="first")["ARN"] == arn
        with refused("ResourceExistsException"):
            client.create_secret(**given, SecretString="other")

    def test_create_refuses_a_name_in_use(self, client: Client, arn: str) -> None:
        with refused("ResourceExistsException", "app/db already exists"):
            client.create_secret(Name="app/db", SecretString="first")

    def test_create_refuses_other_characters(self, client: Client) -> None:
        with refused("InvalidParameterException"):
            client.create_secret(Name="a b")

    def test_tags_are_added_replaced_and_removed(self, client: Client, arn: str) -> None:
        tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
        client.tag_resource(SecretId=arn, Tags=tags)
        client.tag_resource(SecretId=arn, Tags=[{"Key": "a", "Value": "3"}])
        client.untag_resource(SecretId=arn, TagKeys=["b", "never there"])
        assert client.describe_secret(SecretId=arn)["Tags"] == [{"Key": "a", "Value": "3"}]

    def test_50_tags(self, client: Client, arn: str) -> None:
        tags = [{"Key": str(number), "Value": ""} for number in range(50)]
        client.tag_resource(SecretId=arn, Tags=tags)
        with refused("InvalidParameterException", "50 tags"):
            client.tag_resource(SecretId=arn, Tags=[{"Key": "one too many", "Value": ""}])

    @pytest.mark.parametrize(
        ("operation", "given"),
        [
            ("get_secret_value", {}),
            ("put_secret_value", {"SecretString": "x"}),
            ("update_secret", {"SecretString": "x"}),
            ("update_secret_version_stage", {"VersionStage": "blue"}),
            ("rotate_secret", {"RotationLambdaARN": LAMBDA}),
            ("cancel_rotate_secret", {}),
            ("tag_resource", {"Tags": []}),
            ("untag_resource", {"TagKeys": ["a"]}),
            ("delete_secret", {}),
        ],
    )
    def test_pending_deletion_refuses(
        self, client: Client, arn: str, function: Function, operation: str, given: dict[str, object]
    ) -> None:
        client.delete_secret(SecretId=arn)
        with refused("InvalidRequestException", "marked for deletion"):
            getattr(client, operation)(SecretId=arn, **given)

    def test_pending_deletion_can_be_described_and_restored(self, client: Client, arn: str) -> None:
        deleted = client.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
        shown = client.describe_secret(SecretId=arn)["DeletedDate"]
        assert shown == deleted["DeletionDate"]
        client.restore_secret(SecretId=arn)
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "first"
        assert "DeletedDate" not in client.describe_secret(SecretId=arn)

    def test_pending_deletion_keeps_the_name(self, client: Client, arn: str) -> None:
        client.delete_secret(SecretId=arn)
        with refused("InvalidRequestException", "already scheduled for deletion"):
            client.create_secret(Name="app/db", SecretString="x")

    def test_forced_deletion_is_at_once_and_repeatable(self, client: Client, arn: str) -> None:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        with refused("ResourceNotFoundException"):
            client.describe_secret(SecretId=arn)
        assert client.create_secret(Name="app/db")["ARN"] != arn

    def test_recovery_window_is_7_to_30_days_and_never_with_force(
        self, client: Client, arn: str
    ) -> None:
        for days in (6, 31):
            with refused("InvalidParameterException", "RecoveryWindowInDays"):
                client.delete_secret(SecretId=arn, RecoveryWindowInDays=days)
        with refused("InvalidParameterException", "ForceDeleteWithoutRecovery"):
            client.delete_secret(
                SecretId=arn, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True
            )


class TestStrictness:
    def test_an_operation_that_is_not_played_is_refused(self, client: Client, arn: str) -> None:
        with refused("UnknownOperationException", "BatchGetSecretValue"):
            client.batch_get_secret_value(SecretIdList=[arn])

    def test_a_parameter_that_is_not_played_is_refused(self, client: Client) -> None:
        with refused("InvalidParameterException", "AddReplicaRegions"):
            client.create_secret(Name="new", AddReplicaRegions=[{"Region": "eu-west-1"}])

    def test_a_parameter_of_the_wrong_type_is_refused(
        self, simulator: SecretsManagerSimulator
    ) -> None:
        for operation, given in (
            ("GetSecretValue", {"SecretId": 1}),
            ("GetSecretValue", {}),
            ("GetRandomPassword", {"PasswordLength": "32"}),
            ("GetRandomPassword", {"IncludeSpace": "yes"}),
        ):
            status, answer = post(simulator, operation, given)
            assert (status, answer["__type"]) == (400, "InvalidParameterException")

    def test_a_refused_operation_changes_nothing(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.rotations.begin(arn, token(), LAMBDA)
        before = simulator.secret(arn)
        with refused("LimitExceededException"):
            put(client, arn, "second", *(f"label {number}" for number in range(20)))
        assert simulator.secret(arn) == before

    def test_concurrent_puts_of_one_token_store_one_value(
        self, simulator: SecretsManagerSimulator, arn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save = Store.save

        def save_late(store: Store, record: SecretRecord) -> SecretRecord:
            time.sleep(0.01)
            return save(store, record)

        monkeypatch.setattr(Store, "save", save_late)
        version, outcomes = token(), []
        simulator.rotations.begin(arn, version, LAMBDA)

        def race(value: str) -> None:
            with client_of(simulator) as client:
                try:
                    put(client, arn, value, "AWSPENDING", ClientRequestToken=version)
                    outcomes.append(value)
                except ClientError as error:
                    outcomes.append(error.response["Error"]["Code"])

        threads = [threading.Thread(target=race, args=(str(n),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("ResourceExistsException") == 7
        assert simulator.value(arn, version_id=version) in outcomes


class TestControls:
    def test_calls_are_recorded_in_order_and_refused_ones_too(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str, first: str
    ) -> None:
        second = put(client, arn, "hunter2", "blue", "AWSPENDING", RotationToken="r" * 36)
        move(client, arn, "AWSCURRENT", second, first)
        with refused("ResourceNotFoundException"):
            client.get_secret_value(SecretId="nowhere", VersionStage="AWSPENDING")
        assert simulator.calls == [
            Call("PutSecretValue", arn, second, "blue,AWSPENDING"),
            Call("UpdateSecretVersionStage", arn, second, "AWSCURRENT"),
            Call("GetSecretValue", "nowhere", None, "AWSPENDING"),
        ]

    def test_no_repr_shows_a_value_or_a_rotation_token(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        version = token()
        simulator.rotations.begin(arn, version, LAMBDA)
        sent = simulator.rotations.event(arn, version, "createSecret")["RotationToken"]
        put(client, arn, "hunter2", ClientRequestToken=version, RotationToken=sent)
        shown = f"{vars(simulator)} {simulator!r} {simulator.secret(arn).versions}"
        assert version in shown
        assert "hunter2" not in shown
        assert sent not in shown

    def test_delayed_reads_miss_the_version_that_was_put_last(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        pending = put(client, arn, "second", "AWSPENDING")
        simulator.delay_reads(2)
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "first"
        with refused("ResourceNotFoundException", f"VersionId: {pending}"):
            client.get_secret_value(SecretId=arn, VersionId=pending)
        with refused("ResourceNotFoundException", "staging label: AWSPENDING"):
            client.get_secret_value(SecretId=arn, VersionStage="AWSPENDING")
        answer = client.get_secret_value(SecretId=arn, VersionStage="AWSPENDING")
        assert answer["SecretString"] == "second"

    def test_delayed_reads_spare_what_was_put_before_the_rotation(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        put(client, arn, "second")
        simulator.rotations.begin(arn, token(), LAMBDA)
        simulator.delay_reads(1)
        assert client.get_secret_value(SecretId=arn)["SecretString"] == "second"

    def test_deny_and_allow_for_every_secret(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.deny("DescribeSecret")
        with refused("AccessDeniedException", "secretsmanager:DescribeSecret"):
            client.describe_secret(SecretId=arn)
        assert client.get_secret_value(SecretId=arn)
        simulator.allow("DescribeSecret")
        assert client.describe_secret(SecretId=arn)

    def test_deny_for_one_secret_however_it_is_addressed(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.create_secret("other", "x")
        simulator.deny("GetSecretValue", "app/db")
        for secret_id in (arn, "app/db", arn[:-7]):
            with refused("AccessDeniedException"):
                client.get_secret_value(SecretId=secret_id)
        assert client.get_secret_value(SecretId="other")
        simulator.allow("GetSecretValue", arn)
        assert client.get_secret_value(SecretId=arn)

    def test_fail_next_has_no_effect_and_ends(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.fail_next("PutSecretValue", "ThrottlingException", times=2)
        for _ in range(2):
            with refused("ThrottlingException"):
                put(client, arn, "second")
        assert simulator.value(arn) == "first"
        put(client, arn, "second")
        assert simulator.value(arn) == "second"

    def test_fail_next_sets_the_status_so_that_the_sdk_repeats(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        simulator.fail_next("DescribeSecret", "InternalServiceError", status=500)
        with client_of(simulator, attempts=2) as client:
            answer = client.describe_secret(SecretId=arn)
        assert answer["ResponseMetadata"]["RetryAttempts"] == 1
        assert len(simulator.calls) == 2

    def test_a_hook_before_sees_the_state_without_the_effect(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        seen: list[object] = []
        simulator.before("PutSecretValue", lambda call: seen.append(simulator.value(arn)))
        simulator.after("PutSecretValue", lambda call: seen.append(simulator.value(arn)))
        put(client, arn, "second")
        assert seen == ["first", "second"]

    def test_a_hook_may_call_the_service_and_ends_after_its_times(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        def race(call: Call) -> None:
            with client_of(simulator) as other:
                put(other, arn, f"won against {call.operation}")

        simulator.before("PutSecretValue", race, times=1)
        put(client, arn, "second")
        put(client, arn, "third")
        versions = simulator.secret(arn).versions.values()
        values = [version.value for version in versions]
        assert values == ["first", "won against PutSecretValue", "second", "third"]

    def test_a_hook_after_runs_for_effects_only(
        self, simulator: SecretsManagerSimulator, client: Client
    ) -> None:
        seen: list[Call] = []
        simulator.after("DescribeSecret", seen.append)
        with refused("ResourceNotFoundException"):
            client.describe_secret(SecretId="nowhere")
        assert seen == []

    def test_an_error_of_a_hook_is_the_answer(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        def fail(call: Call) -> None:
            raise ServiceError("LimitExceededException", "from a hook")

        simulator.after("PutSecretValue", fail, times=1)
        with refused("LimitExceededException", "from a hook"):
            put(client, arn, "second")
        assert simulator.value(arn) == "second"

    def test_a_broken_hook_is_named_without_its_text(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        def fail(call: Call) -> None:
            raise LookupError("hunter2")

        simulator.before("DescribeSecret", fail)
        with pytest.raises(ClientError, match="LookupError in a hook") as caught:
            client.describe_secret(SecretId=arn)
        assert "hunter2" not in str(caught.value)

    def test_a_dropped_answer_keeps_the_effect(
        self, simulator: SecretsManagerSimulator, client: Client, arn: str
    ) -> None:
        simulator.drop_next_answer("PutSecretValue")
        with pytest.raises(ConnectionClosedError):
            put(client, arn, "second")
        assert simulator.value(arn) == "second"
        put(client, arn, "third")

    def test_a_hook_after_may_drop_the_answer_and_the_sdk_repeats_the_request(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        def drop(call: Call) -> None:
            simulator.drop_next_answer(call.operation)

        simulator.after("PutSecretValue", drop, times=1)
        with client_of(simulator, attempts=2) as client:
            version = put(client, arn, "second")
        assert [call.version_id for call in simulator.calls] == [version, version]
        assert simulator.value(arn, version_id=version) == "second"

    def test_a_mapping_is_stored_as_json(
        self, simulator: SecretsManagerSimulator, client: Client
    ) -> None:
        simulator.create_secret("json", {"username": "app", "port": 5432})
        stored = client.get_secret_value(SecretId="json")["SecretString"]
        assert json.loads(stored) == {"username": "app", "port": 5432}

    def test_value_is_none_where_there_is_none(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        assert simulator.value(arn, stage="AWSPENDING") is None
        assert simulator.value(arn, version_id=NEVER) is None

    def test_methods_of_the_simulator_are_no_calls(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        simulator.put_by_hand(arn, "second")
        simulator.cancel_rotation(arn)
        assert simulator.calls == []
        with pytest.raises(ServiceError, match="can't find the specified secret"):
            simulator.labels("nowhere")


class TestWire:
    def test_another_process_reaches_it_through_the_environment(
        self, simulator: SecretsManagerSimulator, arn: str
    ) -> None:
        code = (
            "import boto3; c = boto3.client('secretsmanager'); "
            "print(c.get_secret_value(SecretId='app/db')['SecretString'])"
        )
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": simulator.endpoint_url,
            **{key.upper(): value for key, value in CREDENTIALS.items()},
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        done = subprocess.run(  # noqa: S603 - the code is above
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "first\n"

    def test_it_listens_on_loopback_only_inside_its_block(self) -> None:
        simulator = SecretsManagerSimulator()
        with pytest.raises(RuntimeError, match="with block"):
            _ = simulator.endpoint_url
        with simulator:
            assert simulator.endpoint_url.startswith("http://127.0.0.1:")
        with pytest.raises(RuntimeError, match="with block"):
            _ = simulator.endpoint_url

    def test_leaving_it_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        with SecretsManagerSimulator() as simulator, client_of(simulator) as client:
            client.create_secret(Name="x")
        assert set(threading.enumerate()) <= before

    def test_leaving_it_waits_for_the_requests_under_way(self) -> None:
        arrived, answered = threading.Event(), threading.Event()

        def linger(call: Call) -> None:
            arrived.set()
            time.sleep(0.1)
            answered.set()

        simulator = SecretsManagerSimulator()
        simulator.before("GetRandomPassword", linger)
        with simulator:
            client = threading.Thread(target=post, args=(simulator, "GetRandomPassword", {}))
            client.start()
            assert arrived.wait(10)
        assert answered.is_set()
        client.join()

    def test_it_needs_the_standard_library_only(self) -> None:
        code = "import sys, rotators.testing.driver; print('boto3' in sys.modules)"
        done = subprocess.run(  # noqa: S603 - the code is above
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "False\n"
