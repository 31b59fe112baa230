"""The functions of the template: what each rotates, and the stacks that have it."""

from __future__ import annotations

from functools import cache

from tests.deploy.stack import ACCOUNT, REGION, Stack
from tests.deploy.template import Template, translated

_SUFFIX = "Function"

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/7a1b"
# With all that widens a role.
FULL = {
    "AdminSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:admin-*",
    "KmsKeyArn": KEY,
    "VpcSubnetIds": "subnet-1,subnet-2",
    "VpcSecurityGroupIds": "sg-1",
}


@cache
def template() -> Template:
    """The translated one, made once."""
    return translated()


# The name of each function, which is its parameter's and the first part of its resources'.
FUNCTIONS = tuple(
    name for name in template()["Parameters"] if f"{name}{_SUFFIX}" in template()["Resources"]
)


def stack(*functions: str, **parameters: str) -> Stack:
    """A stack with these functions, and no others."""
    switches = {name: str(name in functions).lower() for name in FUNCTIONS}
    return Stack(template(), {**switches, **parameters})


def environment(made: Stack, function: str) -> dict[str, str]:
    """The environment variables of one function."""
    variables = made.resources[f"{function}{_SUFFIX}"].properties["Environment"]["Variables"]
    return {name: str(value) for name, value in variables.items()}


def _engines(function: str) -> list[str]:
    return environment(stack(function), function)["ROTATION_ENGINES"].split(",")


# What each function rotates, and which rotates what.
ENGINES = {function: _engines(function) for function in FUNCTIONS}
FUNCTION_OF = {engine: function for function, engines in ENGINES.items() for engine in engines}
