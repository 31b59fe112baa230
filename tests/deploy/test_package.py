"""What a function's build consists of: every function, for both machines and both Pythons."""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import click
import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags

from rotators.cli.build import ARCHITECTURES
from rotators.cli.build_archive import pack, size
from rotators.cli.build_function import FUNCTIONS, Recipe
from rotators.cli.build_trim import SERVICES
from rotators.cli.build_wheels import install
from rotators.target import Target, this_architecture, this_python
from tests.deploy.builds import REPOSITORY, digest, drivers_of, made, run
from tests.deploy.documents import rows
from tests.deploy.linting import sam
from tests.deploy.template import TEMPLATE
from tests.servers import skip_or_fail

DRIVERS = {name: next(iter(drivers_of(name).values())) for name in FUNCTIONS}
EVENT = REPOSITORY / "events/create_secret.json"
PYTHONS = ("3.13", "3.14")
OTHER = next(name for name in ARCHITECTURES if name != this_architecture())
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
ELF_MACHINES = {"arm64": 183, "x86_64": 62}
HASHES = r"(?: \\\n +--hash=sha256:\w+)+"
LARGEST_ZIP_KB, LARGEST_MB = 50_000, 250
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The build of a function, for this machine and Python unless told otherwise; made once."""

    @functools.cache
    def once(function: str, architecture: str = this_architecture(), *, boto3: bool = True) -> Path:
        target = Target(function, this_python(), architecture)
        return made(Recipe(target, boto3), tmp_path_factory.mktemp("build") / function)

    return once


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_build_has_what_its_target_needs_and_no_more(
    tmp_path: Path, built: Build, function: str, architecture: str, python: str
) -> None:
    target = Target(function, python, architecture)
    # boto3 has most of the files, and they are the same everywhere: one machine's builds have it.
    folder = made(Recipe(target, boto3=False), tmp_path / function)
    assert Target.parse((folder / "rotators/target.json").read_text()) == target
    assert_one_driver(folder, DRIVERS[function])
    assert_nothing_superfluous(folder)
    assert_wheels_fit(folder, target)
    assert_native_code_fits(folder, target)
    assert_locked(folder)
    assert size(folder) < LARGEST_MB
    if python == PYTHONS[0]:
        assert megabytes(folder, built) == pytest.approx(told(function, architecture)[0], rel=0.02)
    # A zip is never larger than what is in it.
    if size(folder) * 1000 > LARGEST_ZIP_KB:
        assert pack(folder, tmp_path / "function.zip").kilobytes < LARGEST_ZIP_KB
    shutil.rmtree(folder)  # 32 of them are a lot


def megabytes(folder: Path, built: Build) -> float:
    """With boto3, and what it needs beside what is there: the same everywhere."""
    lean, full = built("TwitterFunction", boto3=False), built("TwitterFunction")
    there = {one.name for one in (*lean.iterdir(), *folder.iterdir())}
    return size(folder) + sum(size(one) for one in full.iterdir() if one.name not in there)


def told(function: str, architecture: str) -> tuple[float, float]:
    """What docs/packaging.md says: MB, and KB of the zip."""
    table = rows(REPOSITORY / "docs/packaging.md", "## Sizes")
    (row,) = (row for row in table if row[0] == f"`{function}`")
    unzipped, zipped = row[1 + ARCHITECTURES.index(architecture)].split(", ")
    return float(unzipped), float(zipped.replace(",", ""))


def test_the_zip_is_as_large_as_is_told(built: Build, tmp_path: Path) -> None:
    """Of the one that is the same for every machine and Python; all have in them what it has."""
    archive = pack(built("TwitterFunction"), tmp_path / "function.zip")
    assert archive.kilobytes == pytest.approx(told("TwitterFunction", "arm64")[1], rel=0.02)


def assert_one_driver(folder: Path, expected: str) -> None:
    assert {module for module in DRIVERS.values() if (folder / module).is_dir()} == {expected}


def assert_nothing_superfluous(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "rotators/handler.py" in files
    left_over = re.compile(
        r"^bin/|^tests/|^rotators/(cli|testing|__main__)|\.pyc$|__pycache__|\.dist-info/RECORD$"
        r"|\.dist-info/direct_url|^(click|rich|pytest|trustme|uv|moto|awslambdaric)/|^\.lock$"
    )
    assert [name for name in files if left_over.search(name)] == []


def tags(target: Target) -> set[Tag]:
    """What pip would take on Amazon Linux 2023, or an older system, for this target."""
    major, minor = map(int, target.python.split("."))
    machine = MACHINES[target.architecture]
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(28, 4, -1)]
    platforms += [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")]
    fitting = {*cpython_tags((major, minor), platforms=platforms)}
    return fitting | {*compatible_tags((major, minor), f"cp{major}{minor}", platforms)}


def assert_wheels_fit(folder: Path, target: Target) -> None:
    fitting = {str(tag) for tag in tags(target)}
    wheels = list(folder.glob("*.dist-info/WHEEL"))
    assert any(wheel.parent.name.startswith("aws_lambda_powertools-") for wheel in wheels)
    for wheel in wheels:
        assert fitting.intersection(re.findall("^Tag: (.+)$", wheel.read_text(), re.MULTILINE))


def assert_native_code_fits(folder: Path, target: Target) -> None:
    libraries = [path for path in folder.rglob("*") if ".so" in path.suffixes]
    assert bool(libraries) == (target.function != "TwitterFunction")
    suffix = f"cpython-{target.python.replace('.', '')}-{MACHINES[target.architecture]}-linux-gnu"
    for library in libraries:
        with library.open("rb") as file:
            header = file.read(20)
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == ELF_MACHINES[target.architecture]
        assert "cpython" not in library.name or f".{suffix}." in library.name
        assert library.stat().st_mode & 0o777 == 0o755


def assert_locked(folder: Path) -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    for info in folder.glob("*.dist-info"):
        name, version = (
            re.sub("[_.]", "-", info.stem.partition("-")[0]),
            info.stem.partition("-")[2],
        )
        assert f"\n{name.lower()}=={version} " in f"\n{lock}"


# The same input, the same bytes


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_the_same_input_gives_the_same_bytes_wherever_it_is_built(
    built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = "MySQLFunction"
    first = built(function, OTHER, boto3=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "Pacific/Honolulu")
    second = made(
        Recipe(Target(function, this_python(), OTHER), boto3=False), Path("far away", "function")
    )
    assert digest(second) == digest(first)
    zips = [pack(first, tmp_path / "first.zip"), pack(second, tmp_path / "second.zip")]
    assert zips[0].sha256 == zips[1].sha256
    assert digest(built(function)) != digest(first), "another machine's is another"


def test_a_second_build_replaces_the_first(tmp_path: Path) -> None:
    recipe = Recipe(Target("TwitterFunction", this_python(), this_architecture()), boto3=False)
    folder = made(recipe, tmp_path / "function")
    before = digest(folder)
    (folder / "stale.py").touch()
    assert digest(made(recipe, folder)) == before
    assert [path.name for path in tmp_path.iterdir()] == ["function"]


def test_make_builds_the_same_the_way_sam_calls_it(built: Build, tmp_path: Path) -> None:
    function = "TwitterFunction"
    expected = digest(built(function))
    environment = {
        **os.environ,
        "ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "ARCHITECTURE": "host",
        "TARGET_PYTHON": "host",
    }
    # SAM makes the folder, and stands in the template's folder when it names CodeUri's Makefile.
    # -o: the environment of these tests is not to be changed by them.
    (tmp_path / "artifacts").mkdir()
    command = ["make", "--makefile", str(REPOSITORY / ".sam/Makefile"), f"build-{function}"]
    options = [f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.dev", "-o", f"{sys.prefix}/.package"]
    ended = subprocess.run(  # noqa: S603 our own Makefile
        [*command, *options],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert digest(tmp_path / "artifacts") == expected


def test_sam_builds_the_same_with_authorities_of_ones_own(tmp_path: Path) -> None:
    command = sam()
    if command is None:
        skip_or_fail("sam is not installed: make lint")
    function, ours = "TwitterFunction", Path(certifi.where())
    target = Target(function, this_python(), this_architecture())
    expected = made(Recipe(target, ca_bundle=ours), tmp_path / "expected")
    ended = subprocess.run(  # noqa: S603 of this environment
        [command, "build", function, "--template", TEMPLATE, "--build-dir", tmp_path / "built"],
        cwd=tmp_path,
        env={
            **os.environ,
            "ARCHITECTURE": "host",
            "TARGET_PYTHON": "host",
            "RDS_CA_BUNDLE": str(ours),
            "SAM_CLI_TELEMETRY": "0",
            "VENV": sys.prefix,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert digest(tmp_path / "built" / function) == digest(expected)


# It runs, from its folder alone


ANSWER = """
import json, logging
from rotators.handler import lambda_handler
from rotators.registry import Registry

answers = []
for event in [{}, json.load(open(sys.argv[1]))]:
    try:
        lambda_handler(event, None)
    except Exception as error:
        answers.append([type(error).__name__, str(error)])
for engine in sys.argv[2:]:
    Registry().load(engine).driver.load()
modules = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(json.dumps({"answers": answers, "modules": modules}))
"""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_build_for_this_machine_runs_from_its_folder_alone(built: Build, function: str) -> None:
    folder = built(function)
    assert_nothing_superfluous(folder)
    assert {path.name for path in (folder / "botocore/data").glob("*/")} == set(SERVICES)
    said = run(folder, ANSWER, str(EVENT), *drivers_of(function))
    kinds = [kind for kind, _ in said["answers"]]
    # The second event is a good one, so its error is of AWS's: there are no credentials.
    assert kinds == ["InvalidEvent", "ServiceUnavailable"]
    ours = {"rotators", "aws_lambda_powertools", DRIVERS[function]}
    for name, file in said["modules"].items():
        assert "site-packages" not in file
        assert name.split(".")[0] not in ours or file.startswith(str(folder))
    assert ours <= said["modules"].keys()


def test_another_machine_is_refused_before_anything_native_is_loaded(built: Build) -> None:
    said = run(built("PostgreSQLFunction", OTHER), ANSWER, str(EVENT))
    assert [kind for kind, _ in said["answers"]] == ["InvalidEvent", "InvalidSetting"]
    assert f"was built for Python {this_python()} on {OTHER}" in said["answers"][1][1]
    assert not {"psycopg", "boto3"} & said["modules"].keys()


CLIENTS = """
import json
from rotators import aws
print(json.dumps([[one, aws.client(one).meta.service_model.api_version] for one in sys.argv[1:]]))
"""


def test_boto3_still_knows_the_services_that_are_called(built: Build) -> None:
    made_clients = run(built("TwitterFunction"), CLIENTS, *SERVICES)
    assert [name for name, version in made_clients] == list(SERVICES)


def test_without_boto3_everything_else_is_there(built: Build) -> None:
    lean, full = built("TwitterFunction", boto3=False), built("TwitterFunction")
    names = [{path.name for path in folder.iterdir()} for folder in (lean, full)]
    assert names[0] < names[1]
    gone = {name for name in names[1] - names[0] if not name.endswith(".dist-info")}
    assert gone == {"boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six.py"}
    assert "jmespath" in names[0], "Powertools needs it"


def test_it_trusts_the_authorities_of_rds_and_the_public_ones(built: Build) -> None:
    text = (built("TwitterFunction") / "rotators/authorities.pem").read_text()
    trusting = ssl.create_default_context(cadata=text)
    names = {str(root["subject"]) for root in trusting.get_ca_certs()}

    def trusted(name: str) -> bool:
        return any(f"'{name}'" in subject for subject in names)

    assert trusted("Amazon RDS eu-west-1 Root CA RSA2048 G1")
    assert trusted("Amazon Root CA 1")
    assert not trusted("Amazon RDS Root 2019 CA"), "it expired in 2024"


# What it refuses


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what versions and hashes come from."""
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def changed(checkout: Path, pattern: str, replacement: str) -> None:
    lock = checkout / "requirements.lock"
    text, count = re.subn(pattern, replacement, lock.read_text(), flags=re.MULTILINE)
    assert count
    lock.write_text(text)


@pytest.fixture
def install_twitter(built: Build, checkout: Path) -> Callable[[], None]:
    """Installs what the smallest function needs, by the checkout's lock."""
    built("TwitterFunction")  # skips where nothing can be built
    here = {"python": this_python(), "architecture": this_architecture()}
    folders = (checkout / f"to-{number}" for number in itertools.count())
    return lambda: install(next(folders), checkout, "twitter", **here, boto3=False)


def test_a_wheel_with_another_hash_is_refused(
    install_twitter: Callable[[], None], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_twitter()
    monkeypatch.setenv("UV_NO_VERIFY_HASHES", "1")
    changed(checkout, r"^(oauthlib==[^ ]+)" + HASHES, rf"\1 --hash=sha256:{'0' * 64}")
    with pytest.raises(click.ClickException, match="Hash mismatch for `oauthlib"):
        install_twitter()


def test_no_configuration_of_uvs_takes_the_hashes_from_it(
    install_twitter: Callable[[], None], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "uv.toml").write_text("[pip]\nverify-hashes = false\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(checkout / "uv.toml"))
    install_twitter()
    changed(checkout, r"^(oauthlib==[^ ]+)" + HASHES, rf"\1 --hash=sha256:{'0' * 64}")
    with pytest.raises(click.ClickException, match="Hash mismatch for `oauthlib"):
        install_twitter()


def test_what_the_lock_does_not_have_is_refused(
    install_twitter: Callable[[], None], checkout: Path
) -> None:
    changed(checkout, r"^oauthlib==[^ ]+(?: \\\n +--hash=sha256:\w+)+\n", "")
    with pytest.raises(
        click.ClickException, match=r"does not have oauthlib [\d.]+\. Run make lock"
    ):
        install_twitter()
