"""What is seen of a demonstration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.live import Live

from rotators.cli import output

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rotators.cli.demo_server import Finding
    from rotators.cli.programme import Programme
    from rotators.cli.watched import Scene, WatchedRotation

_NEXT = """Next, in README.md:
  Invoke locally  rotate a secret of your own from this machine:
                  make invoke EVENT=events/rotation.json SECRET=secret.json
  Deploy          put the function into your account
  Attach          name it as rotation_lambda_arn of a secret"""
_REPORT = "Please report this as a defect, with all that is above."


class Show:
    """A programme, as tables or as JSON."""

    def __init__(self, programme: Programme, *, as_json: bool) -> None:
        self._began = time.monotonic()
        self._programme = programme
        self._as_json = as_json
        self._out: Console = output.console()
        self._out.quiet = as_json

    def run(self) -> bool:
        """Shows each act, then what was found in the logs. Whether all claims hold."""
        self._out.print(f"{self._programme.opening}\nStarting both …")
        with self._programme.running():
            return self._run()

    def _run(self) -> bool:
        rotations, holds = [], True
        for act in self._programme.acts():
            rotation = _rotation(act, self._perform(act))
            findings = list(act.findings())
            holds = self._judge(findings) and holds
            rotations.append({**rotation, "findings": [asdict(finding) for finding in findings]})
        self._out.print(f"\nThe logs, searched for {self._programme.searched}:\n")
        found = list(self._programme.logs())
        holds = self._judge(found) and holds
        seconds = round(time.monotonic() - self._began, 1)
        if self._as_json:
            self._echo_json(rotations, found, seconds, ok=holds)
            return holds
        self._out.print(f"\n{'Done' if holds else 'Not as it should be'}, after {seconds} s.\n")
        self._out.print(_NEXT if holds else _REPORT)
        return holds

    def _perform(self, act: WatchedRotation) -> list[Scene]:
        """Shows the scenes as they come."""
        self._out.print(f"\n{act.title}: {act.about}\n")
        old, scenes = act.fingerprint(act.old), []
        try:
            # A terminal sees it grow; a log gets it once, also where a step fails.
            with Live(console=self._out, auto_refresh=False, transient=True) as live:
                for scene in act.perform():
                    scenes.append(scene)
                    live.update(_scenes_table(act, scenes), refresh=True)
        finally:
            self._out.print(_scenes_table(act, scenes), "")
        new = act.fingerprint(act.new or act.old)
        self._out.print(f"AWSCURRENT's {act.named} was {old} and is {new} (fingerprints).\n")
        return scenes

    def _judge(self, findings: list[Finding]) -> bool:
        """Shows the findings; whether all of them hold."""
        for finding in findings:
            self._out.print(f"  {'ok     ' if finding.holds else 'FAILED '}{finding.claim}")
        return all(finding.holds for finding in findings)

    def _echo_json(
        self,
        rotations: Sequence[dict[str, object]],
        found: list[Finding],
        seconds: float,
        *,
        ok: bool,
    ) -> None:
        output.echo_json(
            {
                "ok": ok,
                "server": self._programme.server,
                "rotations": rotations,
                "logs": [asdict(finding) for finding in found],
                "seconds": seconds,
            }
        )


def _rotation(act: WatchedRotation, scenes: list[Scene]) -> dict[str, object]:
    new = act.new or act.old
    return {
        **act.document(),
        "fingerprints": {"old": act.fingerprint(act.old), "new": act.fingerprint(new)},
        "scenes": [asdict(scene) for scene in scenes],
    }


def _scenes_table(act: WatchedRotation, scenes: list[Scene]) -> Table:
    headers = "Step", "Outcome", "Version 1", "Version 2", *act.headers
    shown = output.table(*headers, wrapped=frozenset({"Outcome"}))
    answers = {True: act.let_in, False: "refused", None: ""}
    for scene in scenes:
        shown.add_row(
            f"{scene.step}\n{scene.seconds:.3f} s" if scene.seconds else scene.step,
            scene.did,
            "\n".join(scene.first),
            "\n".join(scene.second),
            answers[scene.old_logs_in],
            answers[scene.new_logs_in],
        )
    return shown
