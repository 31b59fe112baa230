"""The CloudFormation and CDK examples, as CloudFormation would resolve them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.attach_example import (
    ATTACH,
    FUNCTION,
    JSON,
    KEY,
    REGION,
    ROLE,
    SECRET,
    SECRETS_ACCOUNT,
    Shared,
)
from tests.deploy.template import read

ATTACHING = ATTACH / "cloudformation" / "attach.yaml"
ALLOWING = ATTACH / "cloudformation" / "function-account.yaml"
APP = ATTACH / "cdk" / "app.py"

_BIN = Path(sys.executable).parent
_SECONDS = 120
_NOTHING = object()
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": SECRETS_ACCOUNT,
    "AWS::StackName": "attached",
    "AWS::NoValue": _NOTHING,
}
# What resources are known by once they are there.
_ARNS = {"AWS::SecretsManager::Secret": SECRET, "AWS::KMS::Key": KEY}


class Stack:
    """A template with its parameters: ``resources`` of each type, ``outputs``, all resolved."""

    def __init__(self, template: JSON, **said: str) -> None:
        self._template = template
        declared = template.get("Parameters", {})
        if unknown := set(said) - set(declared):
            raise KeyError(f"no parameters: {sorted(unknown)}")
        defaults = {name: one.get("Default") for name, one in declared.items()}
        self._names: dict[str, Any] = {**_PSEUDO, **defaults, **said}
        for name, resource in template["Resources"].items():
            self._names[name] = _ARNS.get(resource["Type"], name)
        self.resources = {
            one["Type"]: self._resolved(one["Properties"])
            for one in template["Resources"].values()
            if self._applies(one)
        }
        outputs = template.get("Outputs", {}).items()
        self.outputs = {
            name: self._resolved(one["Value"]) for name, one in outputs if self._applies(one)
        }

    def failed_rules(self) -> list[str]:
        """What CloudFormation would refuse the parameters with."""
        return [
            assertion["AssertDescription"]
            for rule in self._template.get("Rules", {}).values()
            if self._resolved(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self._resolved(assertion["Assert"])
        ]

    def _applies(self, one: JSON) -> bool:
        name = one.get("Condition")
        return name is None or bool(self._resolved(self._template["Conditions"][name]))

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._resolved(one) for one in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and (key := next(iter(node))) in _FUNCTIONS:
            return _FUNCTIONS[key](self, node[key])
        resolved = {key: self._resolved(said) for key, said in node.items()}
        return {key: said for key, said in resolved.items() if said is not _NOTHING}

    def _if(self, said: list[Any]) -> Any:
        applies = self._applies({"Condition": said[0]})
        return self._resolved(said[1] if applies else said[2])

    def _sub(self, text: str) -> str:
        return re.sub(r"\$\{([\w:]+)\}", lambda found: str(self._names[found[1]]), text)


_FUNCTIONS: Mapping[str, Any] = {
    "Ref": lambda stack, said: stack._names[said],
    "Fn::GetAtt": lambda stack, said: stack._names[(said if isinstance(said, list) else [said])[0]],
    "Fn::Sub": Stack._sub,
    "Fn::If": Stack._if,
    "Fn::Join": lambda stack, said: said[0].join(stack._resolved(said[1])),
    "Fn::Equals": lambda stack, said: len({*map(str, stack._resolved(said))}) == 1,
    "Fn::Not": lambda stack, said: not stack._resolved(said[0]),
}


def attached(strategy: str, **said: str) -> Stack:
    """The stack of attach.yaml for one strategy."""
    parameters = {
        "Engine": "postgres",
        "Host": "orders.example.com",
        "Username": "orders",
        "Attach": "true",
    }
    return Stack(read(ATTACHING), Strategy=strategy, FunctionArn=FUNCTION, **(parameters | said))


def allowing() -> Stack:
    """The stack of function-account.yaml."""
    return Stack(
        read(ALLOWING),
        FunctionArn=FUNCTION,
        FunctionRoleName=ROLE.rpartition("/")[2],
        SecretAccount=SECRETS_ACCOUNT,
        SecretArn=SECRET,
        KeyArn=KEY,
    )


def synthesised(folder: Path, **context: str) -> Path:
    """The template that the CDK app makes; skips visibly where there is no Node.js."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not on this machine: apt-get install nodejs")
    ran = subprocess.run(  # noqa: S603 our own example
        [sys.executable, str(APP)],
        env={
            **os.environ,
            "CDK_OUTDIR": str(folder),
            "CDK_CONTEXT_JSON": json.dumps(context),
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        },
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if ran.returncode:
        raise ValueError(ran.stderr)
    (template,) = folder.glob("*.template.json")
    return template


def lint(*templates: Path) -> str:
    """What cfn-lint finds; nothing if they are good."""
    ran = subprocess.run(  # noqa: S603 this environment's own
        [_BIN / "cfn-lint", "--non-zero-exit-code", "informational", "--", *templates],
        env={**os.environ, "AWS_REGION": REGION},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return f"{ran.stdout}{ran.stderr}" if ran.returncode else ""


def shared(secrets: Stack, functions: Stack) -> Shared:
    """What two stacks ask for, one in each account."""
    rotation = secrets.resources["AWS::SecretsManager::RotationSchedule"]
    secret = secrets.resources["AWS::SecretsManager::Secret"]
    consent = secrets.resources["AWS::SecretsManager::ResourcePolicy"]
    assert consent["SecretId"] == SECRET
    assert consent["BlockPublicPolicy"] is True
    permission = functions.resources["AWS::Lambda::Permission"]
    access = functions.resources["AWS::IAM::RolePolicy"]
    assert access["RoleName"] == ROLE.rpartition("/")[2]
    return Shared(
        rotation={
            "SecretId": rotation["SecretId"],
            "RotationLambdaARN": rotation["RotationLambdaARN"],
            "RotateImmediately": rotation["RotateImmediatelyOnUpdate"],
            "RotationRules": rotation["RotationRules"],
        },
        secret={"Name": secret["Name"], "KmsKeyId": secret["KmsKeyId"]},
        key_policy=secrets.resources["AWS::KMS::Key"]["KeyPolicy"],
        secret_policy=consent["ResourcePolicy"],
        role_policy=access["PolicyDocument"],
        permission=permission,
    ).normal()
