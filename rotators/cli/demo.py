"""``rotators demo``."""

from __future__ import annotations

import click

from rotators.cli import output
from rotators.cli.demo_show import Show
from rotators.cli.interruption import stopping_on_sigterm
from rotators.cli.programme import PROGRAMMES, programme_of
from rotators.errors import RotationError
from rotators.settings import StrategyName


@click.command()
@click.option(
    "--engine",
    type=click.Choice(list(PROGRAMMES)),
    default="postgresql",
    show_default=True,
    help="What to rotate.",
)
@click.option(
    "--strategy",
    type=click.Choice([str(name) for name in StrategyName]),
    help="Show this one only. Not for twitter.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def demo(*, engine: str, strategy: str | None, as_json: bool) -> None:
    """Rotate the passwords of real database users, before your eyes.

    Starts a server with TLS and throw-away certificates, and a simulated Secrets Manager. The
    server is one of this machine; PostgreSQL also comes with the extra rotators[demo], MySQL and
    MariaDB with "make servers". For each strategy of the engine it makes a user and its secret,
    plays the four steps, and after each tries to log in with the old value and the new one. At the
    end it searches all logs for every password. No AWS account, no Docker, no password on the
    screen; nothing is left behind.

    With --engine twitter it rotates the tokens of an app of a fake X on this machine, one of them
    while X's answer is lost. Nothing is sent to X itself.

    \b
    Examples:
      rotators demo
      rotators demo --engine mysql
      rotators demo --strategy alternating-users
      rotators demo --json | jq .rotations[].findings

    \b
    Exit codes:
      0  all went as claimed    1  something did not, or a server is missing
      2  wrong usage            130  interrupted
    """
    try:
        with stopping_on_sigterm():
            holds = _perform(engine, strategy, as_json=as_json)
    except KeyboardInterrupt:
        click.echo("Interrupted. The server was stopped.", err=True)
        raise SystemExit(output.INTERRUPTED) from None
    raise SystemExit(output.DONE if holds else output.PERMANENT)


def _perform(engine: str, strategy: str | None, *, as_json: bool) -> bool:
    """Whether every claim held. Raises ClickException where there is nothing to show."""
    try:
        from rotators.testing.processes import ServerError

        programme = programme_of(engine, strategy)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The demo needs {error.name}. Install the extra: rotators[demo]."
        ) from None
    try:
        return Show(programme, as_json=as_json).run()
    except RotationError as error:
        raise click.ClickException(f"The rotation failed: {error}") from None
    except ServerError as error:
        raise click.ClickException(f"{programme.title}: {error}") from None
    except programme.failures as error:
        raise click.ClickException(f"The server did not answer as expected: {error}") from None
