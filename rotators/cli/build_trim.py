"""What a build leaves out: only what nothing in it can ask for."""

from __future__ import annotations

import shutil
from pathlib import Path

# AWS's services that a function calls, and sts, which botocore may need for its own credentials.
# botocore describes 400 more, in 25 MB.
SERVICES = ("redshift", "redshift-serverless", "rds", "secretsmanager", "sts")

# Of what describes a distribution: what importlib.metadata and vulnerability scanners read, the
# wheel's platform, and licences. The rest tells of the installation, which is none.
_KEPT = ("METADATA", "WHEEL", "entry_points.txt", "licen", "LICEN", "COPYING", "NOTICE")

_UNUSED = {
    "": {"bin", ".lock"},
    # Resources, which only boto3.resource() reads.
    "boto3": {"data", "examples"},
}


def copy_needed(installed: Path, into: Path) -> None:
    """Copies what ``installed`` has, but for what goes unused; ``into`` is made."""

    def unused(folder: str, names: list[str]) -> set[str]:
        place = Path(folder).relative_to(installed)
        return {name for name in names if _unused(place, name)}

    shutil.copytree(installed, into, ignore=unused, copy_function=shutil.copyfile)


def _unused(place: Path, name: str) -> bool:
    if place.suffix == ".dist-info":
        return not name.startswith(_KEPT)
    if place == Path("botocore/data"):
        return name not in SERVICES and not name.endswith(".json")
    return name == "__pycache__" or name in _UNUSED.get(str(place).removeprefix("."), ())
