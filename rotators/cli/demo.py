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
from rotators.cli.demo_server import SERVERS, server_of
from rotators.errors import RotationError
from rotators.settings import StrategyName

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rotators.cli.demo_server import DemoServer, Finding
    from rotators.cli.demonstration import Act, Scene
    from rotators.cli.stage import Stage

_NEXT = """Next, in README.md:
  Invoke locally  rotate a secret of your own from this machine:
                  rotators invoke events/rotation.json --secret secret.json
  Deploy          put the function into your account
  Attach          name it as rotation_lambda_arn of a secret"""


@click.command()
@click.option(
    "--engine",
    type=click.Choice(list(SERVERS)),
    default="postgresql",
    show_default=True,
    help="What to rotate.",
)
@click.option(
    "--strategy",
    type=click.Choice([str(name) for name in StrategyName]),
    help="Show this one only.",
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
        with _stopping_on_sigterm():
            holds = _perform(engine, strategy, as_json=as_json)
    except KeyboardInterrupt:
        click.echo("Interrupted. The server was stopped.", err=True)
        raise SystemExit(output.INTERRUPTED) from None
    raise SystemExit(output.DONE if holds else output.PERMANENT)


def _perform(engine: str, strategy: str | None, *, as_json: bool) -> bool:
    """Whether every claim held. Raises ClickException where there is nothing to show."""
    try:
        from rotators.cli.demonstration import ACTS
        from rotators.cli.stage import stage
        from rotators.testing.processes import ServerError

        kind = server_of(engine)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"The demo needs {error.name}. Install the extra: rotators[demo]."
        ) from None
    began = time.monotonic()
    acts = _chosen(ACTS, kind, strategy)
    found = kind.found()
    if not found:
        raise click.ClickException(f"There is no {kind.title} on this machine. {kind.cure}")
    show = Show(engine, found[0], as_json=as_json)
    try:
        with stage(found[0]) as built:
            return show.run(built, acts, began)
    except RotationError as error:
        raise click.ClickException(f"The rotation failed: {error}") from None
    except ServerError as error:
        raise click.ClickException(f"{kind.title}: {error}") from None
    except kind.failures as error:
        raise click.ClickException(f"The server did not answer as expected: {error}") from None


def _chosen(
    acts: Sequence[type[Act]], kind: type[DemoServer], strategy: str | None
) -> list[type[Act]]:
    """The acts that the engine can play. Raises UsageError if ``strategy`` is none of them."""
    chosen = [act for act in acts if act.strategy in kind.strategies]
    if strategy is None:
        return chosen
    if strategy not in kind.strategies:
        known = ", ".join(act.strategy for act in chosen)
        raise click.UsageError(
            f"{kind.title} cannot be rotated by {strategy!r}. Choose one of: {known}."
        )
    return [act for act in chosen if act.strategy == strategy]


class Show:
    """What is seen of a demonstration, as tables or as JSON."""

    def __init__(self, engine: str, server: DemoServer, *, as_json: bool) -> None:
        self._server = {"engine": engine, "version": server.version, "origin": server.origin}
        self._as_json = as_json
        self._out: Console = output.console()
        self._out.quiet = as_json
        self._out.print(
            f"{server.title} {server.version} ({_WHOSE[server.origin]}), verified TLS,"
            " Secrets Manager simulated.\nStarting both …"
        )

    def run(self, stage: Stage, acts: Sequence[type[Act]], began: float) -> bool:
        """Shows each act, then what was found in the logs. Whether all claims hold."""
        from rotators.cli.demonstration import logs

        rotations, holds = [], True
        for kind in acts:
            act = kind.on(stage)
            rotation = _rotation(act, self._perform(act))
            findings = list(act.findings())
            holds = self._judge(findings) and holds
            rotations.append({**rotation, "findings": [asdict(finding) for finding in findings]})
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
                "server": self._server,
                "rotations": rotations,
                "logs": [asdict(finding) for finding in found],
                "seconds": seconds,
            }
        )


def _rotation(act: Act, scenes: list[Scene]) -> dict[str, object]:
    from rotators.cli.demonstration import fingerprint

    new = act.new or act.old
    return {
        "strategy": act.strategy,
        "users": {"old": act.old["username"], "new": new["username"]},
        "fingerprints": {"old": fingerprint(act.old), "new": fingerprint(new)},
        "scenes": [asdict(scene) for scene in scenes],
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


_WHOSE = {
    "machine": "this machine's",
    "wheel": "the one of rotators[demo]",
    "fetched": "the one of make servers",
}
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
