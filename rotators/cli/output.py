"""What all commands share: consoles, tables, exit codes, and where the function's log goes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, TextIO

import click
from rich import box
from rich.console import Console
from rich.table import Table

from rotators.registry import Registry

if TYPE_CHECKING:
    from rotators.errors import RotationError

DONE, PERMANENT, USAGE, PASSING, INTERRUPTED = 0, 1, 2, 3, 130

WIDEST = 100
_METRICS_DISABLED = "POWERTOOLS_METRICS_DISABLED"

# Tests pass a registry of their own as the context's object.
pass_registry = click.make_pass_decorator(Registry, ensure=True)


def console(*, stderr: bool = False) -> Console:
    """Plain text goes through as it is: no markup, so ``rotators[cli]`` keeps its brackets."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    told = made.is_terminal or "COLUMNS" in os.environ
    made.width = min(made.width, WIDEST) if told else WIDEST
    return made


def table(*columns: str, wrapped: frozenset[str]) -> Table:
    """An empty table, in which only the columns ``wrapped`` have long texts."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in wrapped)
    return made


def echo_json(document: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def error_document(error: RotationError) -> dict[str, object]:
    """A RotationError for a program to read."""
    return {
        "reason": error.reason,
        "permanent": error.permanent,
        "who": error.who,
        "found": error.found,
        "cure": error.cure,
    }


def error_code(error: RotationError) -> int:
    """The exit code that an error ends a command with."""
    return PERMANENT if error.permanent else PASSING


def versions_table(labels: Mapping[str, Iterable[str]]) -> Table:
    """Staging labels, one version a row."""
    made = table("Version", "Labels", wrapped=frozenset({"Labels"}))
    for version, held in labels.items():
        made.add_row(version, ", ".join(sorted(held)))
    return made


@contextmanager
def function_log(stream: TextIO) -> Iterator[None]:
    """Sends what the function logs to ``stream`` meanwhile; its metrics go nowhere."""
    before = os.environ.get(_METRICS_DISABLED)
    os.environ[_METRICS_DISABLED] = "true"
    try:
        # To the function, standard output is its log.
        with redirect_stdout(stream):
            yield
    finally:
        if before is None:
            del os.environ[_METRICS_DISABLED]
        else:
            os.environ[_METRICS_DISABLED] = before
