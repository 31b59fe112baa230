"""From a container to what listens on this machine's loopback addresses."""

from __future__ import annotations

import select
import socket
import socketserver
import sys
import threading
from typing import Any

_AT_ONCE = 64
_CHUNK = 65536
# For an end that takes nothing any more.
_SECONDS = 60
_POLL = 0.05


class Relay(socketserver.ThreadingTCPServer):
    """Carries connections to a port of ``address``, which the system picks, on to ``port`` here.

    64 at once; what comes beyond is closed. Leaving the context cuts those that are open. Raises
    OSError where ``address`` is none of this machine's.
    """

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, 0), _Connection)
        self.port, self.beyond = int(self.socket.getsockname()[1]), ("127.0.0.1", port)
        self.ended, self.places = threading.Event(), threading.Semaphore(_AT_ONCE)
        threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()

    def verify_request(self, *_: object) -> bool:
        return self.places.acquire(blocking=False)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 as its kind
        # An end that hung up: the other one learns of it, and says so itself.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Connection(socketserver.BaseRequestHandler):
    server: Relay
    request: socket.socket

    def handle(self) -> None:
        try:
            with socket.create_connection(self.server.beyond, _SECONDS) as beyond:
                self.request.settimeout(_SECONDS)
                self._carry({self.request: beyond, beyond: self.request})
        finally:
            self.server.places.release()

    def _carry(self, ends: dict[socket.socket, socket.socket]) -> None:
        """Until both ends have said all, or the relay ends."""
        while ends and not self.server.ended.is_set():
            for end in select.select(list(ends), (), (), _POLL)[0]:
                if said := end.recv(_CHUNK):
                    ends[end].sendall(said)
                else:
                    ends.pop(end).shutdown(socket.SHUT_WR)
