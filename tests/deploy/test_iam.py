"""The evaluator of policies is strict: what it does not know, it refuses to judge."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy.iam import Request, Statement, allowed, statements, unused

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-abcdef"
READ = "secretsmanager:GetSecretValue"


def policy(*given: dict[str, Any]) -> list[Statement]:
    whole = {"Effect": "Allow", "Action": READ, "Resource": "*"}
    return [Statement.of({**whole, **one}) for one in given]


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (SECRET, True),
        ("*", True),
        ("arn:aws:secretsmanager:*:123456789012:secret:app/*", True),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-??????", True),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-?????", False),
        ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:App/*", False),
        ("arn.aws:secretsmanager:eu-west-1:123456789012:secret:app/*", False),
    ],
)
def test_resources(pattern: str, matches: bool) -> None:
    assert allowed(policy({"Resource": pattern}), Request(READ, SECRET)) is matches


@pytest.mark.parametrize(
    ("conditions", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": ("a",)}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ("b",)}, True),
        ({"StringEquals": {"k": "a"}}, {"k": ("A",)}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": ("a",)}, False),
        ({"StringLike": {"k": "a*"}}, {"k": ("abc",)}, True),
        ({"StringLike": {"k": "a*"}}, {"k": ("bc",)}, False),
        ({"ArnLike": {"k": "arn:aws:lambda:*:1:function:a-*"}}, {"k": (
            "arn:aws:lambda:x:1:function:a-b",)}, True),
        ({"ArnLike": {"k": "arn:aws:*:function:a-*"}}, {"k": (
            "arn:aws:lambda:x:1:function:a-b",)}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": ("a",)}, True),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": ("a", "b")}, False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": "false"}}, {"k": ("a",)}, True),
        ({"Null": {"k": "true"}}, {}, True),
    ],
)  # fmt: skip
def test_conditions(
    conditions: dict[str, Any],
    context: dict[str, tuple[str, ...]],
    holds: bool,
) -> None:
    assert allowed(policy({"Condition": conditions}), Request(READ, SECRET, context)) is holds


def test_a_refusal_wins_and_silence_refuses() -> None:
    asked = Request(READ, SECRET)
    assert allowed(policy({}), asked)
    assert not allowed(policy({}, {"Effect": "Deny"}), asked)
    assert not allowed(policy({"Action": "secretsmanager:PutSecretValue"}), asked)
    assert not allowed([], asked)


def test_what_is_unused_is_said_for_each_action_on_each_resource() -> None:
    given = policy({"Action": [READ, "secretsmanager:DescribeSecret"], "Resource": [SECRET, "x"]})
    assert unused(given, [Request(READ, SECRET)]) == [
        f"{READ} on x",
        f"secretsmanager:DescribeSecret on {SECRET}",
        "secretsmanager:DescribeSecret on x",
    ]
    wide = policy({"Action": "secretsmanager:*"})
    assert unused(wide, [Request(READ, SECRET)]) == ["secretsmanager:* on *"]


@pytest.mark.parametrize(
    "given",
    [
        {"NotAction": READ},
        {"Effect": "Perhaps"},
        {"Condition": {"StringNotEquals": {"k": "a"}}},
        {"Resource": "arn:aws:secretsmanager:*:*:secret:${aws:username}"},
        {"Condition": {"StringEquals": {"k": "${lambda:SourceFunctionArn}"}}},
    ],
)
def test_what_is_not_known_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"known|effect"):
        policy(given)


def test_a_role_with_other_policies_is_not_judged() -> None:
    with pytest.raises(ValueError, match="managed policies"):
        statements({"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]})
    with pytest.raises(ValueError, match="one value"):
        allowed(
            policy({"Condition": {"StringEquals": {"k": "a"}}}),
            Request(READ, SECRET, {"k": ("a", "b")}),
        )
