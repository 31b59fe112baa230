"""docs/attach/terraform: what it asks the provider for, and what it comes to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rotators.settings import StrategyName
from tests.deploy.attach_example import (
    ADMIN,
    FUNCTION,
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
from tests.deploy.attach_terraform import CROSSING, MODULES, SECRET_MODULE, Module, Terraform

FOLDERS = (MODULES, SECRET_MODULE, CROSSING)


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    return Terraform(tmp_path)


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def module(request: pytest.FixtureRequest) -> Module:
    return Module.read(request.param)


def test_every_folder_is_checked() -> None:
    assert {file.parent for file in MODULES.rglob("*.tf")} == set(FOLDERS)


def test_the_provider_knows_what_it_is_asked_for(module: Module) -> None:
    assert module.wrong_arguments() == []


def test_references_lead_somewhere(module: Module) -> None:
    assert module.broken_references() == []
    assert module.wrong_inputs() == []


def test_every_strategy_has_a_secret_and_an_admin_where_it_needs_one() -> None:
    (secrets,) = Module.read(MODULES).of("local").values()
    by_strategy = {one["strategy"]: one for one in secrets["value"].values()}
    assert set(by_strategy) == set(StrategyName)
    assert "admin_secret_arn" in by_strategy[StrategyName.ALTERNATING_USERS]


def test_attaching_tests_and_waits_for_the_second_apply() -> None:
    module = Module.read(SECRET_MODULE)
    rotation = module.blocks["aws_secretsmanager_secret_rotation.this"]
    assert rotation["rotate_immediately"] is False
    assert rotation["count"] == "${var.attach ? 1 : 0}"
    assert module.blocks["var.attach"]["default"] is False
    assert "aws_secretsmanager_secret_version" not in {kind for kind, _, _ in module.resources()}


def test_the_files_are_formatted(terraform: Terraform) -> None:
    ran = terraform.run("fmt", "-check", "-recursive", "-diff", str(MODULES))
    assert (ran.returncode, ran.stdout) == (0, "")


def without_provider(folder: Path) -> None:
    """The module as far as it asks nobody."""
    folder.mkdir(exist_ok=True)
    for file in ("variables.tf", "value.tf"):
        shutil.copy(SECRET_MODULE / file, folder)


def test_each_value_is_one_that_its_engine_reads(terraform: Terraform) -> None:
    without_provider(terraform.folder / "secret")
    shutil.copy(MODULES / "main.tf", terraform.folder)
    names = ("app/orders", "app/shop", "app/stock")
    outputs = terraform.outputs(
        function_arns=dict.fromkeys(names, FUNCTION), admin_secret_arn=ADMIN
    )
    made = {name: json.loads(text) for name, text in outputs["values"].items()}
    assert [login_of(made[name]).username for name in names] == ["orders", "shop", "stock"]
    assert made["app/shop"]["masterarn"] == ADMIN
    # What the README shows is the same, and names a database besides.
    for value, shown in zip(made.values(), values(), strict=False):
        assert value == {key: said for key, said in shown.items() if key != "dbname"}


SECRET_VARIABLES = {
    "name": "app/orders", "engine": "postgres", "host": "h", "username": "u",
    "function_arn": FUNCTION,
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strategy": "single"}, "One of single-user"),
        ({"strategy": "alternating-users"}, "name its secret"),
        ({"strategy": "single-user", "duration": "1h"}, "At least 2h"),
    ],
)
def test_what_would_not_rotate_is_refused(
    wrong: dict[str, Any], said: str, terraform: Terraform
) -> None:
    without_provider(terraform.folder)
    with pytest.raises(ValueError, match=said):
        terraform.outputs(**{**SECRET_VARIABLES, **wrong})


def test_another_accounts_function_is_attached_as_cloudformation_does_it(
    terraform: Terraform,
) -> None:
    secret, crossing = Module.read(SECRET_MODULE), Module.read(CROSSING)
    without_provider(terraform.folder)
    stand_in(terraform.folder, secret, crossing)
    made = terraform.outputs(strategy="single-user", function_role_arn=ROLE, **SECRET_VARIABLES)
    # As cross-account.sh names it.
    assert made.pop("policy_name") == f"secret-of-{SECRETS_ACCOUNT}-app.orders-Ab12Cd"
    assert login_of(json.loads(made.pop("value"))).username == "u"
    assert secret.blocks["aws_secretsmanager_secret_policy.this"]["block_public_policy"] is True
    assert Shared(**made).normal() == shared(
        attached("single-user", FunctionRoleArn=ROLE), allowing()
    )


def test_a_second_secret_of_the_account_is_another_entry() -> None:
    blocks = Module.read(CROSSING).blocks
    assert blocks["module.secret"]["for_each"] == "${local.secrets}"
    assert blocks["aws_iam_role_policy.rotation"]["for_each"] == "${module.secret}"
    assert "for_each" not in blocks["aws_lambda_permission.rotation"], "one for the account"


def stand_in(folder: Path, secret: Module, crossing: Module) -> None:
    """Outputs of what the resources ask for, with what AWS would have answered put in."""
    rotation = secret.blocks["aws_secretsmanager_secret_rotation.this"]
    rules = rotation["rotation_rules"][0]
    permission = crossing.blocks["aws_lambda_permission.rotation"]
    asked = {
        "rotation": {
            "SecretId": rotation["secret_id"],
            "RotationLambdaARN": rotation["rotation_lambda_arn"],
            "RotateImmediately": rotation["rotate_immediately"],
            "RotationRules": {
                "ScheduleExpression": rules["schedule_expression"],
                "Duration": rules["duration"],
            },
        },
        "secret": {
            "Name": secret.blocks["aws_secretsmanager_secret.this"]["name"],
            "KmsKeyId": secret.blocks["aws_secretsmanager_secret.this"]["kms_key_id"],
        },
        "key_policy": secret.blocks["aws_kms_key.this"]["policy"],
        "secret_policy": secret.blocks["aws_secretsmanager_secret_policy.this"]["policy"],
        "policy_name": crossing.blocks["aws_iam_role_policy.rotation"]["name"],
        "role_policy": crossing.blocks["aws_iam_role_policy.rotation"]["policy"],
        "permission": {
            "Action": permission["action"],
            "FunctionName": permission["function_name"],
            "Principal": permission["principal"],
            "SourceAccount": permission["source_account"],
        },
    }
    text = json.dumps({"output": {name: {"value": value} for name, value in asked.items()}})
    known = {
        "aws_secretsmanager_secret.this.id": SECRET,
        "one(aws_kms_key.this[*].arn)": KEY,
        "local.partition": "aws",
        "local.region": REGION,
        "local.account": SECRETS_ACCOUNT,
        "var.function_arn": FUNCTION,
        "each.value.secret_arn": SECRET,
        "each.value.key_arn": KEY,
        "data.aws_caller_identity.secrets.account_id": SECRETS_ACCOUNT,
    }
    for reference, answer in known.items():
        text = text.replace(reference, json.dumps(json.dumps(answer))[1:-1])
    text = text.replace("jsonencode(", "(")
    (folder / "asked.tf.json").write_text(text)
