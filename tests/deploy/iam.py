"""Who may do what: AWS's rules for identity policies, as far as the template's policies use them.

A refusal wins, then a permission, and what nobody permits is refused. Strict: an element, operator
or variable that is not known here is an error, never a silent yes or no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

Values = tuple[str, ...]

_ARN_PARTS = 6


@dataclass(frozen=True)
class Request:
    """One call of an API. ``context`` has the condition keys that AWS knows about it."""

    action: str
    resource: str
    context: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. Every condition has to hold, by any one of its values."""

    effect: str
    actions: Values
    resources: Values
    conditions: Mapping[tuple[str, str], Values]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Statement:
        """Raises ValueError for what this module does not know."""
        if unknown := given.keys() - {"Effect", "Action", "Resource", "Condition"}:
            raise ValueError(f"elements of a statement that are not known here: {unknown}")
        conditions = {
            (operator, key): _values(values)
            for operator, keys in given.get("Condition", {}).items()
            for key, values in keys.items()
        }
        made = cls(
            given["Effect"], _values(given["Action"]), _values(given["Resource"]), conditions
        )
        if made.effect not in {"Allow", "Deny"}:
            raise ValueError(f"no effect is called {made.effect!r}")
        if unknown := {operator for operator, _ in conditions} - _OPERATORS.keys():
            raise ValueError(f"operators that are not known here: {unknown}")
        if any("${" in text for text in (*made.resources, *sum(conditions.values(), ()))):
            raise ValueError("policy variables are not known here")
        return made

    def applies(self, request: Request) -> bool:
        """Whether it speaks about the request."""
        return (
            any(_like(pattern.lower(), request.action.lower()) for pattern in self.actions)
            and any(_like(pattern, request.resource) for pattern in self.resources)
            and all(
                _OPERATORS[operator](values, request.context.get(key, ()))
                for (operator, key), values in self.conditions.items()
            )
        )


def statements(role: Mapping[str, Any]) -> list[Statement]:
    """Those of a role's inline policies. Raises ValueError where it has others, too."""
    if role.get("ManagedPolicyArns"):
        raise ValueError("managed policies are not known here")
    documents = [policy["PolicyDocument"] for policy in role["Policies"]]
    if any(document["Version"] != "2012-10-17" for document in documents):
        raise ValueError("older versions of the language are not known here")
    return [Statement.of(given) for document in documents for given in document["Statement"]]


def allowed(policy: Iterable[Statement], request: Request) -> bool:
    """Whether a role with these statements may do it."""
    effects = {statement.effect for statement in policy if statement.applies(request)}
    return effects == {"Allow"}


def unused(policy: Iterable[Statement], requests: Iterable[Request]) -> list[str]:
    """What the statements permit and no request asks for: actions, each on each resource."""
    asked = list(requests)
    return [
        f"{action} on {resource}"
        for statement in policy
        if statement.effect == "Allow"
        for action, resource in product(statement.actions, statement.resources)
        if not any(
            request.action == action and _like(resource, request.resource)
            for request in asked
            if statement.applies(request)
        )
    ]


@cache
def _wildcards(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern))


def _like(pattern: str, text: str) -> bool:
    """With * for any characters and ? for one."""
    return bool(_wildcards(pattern).fullmatch(text))


def _arn_like(pattern: str, arn: str) -> bool:
    """As ``_like``, part by part: a * ends at the next colon, in the last part excepted."""
    parts, others = (one.split(":", _ARN_PARTS - 1) for one in (pattern, arn))
    return len(parts) == len(others) == _ARN_PARTS and all(map(_like, parts, others))


def _any(match: Callable[[str, str], bool]) -> Callable[[Values, Values], bool]:
    """An operator for a key that has one value, or none: then the condition does not hold."""

    def holds(values: Values, found: Values) -> bool:
        if len(found) > 1:
            raise ValueError("this operator is for keys with one value")
        return any(match(value, one) for value in values for one in found)

    return holds


def _null(values: Values, found: Values) -> bool:
    return values == (("false",) if found else ("true",))


_OPERATORS: Mapping[str, Callable[[Values, Values], bool]] = {
    "ArnLike": _any(_arn_like),
    # True of a request without the key: hence Null beside it.
    "ForAllValues:StringEquals": lambda values, found: set(found) <= set(values),
    "Null": _null,
    "StringEquals": _any(str.__eq__),
    "StringLike": _any(_like),
}


def _values(given: Any) -> Values:
    return (given,) if isinstance(given, str) else tuple(given)
