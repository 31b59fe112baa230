"""What ``rotators invoke`` shows: never a value, never a RotationToken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotators.cli import output

if TYPE_CHECKING:
    from rich.table import Table

    from rotators.cli.delivery import Delivered
    from rotators.errors import RotationError


@dataclass
class Report:
    """Filled as events are delivered, shown at the end."""

    where: str
    steps: list[Delivered] = field(default_factory=list)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warning: str | None = None
    error: RotationError | None = None
    interrupted: bool = False

    @property
    def code(self) -> int:
        """The command's exit code."""
        if self.interrupted:
            return output.INTERRUPTED
        return output.error_code(self.error) if self.error else output.DONE

    def show(self, *, as_json: bool) -> None:
        """Results on standard output, errors and warnings on standard error."""
        if as_json:
            output.echo_json(self._document())
            return
        out, err = output.console(), output.console(stderr=True)
        if self.steps:
            out.print(f"Delivered to the function, with {self.where}:\n")
            out.print(self._steps_table(), "")
        if self.labels:
            out.print(output.versions_table(self.labels), "")
        for note in self.notes:
            out.print(note, soft_wrap=True)
        if self.error:
            kind = "Permanent error" if self.error.permanent else "Passing error, try again"
            err.print(f"{kind}: {self.error}", soft_wrap=True)
        if self.interrupted:
            err.print("Interrupted.")
        if self.warning:
            err.print(self.warning, soft_wrap=True)

    def _steps_table(self) -> Table:
        shown = output.table("Step", "Outcome", "Seconds", wrapped=frozenset({"Outcome"}))
        for step in self.steps:
            name = step.step if step.asked else f"{step.step}\n(played first)"
            outcome = f"failed: {step.error.reason}" if step.error else step.did or ""
            shown.add_row(name, "\n".join([outcome, *step.said]), f"{step.seconds:.3f}")
        return shown

    def _document(self) -> dict[str, object]:
        return {
            "ok": self.code == output.DONE,
            "interrupted": self.interrupted,
            "where": self.where,
            "steps": [
                {
                    "step": step.step,
                    "played_first": not step.asked,
                    "outcome": "failed" if step.error else step.did,
                    "said": step.said,
                    "seconds": step.seconds,
                }
                for step in self.steps
            ],
            "labels": {version: sorted(held) for version, held in self.labels.items()},
            "notes": self.notes,
            "warning": self.warning,
            "error": output.error_document(self.error) if self.error else None,
        }
