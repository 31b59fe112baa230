"""Servers as child processes: never as root, and paused and stopped by their own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from rotators.testing._pids import children, stop_running
from rotators.testing._ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOBODY = 65534

_PORTS_TRIED = 5
_PORT_TAKEN = "Address already in use"
_START_SECONDS = 60
_SIGNAL_SECONDS = 20


class ServerError(RuntimeError):
    """A server cannot be started or controlled. The text says what to do."""


class LocalServer(ABC):
    """Starts on entering, on 127.0.0.1 and a free port; stops and leaves no trace on leaving.

    It lives in a temporary directory of its own. Started by root, it runs as uid 65534, because
    most servers refuse to run as root. A subclass fills the directory, names the command, and
    knows when the server is ready.
    """

    host = "localhost"  # what the certificates are for; the server listens on 127.0.0.1
    stop_signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM,)

    def __init__(self) -> None:
        self.port = 0
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._closing = contextlib.ExitStack()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self.host}:{self.port}>"

    @abstractmethod
    def _prepare(self) -> None:
        """Fills the directory, which belongs to the server's uid."""

    @abstractmethod
    def _command(self) -> Sequence[Path | str]:
        """The server on ``self.port``, in the foreground."""

    @abstractmethod
    def _ready(self, pid: int) -> bool:
        """Whether the server that runs as ``pid`` accepts connections."""

    def _leave(self) -> None:
        """Ends the server for good: its data goes with it."""
        self.stop()

    @property
    def directory(self) -> Path:
        """The server's own temporary directory; gone when the server is left."""
        if self._directory is None:
            raise ServerError(f"{self!r} is not entered. Use it in a with statement.")
        return self._directory

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.directory / "log"

    @property
    def pid(self) -> int:
        """The server's main process. Raises ServerError if it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self!r} does not run. Start it with restart().")
        return self._process.pid

    def log_text(self) -> str:
        """All that the server has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory(prefix="rotators-")
            self._directory = Path(stack.enter_context(temporary))
            hand_over(self.directory)
            self._require_entry()
            self._prepare()
            stack.callback(self._leave)
            self._start_on_free_port()
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()
        self._directory = None

    def stop(self) -> None:
        """Ends the server and its sessions, paused or not; the data stays. Repeatable."""
        if self._paused and self._process is not None and self._process.poll() is None:
            self.resume()
        self._end(*self.stop_signals, signal.SIGKILL)

    def _end(self, *signals: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        for number in signals:
            self._process.send_signal(number)  # a no-op once the process has been reaped
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_SIGNAL_SECONDS)
                return

    def restart(self) -> None:
        """Stops the server, if it runs, and starts it on the same port with the same data."""
        self.stop()
        if not self._start():
            raise ServerError(f"port {self.port} was taken meanwhile. Start another server.")

    def pause(self) -> None:
        """Makes the server silent: connections open, and nothing is ever answered."""
        pid = self.pid
        self._paused = True
        # A stopped parent neither forks nor reaps: from then on the list of its children is
        # complete, and no pid in it can go to another process.
        stop_running(pid)
        for child in children(pid):
            stop_running(child)

    def resume(self) -> None:
        """Ends a pause. Repeatable."""
        pid = self.pid
        for child in children(pid):
            os.kill(child, signal.SIGCONT)
        os.kill(pid, signal.SIGCONT)
        self._paused = False

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pauses for the length of a with statement."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    @property
    def _env(self) -> dict[str, str]:
        # Nothing else of the caller's: PGHOST or MYSQL_HOME would change what the programs do.
        passed = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        return {**passed, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.directory)}

    def _run(self, *command: Path | str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a program as the server's uid, on ``text``; what it says is all in ``stdout``."""
        uid = _server_uid()
        with subprocess.Popen(  # noqa: S603 - no shell; the caller chose the program
            command,
            cwd=self.directory,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that it can be ended with its children
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
        ) as process:
            try:
                said, _ = process.communicate(text)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if process.stdout is not None:
                    process.stdout.read()  # up to the end of the last of them
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, said)

    def _require_entry(self) -> None:
        if self._run("test", "-x", self.directory).returncode:
            raise ServerError(
                f"uid {NOBODY}, as which the server runs, may not enter {self.directory}. "
                "Set TMPDIR to a directory that everybody may enter."
            )

    def _start_on_free_port(self) -> None:
        for _ in range(_PORTS_TRIED):
            self.port = free_port()
            if self._start():
                return
        raise ServerError(f"{_PORTS_TRIED} ports in a row were taken meanwhile. Try again.")

    def _start(self) -> bool:
        """False if another process has taken the port."""
        said = len(self.log_text())
        self._process = self._popen()
        end = time.monotonic() + _START_SECONDS
        while not self._ready(self._process.pid):
            if self._process.poll() is not None:
                last_words = self.log_text()[said:]
                if _PORT_TAKEN in last_words:
                    return False
                raise ServerError(f"{self!r} ended. Look at its log:\n{last_words[-3000:]}")
            if time.monotonic() > end:
                self.stop()
                raise ServerError(f"{self!r} is not ready after {_START_SECONDS} s. Try again.")
            time.sleep(0.01)
        return True

    def _popen(self) -> subprocess.Popen[bytes]:
        uid = _server_uid()
        with self.log.open("ab") as out:
            return subprocess.Popen(  # noqa: S603 - no shell; the caller chose the program
                self._command(),
                cwd=self.directory,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the caller, who then stops the server
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )


def hand_over(tree: Path) -> None:
    """Gives a tree to the uid that servers run as. Repeatable."""
    uid = _server_uid()
    if uid is not None:
        for path in (tree, *tree.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)


def _server_uid() -> int | None:
    return NOBODY if os.geteuid() == 0 else None
