"""Why a server could not be trusted, which the driver does not say.

FreeTDS ends every failure of TLS in one error without a reason (20002). So after such a failure,
and only then, the same handshake is tried once more by Python's own TLS, which knows: TDS packs it
into its packets. No user and no password is sent.
"""

from __future__ import annotations

import socket
import ssl
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from rotators import tls
from rotators.database.engine import cut_off
from rotators.database.sqlserver_errors import unreachable
from rotators.errors import RotationError, UntrustedServer

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.database.login import Login
    from rotators.deadline import Deadline

_PRELOGIN = 0x12
_HEADER = struct.Struct(">BBHHBB")  # type, status, length, channel, number, window
_OPTION = struct.Struct(">BHH")  # which, where, how long
_VERSION, _ENCRYPTION, _END = 0, 1, 0xFF
_ON, _NOT_SUPPORTED = 1, 2
_SECONDS = 5
_CHUNK = 4000


def why(login: Login, ca_bundle: Path | None, deadline: Deadline, said: str) -> RotationError:
    """The reason, if there is one to be found; else the failure may pass."""
    what = f"a handshake with {login.host}:{login.port}"
    try:
        seconds = min(_SECONDS, deadline.remaining(what) / 2)
        with socket.create_connection((login.host, login.port), seconds) as line:
            line.settimeout(seconds)
            with cut_off(line.fileno(), deadline, what):
                _shake_hands(line, login.host, tls.context(ca_bundle))
    except ssl.SSLCertVerificationError as error:
        return _untrusted(error.verify_message)
    except ssl.SSLError as error:
        return _untrusted(error.reason or "no TLS")
    except _NoTLS:
        return _untrusted("the server does not offer it")
    except (OSError, ValueError, struct.error) as error:
        return unreachable(f"{said}; then: {error}")
    return unreachable(f"{said}, although its certificate is trusted")


class _NoTLS(Exception):
    pass


def _untrusted(reason: str) -> UntrustedServer:
    return UntrustedServer(f"no verified TLS: {reason}", tls.CURE)


def _shake_hands(line: socket.socket, host: str, context: ssl.SSLContext) -> None:
    _send(line, _hello())
    if _offered(_receive(line)) == _NOT_SUPPORTED:
        raise _NoTLS
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shaking = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            shaking.do_handshake()
        except ssl.SSLWantReadError:
            _send(line, outgoing.read())
            incoming.write(_receive(line))
        except ssl.SSLError:
            with suppress(OSError):
                _send(line, outgoing.read())  # the alert, so that the server's log says why
            raise
        else:
            return


def _hello() -> bytes:
    """PRELOGIN: a version and the wish for TLS, each as the table at its head says."""
    start = 2 * _OPTION.size + 1
    table = _OPTION.pack(_VERSION, start, 6) + _OPTION.pack(_ENCRYPTION, start + 6, 1)
    return table + bytes([_END]) + bytes(6) + bytes([_ON])


def _offered(answer: bytes) -> int:
    at = 0
    while answer[at : at + 1] not in (b"", bytes([_END])):
        which, where, _ = _OPTION.unpack_from(answer, at)
        if which == _ENCRYPTION:
            return int(answer[where])
        at += _OPTION.size
    return _NOT_SUPPORTED


def _send(line: socket.socket, payload: bytes) -> None:
    for at in range(0, len(payload), _CHUNK):
        part = payload[at : at + _CHUNK]
        last = at + _CHUNK >= len(payload)
        line.sendall(_HEADER.pack(_PRELOGIN, last, len(part) + _HEADER.size, 0, 1, 0) + part)


def _receive(line: socket.socket) -> bytes:
    _, _, length, *_ = _HEADER.unpack(_exactly(line, _HEADER.size))
    return _exactly(line, max(0, length - _HEADER.size))


def _exactly(line: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        more = line.recv(size - len(got))
        if not more:
            raise ValueError("the server hung up")
        got += more
    return got
