"""One function's folder, put together."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

import rotators
from rotators.cli.build_archive import settle
from rotators.cli.build_authorities import bundle
from rotators.cli.build_trim import copy_needed
from rotators.cli.build_wheels import install
from rotators.target import FILE, Target
from rotators.tls import BUNDLE

_NEEDED = ("pyproject.toml", "requirements.lock")

# Logical ids of template.yaml. Each is an extra of pyproject.toml, in capitals.
FUNCTIONS = (
    "PostgreSQLFunction",
    "MySQLFunction",
    "MariaDBFunction",
    "SQLServerFunction",
    "OracleFunction",
    "RedshiftFunction",
    "DocumentDBFunction",
    "TwitterFunction",
)

_PACKAGE = Path(rotators.__file__).parent
# The rotators of other engines stay: an error says which engine can what another cannot.
_LEFT_OUT = frozenset({"__pycache__", "cli", "testing", "__main__.py"})


@dataclass(frozen=True)
class Recipe:
    """What to build. ``ca_bundle`` replaces the authorities of RDS."""

    target: Target
    boto3: bool = True
    ca_bundle: Path | None = None

    @property
    def extra(self) -> str:
        """The extra with the function's driver."""
        return self.target.function.removesuffix("Function").lower()


def build_function(recipe: Recipe, into: Path) -> None:
    """Makes the folder ``into``, in place of an earlier build. Repeatable, to the byte.

    Raises ClickException, and leaves ``into`` as it was, where something is missing.
    """
    _refuse_to_replace_anything_else(into)
    checkout = _checkout()
    into.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{into.name}-", dir=into.parent) as scratch:
        installed, made = Path(scratch, "installed"), Path(scratch, "made")
        target = recipe.target
        install(
            installed,
            checkout,
            recipe.extra,
            python=target.python,
            architecture=target.architecture,
            boto3=recipe.boto3,
        )
        copy_needed(installed, made)
        package = shutil.copytree(_PACKAGE, made / _PACKAGE.name, ignore=_left_out)
        (package / FILE.name).write_text(target.text(), encoding="utf-8")
        (package / BUNDLE.name).write_text(bundle(recipe.ca_bundle), encoding="utf-8")
        settle(made)
        if into.exists():
            shutil.rmtree(into)
        made.replace(into)


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Source goes in, and nothing that merely lies there: a secret.json, a .env."""
    return {name for name in names if name in _LEFT_OUT or not _source(Path(folder, name))}


def _source(path: Path) -> bool:
    return path.is_dir() or path.suffix == ".py" or path.name == "py.typed"


def _checkout() -> Path:
    found = _PACKAGE.parent
    missing = [name for name in _NEEDED if not (found / name).is_file()]
    if missing:
        raise click.ClickException(
            f"{found} has no {' and no '.join(missing)}: build from a source checkout."
        )
    return found


def _refuse_to_replace_anything_else(into: Path) -> None:
    if Path.cwd().is_relative_to(into.resolve()):
        raise click.ClickException(f"{into} is where this runs: name another folder.")
    built = into / _PACKAGE.name / FILE.name
    if into.exists() and any(into.iterdir()) and not built.is_file():
        raise click.ClickException(f"{into} is not empty, and not a build: name another folder.")
