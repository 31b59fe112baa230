"""A provider over HTTPS: one request, one answer, and never a second request by itself.

Whether a request had any effect decides what may be done next, so a failure before the first
byte was sent (ServerUnreachable, UntrustedServer) and one after it (AnswerLost) differ by type.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlencode, urlsplit

from rotators import tls
from rotators.errors import (
    AnswerLost,
    DeadlineExceeded,
    MisconfiguredSecret,
    ServerUnreachable,
    UntrustedServer,
)
from rotators.issued.answer import Answer, hidden
from rotators.issued.connecting import connect
from rotators.secret import Secret

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.redaction import Redactor

# Of the invocation's time, what is left for storing an answer.
STORE_SECONDS = 8.0
_CONNECT_SECONDS = 5.0
_LEAST_SECONDS = 1.0
_MOST_BYTES = 256 * 1024
_SENDABLE = re.compile(r"[\x21-\x7e]*")
_FORM = "application/x-www-form-urlencoded;charset=UTF-8"


class Provider:
    """Requests to ``base_url``. TLS is verified; plaintext only where ``plaintext`` allows it.

    All that is sent for authentication and all that comes back is hidden from logs, but for what
    says where, who and why.
    """

    def __init__(
        self,
        base_url: str,
        deadline: Deadline,
        redactor: Redactor,
        *,
        ca_bundle: Path | None = None,
        plaintext: bool = False,
    ) -> None:
        self._deadline = deadline
        self._redactor = redactor
        self._ca_bundle = ca_bundle
        url = _split(base_url)
        allowed = {"https", "http"} if plaintext else {"https"}
        if url is None or url.scheme not in allowed or not url.hostname or url.query:
            raise MisconfiguredSecret(
                f"base_url is {redactor.scrub(base_url)[:80]!r}",
                'Store an https URL without a query (http only beside "ssl": false).',
            )
        self._url = url

    def post(
        self,
        path: str,
        form: Mapping[str, str] | str,
        *,
        basic: tuple[str, str] | None = None,
        authorization: str | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """POSTs a form; a text is sent as it is.

        It is not sent unless there is time to store the answer, however long it took to connect;
        but with ``repeatable``, which says that nothing is lost with the answer. Raises
        ServerUnreachable, UntrustedServer, DeadlineExceeded: it was not sent. AnswerLost: it was.
        """
        body = form if isinstance(form, str) else urlencode(form)
        headers = {"Content-Type": _FORM, **self._authorization(basic, authorization)}
        return self._send("POST", path, body, headers, storing=not repeatable)

    def get_from(self, path: str, *, bearer: str) -> Answer:
        """GETs with a bearer token. Raises as ``post``."""
        headers = self._authorization(None, f"Bearer {bearer}")
        return self._send("GET", path, None, headers, storing=False)

    def url(self, path: str) -> str:
        """Where ``path`` is, for a signature."""
        return f"{self._url.scheme}://{self._url.netloc}{self._target(path)}"

    def _target(self, path: str) -> str:
        target = self._url.path.rstrip("/") + path
        if _SENDABLE.fullmatch(target):
            return target
        # What cannot be sent must not count as sent.
        raise MisconfiguredSecret(
            f"the path {_bare(target)[:80]!r} has characters that no URL has, or its parameters do",
            "Mend the paths that the secret with the keys names, and its tokens.",
        )

    def _authorization(self, basic: tuple[str, str] | None, other: str | None) -> Mapping[str, str]:
        if basic is not None:
            other = f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}"
        if other is None:
            return {}
        self._redactor.hide([other, other.partition(" ")[2]])
        return {"Authorization": other}

    def _send(
        self,
        method: str,
        path: str,
        body: str | None,
        headers: Mapping[str, str],
        *,
        storing: bool,
    ) -> Answer:
        headers = {"Accept": "application/json", "User-Agent": "rotators", **headers}
        target = self._target(path)
        _require_ascii(path, body or "", *headers.values())
        with (
            closing(self._connected(method)) as connection,
            self._ending(connection, path, storing=storing),
        ):
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            content = response.read(_MOST_BYTES)
            status = response.status
        return Answer(status, self._read(content), self._redactor.scrub)

    def _connected(self, method: str) -> HTTPConnection:
        host, port = str(self._url.hostname), self._url.port
        seconds = min(_CONNECT_SECONDS, self._deadline.remaining(f"{method} to {host}"))
        context = tls.context(self._ca_bundle) if self._url.scheme == "https" else None
        connection = (
            HTTPSConnection(host, port, context=context) if context else HTTPConnection(host, port)
        )
        try:
            connection.sock = connect(host, connection.port, seconds, context)
        except ssl.SSLCertVerificationError as error:
            raise UntrustedServer(
                f"the certificate of {host} is not trusted: {error.verify_message}", tls.CURE
            ) from None
        except (OSError, UnicodeError) as error:  # a name that no resolver takes
            raise ServerUnreachable(
                f"{host} cannot be reached: {error}",
                "Nothing was sent. In a VPC the function needs a NAT to reach a provider outside.",
            ) from None
        return connection

    @contextmanager
    def _ending(self, connection: HTTPConnection, path: str, *, storing: bool) -> Iterator[None]:
        """Ends the exchange in time, however slowly the answer drips."""
        path = _bare(path)
        seconds = self._deadline.remaining(path) - STORE_SECONDS
        if storing and seconds < _LEAST_SECONDS:
            raise DeadlineExceeded(
                f"after connecting to {self._url.hostname} too little of the function's time was"
                f" left for {path} and for storing its answer: nothing was sent",
                "Give the function a time-out of 60 s or more.",
            )
        seconds = max(_LEAST_SECONDS, seconds)
        connection.sock.settimeout(seconds)
        # Not the TLS socket's own: it waits for the other side.
        end = threading.Timer(seconds, _hang_up, [connection.sock])
        end.daemon = True
        end.start()
        try:
            yield
        except (OSError, HTTPException) as error:
            raise AnswerLost(
                f"{self._url.hostname} was sent {path}, but gave no whole answer"
                f" ({type(error).__name__}; {seconds:.0f} s were allowed)",
                "Secrets Manager will call again.",
            ) from None
        finally:
            end.cancel()

    def _read(self, content: bytes) -> Mapping[str, Any]:
        try:
            fields = json.loads(content)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(fields, dict):
            return {}
        self._redactor.hide_secret(Secret(hidden(fields)))
        return fields


def _split(base_url: str) -> SplitResult | None:
    """None for what is no URL that can be sent to."""
    try:
        url = urlsplit(base_url)
        _ = url.port  # raises ValueError, as urlsplit does
    except ValueError:
        return None
    return url if _SENDABLE.fullmatch(base_url) else None


def _require_ascii(path: str, *texts: str) -> None:
    if all(text.isascii() and text.isprintable() for text in texts):
        return
    raise MisconfiguredSecret(
        f"a token or key for {_bare(path)} has a line break, or a character that no token has",
        "Store it without; nothing was sent.",
    )


def _bare(path: str) -> str:
    """Without the parameters, of which one may be a token."""
    return path.partition("?")[0]


def _hang_up(connected: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
