"""docs/attach: the README, CloudFormation and CDK; and that all examples ask for the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rotators.errors import MisconfiguredSecret
from rotators.settings import StrategyName
from tests.deploy.attach_example import (
    ADMIN,
    ATTACH,
    FUNCTION,
    KEY,
    README,
    ROLE,
    SECRET,
    actions,
    actions_needed,
    broken_links,
    login_of,
    values,
)
from tests.deploy.attach_templates import (
    ALLOWING,
    ATTACHING,
    Stack,
    allowing,
    attached,
    lint,
    shared,
    synthesised,
)
from tests.deploy.template import read

WANTED = {
    "name": "app/orders",
    "engine": "postgres",
    "host": "orders.example.com",
    "username": "orders",
    "functionArn": FUNCTION,
    "attach": "true",
}


# ── the README ──


def test_the_values_it_shows_are_one_of_each_strategy_and_an_admins() -> None:
    logins = [login_of(value) for value in values()]
    assert [login.username for login in logins] == ["orders", "shop", "stock", "rotation_admin"]
    single, alternating, dual, admin = values()
    assert "masterarn" not in single
    assert alternating["masterarn"] == ADMIN
    assert logins[1].same_server(logins[3])
    assert dual["engine"] == "mysql"
    assert "password" not in {key for value in (single, alternating, dual, admin) for key in value}


def test_a_value_that_the_engine_cannot_read_is_noticed() -> None:
    with pytest.raises(MisconfiguredSecret, match="'host'"):
        login_of({"engine": "postgres", "username": "orders"})


def test_its_links_and_files_are_there() -> None:
    assert broken_links(README) == []
    text = README.read_text()
    files = {str(file.relative_to(ATTACH)) for file in ATTACH.rglob("*") if file.is_file()}
    entries = {"cli/attach.sh", "cli/cross-account.sh", "terraform/main.tf", "cdk/app.py"}
    entries |= {f"cloudformation/{file.name}" for file in (ATTACHING, ALLOWING)}
    assert entries <= files
    assert [entry for entry in entries if f"]({entry})" not in text] == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# One & two\n[a](#one--two) [b](#three) [c](gone.md) [d](a.md#one)")
    assert broken_links(document) == ["#three", "gone.md", "a.md#one"]


# ── CloudFormation ──


def test_cfn_lint_finds_nothing() -> None:
    assert lint(ATTACHING, ALLOWING) == ""


def test_cfn_lint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "attach.yaml"
    broken.write_text(ATTACHING.read_text().replace("RotationLambdaARN:", "RotationLambdaArn:"))
    assert "RotationLambdaArn" in lint(broken)


def test_it_has_every_strategy_and_demands_an_admin_where_it_needs_one() -> None:
    allowed = read(ATTACHING)["Parameters"]["Strategy"]["AllowedValues"]
    assert allowed == list(StrategyName)
    for strategy in StrategyName:
        needs = strategy is StrategyName.ALTERNATING_USERS
        assert bool(attached(strategy).failed_rules()) == needs
        assert attached(strategy, AdminSecretArn=ADMIN).failed_rules() == []


@pytest.mark.parametrize("strategy", StrategyName)
def test_its_value_is_one_that_the_engine_reads(strategy: StrategyName) -> None:
    admin = {"AdminSecretArn": ADMIN} if strategy is StrategyName.ALTERNATING_USERS else {}
    stack = attached(strategy, DatabaseName="orders", **admin)
    value = json.loads(stack.outputs["Value"])
    assert login_of(value).dbname == "orders"
    assert value.get("masterarn") == admin.get("AdminSecretArn")
    assert stack.resources["AWS::SecretsManager::Secret"]["Tags"] == [
        {"Key": "rotation-strategy", "Value": strategy}
    ]


def test_it_attaches_only_when_told_and_shares_nothing_within_an_account() -> None:
    kinds = {"AWS::SecretsManager::Secret"}
    assert set(attached("single-user", Attach="false").resources) == kinds
    here = attached("single-user").resources
    assert set(here) == kinds | {"AWS::SecretsManager::RotationSchedule"}
    assert set(here["AWS::SecretsManager::Secret"]) == {"Name", "Tags"}


def test_attaching_only_tests_in_a_window_that_lets_secrets_manager_retry() -> None:
    rotation = attached("single-user").resources["AWS::SecretsManager::RotationSchedule"]
    assert rotation["RotateImmediatelyOnUpdate"] is False
    rules = rotation["RotationRules"]
    hour = re.fullmatch(r"cron\(0 (\d+) \S+ \S+ \S+ \*\)", rules["ScheduleExpression"])
    hours = re.fullmatch(r"(\d+)h", rules["Duration"])
    assert hour
    assert hours
    assert 2 <= int(hours[1]) <= 24 - int(hour[1])
    allowed = read(ATTACHING)["Parameters"]["Duration"]["AllowedPattern"]
    assert [h for h in range(30) if re.fullmatch(allowed, f"{h}h")] == list(range(2, 25))


# ── another account ──


def test_another_accounts_function_gets_what_a_rotation_calls_and_no_more() -> None:
    asked = shared(attached("single-user", FunctionRoleArn=ROLE), allowing())
    assert actions(asked.secret_policy) == actions_needed()
    keys = {"kms:Decrypt", "kms:GenerateDataKey"}
    assert actions(asked.role_policy) == actions_needed() | keys
    assert actions(asked.key_policy) == {"kms:*"} | keys
    assert [one["Resource"] for one in asked.role_policy["Statement"]] == [SECRET, KEY]
    (_, role) = asked.key_policy["Statement"]
    (pattern,) = role["Condition"]["StringLike"].values()
    assert re.fullmatch(pattern.replace("?", "."), SECRET)


# ── CDK ──


def made_by_cdk(folder: Path, contexts: Mapping[str, Mapping[str, str]]) -> list[Stack]:
    """The app's stack for each context. cfn-lint finds nothing wrong with them."""
    templates = [synthesised(folder / name, **context) for name, context in contexts.items()]
    assert lint(*templates) == ""
    return [Stack(read(template)) for template in templates]


def stack_names(folder: Path) -> set[str]:
    """Of all that was synthesised. CloudFormation takes them."""
    names = {path.name.removesuffix(".template.json") for path in folder.glob("*/*.template.json")}
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,127}", name) for name in names)
    return names


def test_cdk_makes_the_same_as_cloudformation(tmp_path: Path) -> None:
    admins = {StrategyName.ALTERNATING_USERS: ADMIN}
    # Hardly different, and yet stacks of their own.
    names = dict(zip(StrategyName, ("app/orders", "app-orders", "app.orders"), strict=True))
    contexts = {
        strategy.value: {
            **WANTED,
            "name": name,
            "strategy": strategy,
            "adminSecretArn": admins.get(strategy, ""),
        }
        for strategy, name in names.items()
    }
    stacks = made_by_cdk(tmp_path, contexts)
    assert len(stack_names(tmp_path)) == 3
    for (strategy, name), made in zip(names.items(), stacks, strict=True):
        same = attached(strategy, SecretName=name, AdminSecretArn=admins.get(strategy, ""))
        assert made.resources == same.resources
        assert json.loads(made.outputs["Value"]) == json.loads(same.outputs["Value"])


def test_cdk_shares_the_same_as_cloudformation(tmp_path: Path) -> None:
    contexts = {
        "b": {**WANTED, "strategy": "single-user", "functionRoleArn": ROLE},
        "a": {
            "functionArn": FUNCTION,
            "functionRoleArn": ROLE,
            "secretArn": SECRET,
            "keyArn": KEY,
        },
    }
    stacks = made_by_cdk(tmp_path, contexts)
    # The end of its ARN tells a secret from every other.
    policy = stacks[1].resources["AWS::IAM::RolePolicy"]["PolicyName"]
    own = [name for name in (*stack_names(tmp_path), policy) if "-app-orders-Ab12Cd-" in name]
    assert len(own) == 2
    made = shared(*stacks)
    assert made == shared(attached("single-user", FunctionRoleArn=ROLE), allowing())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"strategy": "alternating-users"}, "name its secret"), ({}, "say -c strategy")],
)
def test_cdk_refuses_what_would_not_rotate(
    wrong: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        synthesised(tmp_path, **WANTED, **wrong)
