"""What a function was built for. Its wheels run there and nowhere else."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from rotators.errors import InvalidSetting

# Written into the package by the build. A source checkout has none.
FILE = Path(__file__).with_name("target.json")

# Lambda's names for what the system calls a machine.
_ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64"}


@dataclass(frozen=True, slots=True)
class Target:
    """``python`` is major.minor, ``architecture`` is Lambda's word for it."""

    function: str
    python: str
    architecture: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The opposite of ``text``. Raises InvalidSetting for anything that no build wrote."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError):
            raise InvalidSetting(
                f"{FILE.name}, in which the function's build says what it is for, cannot be read",
                "Build and deploy the function again.",
            ) from None

    def text(self) -> str:
        """For the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def this_python() -> str:
    """The version that runs, major.minor."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def this_architecture() -> str:
    """Lambda's word for the machine it runs on."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def check(file: Path = FILE) -> None:
    """Raises InvalidSetting where the function was built for another Python or machine.

    To be asked before a driver is loaded: the error of a foreign wheel names neither the reason nor
    the cure. Without a file, nothing is known, and nothing checked.
    """
    try:
        built = Target.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    python, architecture = this_python(), this_architecture()
    if (built.python, built.architecture) == (python, architecture):
        return
    raise InvalidSetting(
        f"{built.function} was built for Python {built.python} on {built.architecture},"
        f" and runs on Python {python} on {architecture}",
        f"Build it with TARGET_PYTHON={python} ARCHITECTURE={architecture}, or set the function's"
        f" Runtime to python{built.python} and its Architectures to {built.architecture}.",
    )
