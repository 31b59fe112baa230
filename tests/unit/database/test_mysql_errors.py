"""What MySQL, MariaDB and PyMySQL say, and what it means: by number, and from strange servers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from random import Random

import pymysql
import pytest
from pymysql import _auth

from rotators.database.login import Login
from rotators.database.mariadb import MariaDB
from rotators.database.mysql import MySQL
from rotators.database.mysql_errors import (
    has_code,
    library_missing,
    login_failed,
    statement_failed,
    wants_cleartext,
)
from rotators.database.pymysql_engine import PyMySQLEngine
from rotators.deadline import RESERVE_SECONDS, Deadline
from rotators.errors import (
    AccountLocked,
    DriverMissing,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
    VerifierRefused,
)

# ── numbers ──

LOGINS: dict[type[RotationError], tuple[int, ...]] = {
    LoginRefused: (1045, 1698),
    AccountLocked: (
        *(3118, 3955, 4150, 4151, 1129),
        *(1820, 1862),
        *(1251, 1524, 2058, 2059, 2061),
    ),
    PermissionMissing: (1044, 1049),
    UntrustedServer: (3159, 2026),
    # All else is no session, and never a wrong password.
    ServerUnreachable: (0, 1040, 1053, 1064, 1203, 1226, 1290, 2003, 2006, 2012, 2013, 9999),
}
STATEMENTS: dict[type[RotationError], tuple[int, ...]] = {
    AccountLocked: (1820, 1862),
    ReadOnlyServer: (1792, 1836, 1874),
    ValueRefused: (1819, 3638, 1372),
    PermissionMissing: (
        *(1044, 1045, 1141, 1142, 1143, 1227, 1290, 1370, 1403, 1410, 1698, 1699),
        *(3879, 3891, 3892, 4061),
    ),
    ServerUnreachable: (
        *(0, 1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1206, 1213, 1226, 1317, 3024),
        *(2003, 2006, 2013, 2026, 2999),
    ),
    UnexpectedError: (1064, 1146, 1396, 3000, 9999),
}


def flat(table: dict[type[RotationError], tuple[int, ...]]) -> list[tuple[int, type]]:
    return [(code, kind) for kind, codes in table.items() for code in codes]


@pytest.mark.parametrize(("code", "kind"), flat(LOGINS))
def test_a_number_says_what_a_login_ended_with(code: int, kind: type[RotationError]) -> None:
    error = login_failed(pymysql.OperationalError(code, "It says no."))
    assert type(error) is kind
    assert ("the statement is not" if code == 1064 else "It says no") in error.found
    assert error.cure


@pytest.mark.parametrize("code", [1040, 1203, 1226])
def test_a_login_too_many_is_told_which_limits_there_are(code: int) -> None:
    error = login_failed(pymysql.OperationalError(code, "It says no."))
    assert "MAX_USER_CONNECTIONS" in error.cure
    assert "max_connections" in error.cure


@pytest.mark.parametrize(("code", "kind"), flat(STATEMENTS))
def test_a_number_says_what_a_statement_ended_with(code: int, kind: type[RotationError]) -> None:
    error = statement_failed(pymysql.OperationalError(code, "It says no."))
    assert type(error) is kind
    assert has_code(error, 7, code)
    assert not has_code(error, code + 1)
    assert error.cure


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("running with the --read-only option so it cannot execute", ReadOnlyServer),
        ("running with the --super-read-only option so it cannot", ReadOnlyServer),
        ("running with the --strict-password-validation option so", VerifierRefused),
        ("running with the --skip-grant-tables option so it cannot", PermissionMissing),
    ],
)
def test_an_option_of_the_server_is_told_from_others(said: str, kind: type[RotationError]) -> None:
    assert type(statement_failed(pymysql.OperationalError(1290, f"The server is {said}"))) is kind


@pytest.mark.parametrize("read", [login_failed, statement_failed])
@pytest.mark.parametrize(
    "args",
    [(), ("received unknown auth switch request",), (0, ""), (None, None), (b"\xff",), (1, None)],
)
def test_what_has_no_number_is_translated_all_the_same(read: object, args: object) -> None:
    assert callable(read)
    assert isinstance(args, tuple)
    error = read(pymysql.MySQLError(*args))
    assert isinstance(error, ServerUnreachable | UnexpectedError)
    assert "\n" not in error.found


@pytest.mark.parametrize("read", [login_failed, statement_failed])
def test_g4_a_syntax_error_repeats_nothing(read: object) -> None:
    assert callable(read)
    error = read(pymysql.ProgrammingError(1064, "… to use near 'hunter2'' at line 1"))
    assert "hunter2" not in str(error)
    assert "(1064)" in error.found


def caused_by(cause: Exception) -> pymysql.OperationalError:
    """What PyMySQL raises where something else failed in a login."""
    error = pymysql.OperationalError(2003, f"Can't connect to MySQL server on 'db' ({cause})")
    error.original_exception = cause  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ssl.SSLCertVerificationError("certificate verify failed"), UntrustedServer),
        (ssl.SSLError("wrong version number"), UntrustedServer),
        (ssl.SSLEOFError("EOF occurred"), ServerUnreachable),
        (ssl.SSLZeroReturnError("closed"), ServerUnreachable),
        (ssl.SSLSyscallError("reset"), ServerUnreachable),
        (ConnectionResetError("reset by peer"), ServerUnreachable),
        (TimeoutError("timed out"), ServerUnreachable),
    ],
)
def test_a_cause_tells_untrusted_from_unreachable(
    cause: Exception, kind: type[RotationError]
) -> None:
    error = login_failed(caused_by(cause))
    assert type(error) is kind
    assert str(cause) in error.found
    assert ("ROTATION_CA_BUNDLE" in error.cure) == (kind is UntrustedServer)


def test_what_is_missing_is_told_with_the_extra() -> None:
    error = library_missing(RuntimeError("'cryptography' package is required"), "mysql")
    assert type(error) is DriverMissing
    assert "'cryptography'" in error.found
    assert "rotators[mysql]" in error.cure


def test_a_plug_in_that_wants_cleartext_is_told_with_the_variable() -> None:
    assert "strict_password_validation = OFF" in wants_cleartext("it says no").cure


# ── strange servers ──

PASSWORD = "hunter2-hunter2"
# The last is for a server that names a plug-in which nobody knows.
NO_SESSION = {ServerUnreachable, UntrustedServer, AccountLocked}
TLS = 1 << 11
PLUGINS = 1 << 19
USUAL = (1 << 9) | (1 << 15) | PLUGINS  # protocol 4.1, scrambles, plug-ins
OK = b"\0\0\0\x02\0\0\0"


def packet(number: int, payload: bytes) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


def greeting(
    version: bytes = b"8.4.0", plugin: bytes = b"caching_sha2_password", flags: int = USUAL
) -> bytes:
    low, high = flags & 0xFFFF, flags >> 16
    return packet(
        0,
        b"\x0a" + version + b"\0" + struct.pack("<I", 7) + b"s" * 8 + b"\0"
        + struct.pack("<HBHHB", low, 45, 2, high, 21) + b"\0" * 10 + b"s" * 12 + b"\0"
        + plugin + b"\0",
    )  # fmt: skip


class Strange:
    """Sends the first text, and each other one after it was told something. Then hangs up."""

    def __init__(self, texts: Sequence[bytes], pause: float = 0) -> None:
        self.texts, self.pause = texts, pause
        self.heard = b""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.over = threading.Event()
        self.line: socket.socket | None = None
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            line, _ = self.listening.accept()
            self.line = line
            with line:
                for number, text in enumerate(self.texts, 1):
                    self.send(line, text)
                    if number == len(self.texts):
                        line.shutdown(socket.SHUT_WR)
                    self.heard += line.recv(65536)

    def send(self, line: socket.socket, text: bytes) -> None:
        for byte in [text] if not self.pause else [bytes([byte]) for byte in text]:
            line.sendall(byte)
            if self.over.wait(self.pause):
                return

    def __enter__(self) -> Strange:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for each in filter(None, (self.listening, self.line)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listening.close()


@pytest.fixture(params=[MySQL, MariaDB])
def engine(request: pytest.FixtureRequest) -> PyMySQLEngine:
    made = request.param()
    assert isinstance(made, PyMySQLEngine)
    return made


def opened(
    engine: PyMySQLEngine, server: Strange, *, tls: bool = False, seconds: float = 5
) -> None:
    login = Login("mysql", "127.0.0.1", server.port, "", tls, "app", PASSWORD)
    engine.close(engine.open(login, Deadline.after(seconds + RESERVE_SECONDS)))


def failed(engine: PyMySQLEngine, *texts: bytes, tls: bool = False) -> tuple[RotationError, bytes]:
    """The error of a login to a server that says these, and what it was told."""
    with Strange(texts) as server, pytest.raises(RotationError) as caught:
        opened(engine, server, tls=tls)
    assert caught.value.__cause__ is None
    assert PASSWORD.encode() not in server.heard
    assert PASSWORD not in str(caught.value)
    return caught.value, server.heard


def signed_in(*texts: bytes) -> tuple[bytes, ...]:
    """A login that succeeds, and what then is said in answer to the first statement."""
    return (greeting(b"10.11.6-MariaDB"), packet(2, OK), *texts)


NO_SERVERS: dict[str, tuple[bytes, ...]] = {
    "hangs up": (),
    "says nothing, hangs up": (b"",),
    "an empty packet": (packet(0, b""),),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n",),
    "SMTP": (b"220 mail.example ESMTP\r\n",),
    "PostgreSQL": (b"E\0\0\0\x0dSFATAL\0\0",),
    "protocol 9": (packet(0, b"\x093.23.58\0\x07\0\0\0scramble\0"),),
    "no protocol": (packet(0, b"\xffx"),),
    "an error without a number": (packet(0, b"\xff"),),
    "an error in a wrong encoding": (packet(0, b"\xff\x10\x04\xff\xfe\xfd"),),
    "too many connections": (packet(0, b"\xff\x10\x04Too many connections"),),
    "a wrong sequence": (packet(9, b"\x0a8.4.0\0"),),
    "no version": (greeting(b""),),
    "a version in words": (greeting(b"eight"),),
    "a version of no encoding": (greeting(b"\xff\xfe"),),
    "no end to the version": (packet(0, b"\x0a" + b"8" * 50),),
    "a plug-in of no encoding": (greeting(plugin=b"\xff\xfe"),),
    "an empty answer to a login": (greeting(), packet(2, b"")),
    "the old switch": (greeting(), packet(2, b"\xfe")),
    "a switch to nothing": (greeting(), packet(2, b"\xfe\0")),
    "a switch without an end": (greeting(), packet(2, b"\xfecaching_sha2_password")),
    "a switch of no encoding": (greeting(), packet(2, b"\xfe\xff\xfe\0")),
    "two switches": (
        greeting(),
        packet(2, b"\xfemysql_native_password\0" + b"s" * 20 + b"\0"),
        packet(4, b"\xfemysql_native_password\0" + b"s" * 20 + b"\0"),
    ),
    "an unknown request": (greeting(), packet(2, b"\x77")),
    "an unknown answer to a scramble": (greeting(), packet(2, b"\x01\x09")),
    "a half answer to a scramble": (greeting(), packet(2, b"\x01")),
    "a key that is none": (greeting(), packet(2, b"\x01\x04"), packet(4, b"\x01no key")),
    "no key at all": (greeting(), packet(2, b"\x01\x04"), packet(4, b"\x07")),
    "a key of sha256 that is none": (
        greeting(plugin=b"sha256_password"),
        packet(2, b"\x01no key"),
    ),
    "an empty answer to a statement": signed_in(packet(1, b"")),
    "a file is asked for": signed_in(packet(1, b"\xfb/proc/self/environ")),
    "a result of no columns": signed_in(packet(1, b"\xfc")),
    "columns that are none": signed_in(packet(1, b"\x01") + packet(2, b"\xfd")),
    "a half answer": signed_in(packet(1, b"\0" * 7)[:6]),
}


@pytest.mark.parametrize("texts", NO_SERVERS.values(), ids=NO_SERVERS)
def test_whoever_speaks_another_language_is_unreachable(
    engine: PyMySQLEngine, texts: tuple[bytes, ...]
) -> None:
    error, _ = failed(engine, *texts)
    assert type(error) in NO_SESSION
    assert error.cure


@pytest.mark.parametrize("texts", [(), (b"HTTP/1.1 400\r\n\r\n",), (greeting(),)])
def test_the_same_with_tls(engine: PyMySQLEngine, texts: tuple[bytes, ...]) -> None:
    error, heard = failed(engine, *texts, tls=True)
    assert type(error) in NO_SESSION
    assert b"app" not in heard


def test_a_server_without_tls_is_told_nothing(engine: PyMySQLEngine) -> None:
    error, heard = failed(engine, greeting(), tls=True)
    assert type(error) is UntrustedServer
    assert heard == b""


def test_a_server_that_breaks_off_to_plaintext_is_told_nothing(engine: PyMySQLEngine) -> None:
    error, heard = failed(engine, greeting(flags=USUAL | TLS), packet(2, OK), tls=True)
    assert type(error) is UntrustedServer
    assert b"app" not in heard


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_nobody_is_told_the_password(engine: PyMySQLEngine, plugin: bytes) -> None:
    asks = b"\xfe" + plugin + b"\0" + b"s" * 20 + b"\0"
    error, _ = failed(engine, greeting(), packet(2, asks), packet(4, OK))
    assert type(error) is AccountLocked
    assert "authentication plug-in" in error.cure


def test_a_library_that_is_missing_is_named(
    engine: PyMySQLEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_auth, "_have_cryptography", False)
    error, _ = failed(engine, greeting(), packet(2, b"\x01\x04"), packet(4, b"\x01any key"))
    assert type(error) is DriverMissing
    assert f"rotators[{engine.driver.extra}]" in error.cure


@pytest.fixture(params=range(15))
def dice(request: pytest.FixtureRequest) -> Random:
    """Falls the same way every time."""
    return Random(request.param)  # noqa: S311


def noise(dice: Random) -> bytes:
    """What is neither OK nor an error with a number."""
    return bytes([dice.randrange(1, 255)]) + dice.randbytes(dice.randrange(40))


def test_random_bytes(engine: PyMySQLEngine, dice: Random) -> None:
    whole = greeting()
    for texts in (
        [noise(dice)],
        [packet(0, noise(dice))],
        [packet(0, b"\x0a" + noise(dice))],
        [whole[: dice.randrange(len(whole))]],
        [packet(0, whole[4 : dice.randrange(5, len(whole))])],
        [whole, packet(2, noise(dice))],
        [whole, packet(2, b"\x01" + noise(dice))],
        [whole, packet(2, b"\xfe" + noise(dice))],
        [*signed_in(packet(1, noise(dice)))],
    ):
        error, _ = failed(engine, *texts)
        assert type(error) in NO_SESSION, texts


@pytest.mark.parametrize("texts", [[packet(0, b"\x0a" * 99)], signed_in(packet(1, b"\x01" * 99))])
def test_a_server_that_says_a_byte_now_and_then_ends_in_time(
    engine: PyMySQLEngine, texts: Sequence[bytes]
) -> None:
    began = time.monotonic()
    with Strange(texts, pause=0.02) as server, pytest.raises(ServerUnreachable):
        opened(engine, server, seconds=0.4)
    assert time.monotonic() - began < 2


def test_nobody_listens(engine: PyMySQLEngine) -> None:
    with Strange(()) as server:
        pass
    with pytest.raises(ServerUnreachable, match="refused"):
        opened(engine, server)


# A label is 63 characters at most: encoding it fails before any question.
NO_HOSTS = ["no.such.host.invalid", "x" * 64 + ".invalid", "a..b", "::1%nowhere"]


@pytest.mark.enable_socket
@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_host_that_is_none(engine: PyMySQLEngine, host: str) -> None:
    login = Login("mysql", host, 3306, "", False, "app", PASSWORD)
    with pytest.raises(ServerUnreachable):
        engine.open(login, Deadline.after(5 + RESERVE_SECONDS))
