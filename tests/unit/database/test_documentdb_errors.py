"""What MongoDB, DocumentDB and PyMongo say, and what it means: by code, from strange servers."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidName,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
)

from rotators.database.documentdb import DocumentDB
from rotators.database.documentdb_client import close, options_for, within
from rotators.database.documentdb_errors import (
    has_code,
    login_failed,
    statement_failed,
    was_answered,
)
from rotators.database.login import Login
from rotators.deadline import RESERVE_SECONDS, Deadline
from rotators.errors import (
    AccountLocked,
    DriverMissing,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
)
from rotators.secret import Secret

LOGINS: dict[type[RotationError], tuple[int, ...]] = {
    LoginRefused: (11, 18, 8000),
    AccountLocked: (334,),
    # All else is no session, and never a wrong password.
    ServerUnreachable: (0, 2, 6, 13, 59, 89, 91, 10107, 9999),
}
STATEMENTS: dict[type[RotationError], tuple[int, ...]] = {
    PermissionMissing: (13,),
    ReadOnlyServer: (10058, 10107, 13435, 13436),
    MisconfiguredSecret: (11, 31),
    ServerUnreachable: (6, 7, 18, 24, 50, 89, 91, 112, 189, 262, 384, 9001, 11600, 11602),
    UnexpectedError: (0, 2, 9, 59, 115, 303, 51003, 99999),
}


def flat(table: dict[type[RotationError], tuple[int, ...]]) -> list[tuple[int, type]]:
    return [(code, kind) for kind, codes in table.items() for code in codes]


def answer(code: int) -> OperationFailure:
    said = "It says no."
    return OperationFailure(said, code, {"ok": 0.0, "errmsg": said, "code": code})


@pytest.mark.parametrize(("code", "kind"), flat(LOGINS))
def test_a_code_says_what_a_login_ended_with(code: int, kind: type[RotationError]) -> None:
    error = login_failed(answer(code))
    assert type(error) is kind
    assert error.found.endswith(f"the server says: It says no ({code})")
    assert error.cure


@pytest.mark.parametrize(("code", "kind"), flat(STATEMENTS))
def test_a_code_says_what_a_command_ended_with(code: int, kind: type[RotationError]) -> None:
    error = statement_failed(answer(code))
    assert type(error) is kind
    assert has_code(error, 7777, code)
    assert not has_code(error, code + 1)
    assert was_answered(error)
    assert error.cure


@pytest.mark.parametrize(("code", "kind"), [(10107, ReadOnlyServer), (189, ServerUnreachable)])
def test_what_the_driver_takes_for_a_broken_line_is_told_by_its_code(
    code: int, kind: type[RotationError]
) -> None:
    error = statement_failed(NotPrimaryError("not primary", {"errmsg": "no", "code": code}))
    assert type(error) is kind


DRIVERS: dict[str, tuple[Exception, type[RotationError]]] = {
    "time": (NetworkTimeout("localhost:1: timed out"), ServerUnreachable),
    "line": (AutoReconnect("localhost:1: connection closed"), ServerUnreachable),
    "slow TLS": (
        NetworkTimeout("SSL handshake failed: localhost:1: The handshake operation timed out"),
        ServerUnreachable,
    ),
    "no TLS": (
        AutoReconnect("SSL handshake failed: localhost:1: [Errno 104] Connection reset by peer"),
        UntrustedServer,
    ),
    "no trust": (
        AutoReconnect("localhost:1: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"),
        UntrustedServer,
    ),
    "no proof": (OperationFailure("Server returned an invalid signature."), UntrustedServer),
    "old": (ConfigurationError("Server at x reports wire version 7, but"), DriverMissing),
    "SASLprep": (ValueError("SASLprep: failed prohibited character check"), LoginRefused),
    "no text": (TimeoutError(), ServerUnreachable),
    "nonsense": (KeyError("payload"), ServerUnreachable),
}


@pytest.mark.parametrize(("said", "kind"), DRIVERS.values(), ids=DRIVERS)
def test_what_the_driver_says_of_a_login(said: Exception, kind: type[RotationError]) -> None:
    error = login_failed(said)
    assert type(error) is kind
    assert error.cure
    assert "\n" not in error.found


def test_what_the_driver_says_of_a_command() -> None:
    assert type(statement_failed(InvalidName("a.b"))) is MisconfiguredSecret
    broken = statement_failed(AutoReconnect("x:1: closed (configured timeouts: connect: 1ms)"))
    assert type(broken) is ServerUnreachable
    assert broken.found.endswith("x:1: closed")
    assert type(statement_failed(TimeoutError())) is ServerUnreachable
    defect = statement_failed(bson.errors.InvalidDocument("cannot encode: hunter2"))
    assert type(defect) is UnexpectedError
    assert not was_answered(defect)
    assert "hunter2" not in str(defect)


# ── the client ──


def login(**fields: Any) -> Login:
    user = {"engine": "mongo", "host": "localhost", "username": "app", "password": "hunter2"}
    return Login.of(Secret.parse(json.dumps({**user, **fields})), DocumentDB)


def test_what_the_driver_is_told() -> None:
    options = options_for(login(dbname="app"), "app", "/ca.pem", 20)
    assert options["connect"] is True, "on Lambda, PyMongo would not begin by itself"
    assert options["directConnection"] is True
    assert options["retryWrites"] is False
    assert options["authSource"] == "app"
    assert options["appname"] == "rotators"
    assert (options["tls"], options["tlsCAFile"]) == (True, "/ca.pem")
    assert "authMechanism" not in options
    assert {key: options[key] for key in options if key.endswith("TimeoutMS")} == {
        "serverSelectionTimeoutMS": 20_000,
        "socketTimeoutMS": 20_000,
        "connectTimeoutMS": 10_000,
    }
    plain = options_for(login(ssl=False, host="::1"), "admin", None, 0.0001)
    assert plain["tls"] is False
    assert plain["host"] == "[::1]"
    assert plain["connectTimeoutMS"] == 1


def test_a_call_that_takes_too_long_is_left_to_itself() -> None:
    ended = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.05, lambda: ended.wait(10))
    assert time.monotonic() - began < 1
    ended.set()
    assert within(1, lambda: 7) == 7
    with pytest.raises(KeyError, match="x"):
        within(1, lambda: dict[str, int]()["x"])


def test_a_farewell_never_raises_and_never_takes_long() -> None:
    class Stuck:
        def close(self) -> None:
            ended.wait(10)

    ended = threading.Event()
    began = time.monotonic()
    close(Stuck())
    close(None)
    assert time.monotonic() - began < 2
    ended.set()


@contextlib.contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A server that says the same to whatever it hears, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line = listening.accept()[0]
                    with line:
                        asked = line.recv(4096)
                        line.sendall(data[:8] + asked[4:8] + data[12:])

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def reply(**document: object) -> bytes:
    body = (0).to_bytes(4, "little") + b"\0" + bson.encode(document)
    head = [len(body) + 16, 1, 1, 2013]
    return b"".join(number.to_bytes(4, "little") for number in head) + body


STRANGE: dict[str, tuple[bytes, type[RotationError]]] = {
    "nothing": (b"", ServerUnreachable),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", ServerUnreachable),
    "too old": (reply(ok=1.0, maxWireVersion=7, minWireVersion=0), DriverMissing),
    "no": (reply(ok=0.0, errmsg="no", code=13), ServerUnreachable),
    "half": (reply(ok=1.0)[:20], ServerUnreachable),
}


@pytest.mark.parametrize(("data", "kind"), STRANGE.values(), ids=STRANGE)
@pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost"])
@pytest.mark.enable_socket
def test_a_strange_server_ends_in_an_error_of_ours(data: bytes, kind: type[RotationError]) -> None:
    with answering(data) as port:
        value = login(host="127.0.0.1", port=port, ssl=False)
        began = time.monotonic()
        with pytest.raises(RotationError) as caught:
            DocumentDB().open(value, Deadline.after(3 + RESERVE_SECONDS))
        assert time.monotonic() - began < 3.5
    assert type(caught.value) is kind
    assert "hunter2" not in str(caught.value)
