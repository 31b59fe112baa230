"""Builds for the tests of deployment, and an interpreter that sees nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from rotators.cli.build_function import Recipe, build_function
from rotators.registry import BUILT_IN, Registry
from tests.servers import skip_or_fail

REPOSITORY = Path(__file__).resolve().parents[2]

_OUT_OF_REACH = re.compile("Failed to fetch|network was disabled|uv is missing|did not end within")


def engines() -> list[tuple[str, str, str]]:
    """Function, engine, module of its driver, for every engine."""
    drivers = {name: Registry().load(name).driver for name in BUILT_IN}
    return [
        (f"{driver.extra}function", name, driver.module)
        for name, driver in drivers.items()
        if driver is not None
    ]


def drivers_of(function: str) -> dict[str, str]:
    """The engines that a function serves, and the module of the driver."""
    return {name: module for one, name, module in engines() if one == function.lower()}


def made(recipe: Recipe, folder: Path) -> Path:
    """Builds into ``folder``. Skips the test without uv or an index, or fails it if it has to."""
    try:
        build_function(recipe, folder)
    except click.ClickException as error:
        if _OUT_OF_REACH.search(error.message):
            skip_or_fail(f"no function can be built here: {error.message}")
        raise
    return folder


def digest(folder: Path) -> str:
    """Of everything that a zip could carry: names, modes, times, contents."""
    found = hashlib.sha256()
    for path in (folder, *sorted(folder.rglob("*"))):
        state = path.stat()
        name = path.relative_to(folder).as_posix()
        found.update(f"{name} {state.st_mode:o} {state.st_mtime_ns}\n".encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def run(folder: Path, code: str, *arguments: str) -> Any:
    """The JSON that ``code`` prints last, in an interpreter that finds the build and no more."""
    start = "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1))\n"
    ended = subprocess.run(  # noqa: S603 this interpreter
        [sys.executable, "-I", "-S", "-c", start + code, str(folder), *arguments],
        env={"AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])
