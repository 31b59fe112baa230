"""Lints the template: as SAM reads it, as cfn-lint does, and what the transform makes of it.

python tests/deploy/linting.py [TEMPLATE]

The last is what CloudFormation gets. A circle of resources, or a runtime that Lambda does not have,
shows only there. Nothing is asked of AWS, and no credentials are needed.

SAM   the sam to lint with; unset: the one that `make lint` sets up, for its own pins would take
      boto3 and others of this environment back
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from samtranslator.model.exceptions import InvalidDocumentException

from tests.deploy.template import TEMPLATE, translated

_BIN = Path(sys.executable).parent
_CFN_LINT = (str(_BIN / "cfn-lint"), "--non-zero-exit-code", "warning", "--")
_QUIET = {"SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
_SECONDS = 120


def sam() -> Path | None:
    """The sam to lint with, or None where there is none."""
    chosen = shutil.which(os.environ.get("SAM") or _BIN.parent / ".sam" / "bin" / "sam")
    return Path(chosen) if chosen else None


def as_written(template: Path) -> str:
    """What `sam validate --lint` finds; nothing if the template is good."""
    command = sam()
    if command is None:
        return "sam is not installed: run `make lint`, or name it by SAM=path"
    return _failure((str(command), "validate", "--lint", "--template", str(template)))


def as_cloudformation(template: Path) -> str:
    """What cfn-lint finds in the template, and in its translation."""
    try:
        made = translated(template)
    except InvalidDocumentException as error:
        return "\n".join(cause.message for cause in error.causes)
    with TemporaryDirectory() as folder:
        result = Path(folder) / "translated.json"
        result.write_text(json.dumps(made, indent=1))
        return _failure((*_CFN_LINT, str(template), str(result)))


def _failure(command: Sequence[str]) -> str:
    ran = subprocess.run(  # noqa: S603 the commands are this environment's own
        command,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return f"{ran.stdout}{ran.stderr}".strip() if ran.returncode else ""


def main(arguments: Sequence[str]) -> str | int:
    """An exit code: nothing was found, or what was."""
    template = Path(arguments[0]) if arguments else TEMPLATE
    return "\n\n".join(filter(None, (as_written(template), as_cloudformation(template)))) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
