"""``rotators demo``."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, NoReturn

import click
from rich.live import Live

from rotators.cli import output
from rotators.errors import RotationError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rotators.cli.demonstration import Demonstration, Finding, Scene
    from rotators.testing.postgresql import Installation

_NEXT = """Next, in README.md:
  Invoke locally  rotate a secret of your own from this machine:
                  rotators invoke events/rotation.json --secret secret.json
  Deploy          put the function into your account
  Attach          name it as rotation_lambda_arn of a secret"""


@click.command()
@click.option(
    "--engine",
    type=click.Choice(["postgresql"]),
    default="postgresql",
    show_default=True,
    help="What to rotate.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def demo(*, engine: str, as_json: bool) -> None:
    """Rotate the password of a real database user, before your eyes.

    Starts a PostgreSQL of this machine (else the one of the extra rotators[demo]) with TLS and
    throw-away certificates, and a simulated Secrets Manager; makes a user and its secret; plays the
    four steps, and after each tries to log in with the old and the new password. At the end it
    searches all logs for both. No AWS account, no Docker, no password on the screen; nothing is
    left behind.

    \b
    Examples:
      rotators demo
      rotators demo --json | jq .findings

    \b
    Exit codes:
      0  all went as claimed    1  something did not, or a server is missing
      2  wrong usage            130  interrupted
    """
    del engine  # the only choice there is yet
    try:
        with _stopping_on_sigterm():
            holds = _perform(as_json=as_json)
    except KeyboardInterrupt:
        click.echo("Interrupted. The server was stopped.", err=True)
        raise SystemExit(output.INTERRUPTED) from None
    raise SystemExit(output.DONE if holds else output.PERMANENT)


def _perform(*, as_json: bool) -> bool:
    """Whether every claim held. Raises ClickException where there is nothing to show."""
    try:
        import psycopg

        from rotators.cli.demonstration import demonstration
        from rotators.testing.postgresql import CURE, find_postgresql
        from rotators.testing.processes import ServerError
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The demo needs {error.name}. Install the extra: rotators[demo]."
        ) from None
    began = time.monotonic()
    found = find_postgresql()
    if not found:
        raise click.ClickException(f"There is no PostgreSQL on this machine. {CURE}")
    show = Show(found[0], as_json=as_json)
    try:
        with demonstration(found[0]) as play:
            return show.run(play, began)
    except RotationError as error:
        raise click.ClickException(f"The rotation failed: {error}") from None
    except ServerError as error:
        raise click.ClickException(f"PostgreSQL: {error}") from None
    except psycopg.Error as error:
        raise click.ClickException(f"The server did not answer as expected: {error}") from None


class Show:
    """What is seen of a demonstration, as tables or as JSON."""

    def __init__(self, installation: Installation, *, as_json: bool) -> None:
        self._installation = installation
        self._as_json = as_json
        self._out: Console = output.console()
        self._out.quiet = as_json
        whose = {"machine": "this machine's", "wheel": "the one of rotators[demo]"}
        self._out.print(
            f"PostgreSQL {installation.version} ({whose[installation.origin]}), verified TLS,"
            " Secrets Manager simulated.\nStarting both …"
        )

    def run(self, play: Demonstration, began: float) -> bool:
        """Shows the scenes as they come, then the findings. Whether all of them hold."""
        from rotators.cli.demonstration import fingerprint

        old = fingerprint(play.old)
        scenes: list[Scene] = []
        try:
            # A terminal sees it grow; a log gets it once, also where a step fails.
            with Live(console=self._out, auto_refresh=False, transient=True) as live:
                for scene in play.perform():
                    scenes.append(scene)
                    live.update(_scenes_table(scenes), refresh=True)
        finally:
            self._out.print("", _scenes_table(scenes), "", sep="\n")
        findings = list(play.findings())
        new = fingerprint(play.new or play.old)
        seconds = round(time.monotonic() - began, 1)
        holds = all(finding.holds for finding in findings)
        if self._as_json:
            self._echo_json(scenes, findings, {"old": old, "new": new}, seconds)
            return holds
        self._out.print(f"The password was {old} and is {new} (fingerprints).\n")
        for finding in findings:
            self._out.print(f"  {'ok     ' if finding.holds else 'FAILED '}{finding.claim}")
        self._out.print(f"\n{'Done' if holds else 'Not as it should be'}, after {seconds} s.\n")
        self._out.print(_NEXT if holds else _REPORT)
        return holds

    def _echo_json(
        self,
        scenes: list[Scene],
        findings: list[Finding],
        fingerprints: dict[str, str],
        seconds: float,
    ) -> None:
        output.echo_json(
            {
                "ok": all(finding.holds for finding in findings),
                "postgresql": {
                    "version": self._installation.version,
                    "origin": self._installation.origin,
                },
                "fingerprints": fingerprints,
                "scenes": [asdict(scene) for scene in scenes],
                "findings": [asdict(finding) for finding in findings],
                "seconds": seconds,
            }
        )


def _scenes_table(scenes: list[Scene]) -> Table:
    headers = "Step", "Outcome", "Version 1", "Version 2", "Old\npassword", "New\npassword"
    shown = output.table(*headers, wrapped=frozenset({"Outcome"}))
    for scene in scenes:
        shown.add_row(
            f"{scene.step}\n{scene.seconds:.3f} s" if scene.seconds else scene.step,
            scene.did,
            "\n".join(scene.first),
            "\n".join(scene.second),
            _ANSWERS[scene.old_logs_in],
            _ANSWERS[scene.new_logs_in],
        )
    return shown


_REPORT = "Please report this as a defect, with all that is above."
_ANSWERS = {True: "logs in", False: "refused", None: ""}


@contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """As Ctrl-C, SIGTERM is not to leave a server behind."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
