"""The event that a command is given: a file, or standard input."""

from __future__ import annotations

import json
from typing import TextIO

import click


def read_event(event: TextIO) -> object:
    """What is in it, whatever that is. Raises UsageError unless it is JSON."""
    try:
        read: object = json.load(event)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{event.name} is not JSON ({type(error).__name__}).") from None
    return read
