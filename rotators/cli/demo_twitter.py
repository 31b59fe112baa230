"""X (Twitter) in a demonstration: a fake of it. Needs the extra ``demo``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import click

from rotators.cli.demo_lost_answer import LostAnswer
from rotators.cli.demo_server import Finding
from rotators.cli.demo_tokens import Bearer, UserTokens
from rotators.cli.demo_x import x_stage
from rotators.cli.programme import Programme

if TYPE_CHECKING:
    from rotators.cli.demo_x import XAct

ACTS: tuple[type[XAct], ...] = (Bearer, UserTokens, LostAnswer)


@dataclass
class TwitterProgramme(Programme):
    """Both credentials that can be rotated without a person, and a lost answer."""

    @classmethod
    def chosen(cls, engine: str, strategy: str | None) -> Self:
        if strategy is not None:
            raise click.UsageError(
                "--strategy is for users of databases; what X issues is rotated in one way. Leave"
                " it out."
            )
        return cls(
            title="The fake X",
            opening="A fake X (Twitter) on this machine, verified TLS, Secrets Manager simulated.\n"
            "Nothing is sent to X itself; where X's pages say nothing, the fake assumes the worst.",
            server={"engine": engine, "origin": "fake"},
            searched="every token and key",
            failures=OSError,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        with x_stage() as self._stage:
            yield

    def acts(self) -> Iterator[XAct]:
        for kind in ACTS:
            yield kind.on(self._stage)

    def logs(self) -> Iterator[Finding]:
        written = self._stage.log.getvalue()
        clean = bool(written) and not self._stage.shows(written)
        lines = len(written.splitlines())
        yield Finding(f"the function logged {lines} lines, no token, no key", clean)
