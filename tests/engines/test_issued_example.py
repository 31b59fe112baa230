"""The example of docs/issued-credentials.md, held to the contract at a provider of its own."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from docs.examples.client_credentials import AcmeRotator
from rotators.settings import Settings
from rotators.testing.issued import IssuedContract

CLIENT, CLIENT_SECRET = "client", secrets.token_hex(16)


class Acme(ThreadingHTTPServer):
    """Issues as many tokens as it is asked for; all of them are good."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.tokens: set[str] = set()

    def issue(self) -> str:
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return token

    def answer(self, path: str, authorization: str) -> tuple[HTTPStatus, dict[str, str]]:
        scheme, _, rest = authorization.partition(" ")
        keys = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if path == "/oauth/token" and (scheme, rest) == ("Basic", keys):
            return HTTPStatus.OK, {"access_token": self.issue()}
        if path == "/me" and scheme == "Bearer" and rest in self.tokens:
            return HTTPStatus.OK, {}
        return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}


class Request(BaseHTTPRequestHandler):
    server: Acme

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        status, fields = self.server.answer(self.path, self.headers["Authorization"] or "")
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class AcmeTarget:
    def __init__(self, acme: Acme) -> None:
        self.acme = acme
        self.settings = Settings()
        self.admin: Mapping[str, Any] | None = {
            "client_id": CLIENT,
            "client_secret": CLIENT_SECRET,
            "base_url": f"http://127.0.0.1:{acme.server_port}",
            "ssl": False,
        }

    def new_secret(self) -> dict[str, Any]:
        return {"engine": "acme", "access_token": self.acme.issue()}

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return secret["access_token"] in self.acme.tokens


class TestAcme(IssuedContract):
    rotator = AcmeRotator
    calls = 15

    @pytest.fixture
    def target(self) -> Iterator[AcmeTarget]:
        with Acme() as acme:
            serving = threading.Thread(target=acme.serve_forever, args=(0.01,))
            serving.start()
            yield AcmeTarget(acme)
            acme.shutdown()
            serving.join()
