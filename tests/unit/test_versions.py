"""The boto3 facade: against moto, and against planned answers where moto has none."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws

from rotators.call import admit
from rotators.errors import (
    AccessDenied,
    MisconfiguredSecret,
    RotationError,
    RotationRejected,
    ServiceUnavailable,
    UnexpectedError,
    VersionExists,
    VersionNotFound,
)
from rotators.testing.bench import simulator_client
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import (
    CURRENT,
    PENDING,
    PREVIOUS,
    SecretMetadata,
    SecretsManager,
    StoredValue,
)

Client = Any  # boto3 makes its clients at run time

ONE, TWO, THREE, FOUR = (f"{number:032}" for number in range(1, 5))
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"
VALUE = '{"password": "hunter2-hunter2"}'
OTHER = '{"password": "hunter3-hunter3"}'


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    """One for all, because it reads the service's model from disk. Nobody checks who it is."""
    return boto3.session.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture
def client(session: boto3.session.Session) -> Iterator[Client]:
    """A boto3 client of moto."""
    with mock_aws():
        client = session.client("secretsmanager")
        yield client
        client.close()


@pytest.fixture
def versions(client: Client) -> SecretsManager:
    return SecretsManager(client)


@pytest.fixture
def arn(client: Client) -> str:
    """A secret whose version ONE is AWSCURRENT."""
    answer = client.create_secret(Name="app/db", SecretString=VALUE, ClientRequestToken=ONE)
    return str(answer["ARN"])


@pytest.fixture
def stub(session: boto3.session.Session) -> Iterator[Stubber]:
    """A client that answers only what was planned."""
    client = session.client("secretsmanager")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    client.close()


def facade(stub: Stubber) -> SecretsManager:
    return SecretsManager(stub.client)


# ── what each call does ──


def test_describe_tells_arn_and_labels(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, VALUE, None)
    assert versions.describe(arn) == SecretMetadata(
        arn, None, {ONE: frozenset({CURRENT}), TWO: frozenset({PENDING})}
    )
    assert versions.describe("app/db").arn == arn


@pytest.mark.parametrize("enabled", [True, False])
def test_describe_tells_whether_rotation_is_on(stub: Stubber, enabled: bool) -> None:
    stub.add_response(
        "describe_secret",
        {"ARN": "a" * 20, "RotationEnabled": enabled, "VersionIdsToStages": {}},
        {"SecretId": "app/db"},
    )
    assert facade(stub).describe("app/db").rotation_enabled is enabled


def test_a_secret_that_never_had_a_value_has_no_labels(stub: Stubber) -> None:
    stub.add_response("describe_secret", {"ARN": "a" * 20})
    assert facade(stub).describe("app/db") == SecretMetadata("a" * 20, None, {})


def test_the_holder_of_a_label_is_found() -> None:
    metadata = SecretMetadata("arn", True, {ONE: frozenset({CURRENT, "X"}), TWO: frozenset()})
    assert metadata.holder(CURRENT) == ONE
    assert metadata.holder("X") == ONE
    assert metadata.holder(PENDING) is None


def test_a_value_is_read_by_label_by_version_and_by_both(
    versions: SecretsManager, arn: str
) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    current = StoredValue(ONE, frozenset({CURRENT}), VALUE)
    pending = StoredValue(TWO, frozenset({PENDING}), OTHER)
    assert versions.get(arn, stage=CURRENT) == current
    assert versions.get(arn, stage=PENDING) == pending
    assert versions.get(arn, version_id=ONE) == current
    assert versions.get(arn, version_id=TWO, stage=PENDING) == pending


def test_only_what_was_said_is_asked_for(stub: Stubber) -> None:
    answer = {"VersionId": TWO, "SecretString": VALUE}
    stub.add_response("get_secret_value", answer, {"SecretId": "x", "VersionStage": CURRENT})
    stub.add_response("get_secret_value", answer, {"SecretId": "x", "VersionId": TWO})
    versions = facade(stub)
    assert versions.get("x", stage=CURRENT) == StoredValue(TWO, frozenset(), VALUE)
    versions.get("x", version_id=TWO)


def test_a_binary_value_has_no_text(versions: SecretsManager, client: Client) -> None:
    client.create_secret(Name="binary", SecretBinary=b"\0\1", ClientRequestToken=ONE)
    assert versions.get("binary", stage=CURRENT).text is None


def test_a_stored_value_does_not_show_its_text() -> None:
    assert "hunter2" not in repr(StoredValue(ONE, frozenset(), VALUE))


def test_a_version_that_is_not_there_is_not_found(versions: SecretsManager, arn: str) -> None:
    with pytest.raises(VersionNotFound):
        versions.get(arn, version_id=TWO)
    with pytest.raises(VersionNotFound):
        versions.get(arn, version_id=TWO, stage=PENDING)
    with pytest.raises(VersionNotFound):
        versions.get(arn, stage=PENDING)


def test_a_version_with_another_label_is_not_found(versions: SecretsManager, arn: str) -> None:
    with pytest.raises(VersionNotFound):
        versions.get(arn, version_id=ONE, stage=PENDING)


def test_a_staged_value_leaves_the_current_one_alone(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, OTHER, ROTATION_TOKEN)
    assert versions.describe(arn).holder(CURRENT) == ONE
    assert versions.get(arn, stage=CURRENT).text == VALUE


def test_staging_the_same_value_again_is_no_error(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.put_pending(arn, TWO, OTHER, None)
    assert versions.get(arn, version_id=TWO).text == OTHER


def test_staging_names_version_label_and_rotation_token(stub: Stubber) -> None:
    said = {
        "SecretId": "x",
        "ClientRequestToken": TWO,
        "SecretString": VALUE,
        "VersionStages": [PENDING],
    }
    stub.add_response("put_secret_value", {}, {**said, "RotationToken": ROTATION_TOKEN})
    stub.add_response("put_secret_value", {}, said)
    versions = facade(stub)
    versions.put_pending("x", TWO, VALUE, ROTATION_TOKEN)
    versions.put_pending("x", TWO, VALUE, None)


def test_staging_over_another_value_is_told(stub: Stubber) -> None:
    stub.add_client_error("put_secret_value", "ResourceExistsException")
    with pytest.raises(VersionExists):
        facade(stub).put_pending("x", TWO, VALUE, None)


def test_a_label_moves_from_one_version_to_another(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.move_stage(arn, CURRENT, to=TWO, remove_from=ONE)
    metadata = versions.describe(arn)
    assert metadata.holder(CURRENT) == TWO
    assert metadata.holder(PREVIOUS) == ONE


def test_a_label_is_taken_away(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.move_stage(arn, PENDING, remove_from=TWO)
    assert versions.describe(arn).holder(PENDING) is None
    assert versions.get(arn, version_id=TWO).text == OTHER


def test_moving_a_label_names_only_what_was_said(stub: Stubber) -> None:
    stage = {"SecretId": "x", "VersionStage": PENDING}
    call = "update_secret_version_stage"
    stub.add_response(call, {}, {**stage, "RemoveFromVersionId": ONE})
    stub.add_response(call, {}, {**stage, "MoveToVersionId": TWO})
    versions = facade(stub)
    versions.move_stage("x", PENDING, remove_from=ONE)
    versions.move_stage("x", PENDING, to=TWO)


@pytest.mark.parametrize("where", [{"to": TWO}, {"to": TWO, "remove_from": THREE}])
def test_a_label_that_is_elsewhere_is_rejected(
    versions: SecretsManager, arn: str, where: dict[str, str]
) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.put_pending(arn, THREE, OTHER, None)
    with pytest.raises(RotationRejected, match="UpdateSecretVersionStage was refused"):
        versions.move_stage(arn, CURRENT, **where)
    assert versions.describe(arn).holder(CURRENT) == ONE


def test_taking_a_label_from_a_version_without_it_is_rejected(
    versions: SecretsManager, arn: str
) -> None:
    with pytest.raises(RotationRejected):
        versions.move_stage(arn, PENDING, remove_from=ONE)


def test_unlabelled_versions_come_newest_first_over_all_pages(stub: Stubber) -> None:
    def listed(version: str, day: int, **stages: list[str]) -> dict[str, Any]:
        created = datetime(2026, 11, day, tzinfo=UTC)
        return {"VersionId": version, "CreatedDate": created, **stages}

    asked = {"SecretId": "x", "IncludeDeprecated": True}
    current = listed("c" * 32, 20, VersionStages=[CURRENT])
    call = "list_secret_version_ids"
    pages = [
        {"Versions": [listed(ONE, 1), current], "NextToken": "p2"},
        {"Versions": [listed(TWO, 3), listed(FOUR, 9)], "NextToken": "p3"},
    ]
    stub.add_response(call, pages[0], asked)
    stub.add_response(call, pages[1], {**asked, "NextToken": "p2"})
    stub.add_response(call, {"Versions": [listed(THREE, 2)]}, {**asked, "NextToken": "p3"})
    assert facade(stub).unlabelled("x") == [FOUR, TWO, THREE, ONE]


def test_a_secret_whose_versions_all_have_labels_has_no_unlabelled_ones(stub: Stubber) -> None:
    stub.add_response("list_secret_version_ids", {"Versions": []})
    assert facade(stub).unlabelled("x") == []


def test_a_tag_is_put_on_replaced_and_told(versions: SecretsManager, arn: str) -> None:
    versions.tag(arn, "other", "kept")
    versions.tag(arn, "rotators:exchange", "one")
    versions.tag(arn, "rotators:exchange", "two")
    assert versions.describe(arn).tags == {"other": "kept", "rotators:exchange": "two"}


def test_a_tag_is_taken_away_once_or_twice(versions: SecretsManager, arn: str) -> None:
    versions.tag(arn, "other", "kept")
    versions.tag(arn, "rotators:exchange", "one")
    for _ in range(2):
        versions.untag(arn, "rotators:exchange")
        assert versions.describe(arn).tags == {"other": "kept"}


def test_tagging_sends_one_tag_and_no_more(stub: Stubber) -> None:
    tags = [{"Key": "key", "Value": "value"}]
    stub.add_response("tag_resource", {}, {"SecretId": "x", "Tags": tags})
    stub.add_response("untag_resource", {}, {"SecretId": "x", "TagKeys": ["key"]})
    facade(stub).tag("x", "key", "value")
    facade(stub).untag("x", "key")


def test_the_simulator_takes_and_tells_tags_as_moto_does() -> None:
    with SecretsManagerSimulator() as simulator:
        client = simulator_client(simulator.endpoint_url)
        versions = SecretsManager(client)
        arn = simulator.create_secret("app/x", VALUE)
        versions.tag(arn, "other", "kept")
        versions.tag(arn, "rotators:exchange", "one")
        versions.tag("app/x", "rotators:exchange", "two")
        assert versions.describe(arn).tags == {"other": "kept", "rotators:exchange": "two"}
        for _ in range(2):
            versions.untag(arn, "rotators:exchange")
            assert versions.describe(arn).tags == {"other": "kept"}
        simulator.deny("TagResource")
        with pytest.raises(AccessDenied, match="TagResource was refused"):
            versions.tag(arn, "key", "value")
        client.close()


# ── what each call raises ──

CALLS: dict[str, tuple[str, Callable[[SecretsManager, str], object]]] = {
    "DescribeSecret": ("describe_secret", lambda v, s: v.describe(s)),
    "GetSecretValue": ("get_secret_value", lambda v, s: v.get(s, stage=CURRENT)),
    "PutSecretValue": ("put_secret_value", lambda v, s: v.put_pending(s, TWO, VALUE, None)),
    "UpdateSecretVersionStage": (
        "update_secret_version_stage",
        lambda v, s: v.move_stage(s, PENDING, remove_from=ONE),
    ),
    "ListSecretVersionIds": ("list_secret_version_ids", lambda v, s: v.unlabelled(s)),
    "TagResource": ("tag_resource", lambda v, s: v.tag(s, "key", "value")),
    "UntagResource": ("untag_resource", lambda v, s: v.untag(s, "key")),
}
ERRORS: list[tuple[str, int, type[RotationError], str]] = [
    ("AccessDeniedException", 400, AccessDenied, "Allow this action on this secret"),
    ("DecryptionFailure", 400, AccessDenied, "KMS key"),
    ("EncryptionFailure", 400, AccessDenied, "KMS key"),
    ("ExpiredTokenException", 400, AccessDenied, "valid AWS credentials"),
    ("ExpiredToken", 403, AccessDenied, "valid AWS credentials"),
    ("InvalidClientTokenId", 403, AccessDenied, "valid AWS credentials"),
    ("SignatureDoesNotMatch", 403, AccessDenied, "valid AWS credentials"),
    ("InvalidSignatureException", 400, AccessDenied, "valid AWS credentials"),
    ("UnrecognizedClientException", 400, AccessDenied, "valid AWS credentials"),
    ("InvalidRequestException", 400, RotationRejected, "describe-secret"),
    ("LimitExceededException", 400, ServiceUnavailable, "will call again"),
    ("PriorRequestNotComplete", 400, ServiceUnavailable, "will call again"),
    ("RequestLimitExceeded", 400, ServiceUnavailable, "will call again"),
    ("ValidationException", 400, MisconfiguredSecret, "Mend what the message names"),
    ("InternalServiceError", 500, ServiceUnavailable, "will call again"),
    ("InternalFailure", 500, ServiceUnavailable, "will call again"),
    ("ServiceUnavailable", 503, ServiceUnavailable, "will call again"),
    ("AnythingAtAll", 502, ServiceUnavailable, "will call again"),
    ("ThrottlingException", 400, ServiceUnavailable, "will call again"),
    ("Throttling", 400, ServiceUnavailable, "will call again"),
    ("RequestThrottled", 400, ServiceUnavailable, "will call again"),
    ("TooManyRequestsException", 429, ServiceUnavailable, "will call again"),
    ("SomethingNewException", 400, UnexpectedError, "Report this as a defect"),
]


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("answer", ERRORS, ids=lambda answer: answer[0])
def test_what_secrets_manager_answers_becomes_an_error_with_a_cure(
    stub: Stubber, operation: str, answer: tuple[str, int, type[RotationError], str]
) -> None:
    code, status, kind, cure = answer
    method, call = CALLS[operation]
    stub.add_client_error(method, code, "What it says.", status)
    with pytest.raises(RotationError) as caught:
        call(facade(stub), "x")
    assert type(caught.value) is kind
    assert caught.value.found == f"{operation} was refused: {code}: What it says"
    assert cure in caught.value.cure
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("operation", [name for name in CALLS if name != "GetSecretValue"])
def test_a_secret_that_does_not_exist_is_rejected(stub: Stubber, operation: str) -> None:
    method, call = CALLS[operation]
    stub.add_client_error(method, "ResourceNotFoundException", "No such secret.", 400)
    with pytest.raises(RotationRejected, match="No such secret"):
        call(facade(stub), "x")


@pytest.mark.parametrize("operation", ["DescribeSecret", "PutSecretValue"])
def test_the_message_on_a_label_means_a_missing_version_only_to_a_read(
    stub: Stubber, operation: str
) -> None:
    method, call = CALLS[operation]
    message = "You provided a VersionStage that is not associated to the provided VersionId."
    stub.add_client_error(method, "InvalidRequestException", message)
    with pytest.raises(RotationRejected):
        call(facade(stub), "x")


@pytest.mark.parametrize(
    "operation", ["DescribeSecret", "PutSecretValue", "ListSecretVersionIds", "TagResource"]
)
def test_a_parameter_that_is_not_taken_is_the_secrets_fault(stub: Stubber, operation: str) -> None:
    method, call = CALLS[operation]
    stub.add_client_error(method, "InvalidParameterException", "SecretString is too long.")
    with pytest.raises(MisconfiguredSecret, match="SecretString is too long"):
        call(facade(stub), "x")


def test_an_answer_without_a_code_is_a_defect(stub: Stubber) -> None:
    stub.add_client_error("describe_secret", "", "", 400)
    with pytest.raises(UnexpectedError):
        facade(stub).describe("x")


def test_a_secret_that_is_to_be_deleted_is_rejected(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    client.delete_secret(SecretId=arn)
    with pytest.raises(RotationRejected, match="marked deleted"):
        versions.get(arn, stage=CURRENT)


@pytest.mark.parametrize("operation", CALLS)
def test_an_endpoint_that_nobody_listens_on_is_told_with_the_ways_there(
    session: boto3.session.Session, operation: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = session.client(
            "secretsmanager",
            endpoint_url=f"http://127.0.0.1:{free.getsockname()[1]}",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ServiceUnavailable) as caught:
            CALLS[operation][1](SecretsManager(client), "x")
        client.close()
    assert caught.value.found.startswith(f"{operation} could not be sent: Could not connect")
    assert "com.amazonaws.REGION.secretsmanager, or a NAT" in caught.value.cure
    assert caught.value.__suppress_context__


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.session.Session(region_name="us-east-1").client(
        "secretsmanager", endpoint_url="http://127.0.0.1:1"
    )
    with pytest.raises(ServiceUnavailable, match="Unable to locate credentials") as caught:
        SecretsManager(client).describe("x")
    client.close()
    assert "credentials" in caught.value.cure


def test_what_is_no_error_of_boto3_comes_through(client: Client) -> None:
    class Broken:
        def describe_secret(self, **_: object) -> object:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SecretsManager(Broken()).describe("x")


# ── where moto is not Secrets Manager (facts: packaging, 7), and why that does not matter ──


def _promoted(versions: SecretsManager, arn: str) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.move_stage(arn, CURRENT, to=TWO, remove_from=ONE)


def test_moto_1_a_plain_read_is_stale_so_every_read_names_its_label(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    _promoted(versions, arn)
    assert client.get_secret_value(SecretId=arn)["VersionId"] == ONE
    assert versions.get(arn, stage=CURRENT).version_id == TWO


def test_moto_2_the_promoted_version_keeps_awspending_and_awscurrent_wins(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    _promoted(versions, arn)
    assert versions.describe(arn).stages[TWO] == {PENDING, CURRENT}
    assert admit(versions.describe(arn), TWO) is False
    with pytest.raises(client.exceptions.InvalidRequestException):
        client.rotate_secret(SecretId=arn)


def _rotate_with_a_function_that_is_missing(client: Client, arn: str, **how: object) -> None:
    function = "arn:aws:lambda:us-east-1:123456789012:function:absent"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.rotate_secret(
            SecretId=arn, ClientRequestToken=TWO, RotationLambdaARN=function, **how
        )


def test_moto_6_and_16_an_empty_version_is_left_behind_and_counts_as_not_there(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    _rotate_with_a_function_that_is_missing(client, arn)
    assert versions.describe(arn).holder(PENDING) == TWO
    with pytest.raises(VersionNotFound):
        versions.get(arn, version_id=TWO, stage=PENDING)


def test_moto_8_rotation_is_on_only_with_a_rule_in_days(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    _rotate_with_a_function_that_is_missing(client, arn)
    assert versions.describe(arn).rotation_enabled is False
    rules = {"AutomaticallyAfterDays": 7}
    _rotate_with_a_function_that_is_missing(client, arn, RotationRules=rules)
    assert versions.describe(arn).rotation_enabled is True
    assert admit(versions.describe(arn), TWO) is True


def test_moto_9_a_test_leaves_awspending_with_the_current_value_behind(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    _rotate_with_a_function_that_is_missing(client, arn, RotateImmediately=False)
    assert versions.get(arn, version_id=TWO, stage=PENDING).text == VALUE
    assert versions.describe(arn).holder(CURRENT) == ONE


def test_moto_10_a_staged_value_is_overwritten_so_only_a_real_refusal_is_relied_on(
    versions: SecretsManager, arn: str
) -> None:
    versions.put_pending(arn, TWO, VALUE, None)
    versions.put_pending(arn, TWO, OTHER, None)
    assert versions.get(arn, version_id=TWO).text == OTHER


def test_moto_11_the_current_version_is_not_overwritten(versions: SecretsManager, arn: str) -> None:
    with pytest.raises(VersionExists):
        versions.put_pending(arn, ONE, OTHER, None)
    assert versions.get(arn, stage=CURRENT).text == VALUE


def test_moto_13_a_version_without_labels_is_described_and_counts_as_unknown(
    versions: SecretsManager, arn: str
) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.put_pending(arn, THREE, OTHER, None)
    metadata = versions.describe(arn)
    assert metadata.stages[TWO] == frozenset()
    with pytest.raises(RotationRejected, match="its labels are none"):
        admit(metadata, TWO)


def test_moto_14_awspending_moves_without_its_holder_so_the_facade_always_can_name_it(
    versions: SecretsManager, arn: str
) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.move_stage(arn, PENDING, to=ONE)
    assert versions.describe(arn).stages[TWO] in (frozenset(), {PENDING})
    versions.move_stage(arn, PENDING, remove_from=ONE)


def test_moto_16_the_rotation_token_is_ignored_but_sent(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.secretsmanager.PutSecretValue",
        lambda params, **_: sent.append(dict(params)),
    )
    versions.put_pending(arn, TWO, OTHER, ROTATION_TOKEN)
    assert sent[0]["RotationToken"] == ROTATION_TOKEN


def test_moto_ends_its_lists_with_an_empty_next_token(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    versions.put_pending(arn, TWO, OTHER, None)
    versions.move_stage(arn, PENDING, remove_from=TWO)
    assert client.list_secret_version_ids(SecretId=arn)["NextToken"] == ""
    assert versions.unlabelled(arn) == [TWO]


def test_moto_takes_writes_to_a_secret_that_is_to_be_deleted_so_reads_come_first(
    versions: SecretsManager, client: Client, arn: str
) -> None:
    client.delete_secret(SecretId=arn)
    versions.put_pending(arn, TWO, OTHER, None)
    with pytest.raises(RotationRejected):
        versions.get(arn, version_id=TWO, stage=PENDING)
