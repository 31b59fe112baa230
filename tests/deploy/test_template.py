"""template.yaml: what it makes, of which parameters, and that its eight parts are one."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from rotators import settings as settings_module
from rotators.passwords import PasswordPolicy
from rotators.registry import Registry
from rotators.settings import Settings, StrategyName
from tests.deploy.functions import ENGINES, FULL, FUNCTIONS, environment, stack, template
from tests.deploy.stack import ACCOUNT, NAME
from tests.deploy.template import TEMPLATE, read

PARTS = ("Function", "Role", "Permission", "Logs", "Errors", "Throttles", "Duration")
# A person builds it into the package, where every function finds it.
NOT_A_PARAMETER = {"ROTATION_CA_BUNDLE"}


@cache
def written() -> dict[str, Any]:
    """The resources, before the transform."""
    resources: dict[str, Any] = read()["Resources"]
    return resources


def part(function: str) -> dict[str, Any]:
    """A copy of a function's resources, without its name."""
    resources = {name: written()[f"{function}{name}"] for name in PARTS}
    made: dict[str, Any] = json.loads(json.dumps(resources).replace(function, "…"))
    del made["Function"]["Properties"]["Description"]
    return made


def statements_of(made: dict[str, Any], policy: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = made["Role"]["Properties"]["Policies"][policy]["PolicyDocument"][
        "Statement"
    ]
    return found


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != "Twitter"])
def test_the_functions_of_databases_differ_by_their_engines_alone(function: str) -> None:
    first, other = part("PostgreSQL"), part(function)
    for made in (first, other):
        del made["Function"]["Properties"]["Environment"]["Variables"]["ROTATION_ENGINES"]
    if function == "Redshift":  # it asks Redshift, where the others ask RDS
        for made, name in ((first, "rds"), (other, "redshift")):
            condition, policy, _ = made["Role"]["Properties"]["Policies"].pop()["Fn::If"]
            assert (condition, policy["PolicyName"]) == ("HasAdmin", name)
    assert other == first


def test_twitter_has_a_tag_and_more_time_and_no_strategy() -> None:
    first, other = part("PostgreSQL"), part("Twitter")
    assert other["Function"]["Properties"].pop("Timeout") == 120
    assert other["Duration"]["Properties"].pop("Threshold") == 96_000
    del first["Duration"]["Properties"]["Threshold"]
    for made in (first, other):
        del made["Function"]["Properties"]["Environment"]
    assert first["Role"]["Properties"]["Policies"].pop()["Fn::If"][1]["PolicyName"] == "rds"
    tags = statements_of(other).pop(1)
    assert tags["Action"] == ["secretsmanager:TagResource", "secretsmanager:UntagResource"]
    searches = [statements_of(made)[0]["Action"].pop()["Fn::If"] for made in (first, other)]
    assert [search[0] for search in searches] == ["SearchesVersions", "HasAdmin"]
    assert other == first


# ── parameters and settings ──


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_stack_without_parameters_has_the_defaults_of_the_settings(function: str) -> None:
    found = Settings.from_environ(environment(stack(function), function))
    strategy = None if function == "Twitter" else StrategyName.SINGLE_USER
    assert found == Settings(strategy=strategy, engines=frozenset(ENGINES[function]))


def test_every_setting_is_a_parameter() -> None:
    documented = set(re.findall("[A-Z]+(?:_[A-Z]+)+", settings_module.__doc__ or ""))
    made = environment(stack("PostgreSQL", ExcludeCharacters="x"), "PostgreSQL")
    assert made.keys() == documented - NOT_A_PARAMETER


def test_every_parameter_reaches_the_settings() -> None:
    made = stack(
        "MySQL",
        AdminReset="true",
        ExcludeCharacters="/@",
        ExcludeLowercase="true",
        ExcludeNumbers="true",
        ExcludePunctuation="true",
        PasswordLength="64",
        Provisioned="true",
        RequireEachIncludedType="false",
        SecretsManagerEndpoint="https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com",
        Strategy="dual-password",
        UsernameCharacterLimit="16",
    )
    assert Settings.from_environ(environment(made, "MySQL")) == Settings(
        endpoint_url="https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com",
        passwords=PasswordPolicy(
            length=64,
            exclude_characters="/@",
            exclude_numbers=True,
            exclude_punctuation=True,
            exclude_lowercase=True,
            require_each_included_type=False,
        ),
        strategy=StrategyName.DUAL_PASSWORD,
        engines=frozenset({"mysql", "aurora-mysql"}),
        admin_reset=True,
        provisioned=True,
        username_character_limit=16,
    )
    upper = stack("MySQL", ExcludeUppercase="true")
    assert Settings.from_environ(environment(upper, "MySQL")).passwords.exclude_uppercase


def test_a_blank_excludes_no_character() -> None:
    made = environment(stack("PostgreSQL", ExcludeCharacters=" "), "PostgreSQL")
    policy = Settings.from_environ(made).passwords
    drawn = {character for _ in range(200) for character in policy.generate(engine_excludes="'\"")}
    assert {"'", '"'} <= drawn
    assert " " not in drawn


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_engine_can_be_rotated_with_the_settings_of_its_function(function: str) -> None:
    for engine in ENGINES[function]:
        for strategy in Registry().load(engine).strategies or ("single-user",):
            made = environment(stack(function, Strategy=strategy, **FULL), function)
            settings = Settings.from_environ(made)
            rotator = Registry().allowing(settings.engines).build(engine, settings)
            assert rotator.strategy == (None if function == "Twitter" else strategy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Architecture", "mips"),
        ("LogRetentionInDays", "2"),
        ("PasswordLength", "7"),
        ("PasswordLength", "4097"),
        ("PostgreSQL", "yes"),
        ("Runtime", "python3.12"),
        ("SecretAccountId", "12345678901"),
        ("SecretNamePattern", "app/**"),
        ("SecretNamePattern", "app/db-??????"),
        ("SecretNamePattern", ""),
        ("SecretsManagerEndpoint", "http://example.com"),
        ("Strategy", "guess"),
        ("UsernameCharacterLimit", "0"),
        ("UsernameCharacterLimit", "256"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_made(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} may not be"):
        stack(**{name: value})


@pytest.mark.parametrize(
    ("parameters", "lacks"),
    [
        ({"Strategy": "alternating-users"}, "AdminSecretArn"),
        ({"VpcSubnetIds": "subnet-1,subnet-2"}, "VpcSecurityGroupIds"),
        ({"VpcSecurityGroupIds": "sg-1"}, "VpcSubnetIds"),
    ],
)
def test_what_could_not_rotate_is_refused_before_anything_is_made(
    parameters: dict[str, str], lacks: str
) -> None:
    with pytest.raises(ValueError, match=lacks):
        stack("PostgreSQL", **parameters)
    assert stack("PostgreSQL", **{**parameters, lacks: FULL[lacks]}).resources


# ── what there is ──


def test_only_what_is_switched_on_is_made() -> None:
    default = {name: rule["Default"] for name, rule in template()["Parameters"].items()}
    assert [name for name in FUNCTIONS if default[name] == "true"] == ["PostgreSQL"]
    for function in FUNCTIONS:
        made = stack(function)
        assert set(made.resources) == {f"{function}{part}" for part in PARTS}
        assert set(made.outputs) == {f"{function}FunctionArn", f"{function}RoleArn"}


def test_a_function_is_as_the_template_says() -> None:
    for function in FUNCTIONS:
        properties = stack(function).resources[f"{function}Function"].properties
        assert properties["Handler"] == "rotators.handler.lambda_handler"
        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
        assert properties["MemorySize"] == 512
        assert properties["LoggingConfig"] == {
            "LogFormat": "JSON",
            "LogGroup": f"/aws/lambda/{NAME}-{function}",
        }
        assert not properties.keys() & {"ReservedConcurrentExecutions", "VpcConfig"}
    newer = stack("Oracle", Architecture="x86_64", Runtime="python3.14")
    properties = newer.resources["OracleFunction"].properties
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.14", ["x86_64"])


def test_logs_are_kept_as_long_as_is_said() -> None:
    logs = stack("Oracle", LogRetentionInDays="30").of_kind("AWS::Logs::LogGroup")
    group = {"LogGroupName": f"/aws/lambda/{NAME}-Oracle", "RetentionInDays": "30"}
    assert logs == {"OracleLogs": group}


def test_secrets_manager_of_this_account_alone_may_call() -> None:
    permissions = stack(*FUNCTIONS).of_kind("AWS::Lambda::Permission")
    assert permissions == {
        f"{function}Permission": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": f"{NAME}-{function}",
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": ACCOUNT,
        }
        for function in FUNCTIONS
    }


def test_a_function_is_put_into_a_vpc() -> None:
    made = stack("Oracle", VpcSubnetIds="subnet-1,subnet-2", VpcSecurityGroupIds="sg-1")
    assert made.resources["OracleFunction"].properties["VpcConfig"] == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-1"],
    }


def test_no_partition_is_taken_for_granted() -> None:
    assert "arn:aws:" not in TEMPLATE.read_text()
