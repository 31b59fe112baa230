"""HTTP/1.1 on a loopback port, plain or TLS, with answers that may dawdle."""

from __future__ import annotations

import json
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, TypeAlias

from rotators.testing._state.wire import LoopbackServer
from rotators.testing._x.messages import Answer, Request, Where

if TYPE_CHECKING:
    from rotators.testing.certificates import KeyPair

_LARGEST = 64 * 1024
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer, and how long it takes on which part of its way."""

    answer: Answer
    slow: Where | None
    seconds: float

    def pieces(self) -> Iterator[tuple[float, bytes]]:
        """Bytes, each with the seconds of silence before them."""
        head, body = _encoded(self.answer)
        if self.slow == "before":
            yield self.seconds, head + body
        elif self.slow == "headers":
            yield from self._drips(head)
            yield 0, body
        elif self.slow == "body":
            yield 0, head
            yield from self._drips(body)
        else:
            yield 0, head + body

    def _drips(self, content: bytes) -> Iterator[tuple[float, bytes]]:
        return ((self.seconds / len(content), bytes([byte])) for byte in content)


# None: the connection is closed without an answer.
Responder: TypeAlias = Callable[[Request], Delivery | None]


class Server(LoopbackServer):
    """Answers requests for X, plain or TLS. Closing it cuts slow answers short."""

    def __init__(self, respond: Responder, tls: KeyPair | None) -> None:
        self.respond = respond
        self.stopping = threading.Event()
        context = None if tls is None else _context(tls)
        super().__init__(_Exchange)
        if context is not None:
            # Each connection shakes hands in its own thread, so that none holds up the others.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.start()

    @property
    def url(self) -> str:
        tls = isinstance(self.socket, ssl.SSLSocket)
        return f"{'https://localhost' if tls else 'http://127.0.0.1'}:{self.server_port}"

    def stop(self) -> None:
        self.stopping.set()
        super().stop()


class _Exchange(BaseHTTPRequestHandler):
    """One request, one answer, end of the connection."""

    # http.server closes after each answer, unless it is told that it speaks HTTP/1.1.
    timeout = 10
    server: Server

    def setup(self) -> None:
        super().setup()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.do_handshake()

    def do_GET(self) -> None:
        delivery = self.server.respond(self._request())
        for silence, content in () if delivery is None else delivery.pieces():
            if not self._still_wanted(silence):
                return
            self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def _request(self) -> Request:
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(min(int(length), _LARGEST) if length.isdecimal() else 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, path, query, headers, body.decode(errors="replace"))

    def _still_wanted(self, silence: float) -> bool:
        """Wait; False as soon as the client has hung up or the server stops."""
        end = time.monotonic() + silence
        while (left := end - time.monotonic()) > 0:
            # A client sends nothing after its request: what can be read is the end.
            if (
                self.server.stopping.wait(min(left, _LOOK))
                or select.select([self.connection], [], [], 0)[0]
            ):
                return False
        return True

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _context(tls: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def _encoded(answer: Answer) -> tuple[bytes, bytes]:
    text = isinstance(answer.body, str)
    body = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
    lines = (
        f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}",
        f"Content-Type: {'text/html' if text else 'application/json'};charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode(), body
