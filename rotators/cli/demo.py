"""``rotators demo``."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
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

    from rotators.cli.demonstration import Act, Finding, Scene
    from rotators.cli.stage import Stage
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
@click.option(
    "--strategy",
    type=click.Choice(["single-user", "alternating-users"]),
    help="Show this one only.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def demo(*, engine: str, strategy: str | None, as_json: bool) -> None:
    """Rotate the passwords of real database users, before your eyes.

    Starts a PostgreSQL of this machine (else the one of the extra rotators[demo]) with TLS and
    throw-away certificates, and a simulated Secrets Manager. For each strategy it makes a user and
    its secret, plays the four steps, and after each tries to log in with the old value and the new
    one. At the end it searches all logs for every password. No AWS account, no Docker, no password
    on the screen; nothing is left behind.

    \b
    Examples:
      rotators demo
      rotators demo --strategy alternating-users
      rotators demo --json | jq .rotations[].findings

    \b
    Exit codes:
      0  all went as claimed    1  something did not, or a server is missing
      2  wrong usage            130  interrupted
    """
    del engine  # the only choice there is yet
    try:
        with _stopping_on_sigterm():
            holds = _perform(strategy, as_json=as_json)
    except KeyboardInterrupt:
        click.echo("Interrupted. The server was stopped.", err=True)
        raise SystemExit(output.INTERRUPTED) from None
    raise SystemExit(output.DONE if holds else output.PERMANENT)


def _perform(strategy: str | None, *, as_json: bool) -> bool:
    """Whether every claim held. Raises ClickException where there is nothing to show."""
    try:
        import psycopg

        from rotators.cli.demonstration import ACTS
        from rotators.cli.stage import stage
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
        with stage(found[0]) as built:
            acts = [act for act in ACTS if strategy in (None, act.strategy)]
            return show.run(built, acts, began)
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

    def run(self, stage: Stage, acts: Sequence[type[Act]], began: float) -> bool:
        """Shows each act, then what was found in the logs. Whether all claims hold."""
        from rotators.cli.demonstration import logs

        rotations, holds = [], True
        for kind in acts:
            act = kind.on(stage)
            scenes = self._perform(act)
            findings = list(act.findings())
            holds = self._judge(findings) and holds
            rotations.append(_rotation(act, scenes, findings))
        self._out.print("\nThe logs, searched for every password:\n")
        found = list(logs(stage))
        holds = self._judge(found) and holds
        seconds = round(time.monotonic() - began, 1)
        if self._as_json:
            self._echo_json(rotations, found, seconds, ok=holds)
            return holds
        self._out.print(f"\n{'Done' if holds else 'Not as it should be'}, after {seconds} s.\n")
        self._out.print(_NEXT if holds else _REPORT)
        return holds

    def _perform(self, act: Act) -> list[Scene]:
        """Shows the scenes as they come."""
        from rotators.cli.demonstration import fingerprint

        self._out.print(f"\n{act.strategy}: {act.about}\n")
        old, scenes = fingerprint(act.old), []
        try:
            # A terminal sees it grow; a log gets it once, also where a step fails.
            with Live(console=self._out, auto_refresh=False, transient=True) as live:
                for scene in act.perform():
                    scenes.append(scene)
                    live.update(_scenes_table(act, scenes), refresh=True)
        finally:
            self._out.print(_scenes_table(act, scenes), "")
        new = fingerprint(act.new or act.old)
        self._out.print(f"AWSCURRENT's password was {old} and is {new} (fingerprints).\n")
        return scenes

    def _judge(self, findings: list[Finding]) -> bool:
        """Shows the findings; whether all of them hold."""
        for finding in findings:
            self._out.print(f"  {'ok     ' if finding.holds else 'FAILED '}{finding.claim}")
        return all(finding.holds for finding in findings)

    def _echo_json(
        self, rotations: list[dict[str, object]], found: list[Finding], seconds: float, *, ok: bool
    ) -> None:
        output.echo_json(
            {
                "ok": ok,
                "postgresql": {
                    "version": self._installation.version,
                    "origin": self._installation.origin,
                },
                "rotations": rotations,
                "logs": [asdict(finding) for finding in found],
                "seconds": seconds,
            }
        )


def _rotation(act: Act, scenes: list[Scene], findings: list[Finding]) -> dict[str, object]:
    from rotators.cli.demonstration import fingerprint

    new = act.new or act.old
    return {
        "strategy": act.strategy,
        "users": {"old": act.old["username"], "new": new["username"]},
        "fingerprints": {"old": fingerprint(act.old), "new": fingerprint(new)},
        "scenes": [asdict(scene) for scene in scenes],
        "findings": [asdict(finding) for finding in findings],
    }


def _scenes_table(act: Act, scenes: list[Scene]) -> Table:
    headers = "Step", "Outcome", "Version 1", "Version 2", *act.headers
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
