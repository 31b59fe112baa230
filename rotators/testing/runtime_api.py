"""The Lambda Runtime API for one sandbox, on a loopback port.

The runtime client in the sandbox asks for events and posts what came of them; see "Using the
Lambda runtime API" in AWS's Lambda guide. Only the standard library is needed.
"""

from __future__ import annotations

import queue
import re
import socketserver
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Literal, Self, cast

if TYPE_CHECKING:
    from socket import socket

Said = Literal["next", "response", "error", "init/error"]

_NEXT = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR = "/2018-06-01/runtime/init/error"
_OUTCOME = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")


@dataclass(frozen=True, slots=True)
class Message:
    """What the sandbox has said: that it waits for the next event, or what came of the last."""

    said: Said
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Invocation:
    """An event that may take so many seconds, from now on."""

    event: bytes = field(repr=False)
    function_arn: str
    seconds: float
    began: float = field(default_factory=time.time)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def deadline(self) -> float:
        """In seconds since the epoch."""
        return self.began + self.seconds


class RuntimeApi(socketserver.ThreadingTCPServer):
    """Listens inside a ``with`` block. One client, one event at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        self._offered: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._under_way: str | None = None
        super().__init__(("127.0.0.1", 0), _Request)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.005,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._offered.put(None)
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def address(self) -> str:
        """For AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_address[1]}"

    def offer(self, invocation: Invocation) -> None:
        """Gives an event to the sandbox as soon as it asks for one."""
        self._offered.put(invocation)

    def hear(self, seconds: float) -> Message | None:
        """What the sandbox says next; None if it says nothing for so long."""
        try:
            return self._heard.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None

    def asked(self) -> Invocation | None:
        """The event that the sandbox has asked for, once there is one; None at the end."""
        self._heard.put(Message("next"))
        invocation = self._offered.get()
        self._under_way = invocation.request_id if invocation else None
        return invocation

    def posted(self, path: str, body: bytes) -> HTTPStatus:
        """Takes what the sandbox has posted, unless it is for another event than the one."""
        if path == _INIT_ERROR:
            self._heard.put(Message("init/error", body))
            return HTTPStatus.ACCEPTED
        outcome = _OUTCOME.fullmatch(path)
        if outcome is None:
            return HTTPStatus.NOT_FOUND
        if outcome[1] != self._under_way:
            return HTTPStatus.BAD_REQUEST
        self._under_way = None
        self._heard.put(Message(cast("Said", outcome[2]), body))
        return HTTPStatus.ACCEPTED

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        # A sandbox that is killed hangs up.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != _NEXT:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        invocation = self.server.asked()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(
            HTTPStatus.OK,
            invocation.event,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": f"Root=1-{invocation.request_id.replace('-', '')}",
            },
        )

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(self.server.posted(self.path, body), b'{"status":"OK"}')

    def _answer(
        self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
