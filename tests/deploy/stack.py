"""What CloudFormation makes of the translated template for given parameters.

Strict: an intrinsic function, a parameter or a resource that is not known is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.deploy.template import Template

ACCOUNT, REGION, PARTITION = "123456789012", "us-east-1", "aws"
NAME = "rotation"

_NOTHING = object()


@dataclass(frozen=True)
class Resource:
    """One that the stack has, its properties resolved."""

    kind: str
    properties: Mapping[str, Any]


class Stack:
    """The resources and outputs that there are with ``parameters``; the others have defaults.

    Raises ValueError for a parameter, or parameters together, that the template does not admit.
    """

    def __init__(self, template: Template, parameters: Mapping[str, str] | None = None) -> None:
        self._template = template
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _NOTHING,
            "AWS::Partition": PARTITION,
            "AWS::Region": REGION,
            "AWS::StackName": NAME,
        }
        self._parameters = _admitted(template["Parameters"], parameters or {})
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": lambda given: all(self._value(one) for one in given),
            "Fn::EachMemberEquals": lambda given: {*self._value(given[0])} <= {given[1]},
            "Fn::Equals": lambda given: self._value(given[0]) == self._value(given[1]),
            "Fn::GetAtt": lambda given: self._attribute(*given),
            "Fn::If": lambda given: self._value(given[1 if self._condition(given[0]) else 2]),
            "Fn::Join": lambda given: given[0].join(self._value(given[1])),
            "Fn::Not": lambda given: not self._value(given[0]),
            "Fn::Sub": self._sub,
        }
        if broken := self._broken_rules():
            raise ValueError("; ".join(broken))
        self.resources = {
            name: Resource(given["Type"], self._value(given.get("Properties", {})))
            for name, given in template["Resources"].items()
            if self._exists(given)
        }
        self.outputs = {
            name: self._value(given["Value"])
            for name, given in template["Outputs"].items()
            if self._exists(given)
        }

    def of_kind(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """The properties of all resources of one type."""
        return {name: one.properties for name, one in self.resources.items() if one.kind == kind}

    def _broken_rules(self) -> list[str]:
        return [
            assertion["AssertDescription"]
            for rule in self._template["Rules"].values()
            if self._value(rule["RuleCondition"])
            for assertion in rule["Assertions"]
            if not self._value(assertion["Assert"])
        ]

    def _exists(self, given: Mapping[str, Any]) -> bool:
        return "Condition" not in given or self._condition(given["Condition"])

    def _condition(self, name: str) -> bool:
        return bool(self._value(self._template["Conditions"][name]))

    def _value(self, given: Any) -> Any:
        if isinstance(given, list):
            return [one for one in map(self._value, given) if one is not _NOTHING]
        if not isinstance(given, dict):
            return given
        if len(given) == 1:
            ((name, argument),) = given.items()
            if name in self._functions:
                return self._functions[name](argument)
            if name.startswith("Fn::"):
                raise ValueError(f"the function {name} is not known here")
        resolved = {key: self._value(one) for key, one in given.items()}
        return {key: one for key, one in resolved.items() if one is not _NOTHING}

    def _ref(self, name: str) -> Any:
        for known in (self._pseudo, self._parameters):
            if name in known:
                return known[name]
        kind, given = self._found(name)
        key = {"AWS::Lambda::Function": "FunctionName", "AWS::Logs::LogGroup": "LogGroupName"}[kind]
        return self._value(given[key])

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute != "Arn":
            raise ValueError(f"the attribute {attribute} is not known here")
        kind, _ = self._found(name)
        service, path = {
            "AWS::IAM::Role": ("iam", f"role/{name}"),
            "AWS::Lambda::Function": ("lambda", "function:{}"),
            "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
        }[kind]
        region = "" if service == "iam" else REGION
        path = path.format(self._ref(name)) if "{}" in path else path
        return f"arn:{PARTITION}:{service}:{region}:{ACCOUNT}:{path}"

    def _found(self, name: str) -> tuple[str, Mapping[str, Any]]:
        given = self._template["Resources"][name]
        if not self._exists(given):
            raise ValueError(f"{name} is named, and is not in this stack")
        return given["Type"], given.get("Properties", {})

    def _sub(self, given: Any) -> str:
        text, known = given if isinstance(given, list) else (given, {})

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in known:
                return str(self._value(known[name]))
            if "." in name:
                return self._attribute(*name.split("."))
            return str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", value, text)


def _admitted(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Every parameter's value. Raises ValueError for one that is unknown or not admitted."""
    if unknown := given.keys() - declared.keys():
        raise ValueError(f"no such parameter: {sorted(unknown)}")
    return {name: _checked(name, rule, given) for name, rule in declared.items()}


def _checked(name: str, rule: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    text = str(given.get(name, rule["Default"]))
    number = int(text) if rule["Type"] == "Number" else 0
    refused = (
        (rule.get("AllowedValues") and text not in map(str, rule["AllowedValues"]))
        or not re.fullmatch(rule.get("AllowedPattern", ".*"), text)
        or number < rule.get("MinValue", number)
        or number > rule.get("MaxValue", number)
    )
    if refused:
        raise ValueError(f"{name} may not be {text!r}")
    return text.split(",") if rule["Type"] == "CommaDelimitedList" else text
