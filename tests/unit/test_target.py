"""A function refuses to run where its wheels would not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rotators import target
from rotators.errors import InvalidSetting
from rotators.target import Target, this_architecture, this_python


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "target.json"


@pytest.fixture
def here() -> Target:
    return Target("MySQLFunction", this_python(), this_architecture())


def test_a_build_for_this_python_and_machine_runs(file: Path, here: Target) -> None:
    file.write_text(here.text())
    target.check(file)


def test_what_was_not_built_is_not_checked(file: Path) -> None:
    target.check(file)
    assert not target.FILE.exists(), "a checkout is no build"
    target.check()


@pytest.mark.parametrize(("python", "architecture"), [("3.99", None), (None, "riscv")])
def test_another_python_or_machine_is_refused_with_both_cures(
    file: Path, here: Target, python: str | None, architecture: str | None
) -> None:
    built = Target(here.function, python or here.python, architecture or here.architecture)
    file.write_text(built.text())
    with pytest.raises(InvalidSetting) as caught:
        target.check(file)
    assert caught.value.found == (
        f"MySQLFunction was built for Python {built.python} on {built.architecture},"
        f" and runs on Python {here.python} on {here.architecture}"
    )
    assert f"TARGET_PYTHON={here.python} ARCHITECTURE={here.architecture}" in caught.value.cure
    assert f"Runtime to python{built.python}" in caught.value.cure
    assert f"Architectures to {built.architecture}." in caught.value.cure


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"function": "F", "python": "3.13", "more": 1}']
)
def test_a_file_that_no_build_wrote_is_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidSetting, match=r"target\.json.*cannot be read\. Build"):
        target.check(file)


def test_the_file_says_what_it_was_told(here: Target) -> None:
    assert Target.parse(here.text()) == here


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64"), ("s390x", "s390x")],
)
def test_machines_go_by_the_names_that_lambda_gives_them(
    monkeypatch: pytest.MonkeyPatch, machine: str, architecture: str
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    assert this_architecture() == architecture


def test_this_python_is_the_one_that_runs() -> None:
    assert sys.version.startswith(f"{this_python()}.")


def test_asking_costs_no_import_of_metadata_boto3_or_drivers() -> None:
    code = """if True:
        import sys
        from rotators import target
        target.check()
        print(*{"importlib.metadata", "boto3", "psycopg", "platform"} & set(sys.modules))
    """
    # -S: an editable installation's .pth may import what it likes.
    command = [sys.executable, "-S", "-c", code]
    environment = {"PYTHONPATH": str(Path(target.__file__).parent.parent)}
    ended = subprocess.run(  # noqa: S603 our own code
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "\n", "")
