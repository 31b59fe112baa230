"""docs/attach/cli: the scripts run, and each of their calls is one that AWS knows."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.attach_aws import Call, StandIn
from tests.deploy.attach_example import (
    ATTACH,
    FUNCTION,
    FUNCTIONS_ACCOUNT,
    JSON,
    KEY,
    REGION,
    ROLE,
    SECRET,
    SECRETS_ACCOUNT,
    Shared,
    login_of,
    values,
)
from tests.deploy.attach_templates import allowing, attached, shared

ATTACHING = ATTACH / "cli" / "attach.sh"
CROSSING = ATTACH / "cli" / "cross-account.sh"
DRAWN = "Drawn30CharactersOfAPassword99"
ANSWERS = {
    "CreateKey": {"KeyMetadata": {"Arn": KEY}},
    "CreateSecret": {"ARN": SECRET},
    "GetCallerIdentity": {"Arn": f"arn:aws:sts::{SECRETS_ACCOUNT}:assumed-role/Admin/me"},
    "GetFunctionConfiguration": {"Role": ROLE},
    "GetRandomPassword": {"RandomPassword": DRAWN},
    "PutSecretValue": {"VersionId": "v1"},
    "RotateSecret": {"ARN": SECRET, "VersionId": "v2"},
}


@pytest.fixture
def aws(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path, ANSWERS)


def run(aws: StandIn, *command: str | Path, stdin: str = "") -> str:
    ran = aws.run(*command, stdin=stdin, AWS_REGION=REGION)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def called(aws: StandIn, operation: str) -> Call:
    (call,) = [call for call in aws.calls() if call.operation == operation]
    return call


@pytest.mark.parametrize("script", [ATTACHING, CROSSING], ids=lambda script: script.name)
def test_a_script_is_good_bash_and_says_its_usage(script: Path, aws: StandIn) -> None:
    subprocess.run(["bash", "-n", script], check=True, timeout=10)  # noqa: S603, S607 our own
    for wrong in ([], ["attach"], ["create"], ["usage", "x"]):
        ran = aws.run(script, *wrong)
        assert ran.returncode == 2
        assert "SECRET" in ran.stderr
    assert aws.calls() == []


@pytest.mark.parametrize("value", values(), ids=lambda value: f"{value['username']}")
def test_a_secret_is_made_filled_attached_and_rotated(value: JSON, aws: StandIn) -> None:
    assert run(aws, ATTACHING, "create", "app/orders") == SECRET
    run(aws, ATTACHING, "store", SECRET, stdin=json.dumps(value))
    run(aws, ATTACHING, "attach", SECRET, FUNCTION)
    run(aws, ATTACHING, "rotate", SECRET)
    assert [call.operation for call in aws.calls()] == [
        "CreateSecret",
        "DescribeSecret",
        "GetRandomPassword",
        "PutSecretValue",
        "RotateSecret",
        "RotateSecret",
    ]
    stored = json.loads(called(aws, "PutSecretValue").parameters["SecretString"])
    assert stored == {**value, "password": DRAWN}
    assert login_of(stored).password == DRAWN


def test_attaching_tests_and_only_rotating_rotates(aws: StandIn) -> None:
    run(aws, ATTACHING, "attach", SECRET, FUNCTION)
    run(aws, ATTACHING, "rotate", SECRET)
    attach, rotate = (call.parameters for call in aws.calls())
    assert attach["RotateImmediately"] is False
    assert rotate == {"SecretId": SECRET}


def test_no_password_is_an_argument_and_a_given_one_is_kept(aws: StandIn) -> None:
    given = {**values()[0], "password": "given"}
    printed = run(aws, ATTACHING, "store", SECRET, stdin=json.dumps(given))
    stored = called(aws, "PutSecretValue")
    assert json.loads(stored.parameters["SecretString"]) == given
    run(aws, ATTACHING, "store", SECRET, stdin=json.dumps(values()[0]))
    said = [word for call in aws.calls() for word in call.arguments]
    assert not [word for word in [*said, printed] if "given" in word or DRAWN in word]


def test_a_value_in_use_is_not_replaced(tmp_path: Path) -> None:
    aws = StandIn(tmp_path, {**ANSWERS, "DescribeSecret": {"VersionIdsToStages": {"v0": []}}})
    ran = aws.run(ATTACHING, "store", SECRET, stdin=json.dumps(values()[0]))
    assert ran.returncode == 1
    assert "has a value already" in ran.stderr
    assert [call.operation for call in aws.calls()] == ["DescribeSecret"]


def test_what_is_no_json_is_not_stored(aws: StandIn) -> None:
    assert aws.run(ATTACHING, "store", SECRET, stdin="{").returncode != 0
    assert "PutSecretValue" not in [call.operation for call in aws.calls()]


def test_another_accounts_function_is_attached_as_cloudformation_does_it(aws: StandIn) -> None:
    key = run(aws, CROSSING, "key", "app/orders", ROLE)
    secret = run(aws, ATTACHING, "create", "app/orders", key)
    run(aws, CROSSING, "share", secret, ROLE)
    run(aws, CROSSING, "allow", FUNCTION, secret, key)
    run(aws, ATTACHING, "attach", secret, FUNCTION)
    done = Shared(
        rotation=called(aws, "RotateSecret").parameters,
        secret=called(aws, "CreateSecret").parameters,
        key_policy=json.loads(called(aws, "CreateKey").parameters["Policy"]),
        secret_policy=json.loads(called(aws, "PutResourcePolicy").parameters["ResourcePolicy"]),
        role_policy=json.loads(called(aws, "PutRolePolicy").parameters["PolicyDocument"]),
        permission=called(aws, "AddPermission").parameters,
    ).normal()
    assert done.permission.pop("StatementId") == f"SecretsOf{SECRETS_ACCOUNT}"
    assert done == shared(attached("single-user", FunctionRoleArn=ROLE), allowing())
    assert called(aws, "PutResourcePolicy").parameters["BlockPublicPolicy"] is True
    assert called(aws, "EnableKeyRotation").parameters == {"KeyId": KEY}
    assert called(aws, "PutRolePolicy").parameters["RoleName"] == ROLE.rpartition("/")[2]
    assert FUNCTIONS_ACCOUNT != SECRETS_ACCOUNT


def test_a_second_secret_of_the_account_is_allowed_beside_the_first(aws: StandIn) -> None:
    longest = SECRET.replace("app/orders", "app/" + "x" * 508)
    for secret in (SECRET, SECRET, SECRET.replace("Ab12Cd", "Ef34Gh"), longest):
        run(aws, CROSSING, "allow", FUNCTION, secret, KEY)
    calls = [call.operation for call in aws.calls()]
    assert (calls.count("AddPermission"), calls.count("PutRolePolicy")) == (1, 4)
    put = [call.parameters for call in aws.calls() if call.operation == "PutRolePolicy"]
    names = [one["PolicyName"] for one in put]
    assert names[0] == names[1] == f"secret-of-{SECRETS_ACCOUNT}-app.orders-Ab12Cd"
    assert len(set(names)) == 3
    assert all(re.fullmatch(r"[\w+=,.@-]{1,128}", name) for name in names)
    for one, secret in zip(put[1:3], (SECRET, SECRET.replace("Ab12Cd", "Ef34Gh")), strict=True):
        assert json.loads(one["PolicyDocument"])["Statement"][0]["Resource"] == secret


def test_what_else_keeps_the_permission_from_a_function_ends_it(aws: StandIn) -> None:
    ran = aws.run(CROSSING, "allow", "", SECRET, KEY)
    assert ran.returncode == 1
    assert "FunctionName" in ran.stderr
    assert "PutRolePolicy" not in [call.operation for call in aws.calls()]


@pytest.mark.parametrize(
    "wrong",
    [
        ["secretsmanager", "rotate-secrets"],
        ["secretsmanager", "rotate-secret"],
        ["secretsmanager", "rotate-secret", "--secret-id", "x", "--rotate-at-once"],
        ["secretsmanager", "rotate-secret", "--rotation-rules", "{}", "--secret-id"],
        ["secretsmanager", "rotate-secret", "--secret-id", "x", "--rotation-rules", "[]"],
        ["secretsmanager", "create-secret", "--secret-string", "x"],
    ],
)  # fmt: skip
def test_the_stand_in_refuses_what_aws_would(wrong: list[str], aws: StandIn) -> None:
    assert aws.run("aws", *wrong).returncode == 252
    assert aws.calls() == []
