"""Template, registry, extras, Makefile, README, events and docs name the same functions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rotators.cli import build_function, demo_show
from rotators.registry import BUILT_IN, Registry
from rotators.request import RotationRequest, Step
from rotators.settings import StrategyName
from tests.deploy.documents import quoted, rows
from tests.deploy.functions import ENGINES, FULL, FUNCTION_OF, FUNCTIONS, stack, template
from tests.deploy.iam import statements
from tests.deploy.template import ROOT

LOGICAL_IDS = [f"{name}Function" for name in FUNCTIONS]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "events/README.md"])


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# ── the registry ──


def test_every_engine_has_one_function() -> None:
    listed = [engine for engines in ENGINES.values() for engine in engines]
    assert sorted(listed) == sorted(BUILT_IN)


@pytest.mark.parametrize("engine", BUILT_IN)
def test_a_function_has_its_engines_driver(engine: str) -> None:
    driver = Registry().load(engine).driver
    assert driver is not None
    assert driver.extra == FUNCTION_OF[engine].lower()


# ── what they are built from ──


def test_every_function_has_an_extra() -> None:
    extras = project()["project"]["optional-dependencies"]
    names = [function.lower() for function in FUNCTIONS]
    assert extras.keys() >= set(names)
    assert extras["all"] == [f"rotators[{','.join(names)}]"]


def test_make_builds_every_function() -> None:
    for target, said in (("build", " --"), ("package", " --")):
        ran = subprocess.run(  # noqa: S603 our own Makefile
            ["make", "--dry-run", "--always-make", "--assume-old=.venv/.dev", target],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        built = re.findall(rf"rotators build (\w+){said}", ran.stdout)
        assert built == LOGICAL_IDS


def dry(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What make would do, with ``variables`` set, in an environment that is not there."""
    return subprocess.run(  # noqa: S603 our own Makefile
        ["make", "--dry-run", "--no-print-directory", "VENV=nowhere", *arguments],  # noqa: S607
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("target", ["deploy", "lint"])
def test_a_sam_of_ones_own_needs_no_other(target: str) -> None:
    assert "sam.lock" in dry(target).stdout
    assert "sam.lock" not in dry(target, "SAM=sam").stdout


@pytest.mark.parametrize("wrong", ["TARGET_PYTHON=3.12", "TARGET_PYTHON=host", "ARCHITECTURE=x"])
def test_what_the_template_does_not_admit_is_refused_before_it_is_built(wrong: str) -> None:
    ended = dry("deploy", wrong)
    assert "sam build" not in ended.stdout
    assert "template.yaml has arm64 and x86_64, Python 3.13 and 3.14" in ended.stderr


def test_what_images_of_python_set_is_not_what_is_built_for() -> None:
    for target in ("build-OracleFunction", "package-OracleFunction", "deploy"):
        said = dry(target, PYTHON_VERSION="3.13.1").stdout
        assert "python3.13 " in said or "--python-version 3.13 " in said
        assert "3.13.1" not in said


def test_authorities_of_ones_own_reach_sam_build(tmp_path: Path) -> None:
    """As every variable of make's command line does. test_package has sam hand them on."""
    sam = tmp_path / "sam"
    sam.write_text("#!/bin/sh\necho $1 $RDS_CA_BUNDLE\n")
    sam.chmod(0o755)
    ready = [f"--assume-old={sys.prefix}/{name}" for name in (".dev", ".package")]
    ran = subprocess.run(  # noqa: S603 our own Makefile
        ["make", f"VENV={sys.prefix}", f"SAM={sam}", *ready, "deploy", "RDS_CA_BUNDLE=ours.pem"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "build ours.pem" in ran.stdout.splitlines()


def test_what_the_demo_names_next_works_as_it_is_typed() -> None:
    (command,) = re.findall(r"make (invoke .+)", demo_show._NEXT)
    said = dry(*command.split()).stdout
    assert "rotators invoke events/rotation.json --secret secret.json" in said
    assert ".[demo]" in said
    assert ".[all]" in said, "the secret may be of any engine"


def test_clean_leaves_nothing_that_make_has_made() -> None:
    (command,) = dry("clean").stdout.splitlines()
    made = (ROOT / ".gitignore").read_text().split()
    of_others = {".venv*/", "__pycache__/", "*.egg-info/", ".servers/", "cdk.out/", ".terraform/"}
    of_others |= {".terraform.lock.hcl", "*.tfstate*"}
    assert {name.rstrip("/") for name in made if name not in of_others} <= {*command.split()}


def test_the_build_knows_every_function() -> None:
    assert list(build_function.FUNCTIONS) == LOGICAL_IDS


# ── what people read ──


def test_the_readme_has_a_row_for_every_function() -> None:
    table = rows(ROOT / "README.md", "## Engines")
    assert [quoted(row[0]) for row in table] == [ENGINES[function] for function in FUNCTIONS]


def test_the_readme_has_the_strategies_of_every_engine() -> None:
    for row in rows(ROOT / "README.md", "## Engines"):
        for engine in quoted(row[0]):
            said = [word for word in quoted(row[2]) if word in set(StrategyName)]
            assert said == list(Registry().load(engine).strategies)


def test_the_parameters_are_documented() -> None:
    declared = template()["Parameters"]
    table = rows(ROOT / "docs/deploy.md", "## Parameters")
    documented = {name: row for row in table for name in quoted(row[0])}
    assert list(documented) == list(declared)
    for name, (_, meaning, default) in documented.items():
        assert meaning
        assert default.strip("`") == (str(declared[name]["Default"]) or "–"), name
    for name, engines in ENGINES.items():
        assert quoted(documented[name][1])[: len(engines)] == engines


def test_the_readme_has_the_parameters_too() -> None:
    table = rows(ROOT / "README.md", "## Deploy")
    named = [name for row in table for name in quoted(row[0]) if not name.endswith("Function")]
    assert sorted(named) == sorted(template()["Parameters"])


def test_sizes_are_the_same_wherever_they_are_told() -> None:
    readme, packaging = (
        {row[0]: row[1:3] for row in rows(ROOT / path, heading) if row[0].endswith("Function`")}
        for path, heading in (("README.md", "## Deploy"), ("docs/packaging.md", "## Sizes"))
    )
    assert readme == packaging
    assert [name for row in readme for name in quoted(row)] == LOGICAL_IDS


def test_the_permissions_are_documented() -> None:
    """For every function: what it may do, and which of it to the admins' secrets."""
    documented = {
        (function, action, on == "the admins' secrets")
        for actions, whose, on in rows(ROOT / "docs/deploy.md", "## What the functions may do")
        for function in owners(whose)
        for action in quoted(actions)
    }
    roles = stack(*FUNCTIONS, **FULL).of_kind("AWS::IAM::Role")
    given = {
        (function, action, resource == FULL["AdminSecretArn"])
        for function in FUNCTIONS
        for statement in statements(roles[f"{function}Role"])
        for action in statement.actions
        for resource in statement.resources
    }
    assert documented == given


def owners(whose: str) -> set[str]:
    """Every function's, unless it begins with one function's, or is for all but some."""
    named = {function for function in FUNCTIONS if f"{function}'s" in whose}
    if "but for" in whose:
        return {*FUNCTIONS} - named
    return named if whose.startswith(tuple(named)) else {*FUNCTIONS}


def test_events_are_as_the_function_takes_them() -> None:
    folder = ROOT / "events"
    documented = {
        name for row in rows(folder / "README.md", "# Sample events") for name in quoted(row[0])
    }
    events = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    assert documented == events.keys()
    whole = {name: event for name, event in events.items() if event.get("Step") in set(Step)}
    assert events.keys() - whole.keys() == {"rotation.json", "bad_step.json"}
    assert {RotationRequest.from_event(event).step for event in whole.values()} == set(Step)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert anchor in {anchored(heading) for heading in headings}, target


def anchored(heading: str) -> str:
    """As GitHub makes an anchor of a heading."""
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower())
    return kept.replace(" ", "-")


def test_functions_that_documents_name_exist() -> None:
    """Spelled as in the template, whatever the document says of them."""
    others = {"functionRoleArn", "FunctionRoleArn", "InvokeFunction", "LambdaFunction"}
    known = {
        f"{name}{suffix}" for name in FUNCTIONS for suffix in ("Function", "FunctionArn", "RoleArn")
    }
    for document in DOCUMENTS:
        for word in re.findall(r"\b\w+(?:Function|FunctionArn|RoleArn)\b", document.read_text()):
            assert word in known | others, f"{document.name}: {word}"
