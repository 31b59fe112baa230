"""The command line as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from rotators.cli.main import cli


@pytest.mark.parametrize("command", ["demo", "engines", "function", "invoke"])
def test_the_help_of_each_command_teaches(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert "Exit codes:" in result.stdout
    assert f"  rotators {command} " in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines())


def test_without_a_command_it_lists_them() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert all(name in result.stdout for name in ("demo", "engines", "invoke", "--version"))


def test_the_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).stdout.startswith("rotators 0.")


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_its_libraries_it_names_the_extra(library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\nfrom rotators.__main__ import main; main()"
    )
    ended = subprocess.run(  # noqa: S603 our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"The command line needs {library}: install the extra, rotators[cli]."
    ]


def test_an_ascii_terminal_is_no_reason_to_fail() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "rotators", "engines"],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
