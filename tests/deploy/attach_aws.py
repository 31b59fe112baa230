"""A stand-in for the AWS CLI: checks each call against botocore's model, records and answers it.

As a program: ``attach_aws.py SERVICE OPERATION --OPTION VALUE …``. STAND_IN names the folder where
calls are recorded (calls.jsonl) and answers are found (answers.json, by operation).
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

FOLDER = "STAND_IN"
_SECONDS = 60
_REFUSED = 252  # as the CLI answers to a call that it cannot make
_FAILED = 254  # … and to one that AWS refuses
_READ_AS_JSON = {"structure", "list", "map"}


@dataclass(frozen=True)
class Call:
    """One call, its options understood."""

    operation: str
    parameters: dict[str, Any]
    arguments: tuple[str, ...]


class StandIn:
    """The stand-in as a script meets it: first in its PATH."""

    def __init__(self, folder: Path, answers: Mapping[str, Any]) -> None:
        self._folder = folder
        self._bin = folder / "bin"
        self._bin.mkdir()
        program = self._bin / "aws"
        words = shlex.join([sys.executable, "-m", __name__])
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
        (folder / "answers.json").write_text(json.dumps(answers))

    def run(
        self, *command: str | Path, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script, or ``aws`` itself."""
        return subprocess.run(  # noqa: S603 our own examples
            [str(word) for word in command],
            input=stdin,
            env={
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "PYTHONPATH": str(Path(__file__).parents[2]),
                FOLDER: str(self._folder),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def calls(self) -> list[Call]:
        """What was called, in order."""
        record = self._folder / "calls.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        return [Call(*json.loads(line)) for line in lines]


def main(arguments: Sequence[str]) -> None:
    """Serves one call."""
    import botocore.session
    from botocore import xform_name
    from botocore.validate import ParamValidator

    service, operation, *options = arguments
    model = botocore.session.get_session().get_service_model(service)
    name = next((n for n in model.operation_names if xform_name(n, "-") == operation), None)
    if name is None:
        _refuse(f"{service} has no operation {operation}")
    shape = model.operation_model(name).input_shape
    members = {xform_name(member, "-"): (member, kind) for member, kind in shape.members.items()}
    parameters, shown = _understood(options, members)
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        _refuse(report.generate_report())
    folder = Path(os.environ[FOLDER])
    if name == "AddPermission" and _granted(parameters, folder):
        _refuse("An error occurred (ResourceConflictException): the statement id exists.", _FAILED)
    with (folder / "calls.jsonl").open("a") as record:
        record.write(json.dumps([name, parameters, list(arguments)]) + "\n")
    _answer(name, model.operation_model(name).output_shape, shown, folder)


def _granted(asked: Mapping[str, Any], folder: Path) -> bool:
    """Whether the function's policy has a statement of that id."""
    record = folder / "calls.jsonl"
    lines = record.read_text().splitlines() if record.exists() else []
    before = [
        parameters for name, parameters, _ in map(json.loads, lines) if name == "AddPermission"
    ]
    key = itemgetter("FunctionName", "StatementId")
    return key(asked) in map(key, before)


def _understood(
    options: Sequence[str], members: Mapping[str, tuple[str, Any]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The call's parameters, and the CLI's own options."""
    parameters: dict[str, Any] = {}
    shown: dict[str, str] = {}
    words = iter(options)
    for word in words:
        option = word.removeprefix("--")
        plain = option.removeprefix("no-")
        if option in {"query", "output"}:
            shown[option] = next(words)
        elif plain in members and members[plain][1].type_name == "boolean":
            parameters[members[plain][0]] = plain == option
        elif option in members and word.startswith("--"):
            member, shape = members[option]
            parameters[member] = _value(words, shape.type_name)
        else:
            _refuse(f"unknown option {word}")
    return parameters, shown


def _value(words: Iterator[str], kind: str) -> Any:
    text = next(words, "")
    if text.startswith("file://"):
        text = Path(text.removeprefix("file://")).read_text()
    if kind in _READ_AS_JSON:
        return json.loads(text)
    return int(text) if kind in {"integer", "long"} else text


def _answer(operation: str, shape: Any, shown: Mapping[str, str], folder: Path) -> None:
    import jmespath  # type: ignore[import-untyped]

    answers = json.loads((folder / "answers.json").read_text())
    answer = answers.get(operation, {})
    if unknown := set(answer) - set(shape.members if shape else ()):
        _refuse(f"{operation} never answers {sorted(unknown)}")
    query = shown.get("query")
    if query:
        found = jmespath.search(query, answer)
        sys.stdout.write(f"{found}\n")


def _refuse(message: str, code: int = _REFUSED) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
