"""AWS JSON 1.1 over loopback HTTP."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    # (operation, parameters) → (status, answer), or None for a connection that is dropped
    Answerer = Callable[[str, dict[str, object]], tuple[int, dict[str, object]] | None]

TARGET = "secretsmanager."


class LoopbackServer(socketserver.ThreadingMixIn, HTTPServer):
    """A port of 127.0.0.1 that the system picks. Closing it waits for the requests under way."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.005,), daemon=True)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which may ask a resolver."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        # A client that hung up, or trusts no certificate, is a case under test.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Server(LoopbackServer):
    """Answers operations of Secrets Manager."""

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        super().__init__(_Request)
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    # HTTP/1.0 closes after each answer, so no idle connection keeps a thread alive.
    protocol_version = "HTTP/1.0"
    timeout = 30
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target") or ""
        reply = self.server.answer(target.removeprefix(TARGET), json.loads(body or b"{}"))
        if reply is None:
            return
        status, answer = reply
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
