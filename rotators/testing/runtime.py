"""A built function in Lambda's own runtime client, without Lambda and without Docker.

    with LambdaFunction(Path("build/PostgreSQLFunction"), environment={…}) as function:
        function.invoke({"Step": "createSecret", …})

The runtime client, awslambdaric (the extra ``dev`` has it), is the one of AWS's own images. What
differs from Lambda: the machine, its Python and its libraries are this one's, nothing limits
memory, and the folder can be written to.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from rotators.testing.bench import CREDENTIALS
from rotators.testing.driver import FUNCTION_ARN
from rotators.testing.runtime_api import Invocation
from rotators.testing.runtime_client import RuntimeMissing, link_client
from rotators.testing.runtime_sandbox import FunctionError, Launch, Sandbox

__all__ = ["HANDLER", "FunctionError", "LambdaFunction", "RuntimeMissing", "environment_of"]

# As template.yaml names it.
HANDLER = "rotators.handler.lambda_handler"


class LambdaFunction:
    """A function that can be invoked inside a ``with`` block.

    ``folder`` is the unpacked zip, ``layers`` are folders to import from after it. The process sees
    ``environment``, simulated AWS credentials and what Lambda sets, and nothing of the caller's.
    It stays warm; while it is busy or after it has died, the next event gets a new one.

    Entering starts the first. It raises FunctionError if the handler cannot be imported, and
    RuntimeMissing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        handler: str = HANDLER,
        environment: Mapping[str, str] | None = None,
        timeout: float = 30,
        layers: Sequence[Path] = (),
    ) -> None:
        self.timeout = timeout
        self._roots = tuple(root.resolve() for root in (folder, *layers))
        self._handler = handler
        self._given = dict(environment or {})
        self._started: list[Sandbox] = []
        self._idle: list[Sandbox] = []
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        folder = self._roots[0]
        if not folder.is_dir():
            raise RuntimeMissing(f"{folder} is not a folder. Build the function, or unpack it.")
        with contextlib.ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory(prefix="rotators-function-")
            home = Path(stack.enter_context(temporary))
            client = home / "runtime"
            client.mkdir()
            link_client(client)
            environment = {**environment_of(folder, home), "LAMBDA_RUNTIME_DIR": str(client)}
            environment |= {"_HANDLER": self._handler, **self._given}
            self._launch = Launch(self._handler, self._roots, client, environment, home / "log")
            stack.callback(self._leave)
            self._give_back(self._start())
            self._closing.push(stack.pop_all())
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def __call__(self, event: object, context: object = None) -> object:
        """As ``invoke``: a ``RotationDriver`` takes the function for a handler."""
        del context
        return self.invoke(event)

    def invoke(self, event: object) -> object:
        """The handler's result. Raises FunctionError. Threads may invoke at once."""
        sandbox = self._take()
        payload = json.dumps(event).encode()
        try:
            return sandbox.invoke(Invocation(payload, FUNCTION_ARN, self.timeout))
        finally:
            self._give_back(sandbox)

    @property
    def cold_starts(self) -> int:
        """How many processes were started so far."""
        with self._lock:
            return len(self._started)

    @property
    def pids(self) -> list[int]:
        """The processes that wait for an event."""
        with self._lock:
            return [sandbox.pid for sandbox in self._idle]

    def log_text(self) -> str:
        """All that the function and the runtime client have logged."""
        return self._launch.log.read_text(encoding="utf-8", errors="replace")

    def log_records(self) -> list[dict[str, Any]]:
        """The log's lines. Raises ValueError for one that is not JSON."""
        return [json.loads(line) for line in self.log_text().split("\n") if line]

    def _start(self) -> Sandbox:
        sandbox = Sandbox(self._launch)
        with self._lock:
            self._started.append(sandbox)
        return sandbox.__enter__()

    def _take(self) -> Sandbox:
        with self._lock:
            while self._idle:
                sandbox = self._idle.pop()
                if sandbox.idle:
                    return sandbox
                sandbox.__exit__()
        return self._start()

    def _give_back(self, sandbox: Sandbox) -> None:
        if not sandbox.idle:
            sandbox.__exit__()
            return
        with self._lock:
            self._idle.append(sandbox)

    def _leave(self) -> None:
        # The busy ones, too: whoever waits for one hears that it has ended.
        for sandbox in self._started:
            sandbox.__exit__()


def environment_of(folder: Path, home: Path) -> dict[str, str]:
    """What Lambda sets for a function in ``folder``, with credentials of nobody.

    ``home`` keeps what libraries look for in a home directory out of it.
    """
    region = CREDENTIALS["region_name"]
    name = FUNCTION_ARN.rpartition(":")[2]
    return {
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "HOME": str(home),
        "LAMBDA_TASK_ROOT": str(folder),
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
