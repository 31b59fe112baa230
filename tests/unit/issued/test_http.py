"""One request to a provider: to whom it is sent, when its answer is lost, what is never shown."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from rotators.deadline import Deadline
from rotators.errors import (
    AnswerLost,
    DeadlineExceeded,
    MisconfiguredSecret,
    ServerUnreachable,
    UntrustedServer,
)
from rotators.issued import connecting as connecting_of_providers
from rotators.issued import http
from rotators.issued.answer import Answer
from rotators.issued.http import STORE_SECONDS, Provider
from rotators.redaction import REDACTED, Redactor
from rotators.testing.twitter import TwitterServer

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.testing.certificates import Certificates, KeyPair

KEYS = ("an-api-key", "an-api-key-secret")
BASIC = b64encode(b"an-api-key:an-api-key-secret").decode()
SIGNED = 'OAuth oauth_nonce="1", oauth_signature="c2lnbmF0dXJl%3D"'
TOKEN = "AAAA%2FBBBB%3DCCCC"
NEW_TOKEN = "DDDD%2FEEEE%3DFFFF"
FORM = {"grant_type": "client_credentials", "odd": "a b&c/d"}
ENCODED = b"grant_type=client_credentials&odd=a+b%26c%2Fd"
# Of the invocation's time: what is kept for storing, and the least that is waited for an answer.
LEFT = STORE_SECONDS + 1
# A machine that does other things meanwhile.
SLACK = 1.5

Play = Callable[["Spoken"], None]


@dataclass
class Spoken:
    """A connection to a server of a test, and the request that came over it."""

    socket: socket.socket
    request: bytes
    over: threading.Event

    def send(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # the client may have had enough
            self.socket.sendall(content)

    def drip(self, content: bytes, *, after: bytes = b"") -> None:
        self.send(after)
        for byte in content:
            if self.over.wait(0.05):
                return
            self.send(bytes([byte]))

    def pour(self, content: bytes, *, after: bytes = b"") -> None:
        """The same again and again, until the client hangs up, or surely should have."""
        self.send(after)
        end = time.monotonic() + 4
        with contextlib.suppress(OSError):
            while not self.over.is_set() and time.monotonic() < end:
                self.socket.sendall(content)

    def wait(self, *, after: bytes = b"") -> None:
        self.send(after)
        with contextlib.suppress(OSError):
            self.socket.recv(1)


@dataclass
class Server:
    """Plays one part on every connection, and keeps what it is sent. Plain, or TLS."""

    play: Play
    tls: KeyPair | None = None
    patience: float = 5
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Server:
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._listening.close()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                connected, _ = self._listening.accept()
                self.connections += 1
                with self._wrapped(connected) as spoken:
                    self._answer(spoken)

    def _wrapped(self, connected: socket.socket) -> socket.socket:
        connected.settimeout(5)
        if self.tls is None:
            return connected
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        return context.wrap_socket(connected, server_side=True)

    def _answer(self, connected: socket.socket) -> None:
        received = b""
        self.requests.append(received)
        while not _whole(received):
            received += (more := connected.recv(65536))
            self.requests[-1] = received
            connected.settimeout(self.patience)  # from its first word on
            if not more:
                return
        self.play(Spoken(connected, received, self._over))


def _whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return bool(end) and len(body) >= (int(length[0].split(b":")[1]) if length else 0)


def encoded(status: int, body: bytes, *others: str, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {length}", *others, "\r\n"]
    return "\r\n".join(lines).encode() + body


def answering(status: int, body: object, *others: str) -> Play:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda spoken: spoken.send(encoded(status, content, *others))


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def provider(redactor: Redactor) -> Callable[..., Provider]:
    def make(url: str, ca: Path | None = None, *, left: float = 60) -> Provider:
        deadline = Deadline(time.monotonic() + left)
        return Provider(url, deadline, redactor, ca_bundle=ca, plaintext=url.startswith("http:"))

    return make


Make = Callable[..., Provider]


# ── where a request goes ──


@pytest.mark.parametrize(
    ("base_url", "plaintext"),
    [
        ("http://api.example", False),
        ("ftp://api.example", True),
        ("ftp://api.example", False),
        ("api.example", False),
        ("//api.example", False),
        ("", False),
        ("https://", False),
        ("https:///oauth2", False),
        ("https://:443", False),
        ("https://api.example?to=elsewhere", False),
        ("https://api.example/?a=b", False),
        ("http://api.example?a=b", True),
        ("https://api.example:port", False),
        ("https://api.example:99999", False),
        ("https://[::1", False),
        ("https://api example", False),
        ("https://api.example/a b", False),
        ("https://api.example/\u20ac", False),
        ("https://api.example\r\nA: b", False),
    ],
)
def test_an_address_that_is_no_https_url_is_refused(
    redactor: Redactor, base_url: str, plaintext: bool
) -> None:
    with pytest.raises(MisconfiguredSecret, match="base_url is") as caught:
        Provider(base_url, Deadline.after(30), redactor, plaintext=plaintext)
    assert repr(base_url) in caught.value.found
    assert "https URL without a query" in caught.value.cure


def test_a_long_address_is_told_in_part_and_a_hidden_one_not(redactor: Redactor) -> None:
    address = "http://" + "x" * 4000
    with pytest.raises(MisconfiguredSecret) as caught:
        Provider(address, Deadline.after(30), redactor)
    assert len(caught.value.found) < 120
    redactor.hide([address])
    with pytest.raises(MisconfiguredSecret) as caught:
        Provider(address, Deadline.after(30), redactor)
    assert caught.value.found == f"base_url is {REDACTED!r}"


@pytest.mark.parametrize("path", ["/a b", "/a\nb", "/\u20ac", "/a?access_token=AAAA BBBB"])
def test_what_cannot_be_sent_is_not_sent_and_does_not_count_as_sent(
    provider: Make, path: str
) -> None:
    with Server(answering(200, {})) as server, pytest.raises(MisconfiguredSecret) as caught:
        provider(server.url).post(path, FORM, basic=KEYS)
    assert server.connections == 0
    assert "has characters that no URL has" in caught.value.found
    assert "AAAA" not in caught.value.found


def test_a_host_that_no_resolver_takes_is_unreachable(provider: Make) -> None:
    with pytest.raises(ServerUnreachable):
        provider("http://" + "x" * 70 + ".example").post("/x", FORM)


@pytest.mark.parametrize("base_url", ["https://api.example", "http://api.example"])
def test_plaintext_only_where_it_is_allowed_and_tls_always(
    redactor: Redactor, base_url: str
) -> None:
    Provider(base_url, Deadline.after(30), redactor, plaintext=True)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.example", "https://api.example/2/token"),
        ("https://api.example/", "https://api.example/2/token"),
        ("https://api.example:8443/proxy/", "https://api.example:8443/proxy/2/token"),
        ("https://API.example", "https://API.example/2/token"),
    ],
)
def test_a_path_is_put_behind_the_address(redactor: Redactor, base_url: str, url: str) -> None:
    assert Provider(base_url, Deadline.after(30), redactor).url("/2/token") == url


# ── what is sent ──


def test_a_form_is_posted_with_basic(provider: Make) -> None:
    with Server(answering(200, {"token_type": "bearer", "access_token": NEW_TOKEN})) as server:
        answer = provider(server.url + "/proxy/").post("/oauth2/token", FORM, basic=KEYS)
    assert answer.status == 200
    assert answer.text("access_token") == NEW_TOKEN
    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /proxy/oauth2/token HTTP/1.1\r\n")
    lines = head.split(b"\r\n")
    assert f"Authorization: Basic {BASIC}".encode() in lines
    assert b"Content-Type: application/x-www-form-urlencoded;charset=UTF-8" in lines
    assert b"Accept: application/json" in lines
    assert body == ENCODED


def test_a_text_is_posted_as_it_is_and_without_authorization(provider: Make) -> None:
    with Server(answering(200, {})) as server:
        provider(server.url).post("/x", f"access_token={TOKEN}")
    (request,) = server.requests
    assert request.endswith(b"\r\n\r\naccess_token=AAAA%2FBBBB%3DCCCC")
    assert b"authorization" not in request.lower()


def test_an_authorization_is_sent_as_it_is(provider: Make) -> None:
    with Server(answering(200, {})) as server:
        provider(server.url).post("/x?y=z", "", authorization=SIGNED)
    assert server.requests[0].startswith(b"POST /x?y=z HTTP/1.1\r\n")
    assert f"\r\nAuthorization: {SIGNED}\r\n".encode() in server.requests[0]


def test_a_get_carries_a_bearer_and_no_body(provider: Make) -> None:
    with Server(answering(200, {"data": {}})) as server:
        assert provider(server.url).get_from("/me", bearer=TOKEN).fields == {"data": {}}
    assert server.requests[0].startswith(b"GET /me HTTP/1.1\r\n")
    assert f"\r\nAuthorization: Bearer {TOKEN}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(provider: Make, status: int) -> None:
    with (
        Server(answering(200, {"access_token": NEW_TOKEN})) as elsewhere,
        Server(answering(status, {}, f"Location: {elsewhere.url}/x")) as server,
    ):
        answer = provider(server.url).post("/x", FORM, basic=KEYS)
        with pytest.raises(AnswerLost):
            answer.text("access_token")
    assert answer.status == status
    assert (server.connections, elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_invites_to_ask_again_is_asked_for_once(provider: Make, status: int) -> None:
    with Server(answering(status, {}, "Retry-After: 0")) as server:
        assert provider(server.url).post("/x", FORM).status == status
    assert server.connections == 1


# ── to whom it is not sent ──


def test_a_server_of_the_right_authority_is_asked(
    provider: Make, certificates: Certificates
) -> None:
    with TwitterServer(tls=certificates.server) as x:
        assert provider(x.base_url, certificates.ca).post("/oauth2/token", FORM).status == 403
    assert len(x.calls) == 1


@pytest.mark.parametrize("fault", ["authority", "name"])
def test_a_server_that_cannot_be_verified_is_sent_nothing(
    provider: Make, certificates: Certificates, fault: str
) -> None:
    tls = certificates.wrong_name if fault == "name" else certificates.server
    ca = certificates.unrelated_ca if fault == "authority" else certificates.ca
    with TwitterServer(tls=tls) as x, pytest.raises(UntrustedServer) as caught:
        provider(x.base_url, ca).post("/oauth2/token", FORM, basic=KEYS)
    assert x.calls == []
    assert "the certificate of localhost is not trusted" in caught.value.found
    assert "ROTATION_CA_BUNDLE" in caught.value.cure
    assert caught.value.__suppress_context__


def test_a_server_that_speaks_no_tls_is_sent_nothing(
    provider: Make, certificates: Certificates
) -> None:
    with Server(answering(200, {}), patience=0.2) as server:
        asked = provider(f"https://localhost:{server.port}", certificates.ca)
        with pytest.raises(ServerUnreachable) as caught:
            asked.post("/x", f"access_token={TOKEN}", basic=KEYS)
    sent = b"".join(server.requests)
    assert sent
    assert not [text for text in (TOKEN, BASIC, "POST") if text.encode() in sent]
    assert "Nothing was sent" in caught.value.cure


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_where_nobody_listens_nothing_is_sent(
    provider: Make, certificates: Certificates, scheme: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1 cannot be reached") as caught:
            provider(url, certificates.ca).post("/x", FORM, basic=KEYS)
    assert "Nothing was sent" in caught.value.cure
    assert "NAT" in caught.value.cure
    assert caught.value.__suppress_context__


def test_a_handshake_that_does_not_come_is_waited_for_briefly(
    provider: Make, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.2)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = provider(f"https://localhost:{silent.getsockname()[1]}", certificates.ca)
        with pytest.raises(ServerUnreachable):
            asked.post("/x", FORM, basic=KEYS)
    assert time.monotonic() - began < 0.2 + SLACK


SILENT = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")  # RFC 5737: nobody's
FOREIGN = ("192.0.2.5", 80)
NO_FAMILY = 999


@dataclass
class Resolved:
    """A name with these addresses, of which the silent ones swallow what is sent to them.

    Its clock goes on by what is waited for them, and by nothing else.
    """

    addresses: tuple[tuple[str, int], ...]
    asked: int = 0
    waits: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return sum(self.waits)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = socket.socket.connect

        def getaddrinfo(*_: object, **__: object) -> list[tuple[Any, ...]]:
            self.asked += 1
            kind = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
            return [
                (NO_FAMILY if address == FOREIGN else socket.AF_INET, *kind, address)
                for address in self.addresses
            ]

        def connect(connecting: socket.socket, address: tuple[str, int]) -> None:
            if address[0] not in SILENT:
                return real(connecting, address)
            self.waits.append(connecting.gettimeout() or 0)
            raise TimeoutError("timed out")

        monkeypatch.setattr(connecting_of_providers, "time", self)
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", connect)


def test_all_addresses_together_are_waited_for_no_longer_than_one(
    provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.2)
    resolved = Resolved(tuple((address, 443) for address in SILENT))
    resolved.patch(monkeypatch)
    with pytest.raises(ServerUnreachable, match="timed out"):
        provider("https://api.example").post("/x", FORM, basic=KEYS)
    assert resolved.asked == 1
    assert len(resolved.waits) == len(SILENT)
    assert sum(resolved.waits) == pytest.approx(0.2)


def test_a_silent_address_leaves_the_next_one_its_time(
    provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 1.0)
    with Server(answering(200, {"access_token": NEW_TOKEN})) as server:
        resolved = Resolved(((SILENT[0], 80), ("127.0.0.1", server.port)))
        resolved.patch(monkeypatch)
        assert ask(provider("http://api.example:8080")) == NEW_TOKEN
    assert resolved.waits[0] <= 0.5
    assert b"\r\nHost: api.example:8080\r\n" in server.requests[0]


def test_an_address_of_a_family_that_the_kernel_lacks_is_passed_over(
    provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(answering(200, {"access_token": NEW_TOKEN})) as server:
        resolved = Resolved((FOREIGN, ("127.0.0.1", server.port)))
        resolved.patch(monkeypatch)
        assert ask(provider("http://api.example:8080")) == NEW_TOKEN


def test_a_name_without_an_address_is_unreachable(
    provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Resolved(()).patch(monkeypatch)
    with pytest.raises(ServerUnreachable, match="has no address"):
        provider("https://api.example").post("/x", FORM)


def test_a_look_up_that_took_all_the_time_leaves_none_to_connect(
    provider: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", -1.0)
    resolved = Resolved(((SILENT[0], 443),))
    resolved.patch(monkeypatch)
    with pytest.raises(ServerUnreachable, match="timed out"):
        provider("https://api.example").post("/x", FORM)
    assert resolved.waits == []


def test_a_handshake_that_drips_is_waited_for_briefly(
    provider: Make, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_CONNECT_SECONDS", 0.3)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connected, _ = listening.accept()
        with connected, contextlib.suppress(OSError):
            connected.recv(4096)
            connected.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB is to come
            while not over.wait(0.05):
                connected.sendall(b"\0")

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:
        dripping = threads.submit(drip, listening)
        asked = provider(f"https://localhost:{listening.getsockname()[1]}", certificates.ca)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable):
            asked.post("/x", FORM, basic=KEYS)
        waited = time.monotonic() - began
        over.set()
        dripping.result()
    assert waited < 0.3 + SLACK


def test_without_time_nobody_is_connected_to(provider: Make) -> None:
    with Server(answering(200, {})) as server, pytest.raises(DeadlineExceeded):
        provider(server.url, left=0).post("/x", FORM)
    assert server.connections == 0


# ── answers that are lost ──


def _drop(spoken: Spoken) -> None:
    """The connection ends as it does when a proxy or a process dies."""
    spoken.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


WHOLE = json.dumps({"access_token": NEW_TOKEN}).encode()
CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
QUICK: dict[str, Play] = {
    "closed at once": lambda spoken: None,
    "reset at once": _drop,
    "no HTTP": lambda spoken: spoken.send(b"what?\r\n\r\n"),
    "half a status line": lambda spoken: spoken.send(b"HTTP/1.1 20"),
    "half the headers": lambda spoken: spoken.send(b"HTTP/1.1 200 X\r\nContent-Type: appl"),
    "too long a header": lambda spoken: spoken.send(b"HTTP/1.1 200 X\r\nA: " + b"b" * 70_000),
    "too many headers": lambda spoken: spoken.send(b"HTTP/1.1 200 X\r\n" + b"a: b\r\n" * 200),
    "no body": lambda spoken: spoken.send(encoded(200, b"", length=20)),
    "a truncated body": lambda spoken: spoken.send(encoded(200, WHOLE[:-3], length=len(WHOLE))),
    "a truncated body of no length": lambda spoken: spoken.send(b"HTTP/1.1 200 X\r\n\r\n{"),
    "a truncated chunk": lambda spoken: spoken.send(CHUNKED + b"ff\r\n" + WHOLE),
    "a chunk of no size": lambda spoken: spoken.send(CHUNKED + b"zz\r\n" + WHOLE),
    "an empty body": answering(200, b""),
    "a page": answering(200, b"<html>gateway</html>"),
    "a list": answering(200, [{"access_token": NEW_TOKEN}]),
    "a text": answering(200, "access_token"),
    "no text": answering(200, {"access_token": 7}),
    "an empty text": answering(200, {"access_token": ""}),
    "null": answering(200, {"access_token": None}),
    "another key": answering(200, {"token": NEW_TOKEN}),
    "too nested": answering(200, b'{"a":' * 100_000),
    "a number too long": answering(200, b'{"access_token": ' + b"9" * 5000 + b"}"),
    "no text at all": answering(200, b"\xff\xfe\x00\xd8"),
    "too large": answering(200, {"pad": "x" * 300_000, "access_token": NEW_TOKEN}),
    "endless": lambda spoken: spoken.pour(
        b"x" * 65536, after=b'HTTP/1.1 200 X\r\n\r\n{"access_token": "'
    ),
}
SLOW: dict[str, Play] = {
    "silence": lambda spoken: spoken.wait(),
    "a dripping status line": lambda spoken: spoken.drip(b"HTTP/1.1 200 X" + b" " * 200),
    "dripping headers": lambda spoken: spoken.drip(b"HTTP/1.1 200 X\r\nA: " + b"b" * 200),
    "continue, and again": lambda spoken: spoken.pour(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence after the headers": lambda spoken: spoken.wait(after=encoded(200, b"", length=20)),
    "a dripping body": lambda spoken: spoken.drip(
        b" " * 200 + WHOLE, after=encoded(200, b"", length=200 + len(WHOLE))
    ),
    "dripping chunks": lambda spoken: spoken.drip(b"1\r\n \r\n" * 50, after=CHUNKED),
}


def ask(asked: Provider, *, repeatable: bool = False) -> str:
    answer = asked.post("/oauth2/token", FORM, basic=KEYS, repeatable=repeatable)
    return answer.text("access_token")


@pytest.mark.parametrize("kind", QUICK)
def test_an_answer_that_says_nothing_is_lost_and_not_asked_for_again(
    provider: Make, kind: str
) -> None:
    began = time.monotonic()
    with Server(QUICK[kind]) as server:
        with pytest.raises(AnswerLost) as caught:
            ask(provider(server.url))
        assert time.monotonic() - began < 1 + SLACK
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert server.connections == 1
    assert server.requests[0].endswith(ENCODED)


@pytest.mark.parametrize("over", ["plaintext", "TLS"])
def test_an_answer_that_does_not_come_to_an_end_is_lost_in_time_to_say_so(
    provider: Make, certificates: Certificates, over: str
) -> None:
    def lost(server: Server) -> tuple[BaseException | None, float]:
        began = time.monotonic()
        try:
            ask(provider(server.url, certificates.ca, left=LEFT), repeatable=True)
        except AnswerLost as error:
            return error, time.monotonic() - began
        return None, 0

    tls = certificates.server if over == "TLS" else None
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(SLOW)) as threads:
        servers = {kind: stack.enter_context(Server(play, tls)) for kind, play in SLOW.items()}
        ends = dict(zip(SLOW, threads.map(lost, servers.values()), strict=True))
    for kind, (error, waited) in ends.items():
        assert isinstance(error, AnswerLost), kind
        assert 0.8 < waited < 1 + SLACK, kind
        assert servers[kind].connections == 1
        assert servers[kind].requests[0].endswith(ENCODED)
    assert "; 1 s were allowed)" in str(ends["silence"][0])


@pytest.mark.parametrize("kind", ["closed at once", "a truncated body", "endless"])
def test_over_tls_at_once(provider: Make, certificates: Certificates, kind: str) -> None:
    with Server(QUICK[kind], tls=certificates.server) as server, pytest.raises(AnswerLost):
        ask(provider(server.url, certificates.ca))
    assert server.connections == 1


def test_without_time_to_store_the_answer_it_is_sent_only_if_it_can_be_repeated(
    provider: Make,
) -> None:
    with Server(answering(200, {"access_token": NEW_TOKEN})) as server:
        with pytest.raises(DeadlineExceeded) as caught:
            ask(provider(server.url, left=STORE_SECONDS))
        assert not any(server.requests)
        assert ask(provider(server.url, left=STORE_SECONDS), repeatable=True) == NEW_TOKEN
        provider(server.url, left=STORE_SECONDS).get_from("/me", bearer=TOKEN)
    assert "nothing was sent" in caught.value.found
    assert "for storing its answer" in caught.value.found


def test_the_more_time_there_is_the_longer_an_answer_is_waited_for(provider: Make) -> None:
    def slowly(spoken: Spoken) -> None:
        spoken.over.wait(1.2)
        spoken.send(encoded(200, WHOLE))

    with Server(slowly) as server:
        assert ask(provider(server.url, left=STORE_SECONDS + 5)) == NEW_TOKEN


def test_the_clock_of_an_answer_that_came_stops(provider: Make) -> None:
    before = threading.active_count()
    with Server(answering(200, {"access_token": NEW_TOKEN})) as server:
        ask(provider(server.url))
        # This server's own is one; the clock's would go on for 52 seconds.
        end = time.monotonic() + 10
        while threading.active_count() > before + 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert threading.active_count() <= before + 1


# ── what an answer says ──


def test_an_answer_does_not_show_its_fields() -> None:
    assert NEW_TOKEN not in repr(Answer(200, {"access_token": NEW_TOKEN}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "HTTP 403"),
        ({"errors": [{"code": 99, "message": "Unable."}]}, "HTTP 403: 99: Unable"),
        ({"error": "invalid_request", "error_description": "D."}, "HTTP 403: invalid_request: D"),
        ({"title": "Forbidden", "detail": "No."}, "HTTP 403: No"),
        ({"errors": []}, "HTTP 403"),
        ({"errors": "no list", "error": "e"}, "HTTP 403: e"),
        ({"errors": ["no object"], "error": "e"}, "HTTP 403: e"),
        ({"error": {"odd": 1}}, "HTTP 403: {'odd': 1}"),
    ],
)
def test_a_refusal_is_told_in_the_providers_words(fields: dict[str, Any], said: str) -> None:
    assert Answer(403, fields).said == said


def test_a_provider_that_talks_is_cut_short() -> None:
    assert len(Answer(500, {"message": "x" * 10_000, "error": "y" * 10_000}).said) < 450


def test_what_is_hidden_is_hidden_before_it_is_cut(provider: Make) -> None:
    said = {"message": "x" * 185 + f" {BASIC} {NEW_TOKEN}", "access_token": NEW_TOKEN}
    with Server(answering(403, said)) as server:
        answer = provider(server.url).post("/x", FORM, basic=KEYS)
    assert BASIC[:8] not in answer.said
    assert answer.said.startswith("HTTP 403: xxx")
    assert "said" not in repr(answer)


def test_a_missing_text_says_which_and_what_it_means() -> None:
    with pytest.raises(AnswerLost) as caught:
        Answer(200, {"token_type": "bearer", "refresh_token": NEW_TOKEN}).text("access_token")
    assert caught.value.found == "the provider's answer (HTTP 200) has no text 'access_token'"
    assert "has changed its API" in caught.value.cure


# ── what is hidden ──


def hidden(redactor: Redactor, *texts: str) -> None:
    for text in texts:
        assert redactor.scrub(f"said: {text}") == f"said: {REDACTED}"


def test_what_authenticates_is_hidden_before_it_is_sent(provider: Make, redactor: Redactor) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        unreachable = pytest.raises(ServerUnreachable)
        with unreachable:
            provider(url).post("/x", FORM, basic=KEYS)
        with unreachable:
            provider(url).post("/x", "", authorization=SIGNED)
        with unreachable:
            provider(url).get_from("/x", bearer=TOKEN)
    hidden(redactor, f"Basic {BASIC}", BASIC, f"Bearer {TOKEN}", TOKEN)
    hidden(redactor, SIGNED, SIGNED.removeprefix("OAuth "))


@pytest.mark.parametrize("status", [200, 400, 500])
def test_every_token_of_an_answer_is_hidden_at_once(
    provider: Make, redactor: Redactor, status: int
) -> None:
    issued = {
        "access_token": NEW_TOKEN,
        "refresh_token": "refresh-1",
        "id_token": {"nested": ["nested-1"]},
        "Token": "token-1",
        "token_type": "bearer",
        "scope": "tweet.read",
    }
    with Server(answering(status, issued)) as server:
        assert provider(server.url).post("/x", FORM).fields == issued
    hidden(redactor, NEW_TOKEN, "refresh-1", "nested-1", "token-1")
    assert redactor.scrub("bearer tweet.read") == "bearer tweet.read"


@pytest.mark.parametrize(
    "issued",
    [
        {"api_key": "NEW-0123456789"},
        {"client_secret": "NEW-0123456789"},
        {"password": "NEW-0123456789"},
        {"data": {"access_token": "NEW-0123456789", "token_type": "bearer"}},
        {"keys": [{"value": "NEW-0123456789", "username": "app"}]},
        {"error": {"debug": ["NEW-0123456789"]}},
        {"id": 123456789, "data": {"data": {"data": ["NEW-0123456789"]}}},
    ],
)
def test_whatever_an_answer_calls_its_values_they_are_hidden(
    provider: Make, redactor: Redactor, issued: dict[str, Any]
) -> None:
    with Server(answering(200, issued)) as server:
        answer = provider(server.url).post("/keys", {})
    assert "0123456789" not in redactor.scrub(f"the answer was {answer.fields}")
    assert redactor.scrub("the app's bearer") == "the app's bearer"


def test_how_a_provider_explains_a_refusal_is_shown(provider: Make) -> None:
    refused = {
        "title": "Unauthorized",
        "type": "about:blank",
        "status": 401,
        "detail": "Unauthorized",
        "errors": [{"code": 32, "message": "Could not authenticate you.", "label": "bad_auth"}],
    }
    with Server(answering(401, refused)) as server:
        assert (
            provider(server.url).post("/x", FORM).said == "HTTP 401: 32: Could not authenticate you"
        )
    del refused["errors"]
    with Server(answering(401, refused)) as server:
        assert provider(server.url).post("/x", FORM).said == "HTTP 401: Unauthorized"


def test_a_password_of_an_answer_is_hidden_however_short(
    provider: Make, redactor: Redactor
) -> None:
    with Server(answering(200, {"data": {"newPassword": "a-b"}})) as server:
        provider(server.url).post("/x", FORM)
    hidden(redactor, "a-b")


@pytest.mark.parametrize("kind", ["closed at once", "a truncated body", "no HTTP"])
def test_a_lost_answer_shows_nothing_of_the_request(provider: Make, kind: str) -> None:
    path, form = f"/x?access_token={TOKEN}", {"refresh_token": "refresh-1"}
    with Server(QUICK[kind]) as server, pytest.raises(AnswerLost) as caught:
        provider(server.url).post(path, form, basic=KEYS).text("access_token")
    for text in ("refresh-1", *KEYS, BASIC, TOKEN):
        assert text not in f"{caught.value} {caught.value!r}"
