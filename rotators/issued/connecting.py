"""A connection to a provider, all of which ends in time."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any


def connect(host: str, port: int, seconds: float, context: ssl.SSLContext | None) -> socket.socket:
    """A socket to ``host``, after the handshake if there is a ``context``.

    All its addresses and the handshake together take no longer than ``seconds``, of which an
    address that is silent leaves the next ones their share. The look-up of the name comes before,
    and ends by the resolver's own time-outs: Python bounds it nowhere. Raises OSError and
    UnicodeError.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    end = time.monotonic() + seconds
    connected = _any_of(addresses, end)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(_left(end))
        # The time-out is the whole handshake's, however slowly it drips.
        return context.wrap_socket(connected, server_hostname=host) if context else connected
    except BaseException:
        connected.close()
        raise


def _any_of(addresses: list[tuple[Any, ...]], end: float) -> socket.socket:
    failure = OSError("the name has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            # A kernel may lack the family of one address, and have the next one's.
            connecting = socket.socket(family, kind, protocol)
        except OSError as error:
            failure = error
            continue
        try:
            connecting.settimeout(_left(end) / (len(addresses) - number))
            connecting.connect(address)
        except OSError as error:
            connecting.close()
            failure = error
        else:
            return connecting
    raise failure


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
