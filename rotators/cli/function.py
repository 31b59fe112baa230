"""``rotators function``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click

from rotators.cli.build_function import FUNCTIONS
from rotators.cli.event_file import read_event
from rotators.cli.interruption import stopping_on_sigterm
from rotators.settings import StrategyName

_HELP = """Deliver one event to a built function, on a database that is started for it.

FUNCTION is a logical id of template.yaml. Its build runs as in Lambda, cut off from this
installation: in a container, by "sam local invoke", where SAM CLI and a Docker engine are; else in
Lambda's runtime client, on this machine. Secrets Manager is simulated. The database server is
real, with TLS and throw-away certificates; a user and its secret are made on it. Steps that come
before the event's are played first, and afterwards each value of the secret tries to log in.
Nothing is left behind.

The build is the one in build/FUNCTION, if it is for this machine and its Python; else one is made,
each time, in build/local. The event's SecretId gives way to the ARN of the secret that was made.

An event without Step (events/rotation.json) plays all four; an event of an attach without a
rotation (events/test_only.json) wants --test-only.

SQL Server, Oracle, Redshift, DocumentDB and X cannot be started here: "rotators invoke" runs their
code on a server of yours.

\b
Examples:
  rotators function PostgreSQLFunction events/create_secret.json
  rotators function MySQLFunction events/rotation.json \\
    --strategy dual-password
  rotators function PostgreSQLFunction events/rotation.json \\
    -e PASSWORD_LENGTH=64 -v

\b
Exit codes:
  0  done                  2  wrong usage, or something is missing
  1  permanent error       3  passing error: try again
  130  interrupted
"""


@click.command(help=_HELP)
@click.argument("function", metavar="FUNCTION", type=click.Choice(FUNCTIONS))
@click.argument("event", metavar="EVENT.json", type=click.File(encoding="utf-8"))
@click.option(
    "--strategy",
    type=click.Choice([str(name) for name in StrategyName]),
    default=str(StrategyName.SINGLE_USER),
    show_default=True,
    help="The function's ROTATION_STRATEGY.",
)
@click.option(
    "--build",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The unpacked build to run.",
)
@click.option(
    "-e",
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="One more environment variable of the function. May be repeated.",
)
@click.option("--test-only", is_flag=True, help="Nothing was created or set before.")
@click.option(
    "--docker/--no-docker",
    default=None,
    help='By "sam local invoke", or not. By default where both are there.',
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")
@click.option("-v", "--verbose", is_flag=True, help="Show the function's log on standard error.")
def function(
    function: str,
    event: TextIO,
    strategy: str,
    folder: Path | None,
    variables: tuple[str, ...],
    *,
    docker: bool | None,
    test_only: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Its help is above, because it is longer than the function."""
    given = read_event(event)
    # All of it loads boto3, a driver and the testing kit.
    try:
        from rotators.cli.function_run import Run
    except ModuleNotFoundError as error:
        raise click.UsageError(_needs(error)) from None
    run = Run(function, StrategyName(strategy), _environment(variables), folder, docker=docker)
    with stopping_on_sigterm():
        report = run.deliver(given, test_only=test_only)
    if verbose:
        sys.stderr.write(run.log)
    report.show(as_json=as_json)
    raise SystemExit(report.code)


def _environment(variables: tuple[str, ...]) -> dict[str, str]:
    pairs = [variable.partition("=") for variable in variables]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.UsageError(f"--env {name} is not NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _needs(error: ModuleNotFoundError) -> str:
    return f"This needs {error.name}. Install the extra: rotators[dev]."
