"""One process of Lambda's own runtime client, cut off from this installation.

It imports the function's folder, the standard library and the runtime client, and nothing else:
what the folder lacks is missing here as it is in AWS.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rotators.testing.runtime_api import Invocation, RuntimeApi

if TYPE_CHECKING:
    from rotators.testing.runtime_api import Message, Said

# No environment variables, no site-packages, no .pyc left in the folder.
ISOLATED = ("-I", "-S", "-B")

# Lambda's ten would be short on a machine that does other things.
_INIT_SECONDS = 60
_END_SECONDS = 10
_POLL_SECONDS = 0.05
_LAUNCH = """
import sys
runtime, handler, *roots = sys.argv[1:]
sys.path = [*roots, *sys.path, runtime]
from awslambdaric.__main__ import main
main([runtime, handler])
"""


class FunctionError(Exception):
    """What an invocation failed with, as Lambda tells it to the caller."""

    def __init__(
        self, error_type: str, error_message: str, stack_trace: Sequence[str] = ()
    ) -> None:
        super().__init__(error_type, error_message)
        self.error_type = error_type
        self.error_message = error_message
        self.stack_trace = tuple(stack_trace)

    def __str__(self) -> str:
        return f"{self.error_type}: {self.error_message}"

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Of what the runtime client posts, or Lambda in its place, then without a trace."""
        told: dict[str, Any] = json.loads(payload)
        return cls(told["errorType"], told["errorMessage"], told.get("stackTrace") or ())


@dataclass(frozen=True)
class Launch:
    """What a sandbox is started with. ``roots`` are import paths, the function's folder first."""

    handler: str
    roots: tuple[Path, ...]
    client: Path
    environment: Mapping[str, str]
    log: Path

    def command(self) -> list[str | Path]:
        return [
            sys.executable, *ISOLATED, "-c", _LAUNCH, self.client, self.handler, *self.roots,
        ]  # fmt: skip


class Sandbox:
    """Runs inside a ``with`` block; killed by its pid at the end of it.

    Entering raises FunctionError if the handler cannot be imported.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._busy = False
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._api = stack.enter_context(RuntimeApi())
            self._process = self._start()
            stack.callback(self._kill)
            message = self._hear(("next", "init/error"), _INIT_SECONDS, "init")
            if message.said == "init/error":
                raise FunctionError.from_payload(message.body)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def idle(self) -> bool:
        """Whether it can take another event."""
        return not self._busy and self._alive

    def invoke(self, invocation: Invocation) -> object:
        """The handler's result. Raises FunctionError, also past the deadline.

        Without an outcome it is idle no more, and to be left.
        """
        self._busy = True
        self._api.offer(invocation)
        message = self._hear(("response", "error"), invocation.seconds, invocation.request_id)
        self._busy = False
        if message.said == "error":
            raise FunctionError.from_payload(message.body)
        return json.loads(message.body)

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait(_END_SECONDS)

    @property
    def _alive(self) -> bool:
        return self._process.poll() is None

    def _start(self) -> subprocess.Popen[bytes]:
        with self._launch.log.open("ab") as out:
            return subprocess.Popen(  # noqa: S603 no shell; this very interpreter
                self._launch.command(),
                cwd=self._launch.roots[0],
                env={**self._launch.environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the caller, who then ends this
            )

    def _hear(self, awaited: Sequence[Said], seconds: float, request_id: str) -> Message:
        """The first message of a kind that is awaited. Raises FunctionError if none comes."""
        end = time.monotonic() + seconds
        while True:
            gone = not self._alive
            # What it said before it ended counts.
            message = self._api.hear(min(_POLL_SECONDS, end - time.monotonic()))
            if message is not None and message.said in awaited:
                return message
            if message is not None:
                continue
            if gone:
                raise _exited(request_id, self._process.returncode)
            if time.monotonic() >= end:
                raise _timed_out(request_id, seconds)


def _exited(request_id: str, status: int) -> FunctionError:
    said = f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    return FunctionError(
        "Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {said}"
    )


def _timed_out(request_id: str, seconds: float) -> FunctionError:
    return FunctionError(
        "Sandbox.Timedout",
        f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds",
    )
