"""A built function in the image of its Lambda runtime, by ``sam local invoke`` and Docker."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rotators.testing.runtime import HANDLER, FunctionError, environment_of

if TYPE_CHECKING:
    from rotators.target import Target

_ANSWER_SECONDS = 10
# The first invocation fetches the image.
_FETCH_SECONDS = 600
# Where the function's folder is in the image.
TASK_ROOT = "/var/task"
# What this machine is called there.
HOST = "host.docker.internal"
# Beside this environment, where `make lint` and `make deploy` set it up.
_LOCKED_SAM = ".sam/bin/sam"
_QUESTION = (
    "network", "inspect", "bridge", "--format", "{{range .IPAM.Config}}{{println .Gateway}}{{end}}"
)  # fmt: skip
# What SAM CLI and Docker need of the caller's; AWS's settings are none of it.
_PASSED = ("PATH", "HOME", "XDG_RUNTIME_DIR", "TMPDIR")


class DockerMissing(click.UsageError):
    """SAM CLI or a Docker engine is missing, or out of reach. The text says which."""


@dataclass(frozen=True)
class Docker:
    """SAM CLI, and the address of this machine that its containers reach."""

    sam: Path
    gateway: str


def find_docker(*, insisted: bool) -> Docker:
    """SAM CLI and a Docker engine whose containers can reach this machine. Raises DockerMissing.

    The SAM CLI that ``make lint`` sets up is taken where Docker is insisted on.
    """
    if sys.platform != "linux":
        raise DockerMissing("A container reaches this machine on Linux alone. Add --no-docker.")
    sam = shutil.which("sam")
    if sam is None and insisted:
        sam = shutil.which(Path(sys.executable).parent.parent / _LOCKED_SAM)
    if sam is None:
        raise DockerMissing(
            "There is no sam on the PATH, nor the one of make lint. Install SAM CLI, or add"
            " --no-docker."
        )
    return Docker(Path(sam), _gateway())


def _gateway() -> str:
    """That of Docker's network "bridge", which SAM CLI's containers are on."""
    try:
        asked = subprocess.run(  # noqa: S603 no shell; a question
            [shutil.which("docker") or "docker", *_QUESTION],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        raise DockerMissing("No Docker engine answers. Start one, or add --no-docker.") from None
    address = asked.stdout.partition("\n")[0]
    try:
        with socket.socket() as probe:
            probe.bind((str(IPv4Address(address)), 0))  # an empty one would be every address
    except (OSError, ValueError):
        raise DockerMissing(
            f"Docker's bridge has the address {address!r}, which is none of this machine's, as with"
            " a rootless or remote engine: its containers cannot reach it. Add --no-docker."
        ) from None
    return address


class SamLocal:
    """A function as ``sam local invoke`` runs it: a container for each event.

    It knows this machine as HOST, which has the gateway's address. ``scratch`` gets a template of
    this function alone, so that every variable can be given.
    """

    def __init__(
        self,
        docker: Docker,
        folder: Path,
        target: Target,
        environment: Mapping[str, str],
        scratch: Path,
        *,
        timeout: int,
    ) -> None:
        self._docker = docker
        self._name = target.function
        self._log = ""
        self._timeout = timeout
        self._template = scratch / "template.json"
        self._template.write_text(json.dumps(_template(folder, target, environment, timeout)))
        self._environment = _simulated(folder, scratch)

    def invoke(self, event: object) -> object:
        """The handler's result. Raises FunctionError, and ClickException for SAM CLI's own."""
        seconds = self._timeout + _FETCH_SECONDS
        try:
            ended = subprocess.run(  # noqa: S603 no shell; SAM CLI was looked up
                [
                    self._docker.sam, "local", "invoke", self._name, "--template", self._template,
                    "--event", "-", "--add-host", f"{HOST}:{self._docker.gateway}",
                ],
                input=json.dumps(event),
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise click.ClickException(
                f"sam local invoke did not end within {seconds} seconds."
            ) from None
        self._log += ended.stderr
        lines = ended.stdout.strip().splitlines()
        if ended.returncode or not lines:
            raise click.ClickException(f"sam local invoke failed:\n{ended.stderr[-2000:]}")
        return _result(lines[-1])

    def log_text(self) -> str:
        """All that the function and SAM CLI have logged."""
        return self._log


def _result(line: str) -> object:
    """What the handler returned: SAM CLI ends with 0 after an error of the handler's, too."""
    try:
        told: Any = json.loads(line)
    except ValueError:
        raise click.ClickException("sam local invoke answered what is not JSON.") from None
    if isinstance(told, dict) and "errorType" in told:
        raise FunctionError.from_payload(line.encode())
    return told


def _template(
    folder: Path, target: Target, environment: Mapping[str, str], timeout: int
) -> dict[str, object]:
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": str(folder),
            "Handler": HANDLER,
            "Runtime": f"python{target.python}",
            "Architectures": [target.architecture],
            "Timeout": timeout,
            "MemorySize": 512,
            "Environment": {"Variables": dict(environment)},
        },
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {target.function: function},
    }


def _simulated(folder: Path, scratch: Path) -> dict[str, str]:
    """SAM CLI hands its own credentials to the container: they are to be nobody's."""
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    passed |= {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
    lambdas = environment_of(folder, scratch)
    credentials = {
        name: lambdas[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")
    }
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**passed, **credentials, **nothing, "SAM_CLI_TELEMETRY": "0"}
