"""Who is told of what: alarms, and the rule that tells of failed rotations."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.functions import FUNCTIONS, stack
from tests.deploy.stack import ACCOUNT, NAME, REGION

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:pager"


def test_each_function_has_its_alarms() -> None:
    made = stack(*FUNCTIONS, AlarmTopicArn=TOPIC)
    alarms = made.of_kind("AWS::CloudWatch::Alarm")
    assert len(alarms) == 3 * len(FUNCTIONS)
    for function in FUNCTIONS:
        timeout = made.resources[f"{function}Function"].properties["Timeout"]
        thresholds = {"Errors": 0, "Throttles": 0, "Duration": timeout * 1000 * 4 // 5}
        for metric, threshold in thresholds.items():
            alarm = alarms[f"{function}{metric}"]
            assert (alarm["MetricName"], alarm["Threshold"]) == (metric, threshold)
            assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
            assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": f"{NAME}-{function}"}]
            assert alarm["AlarmActions"] == [TOPIC]
            assert alarm["Statistic"] == ("Maximum" if metric == "Duration" else "Sum")


def test_without_a_topic_nobody_is_told() -> None:
    made = stack(*FUNCTIONS)
    for alarm in made.of_kind("AWS::CloudWatch::Alarm").values():
        assert "AlarmActions" not in alarm
    assert not made.of_kind("AWS::Events::Rule")


# ── failed rotations, as CloudTrail tells them ──


def secret(name: str) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"


def event(name: str, arn: str | None) -> dict[str, Any]:
    """As in docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html."""
    return {
        "source": "aws.secretsmanager",
        "detail-type": "AWS Service Event via CloudTrail",
        "account": ACCOUNT,
        "detail": {
            "eventSource": "secretsmanager.amazonaws.com",
            "eventName": name,
            "additionalEventData": None if arn is None else {"SecretId": arn},
        },
    }


def matches(pattern: dict[str, Any], given: Any) -> bool:
    """EventBridge's rule: every field of the pattern, by any one of its alternatives."""
    for key, wanted in pattern.items():
        found = given.get(key) if isinstance(given, dict) else None
        if isinstance(wanted, dict):
            if not matches(wanted, found):
                return False
        elif not any(_is(one, found) for one in wanted):
            return False
    return True


def _is(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, str):
        return bool(wanted == found)
    ((operator, argument),) = wanted.items()
    if operator == "exists":
        return (found is not None) is argument
    assert operator == "wildcard"
    return found is not None and bool(
        re.fullmatch(".*".join(map(re.escape, argument.split("*"))), found)
    )


def rule(**parameters: str) -> dict[str, Any]:
    made = stack("PostgreSQL", AlarmTopicArn=TOPIC, **parameters)
    properties = dict(made.resources["FailedRotations"].properties)
    assert properties["Targets"] == [{"Id": "topic", "Arn": TOPIC}]
    pattern: dict[str, Any] = properties["EventPattern"]
    return pattern


@pytest.mark.parametrize("name", ["RotationFailed", "RotationAbandoned", "TestRotationFailed"])
@pytest.mark.parametrize("arn", [secret("app/db-abcdef"), None])
def test_a_failure_is_told(name: str, arn: str | None) -> None:
    assert matches(rule(), event(name, arn))
    assert matches(rule(SecretNamePattern="app/*"), event(name, arn))


@pytest.mark.parametrize("name", ["RotationStarted", "RotationSucceeded", "TestRotationSucceeded"])
def test_a_success_is_not(name: str) -> None:
    assert not matches(rule(), event(name, secret("app/db-abcdef")))


def test_failures_of_other_secrets_are_not_told_where_names_are_said() -> None:
    other = event("RotationFailed", secret("other/db-abcdef"))
    assert matches(rule(), other)
    assert not matches(rule(SecretNamePattern="app/*"), other)


def test_events_of_other_services_are_not_told() -> None:
    other = event("RotationFailed", secret("app/db-abcdef"))
    assert not matches(rule(), {**other, "source": "aws.kms"})
    assert not matches(rule(), {**other, "detail-type": "Secret Label Updated"})
