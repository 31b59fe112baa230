"""rotators build: what it is asked, what it refuses, and whom a build trusts. No network."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import click
import pytest
import trustme
from click.testing import CliRunner, Result

from rotators.cli import build as command
from rotators.cli import build_authorities, build_function, build_wheels
from rotators.cli.build_archive import pack
from rotators.cli.build_authorities import bundle, roots
from rotators.cli.build_function import FUNCTIONS, Recipe
from rotators.target import Target, this_architecture, this_python

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates

YEAR_3500 = 48282652800


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, Path]]:
    """What would have been built, and where."""
    found: list[tuple[Recipe, Path]] = []

    def make(recipe: Recipe, into: Path) -> None:
        into.mkdir(parents=True, exist_ok=True)
        (into / "handler.py").write_text("# The function.")
        found.append((recipe, into))

    monkeypatch.setattr(command, "build_function", make)
    return found


@pytest.fixture
def rotators_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RDS_CA_BUNDLE", raising=False)
    return lambda *arguments: CliRunner().invoke(command.build, arguments)


def test_all_functions_are_built_for_lambdas_usual_target(
    rotators_build: Callable[..., Result], asked: list[tuple[Recipe, Path]]
) -> None:
    result = rotators_build()
    assert result.exit_code == 0, result.output
    expected = [Recipe(Target(name, "3.13", "arm64")) for name in FUNCTIONS]
    assert asked == [(recipe, Path("build", recipe.target.function)) for recipe in expected]
    assert "build/MySQLFunction: 0.0 MB, Python 3.13, arm64\n" in result.stdout


def test_one_function_is_built_as_told(
    rotators_build: Callable[..., Result], asked: list[tuple[Recipe, Path]], tmp_path: Path
) -> None:
    authorities = tmp_path / "own.pem"
    authorities.touch()
    options = (
        "--architecture",
        "x86_64",
        "--python-version",
        "3.14",
        "--no-boto3",
        "--into",
        "a/b",
    )
    result = rotators_build("OracleFunction", *options, "--ca-bundle", "own.pem")
    assert result.exit_code == 0, result.output
    expected = Target("OracleFunction", "3.14", "x86_64")
    assert asked == [(Recipe(expected, boto3=False, ca_bundle=Path("own.pem")), Path("a/b"))]


def test_host_stands_for_this_machine_and_this_python(
    rotators_build: Callable[..., Result], asked: list[tuple[Recipe, Path]]
) -> None:
    rotators_build("OracleFunction", "--architecture", "host", "--python-version", "host")
    target = Target("OracleFunction", this_python(), this_architecture())
    assert [recipe.target for recipe, _ in asked] == [target]


@pytest.mark.usefixtures("asked")
def test_a_zip_is_written_beside_the_folder_and_its_sum_is_told(
    rotators_build: Callable[..., Result], tmp_path: Path
) -> None:
    result = rotators_build("OracleFunction", "--zip")
    written = pack(tmp_path / "build/OracleFunction", tmp_path / "again.zip")
    assert f"build/OracleFunction.zip: 0 KB, sha256 {written.sha256}\n" in result.stdout
    assert (tmp_path / "build/OracleFunction.zip").read_bytes() == written.path.read_bytes()


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Oracle"], "'Oracle' is not one of 'PostgreSQLFunction'"),
        (["--into", "x"], "--into is the folder of one function"),
        (["OracleFunction", "MySQLFunction", "--into", "x"], "--into is the folder of one"),
        (["OracleFunction", "--architecture", "sparc"], "'sparc' is not one of 'arm64', 'x86_64'"),
        (["OracleFunction", "--python-version", "2.7"], "'2.7' is not one of"),
        (["OracleFunction", "--ca-bundle", "absent.pem"], "'absent.pem' does not exist"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_built(
    rotators_build: Callable[..., Result],
    asked: list[tuple[Recipe, Path]],
    arguments: list[str],
    said: str,
) -> None:
    result = rotators_build(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert asked == []


def test_sizes_are_those_on_both_machines(
    rotators_build: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built: list[Target] = []

    def make(recipe: Recipe, into: Path) -> None:
        built.append(recipe.target)
        into.mkdir()
        (into / "data").write_bytes(bytes(2_500_000 if recipe.boto3 else 1_000_000))

    monkeypatch.setattr("rotators.cli.build_sizes.build_function", make)
    result = rotators_build("OracleFunction", "--sizes", "--no-boto3", "--python-version", "3.14")
    assert result.exit_code == 0, result.output
    assert "| `OracleFunction` | arm64, 3.14 | 1.0 | 1 |\n" in result.stdout
    assert "| `OracleFunction` | x86_64, 3.14 | 1.0 | 1 |\n" in result.stdout
    assert [target.architecture for target in built] == ["arm64", "x86_64"]
    assert not (tmp_path / "build").exists()


def test_a_zip_says_nothing_of_where_when_and_by_whom_it_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "function"
    (folder / "b").mkdir(parents=True)
    for name in ("z.py", "b/native.cpython-313.so", "a.py"):
        (folder / name).write_text("content")
        (folder / name).chmod(0o600)
    pack(folder, tmp_path / "function.zip")
    with ZipFile(tmp_path / "function.zip") as written:
        entries = written.infolist()
        assert written.read("a.py") == b"content"
    assert [entry.filename for entry in entries] == ["a.py", "b/native.cpython-313.so", "z.py"]
    assert {entry.date_time for entry in entries} == {(2000, 1, 1, 0, 0, 0)}
    modes = [f"{entry.external_attr >> 16:o}" for entry in entries]
    assert modes == ["100644", "100755", "100644"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["function", "function.zip"]


# What is in the way


PEM_OF_NOTHING = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
RECIPE = Recipe(Target("OracleFunction", "3.13", "arm64"))


def test_the_folder_that_one_stands_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for folder in (Path(), Path(".."), tmp_path):
        with pytest.raises(click.ClickException, match="is where this runs"):
            build_function.build_function(RECIPE, folder)


def test_a_folder_that_is_no_build_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(click.ClickException, match="is not empty, and not a build"):
        build_function.build_function(RECIPE, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_build_that_fails_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise click.ClickException("no index")

    monkeypatch.setattr(build_function, "install", fail)
    before = tmp_path / "function/rotators/target.json"
    before.parent.mkdir(parents=True)
    before.write_text(RECIPE.target.text())
    with pytest.raises(click.ClickException, match="no index"):
        build_function.build_function(RECIPE, tmp_path / "function")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [before]
    assert list(tmp_path.iterdir()) == [tmp_path / "function"]


def test_what_lies_beside_the_source_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "rotators"
    for name in ("a.py", "py.typed", "secret.json", ".env", "a.py.orig", "deeper/b.py", "cli/c.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    for name in build_function._NEEDED:
        (tmp_path / name).touch()
    monkeypatch.setattr(build_function, "_PACKAGE", package)
    monkeypatch.setattr(build_function, "install", lambda folder, *_, **__: folder.mkdir())
    made = tmp_path / "made"
    build_function.build_function(RECIPE, made)
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    written = {"rotators/target.json", "rotators/authorities.pem"}
    assert found - written == {"rotators/a.py", "rotators/py.typed", "rotators/deeper/b.py"}


def test_an_installation_without_the_lock_is_told_to_be_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_function, "_PACKAGE", tmp_path / "rotators")
    (tmp_path / "pyproject.toml").touch()
    with pytest.raises(click.ClickException, match=r"has no requirements\.lock: build from a so"):
        build_function.build_function(RECIPE, tmp_path / "function")


def test_what_uv_says_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'error: out of wheels' >&2\nexit 3\n")
    uv.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(uv))
    (tmp_path / "requirements.lock").touch()
    with pytest.raises(click.ClickException, match="uv could not install:\nerror: out of wheels"):
        install(tmp_path)


def test_a_uv_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nexec sleep 60\n")
    uv.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(uv))
    monkeypatch.setattr(build_wheels, "_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(click.ClickException, match="did not end within"):
        install(tmp_path)
    assert time.monotonic() - began < 30


def test_without_uv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> str:
        raise FileNotFoundError

    monkeypatch.setattr("uv.find_uv_bin", missing)
    with pytest.raises(click.ClickException, match=r"install the extra, rotators\[package\]"):
        install(tmp_path)


def install(folder: Path) -> None:
    build_wheels.install(
        folder / "to", folder, "oracle", python="3.13", architecture="arm64", boto3=True
    )


# Whom a build trusts


def test_only_roots_that_have_not_expired_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    file = tmp_path / "all.pem"
    leaf = root.issue_cert("localhost").cert_chain_pems[0]
    parts = [root.cert_pem, intermediate.cert_pem, leaf]
    file.write_bytes(b"Some words.\n" + b"".join(part.bytes() for part in parts))
    [found] = roots(file)
    assert found.pem.strip() == root.cert_pem.bytes().decode().strip()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(YEAR_3500))
    with pytest.raises(click.ClickException, match=r"all\.pem has no root certificate that is val"):
        roots(file)


@pytest.mark.parametrize("content", [b"\x30\x82\x03\xff", PEM_OF_NOTHING])
def test_a_file_that_is_no_pem_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "roots.der"
    file.write_bytes(content)
    with pytest.raises(click.ClickException, match=r"roots\.der is no PEM file"):
        roots(file)


def test_a_file_of_ones_own_replaces_the_authorities_of_rds(certificates: Certificates) -> None:
    text = bundle(certificates.ca)
    assert text.startswith("# 1 roots of RDS (RDS_CA_BUNDLE), ")
    assert certificates.ca.read_text().strip() in text
    usual = bundle(None)
    assert len(set(usual.splitlines()) - set(text.splitlines())) > 80 * 15
    assert str(certificates.ca) not in text, "a path would make each build another"


def test_the_regions_that_are_not_known_are_named_at_the_top() -> None:
    head = bundle(None).partition("-----BEGIN")[0]
    [_, unknown] = head.splitlines()[1].split(": ")
    assert {"ca-west-1", "cn-north-1", "us-gov-west-1", "mx-central-1"} <= set(unknown.split(", "))
    assert not {"eu-west-1", "us-east-1", "il-central-1"} & set(unknown.split(", "))
    assert all(line.startswith("# ") for line in head.splitlines())


def test_no_certificate_is_in_it_twice() -> None:
    found = build_authorities._CERTIFICATE.findall(bundle(None))
    assert len(found) == len(set(found)) > 200
