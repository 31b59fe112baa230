"""Third parties' part of a build: locked wheels for a machine that need not be this one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import click

# Lambda's Python 3.12 and later run on Amazon Linux 2023, whose glibc is 2.34. Wheels for an older
# one are taken, too; psycopg's for arm64 are for 2.28.
_PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}

# Lambda's Python brings these; what they need comes along, unless a driver needs it.
_RUNTIME = ("boto3", "botocore")

# Variables of uv's that would take something from the promise.
_OVERRULED = frozenset({"UV_NO_VERIFY_HASHES", "UV_COMPILE_BYTECODE", "UV_CONSTRAINT"})
_SECONDS = 600
_SHOWN = 2000


def install(
    into: Path, checkout: Path, extra: str, *, python: str, architecture: str, boto3: bool
) -> None:
    """Unpacks what ``rotators[extra]`` needs into ``into``.

    Wheels only, at the version and with a hash of requirements.lock. Files may be links into uv's
    cache: they are to be copied, never changed. Raises ClickException, with
    what uv said.
    """
    lock = checkout / "requirements.lock"
    with TemporaryDirectory() as scratch:
        excluded = Path(scratch, "excluded.txt")
        excluded.write_text("" if boto3 else "\n".join(_RUNTIME), encoding="utf-8")
        options = {
            "--python": sys.executable,
            "--target": into,
            "--python-version": python,
            "--python-platform": _PLATFORMS[architecture],
            "--only-binary": ":all:",
            "--link-mode": "hardlink",
            "--requirements": checkout / "pyproject.toml",
            "--extra": extra,
            "--constraint": lock,
            "--excludes": excluded,
        }
        given = [str(part) for option in options.items() for part in option]
        # Said, for a uv.toml may say no; it stays in force, as it may name the package index.
        _run([_uv(), "pip", "install", "--quiet", "--color=never", "--verify-hashes", *given])
    _hold_against(lock.read_text(encoding="utf-8"), into)


def _run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in _OVERRULED}
    try:
        done = subprocess.run(  # noqa: S603 a list, no shell
            command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise click.ClickException(
            f"uv did not end within {_SECONDS} seconds. Is the package index within reach?"
        ) from None
    if done.returncode != 0:
        raise click.ClickException(f"uv could not install:\n{done.stderr.strip()[:_SHOWN]}")


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ModuleNotFoundError, FileNotFoundError):
        raise click.ClickException("uv is missing: install the extra, rotators[package].") from None


def _hold_against(lock: str, folder: Path) -> None:
    """A requirement that the lock does not name would come at any version, without a hash."""
    locked = set(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", lock, re.MULTILINE))
    foreign = sorted(f"{name} {version}" for name, version in _installed(folder) - locked)
    if foreign:
        raise click.ClickException(
            f"requirements.lock does not have {', '.join(foreign)}. Run make lock."
        )


def _installed(folder: Path) -> set[tuple[str, str]]:
    return set(_names(path.stem for path in folder.glob("*.dist-info")))


def _names(stems: Iterable[str]) -> Iterable[tuple[str, str]]:
    for stem in stems:
        name, _, version = stem.partition("-")
        yield re.sub(r"[-_.]+", "-", name).lower(), version
