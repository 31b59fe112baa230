"""``rotators build``."""

from __future__ import annotations

from pathlib import Path

import click

from rotators.cli.build_archive import pack, size
from rotators.cli.build_function import FUNCTIONS, Recipe, build_function
from rotators.cli.build_sizes import measured
from rotators.target import Target, this_architecture, this_python

HOST = "host"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = ("arm64", "x86_64")
_BUILT = Path("build")


@click.command()
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...", type=click.Choice(FUNCTIONS))
@click.option(
    "--architecture",
    type=click.Choice([*ARCHITECTURES, HOST]),
    default="arm64",
    show_default=True,
    help="The machine it will run on; host: one like this.",
)
@click.option(
    "--python-version",
    "python",
    type=click.Choice([*PYTHONS, HOST]),
    default="3.13",
    show_default=True,
    help="The Python it will run on; host: the one that runs this command.",
)
@click.option(
    "--boto3/--no-boto3",
    default=True,
    help="Whether boto3 is part of it. Without, the runtime's has to be 1.35 or later.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of one function, instead of build/FUNCTION.",
)
@click.option(
    "--ca-bundle",
    envvar="RDS_CA_BUNDLE",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A PEM file with the authorities of RDS, instead of those of 2023-11-08.",
)
@click.option("--zip", "zipped", is_flag=True, help="Write build/FUNCTION.zip as well.")
@click.option(
    "--sizes", is_flag=True, help="Keep nothing: print how large it is on each architecture."
)
def build(
    functions: tuple[str, ...],
    architecture: str,
    python: str,
    into: Path | None,
    ca_bundle: Path | None,
    *,
    boto3: bool,
    zipped: bool,
    sizes: bool,
) -> None:
    """Build the folder, or the zip, that a Lambda function consists of.

    FUNCTION is a logical id of template.yaml, such as PostgreSQLFunction; without one, all are
    built. Wheels are those of requirements.lock, checked against its hashes, for the machine and
    the Python named, whatever this machine is. The same input gives the same bytes. Needs the
    extra rotators[package] and a source checkout.

    \b
    Examples:
      rotators build PostgreSQLFunction --zip
      rotators build MySQLFunction --python-version host --architecture host

    \b
    Exit codes:
      0  done     1  the build failed; nothing was replaced     2  wrong usage
    """
    chosen = functions or FUNCTIONS
    if into is not None and len(chosen) != 1:
        raise click.UsageError("--into is the folder of one function: name that function.")
    version = this_python() if python == HOST else python
    machine = this_architecture() if architecture == HOST else architecture
    if sizes:
        targets = [Target(name, version, each) for name in chosen for each in ARCHITECTURES]
        click.echo(measured([Recipe(target, boto3, ca_bundle) for target in targets]))
        return
    for name in chosen:
        recipe = Recipe(Target(name, version, machine), boto3, ca_bundle)
        _write(recipe, into or _BUILT / name, zipped=zipped)


def _write(recipe: Recipe, folder: Path, *, zipped: bool) -> None:
    build_function(recipe, folder)
    target = recipe.target
    click.echo(f"{folder}: {size(folder):.1f} MB, Python {target.python}, {target.architecture}")
    if zipped:
        archive = pack(folder, folder.with_name(f"{folder.name}.zip"))
        click.echo(f"{archive.path}: {archive.kilobytes:,} KB, sha256 {archive.sha256}")
