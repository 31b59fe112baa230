"""Processes by their pid, as /proc knows them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def stop_running(pid: int, timeout: float = 10) -> None:
    """Stops a process (SIGSTOP), and waits until it has stopped. Raises TimeoutError."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + timeout
    while _state_and_parent(pid)[0] not in "TtZX":
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} does not stop. Look at what it waits for.")
        time.sleep(0.001)


def children(pid: int) -> Iterator[int]:
    """The pids of its children."""
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if _state_and_parent(int(entry.name))[1] == pid:
                    yield int(entry.name)


def _state_and_parent(pid: int) -> tuple[str, int]:
    # The second field is the command in brackets, which may itself hold spaces and brackets.
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[1])
