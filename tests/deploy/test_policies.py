"""The template's policies permit what rotations ask for, and nothing more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from rotators.database.postgresql import PostgreSQLRotator
from rotators.registry import BUILT_IN, Registry
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.deploy.functions import FULL, FUNCTION_OF, FUNCTIONS, KEY, stack
from tests.deploy.iam import Request, Statement, Values, allowed, statements, unused
from tests.deploy.recorder import arn, recorder
from tests.deploy.rotations import calls_of
from tests.deploy.stack import ACCOUNT
from tests.deploy.template import ROOT
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates
    from tests.deploy.stack import Stack
    from tests.servers import PostgreSQL

# What Lambda itself does with a function's role: docs.aws.amazon.com/lambda/latest/dg/
# configuration-vpc.html (Required IAM permissions), and .../monitoring-cloudwatchlogs.html.
_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_INTERFACES = tuple(
    f"ec2:{operation}"
    for operation in (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "UnassignPrivateIpAddresses",
    )
)
_OTHER_VALUES: Mapping[str, tuple[Values, ...]] = {
    "secretsmanager:resource/AllowRotationLambdaArn": ((arn("lambda", "function:another"),),),
    "aws:TagKeys": (("owner",), ("rotators:exchange", "owner")),
    "kms:EncryptionContext:SecretARN": ((arn("secretsmanager", "secret:other/0-abcdef"),),),
}


@dataclass(frozen=True)
class Case:
    """A function of the stack, by one of the strategies that its engine has."""

    function: str
    engine: str
    strategy: StrategyName | None
    full: bool

    def __str__(self) -> str:
        return f"{self.engine}-{self.strategy or 'issued'}-{'full' if self.full else 'bare'}"

    @property
    def stack(self) -> Stack:
        strategy = self.strategy or StrategyName.SINGLE_USER
        said = {"Strategy": strategy.value, "SecretNamePattern": "app/*"}
        return stack(self.function, **said, **(FULL if self.full else {}))

    @property
    def policy(self) -> list[Statement]:
        return statements(self.stack.resources[f"{self.function}Role"].properties)

    @property
    def arn(self) -> str:
        return str(self.stack.outputs[f"{self.function}FunctionArn"])


def cases() -> Iterator[Case]:
    for engine in BUILT_IN:
        for name in Registry().load(engine).strategies or (None,):
            strategy = StrategyName(name) if name else None
            yield Case(FUNCTION_OF[engine], engine, strategy, full=True)
            if strategy is not StrategyName.ALTERNATING_USERS:  # it cannot do without an admin
                yield Case(FUNCTION_OF[engine], engine, strategy, full=False)


@cache
def requests_of(case: Case, certificates: Certificates) -> tuple[Request, ...]:
    """What IAM is asked about the function: by its rotations, and by Lambda on its behalf."""
    calls = calls_of(case.engine, case.strategy, certificates, admin=case.full)
    key = KEY if case.full else None
    logs = arn("logs", f"log-group:/aws/lambda/rotation-{case.function}:log-stream:2026/1")
    found = [request for call in dict.fromkeys(calls) for request in call.requests(case.arn, key)]
    found += [Request(action, logs) for action in _LOGS]
    found += [Request(action, "*") for action in _INTERFACES if case.full]
    return tuple(found)


def strangers(requests: Iterable[Request], function: str) -> Iterator[Request]:
    """Requests that are nearly those, and that nobody has to be allowed."""
    for request in requests:
        for resource in (
            request.resource.replace(ACCOUNT, "999999999999"),
            request.resource.replace("secret:app/", "secret:other/"),
            request.resource.replace("rotation-", "another-"),
            request.resource.replace("key/", "key/0"),
        ):
            if resource != request.resource:
                yield replace(request, resource=resource)
        for key in request.context:
            for values in ((), *_OTHER_VALUES[key]):
                yield replace(request, context={**request.context, key: values})
        if request.action in _INTERFACES:
            yield replace(request, context={"lambda:SourceFunctionArn": (function,)})


def problems(policy: list[Statement], requests: Iterable[Request], function: str) -> list[str]:
    """What the policy forbids a rotation, and what it permits beyond."""
    asked = list(requests)
    return [
        *(f"refused: {one}" for one in asked if not allowed(policy, one)),
        *(f"permitted for nothing: {one}" for one in unused(policy, asked)),
        *(f"too wide: {one}" for one in strangers(asked, function) if allowed(policy, one)),
    ]


def mutants(policy: list[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """The policy with one thing more, less or wider."""
    more = Statement("Allow", ("secretsmanager:DeleteSecret",), policy[0].resources, {})
    yield "a statement more", [*policy, more]
    for at, statement in enumerate(policy):
        before, after = policy[:at], policy[at + 1 :]
        yield f"without {statement}", [*before, *after]
        for action in statement.actions if len(statement.actions) > 1 else ():
            kept = tuple(one for one in statement.actions if one != action)
            yield f"without {action}", [*before, replace(statement, actions=kept), *after]
        for condition in statement.conditions:
            fewer = {key: one for key, one in statement.conditions.items() if key != condition}
            yield f"without {condition}", [*before, replace(statement, conditions=fewer), *after]
        if statement.resources != ("*",):
            yield f"wider {statement}", [*before, replace(statement, resources=("*",)), *after]


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_a_function_may_do_what_its_rotations_do_and_nothing_more(
    case: Case, certificates: Certificates
) -> None:
    requests = requests_of(case, certificates)
    assert problems(case.policy, requests, case.arn) == []
    for what, policy in mutants(case.policy):
        assert problems(policy, requests, case.arn), what


@pytest.mark.parametrize("strategy", PostgreSQLRotator.strategies)
def test_a_rotation_on_a_real_server_asks_for_nothing_else(
    postgresql: PostgreSQL, strategy: str, certificates: Certificates
) -> None:
    case = Case("PostgreSQL", "postgres", StrategyName(strategy), full=True)
    known = {request.action for request in requests_of(case, certificates)}
    target = PostgreSQLTarget(postgresql, StrategyName(strategy))
    with recorder({}) as made, Bench(PostgreSQLRotator, target) as bench:
        secret, _ = bench.secret()
        with made.listening(bench):
            bench.driver.rotate(secret)
    requests = [request for call in made.calls for request in call.requests(case.arn, KEY)]
    assert {request.action for request in requests} <= known
    assert [request for request in requests if not allowed(case.policy, request)] == []


def test_nothing_but_what_was_recorded_asks_aws() -> None:
    """Engines reach AWS's APIs through their lookups alone, which the rotations above have used."""
    package = ROOT / "rotators"
    asking = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in {"cli", "testing"}
        and re.search(r"\bboto3\.|^from rotators import .*\baws\b", path.read_text(), re.MULTILINE)
    }
    assert asking == {"aws.py", "handler.py", "rds.py", "database/redshift_api.py"}


def test_a_secret_of_another_account_is_another_accounts_alone() -> None:
    made = stack("PostgreSQL", SecretAccountId="210987654321", SecretNamePattern="app/*")
    policy = statements(made.resources["PostgreSQLRole"].properties)
    function = str(made.outputs["PostgreSQLFunctionArn"])
    context = {"secretsmanager:resource/AllowRotationLambdaArn": (function,)}
    ours = arn("secretsmanager", "secret:app/db-abcdef")
    theirs = ours.replace(ACCOUNT, "210987654321")
    assert allowed(policy, Request("secretsmanager:GetSecretValue", theirs, context))
    assert not allowed(policy, Request("secretsmanager:GetSecretValue", ours, context))
    permission = made.resources["PostgreSQLPermission"].properties
    assert permission["SourceAccount"] == "210987654321"


def test_roles_are_bounded_where_that_is_demanded() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    bounded = stack(*FUNCTIONS, PermissionsBoundaryArn=boundary).of_kind("AWS::IAM::Role")
    assert [role["PermissionsBoundary"] for role in bounded.values()] == [boundary] * len(FUNCTIONS)
    free = stack("PostgreSQL").resources["PostgreSQLRole"].properties
    assert "PermissionsBoundary" not in free
