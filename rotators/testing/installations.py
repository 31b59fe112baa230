"""Program files of servers: found, trusted, and copied to where a server's user can reach them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rotators.testing.processes import LocalServer, ServerError, hand_over


class ServerMissing(ServerError):
    """There is no server where one was looked for."""


def shown_version(*command: Path | str) -> str | None:
    """What ``command --version`` prints; None if it does not run.

    It runs as ourselves: the uid that servers run as may not be able to enter the directory.
    """
    try:
        return subprocess.check_output(  # noqa: S603 - no shell; the caller chose the program
            [*command, "--version"], stderr=subprocess.DEVNULL, text=True, errors="replace"
        )
    except (OSError, subprocess.CalledProcessError):
        return None


def major_of(version: str) -> int:
    """15 of 15.18."""
    return int(re.split(r"\D", version, maxsplit=1)[0])


def stranger_of(paths: Sequence[Path]) -> Path | None:
    """The first that somebody else than us or root owns or may write; such programs are not run."""
    for path in paths:
        status = path.stat()
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IWOTH:
            return path
    return None


class InstalledServer(LocalServer):
    """A server out of the program files below ``root``.

    Where they lie below /root, say, the server's uid cannot enter: it gets a copy of ``parts``.
    """

    parts: tuple[str, ...]
    program: str

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def _make_reachable(self) -> None:
        """To be called before anything is run as the server's uid."""
        if self._reachable():
            return
        given, self._root = self._root, self.directory / "program"
        for part in self.parts:
            if (given / part).is_dir():
                shutil.copytree(given / part, self._root / part, symlinks=True)
        hand_over(self._root)
        if not self._reachable():
            raise ServerError(
                f"the server's user cannot run {given / self.program}, nor a copy of it. "
                "Move it to a directory that everybody may enter."
            )

    def _runnable(self) -> Sequence[Path | str]:
        """The program, with what has to come before it."""
        return [self._root / self.program]

    def _reachable(self) -> bool:
        """Whether the server's uid may run the program."""
        try:
            return self._run(*self._runnable(), "--version").returncode == 0
        except OSError:
            return False
