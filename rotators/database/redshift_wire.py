"""Sessions of redshift_connector: over a line that is ours, so that the TLS is, too.

The driver makes its own TLS context, which trusts a bundle that it carries (two of its eight
authorities have expired) and OpenSSL's defaults, and takes no other; only SSL_CERT_FILE, which
belongs to the whole process, could change that. So it gets a line that is connected and verified
already, and is told to connect to a socket that does not exist: a driver that went back to lines of
its own would reach nobody, and never send a password in clear.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from rotators import tls
from rotators.database.engine import cut_off
from rotators.database.redshift_errors import login_failed, unreachable, untrusted_method
from rotators.errors import RotationError, UntrustedServer

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.database.login import Login
    from rotators.deadline import Deadline
    from rotators.driver import Driver

# How a server asks for a password (redshift_connector's core.py): by the hash that it keeps.
MD5, SHA256 = 5, 13
_OK = 0
_CONNECT_SECONDS = 10
_SSL_REQUEST = struct.pack(">II", 8, 80877103)
_NOWHERE = "/nonexistent/rotators"
# What the driver ends with, besides its own errors, where a server speaks something else.
STUMBLES = (OSError, struct.error, LookupError, ValueError, AttributeError, TypeError)


def connect(driver: Driver, login: Login, deadline: Deadline, ca_bundle: Path | None) -> Any:  # noqa: ANN401
    """The driver's connection, whose ``method`` is how the server asked. Raises as Engine.open."""
    module = driver.load()
    with _line(login, deadline, ca_bundle) as line:
        try:
            return _guarded(module.Connection)(line, **_parameters(login))
        except (module.Error, *STUMBLES) as error:
            failure = login_failed(error)
        raise failure


def asked(driver: Driver, login: Login, deadline: Deadline, ca_bundle: Path | None) -> int:
    """How the server asks for this user's password, which is not sent: as psql, before it prompts.

    A client that knows only md5, as libpq does, never gets in by a sha256 password.
    """
    module = driver.load()
    with _line(login, deadline, ca_bundle) as line:
        try:
            _guarded(module.Connection)(line, only_asks=True, **_parameters(login))
        except _Asked as answer:
            line.close()
            return answer.method
        except (module.Error, *STUMBLES) as error:
            failure = login_failed(error)
        else:  # pragma: no cover - the guard does not let a server in that asks for nothing
            failure = untrusted_method(None)
        raise failure


@contextmanager
def _line(login: Login, deadline: Deadline, ca_bundle: Path | None) -> Iterator[Any]:
    """A line to the server, verified where the login says so. Closed if what follows fails."""
    what = f"a login to {login.host}:{login.port}"
    seconds = deadline.remaining(what)
    try:
        # Half of what is left: a name may have two addresses.
        raw = socket.create_connection((login.host, login.port), min(_CONNECT_SECONDS, seconds / 2))
    except OSError as error:
        raise unreachable(str(error)) from None
    line: Any = raw
    try:
        with cut_off(raw.fileno(), deadline, what):
            raw.settimeout(seconds)
            line = _secured(raw, login.host, ca_bundle) if login.tls else raw
            line = _Line(line)
            yield line
    except BaseException:
        line.close()
        raise


def _secured(line: socket.socket, host: str, ca_bundle: Path | None) -> ssl.SSLSocket:
    """TLS, as sslmode=verify-full has it: chain and host name, or nothing."""
    context = tls.context(ca_bundle)
    try:
        line.sendall(_SSL_REQUEST)
        answer = line.recv(1)
        if answer == b"S":
            return context.wrap_socket(line, server_hostname=host)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        failure: RotationError = unreachable(str(error))
    except (ssl.SSLError, ssl.CertificateError) as error:
        failure = UntrustedServer(f"no verified TLS: {error}", tls.CURE)
    except OSError as error:
        failure = unreachable(str(error))
    else:
        if answer:
            failure = UntrustedServer("no verified TLS: the server has none", tls.CURE)
        else:
            failure = unreachable("the server hung up")
    with suppress(OSError):
        line.close()
    raise failure


def _parameters(login: Login) -> dict[str, Any]:
    return {
        "user": login.username,
        "password": login.password,
        "database": login.dbname,
        "application_name": "rotators",
        "unix_sock": _NOWHERE,
        # The line has it already. Should the driver ever look at the mode, it is this one.
        "ssl": False,
        "sslmode": "verify-full",
        "tcp_keepalive": False,
        # No prepared statement stays, with a hash in it.
        "max_prepared_statements": 0,
    }


class _Asked(Exception):
    """The server has asked, which is all that was to be known."""

    def __init__(self, method: int) -> None:
        super().__init__(method)
        self.method = method


class _Line:
    """A socket that is connected already. Closing it ends it, whoever still has a file of it."""

    def __init__(self, line: Any) -> None:  # noqa: ANN401 a socket, plain or TLS's
        self._line = line
        self._files: list[Any] = []

    def makefile(self, mode: str) -> Any:  # noqa: ANN401 as a socket's
        file = self._line.makefile(mode)
        self._files.append(file)
        return file

    def close(self) -> None:
        for file in self._files:
            with suppress(OSError, ValueError):
                file.close()
        self._line.close()

    def connect(self, address: object) -> None:
        """It is."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 whatever a socket has
        return getattr(self._line, name)


class _Guard:
    """Comes before the driver's Connection: its line, and which questions are answered."""

    def __init__(self, line: _Line, *, only_asks: bool = False, **parameters: Any) -> None:  # noqa: ANN401
        self.method: int | None = None
        self._only_asks = only_asks
        self._own = line
        cast("Any", super()).__init__(**parameters)

    @property
    def _usock(self) -> _Line:
        return self._own

    @_usock.setter
    def _usock(self, line: socket.socket) -> None:
        line.close()  # one that the driver has made, and not connected

    def fileno(self) -> int:
        """The line's. Negative once it is closed."""
        return int(self._own.fileno())

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, cursor: object) -> None:  # noqa: N802
        """Answers only what shows a server that has the password's hash nothing new."""
        (method,) = struct.unpack_from(">i", data)
        if method == _OK:
            if self.method is None:
                raise untrusted_method(None)
        elif method not in (MD5, SHA256):
            raise untrusted_method(method)
        else:
            self.method = method
            if self._only_asks:
                raise _Asked(method)
        cast("Any", super()).handle_AUTHENTICATION_REQUEST(data, cursor)


@cache
def _guarded(connection: Any) -> Any:  # noqa: ANN401 the driver's
    return type("GuardedConnection", (_Guard, connection), {})
