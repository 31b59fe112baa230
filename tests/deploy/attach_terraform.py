"""The Terraform examples: as an HCL parser reads them, and as terraform evaluates them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.deploy.attach_example import ATTACH

MODULES = ATTACH / "terraform"
SECRET_MODULE = MODULES / "secret"
CROSSING = MODULES / "cross-account"

_SECONDS = 60
# What every block may have; none of it is the provider's.
_META = {"count", "for_each", "provider", "providers", "depends_on", "lifecycle", "source"}

# Arguments as the documentation of the provider hashicorp/aws 6 has them; required ones first.
RESOURCES: Mapping[str, tuple[str, str]] = {
    "aws_secretsmanager_secret": (
        "",
        "name name_prefix description kms_key_id policy recovery_window_in_days replica tags"
        " force_overwrite_replica_secret region",
    ),
    "aws_secretsmanager_secret_rotation": (
        "secret_id rotation_rules",
        "rotation_lambda_arn rotate_immediately region",
    ),
    "aws_secretsmanager_secret_policy": ("secret_arn policy", "block_public_policy region"),
    "aws_kms_key": (
        "",
        "description enable_key_rotation policy key_usage deletion_window_in_days is_enabled"
        " multi_region rotation_period_in_days tags region",
    ),
    "aws_lambda_permission": (
        "action function_name principal",
        "source_account source_arn statement_id statement_id_prefix qualifier principal_org_id"
        " event_source_token function_url_auth_type region",
    ),
    "aws_iam_role_policy": ("policy role", "name name_prefix"),
    "aws_lambda_function": ("function_name", "qualifier tags region"),
    "aws_caller_identity": ("", ""),
    "aws_partition": ("", ""),
    "aws_region": ("", "region"),
}
NESTED = {"rotation_rules": {"automatically_after_days", "duration", "schedule_expression"}}
# What may be asked of them, beside their arguments.
EXPORTS = {
    "aws_secretsmanager_secret": {"id", "arn"},
    "aws_kms_key": {"id", "arn", "key_id"},
    "aws_lambda_function": {"arn", "role"},
    "aws_caller_identity": {"account_id", "arn"},
    "aws_partition": {"partition", "dns_suffix"},
    "aws_region": {"region", "description"},
}

Body = dict[str, Any]


@dataclass
class Module:
    """A folder of ``.tf`` files. Blocks by their address, such as ``var.name`` or ``data.t.n``."""

    path: Path
    blocks: dict[str, Body] = field(default_factory=dict)
    providers: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> Module:
        module = cls(path)
        for file in sorted(path.glob("*.tf")):
            for address, body in _addressed(_parsed(file)):
                if address == "provider.aws":
                    module.providers.add(f"aws.{body['alias']}")
                elif address in module.blocks:
                    raise ValueError(f"{file}: {address} is there twice")
                else:
                    module.blocks[address] = body
        return module

    def of(self, kind: str) -> dict[str, Body]:
        """The blocks whose address begins so, by the rest of it."""
        dot = f"{kind}."
        return {a.removeprefix(dot): b for a, b in self.blocks.items() if a.startswith(dot)}

    def resources(self) -> Iterator[tuple[str, str, Body]]:
        """Kind, address and body of each resource and data source."""
        for address, body in self.blocks.items():
            found = re.fullmatch(r"(?:data\.)?(aws_\w+)\.\w+", address)
            if found:
                yield found[1], address, body

    def wrong_arguments(self) -> list[str]:
        """Arguments that the provider does not know, or misses."""
        wrong = []
        for kind, address, body in self.resources():
            required, optional = (set(names.split()) for names in RESOURCES[kind])
            wrong += [f"{address}: no {name}" for name in required - set(body)]
            wrong += [f"{address}: {name}?" for name in set(body) - required - optional - _META]
            for name in NESTED.keys() & body.keys():
                (nested,) = body[name]
                wrong += [f"{address}.{name}: {one}?" for one in set(nested) - NESTED[name]]
        return wrong

    def broken_references(self) -> list[str]:
        """References to what is not there."""
        texts = json.dumps([self.blocks])
        asked = set(re.findall(r"\b((?:var|local|each)\.\w+)", texts)) - {"each.key", "each.value"}
        broken = [one for one in asked if one not in self.blocks]
        resource = r"(?<![\w.])((?:data\.)?(aws_\w+)\.\w+)(?:\[[^\]]*\])?(?:\.(\w+))?"
        for address, kind, attribute in re.findall(resource, texts):
            known = EXPORTS.get(kind, set()) | set(" ".join(RESOURCES[kind]).split())
            if address not in self.blocks or (attribute and attribute not in known):
                broken.append(f"{address}.{attribute}")
        for name, output in re.findall(r"\bmodule\.(\w+)\.(\w+)", texts):
            if f"output.{output}" not in self.called(name).blocks:
                broken.append(f"module.{name}.{output}")
        asked_of = re.findall(r"(?<![\w.])(aws\.\w+)", json.dumps(self._provided()))
        return broken + [one for one in asked_of if one not in self.providers]

    def called(self, name: str) -> Module:
        """The module that is called by this name."""
        return Module.read(self.path / self.blocks[f"module.{name}"]["source"])

    def wrong_inputs(self) -> list[str]:
        """What a called module is given and does not know, or needs and is not given."""
        wrong = []
        for name, body in self.of("module").items():
            declared = self.called(name).of("var")
            needed = {one for one, said in declared.items() if "default" not in said}
            wrong += [f"{name}: no {one}" for one in needed - set(body)]
            wrong += [f"{name}: {one}?" for one in set(body) - set(declared) - _META]
        return wrong

    def _provided(self) -> list[Any]:
        bodies = self.blocks.values()
        return [body[key] for body in bodies for key in ("provider", "providers") if key in body]


def _addressed(tree: Body) -> Iterator[tuple[str, Body]]:
    """Every block with its address."""
    for kind, blocks in tree.items():
        for block in blocks:
            if kind == "locals":
                yield from ((f"local.{name}", {"value": said}) for name, said in block.items())
            elif kind in {"resource", "data"}:
                prefix = "data." if kind == "data" else ""
                ((sort, named),) = block.items()
                ((name, body),) = named.items()
                yield f"{prefix}{sort}.{name}", body
            elif kind != "terraform":
                ((name, body),) = block.items()
                yield f"{'var' if kind == 'variable' else kind}.{name}", body


def _parsed(file: Path) -> Body:
    """The file, without the parser's notes beside it."""
    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True
    )
    tree: Body = hcl2.loads(file.read_text(), serialization_options=options)
    return tree


class Terraform:
    """The program, in a folder of its own: no provider is fetched, nobody is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = shutil.which("terraform")
        if found is None:
            pytest.skip("terraform is not on this machine: it evaluates the examples")
        self._program = found
        self._settings = folder / "terraform.rc"
        self._settings.touch()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 as found in PATH
            [self._program, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                "CHECKPOINT_DISABLE": "1",
                "TF_CLI_CONFIG_FILE": str(self._settings),
                "TF_IN_AUTOMATION": "1",
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def outputs(self, **variables: object) -> dict[str, Any]:
        """The folder's outputs. Raises ValueError with what terraform refuses."""
        given = [f"-var={name}={_said(value)}" for name, value in variables.items()]
        for command in (["init"], ["apply", "-auto-approve", *given]):
            ran = self.run(command[0], "-input=false", "-no-color", *command[1:])
            if ran.returncode:
                raise ValueError(ran.stderr)
        shown = json.loads(self.run("output", "-json").stdout)
        return {name: output["value"] for name, output in shown.items()}


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
