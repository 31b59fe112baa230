"""The wire side of the double of Oracle 19c: TNS, O5LOGON and TTC for python-oracledb's thin mode.

Written after what the driver itself sends and reads; no other driver was tried. It proves: connect,
refusal of an unknown service or SID, TLS as the driver does it, a logon whose wrong password fails
in the cryptography, changepassword() and newpassword= encrypted, execute, bind, fetch, errors.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import secrets
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.doubles.oracle_bytes import (
    OraError,
    Reader,
    Verifier,
    aes,
    clr,
    clr2,
    number_decode,
    number_encode,
    padded,
    ub,
)
from tests.doubles.oracle_views import query

if TYPE_CHECKING:
    from tests.doubles.oracle import Oracle

CONNECT, ACCEPT, REFUSE, DATA, MARKER = 1, 2, 4, 6, 12
_STATUS = b"\x09" + ub(0) + ub(0)
_NUMBER_TYPES = (2, 3)
_UTF8 = 873


class Client:
    """One connection."""

    def __init__(self, database: Oracle, line: Any) -> None:
        self.database = database
        self.line = line
        self.big = False
        self.user: str | None = None
        self.key = b""
        self.cursors: dict[int, dict[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.buffer = b""

    # ── packets

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            data = self.line.recv(65536)
            if not data:
                raise ConnectionError
            self.buffer += data
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def packet(self) -> tuple[int, bytes]:
        head = self.read(8)
        size = int.from_bytes(head[:4] if self.big else head[:2], "big")
        return head[4], self.read(size - 8)

    def send(self, kind: int, body: bytes) -> None:
        size = len(body) + 8
        head = size.to_bytes(4, "big") if self.big else size.to_bytes(2, "big") + b"\0\0"
        self.line.sendall(head + bytes([kind, 0, 0, 0]) + body)

    def data(self, body: bytes) -> None:
        for i in range(0, len(body), 8000):
            self.send(DATA, b"\0\0" + body[i : i + 8000])

    def run(self) -> None:
        if not self._connect():
            return
        while True:
            kind, body = self.packet()
            if kind == MARKER:
                self.send(MARKER, b"\1\0\2")
            elif kind == DATA:
                reader = Reader(body, 2)
                if struct.unpack(">H", body[:2])[0] & 0x40 and not reader.more():
                    return
                self._messages(reader)

    def _connect(self) -> bool:
        head = self.read(5)
        if head[4] != CONNECT:
            # What a listener without TLS does with a TLS greeting: an assumption.
            self.send(REFUSE, b"\0\0\0\0")
            return False
        self.buffer = head + self.buffer
        _, body = self.packet()
        size, offset = struct.unpack(">HH", body[16:20])
        text = body[offset - 8 : offset - 8 + size]
        if len(text) < size:
            text = self.packet()[1][2:]
        known = {"SERVICE_NAME": self.database.services, "SID": self.database.sids}
        found = re.search(rb"(SERVICE_NAME|SID)=([^)]*)", text)
        key, name = (found[1].decode(), found[2].decode()) if found else ("SERVICE_NAME", "")
        if name.lower() not in known[key]:
            code = 12514 if key == "SERVICE_NAME" else 12505
            said = (
                f"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={code})"
                f"(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4))))"
            ).encode()
            self.send(REFUSE, b"\0\0" + struct.pack(">H", len(said)) + said)
            return False
        accept = struct.pack(">HH", 318, 1) + bytes(10) + b"\0" + bytes(9)
        self.send(ACCEPT, accept + struct.pack(">I", 8192) + bytes(5) + struct.pack(">I", 0))
        self.big = True
        return True

    def _messages(self, reader: Reader) -> None:
        while reader.more():
            kind = reader.u1()
            if kind == 17:
                self._piggyback(reader)
                continue
            if kind == 1:
                self.data(_protocol())
            elif kind == 2:
                self.data(b"\2\0\0")
            elif kind == 3:
                function = reader.u1()
                reader.u1()
                try:
                    out = self._function(function, reader)
                except OraError as error:
                    out = _error(error.number, str(error))
                self.data(out)
            else:
                raise ValueError(f"TTC message type {kind}")
            return

    def _piggyback(self, reader: Reader) -> None:
        function = reader.u1()
        reader.u1()
        if function == 105:
            reader.u1()
            for _ in range(reader.ub()):
                self.cursors.pop(reader.ub(), None)
        elif function == 135:  # end-to-end attributes: read past them
            reader.skip("2n")
            sizes = []
            for _ in range(3):
                reader.u1()
                sizes.append(reader.ub())
            reader.skip("ununu")
            sizes.append(reader.ub())
            reader.skip("ununu")
            sizes.append(reader.ub())
            for size in sizes:
                if size:
                    reader.clr()
        else:
            raise ValueError(f"piggyback {function}")

    def _function(self, function: int, reader: Reader) -> bytes:
        if function in (118, 115):
            return self._auth(function, reader)
        if function == 94:
            return self._execute(reader)
        if function in (4, 78):
            number, iterations = reader.ub(), reader.ub()
            reader.skip("nn")
            types = self.cursors[number]["types"]
            return self._go(number, _binds(reader, types), iterations)
        if function == 5:
            number = reader.ub()
            return self._rows(number, reader.ub())
        if function in (9, 14, 15, 147):
            return _STATUS
        raise OraError(3115, f"unsupported network datatype or representation ({function})")

    # ── O5LOGON

    def _auth(self, function: int, reader: Reader) -> bytes:
        reader.skip("unnu")  # the mode (SYSDBA, …) is ignored
        pairs = reader.ub()
        reader.raw(2)
        name = (reader.clr() or b"").decode()
        said = {}
        for _ in range(pairs):
            key = (reader.clr2() or b"").decode().rstrip("\0")
            said[key] = (reader.clr2() or b"").decode()
            reader.ub()
        who = name.strip('"') if name.startswith('"') else name.upper()
        with self.database.lock:
            if function == 118:
                return self._challenge(who)
            if self.user and "AUTH_NEWPASSWORD" in said:  # Connection.changepassword()
                old = self._decrypted(said["AUTH_PASSWORD"])
                if not any(v.matches(old) for v in self.database.candidates(self.user)):
                    raise OraError(28008, "invalid old password")
                new = self._decrypted(said["AUTH_NEWPASSWORD"]).decode()
                self.database.asked.append((self.user, "-- new password, by the protocol"))
                self.database.set_password(self.user, new)
                return _parameters({}) + _STATUS
            self._answer(who, said)
        return self._welcome()

    def _challenge(self, who: str) -> bytes:
        known = who in self.database.users
        # A logon is judged by what there was when it began.
        self.verifiers = self.database.candidates(who) if known else []
        first = self.verifiers[0] if self.verifiers else Verifier(secrets.token_bytes(20))
        self.name = who
        self.part_a, self.csk = secrets.token_bytes(32), secrets.token_bytes(16)
        session_key = aes(first.hash, self.part_a, encrypt=True)
        parameters: dict[str, Any] = {
            "AUTH_SESSKEY": (session_key.hex().upper(), 1),
            "AUTH_VFR_DATA": (first.salt.hex().upper(), 0x4815),
            "AUTH_PBKDF2_CSK_SALT": self.csk.hex().upper(),
            "AUTH_PBKDF2_VGEN_COUNT": str(first.iterations),
            "AUTH_PBKDF2_SDER_COUNT": "3",
        }
        return _parameters(parameters) + _STATUS

    def _answer(self, who: str, said: dict[str, str]) -> None:
        """The order of refusals is an assumption: see tests/doubles/oracle.py."""
        database = self.database
        account = database.users.get(who)
        if account is not None and account.locked:
            raise OraError(28000, "The account is locked.")
        if account is None or who != self.name or not self._matches(said):
            database.failed(who)
            raise OraError(1017, "invalid username/password; logon denied")
        account.failures = 0
        if "AUTH_NEWPASSWORD" in said:
            database.asked.append((who, "-- new password at logon, by the protocol"))
            database.set_password(who, self._decrypted(said["AUTH_NEWPASSWORD"]).decode())
        elif account.expired:
            raise OraError(28001, "The account has expired.")
        if not database.may(who, "CREATE SESSION"):
            raise OraError(1045, f"user {who} lacks CREATE SESSION privilege; logon denied")
        self.user = who
        database.logons.append(who)

    def _matches(self, said: dict[str, str]) -> bool:
        sent_a = aes(self.verifiers[0].hash, self.part_a, encrypt=True)
        for one in self.verifiers:  # each reads both halves of the key its own way
            part_a = aes(one.hash, sent_a, encrypt=False)
            part_b = aes(one.hash, bytes.fromhex(said["AUTH_SESSKEY"]), encrypt=False)
            halves = (part_b + part_a).hex().upper().encode()
            self.key = hashlib.pbkdf2_hmac("sha512", halves, self.csk, 3, 32)
            with contextlib.suppress(ValueError):
                if one.matches(self._decrypted(said["AUTH_PASSWORD"])):
                    return True
        return False

    def _decrypted(self, text: str) -> bytes:
        plain = aes(self.key, bytes.fromhex(text), encrypt=False)
        return plain[16 : -plain[-1]] if plain and 1 <= plain[-1] <= 16 else plain

    def _welcome(self) -> bytes:
        version = self.database.version
        proof = padded(secrets.token_bytes(16) + b"SERVER_TO_CLIENT")
        number = version[0] << 24 | version[1] << 16 | version[2] << 12
        parameters: dict[str, Any] = {
            "AUTH_VERSION_STRING": "- Production",
            "AUTH_VERSION_NO": str(number | version[3] << 4 | version[4]),
            "AUTH_SESSION_ID": str(next(self.database.sessions)),
            "AUTH_SERIAL_NUM": "7",
            "AUTH_SVR_RESPONSE": aes(self.key, proof, encrypt=True).hex().upper(),
            "AUTH_SC_DBUNIQUE_NAME": "orcl",
            "AUTH_SC_SERVICE_NAME": sorted(self.database.services)[0],
            "AUTH_INSTANCENAME": "orcl",
            "AUTH_MAX_OPEN_CURSORS": "300",
            "AUTH_MAX_IDEN_LENGTH": "128",
        }
        return _parameters(parameters) + _STATUS

    # ── statements

    def _execute(self, reader: Reader) -> bytes:
        reader.ub()
        number, has_text = reader.ub(), reader.u1()
        reader.skip("nun2n")
        iterations = reader.ub()
        reader.skip("nu")
        bound = reader.ub()
        reader.skip("5u")
        defined = reader.ub()
        reader.skip("n2ununnunuununuun")
        known = self.cursors.get(number, {}).get("sql")
        text = (reader.clr() or b"").decode() if has_text else known
        reader.skip("n" * 13)
        types = []
        for _ in range(bound if not defined else 0):
            types.append(reader.u1())
            reader.skip("3nnn")
            if reader.ub():
                reader.clr()
            reader.skip("nnunn")
        number = number or next(self.numbers)
        self.cursors[number] = {"sql": text, "types": types, "rows": [], "nums": []}
        return self._go(number, _binds(reader, types), iterations)

    def _go(self, number: int, binds: list[Any], iterations: int) -> bytes:
        cursor, database = self.cursors[number], self.database
        with database.lock:
            text = cursor["sql"]
            database.asked.append((self.user or "", text))
            if database.before is not None:
                database.before(self.user, text)
            if self.user not in database.users:
                raise OraError(1012, "not logged on")
            if re.match(r"\s*(SELECT|WITH)\b", text, re.I):
                columns, cursor["rows"] = query(database, self.user, text, binds)
                return self._described(number, columns, iterations)
            if binds:
                raise OraError(1027, "bind variables not allowed for data definition operations")
            database.define(self.user, text)
        return _error(0, cursor=number)

    def _described(self, number: int, columns: list[str], iterations: int) -> bytes:
        cursor = self.cursors[number]
        rows = cursor["rows"]
        cursor["nums"] = [
            bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(columns))
        ]
        out = b"\x10\0" + ub(4000) + ub(len(columns)) + b"\1"
        for i, name in enumerate(columns):
            is_number = cursor["nums"][i]
            out += bytes([2, 0, 38, 0]) + ub(22) if is_number else bytes([1, 0, 0, 0]) + ub(4000)
            out += ub(0) * 4 + ub(0 if is_number else _UTF8)
            out += (b"\0" if is_number else b"\1") + ub(0 if is_number else 4000) + ub(0) + b"\1"
            out += bytes([min(len(name), 255)]) + clr2(name) + ub(0) * 2 + ub(i + 1) + ub(0)
        return out + ub(0) * 6 + self._rows(number, iterations)

    def _rows(self, number: int, most: int) -> bytes:
        cursor = self.cursors.get(number) or {"rows": [], "nums": []}
        now, cursor["rows"] = cursor["rows"][:most], cursor["rows"][most:]
        out = b""
        if now:
            out = b"\x06\0" + ub(0) * 2 + ub(len(now)) + ub(0) * 3
        for row in now:
            out += b"\x07"
            for value, is_number in zip(row, cursor["nums"], strict=True):
                encoded = number_encode(value) if is_number else str(value).encode()
                out += clr(None if value is None else encoded)
        if cursor["rows"]:
            return out + _error(0, cursor=number, rows=len(now))
        return out + _error(1403, "ORA-01403: no data found", cursor=number, rows=len(now))


def _binds(reader: Reader, types: list[int]) -> list[Any]:
    if not types or not reader.more() or reader.u1() != 7:
        return []
    raw = [reader.clr() for _ in types]
    return [
        None
        if data is None
        else number_decode(data)
        if kind in _NUMBER_TYPES
        else data.decode("utf-16-be" if kind == 0 else "utf-8")
        for kind, data in zip(types, raw, strict=True)
    ]


def _protocol() -> bytes:
    compile_caps, runtime_caps = bytearray(55), bytearray(13)
    compile_caps[7], runtime_caps[6] = 12, 4
    charset = struct.pack("<H", _UTF8) + b"\1" + struct.pack("<H", 0) + struct.pack(">H", 11)
    national = bytes(9) + struct.pack(">H", 2000)
    caps = clr(bytes(compile_caps)) + clr(bytes(runtime_caps))
    return b"\1\6\0" + b"x86_64/Linux 2.4.xx\0" + charset + national + caps


def _parameters(said: dict[str, Any]) -> bytes:
    out = b"\x08" + ub(len(said))
    for key, value in said.items():
        text, flags = value if isinstance(value, tuple) else (value, 0)
        out += clr2(key) + clr2(text) + ub(flags)
    return out


def _error(number: int = 0, message: str = "", cursor: int = 0, rows: int = 0) -> bytes:
    out = b"\x04" + ub(0) * 3 + ub(number if number < 65536 else 0) + ub(0) * 2 + ub(cursor)
    out += ub(0) + bytes(5) + b"\0" + ub(0) * 2 + b"\0" + ub(0) * 3 + b"\0\0" + ub(0) * 6
    out += ub(number) + ub(rows)
    return out + (clr((message + "\n").encode()) if number else b"")


class Listener:
    """Serves a database on 127.0.0.1 and a free port; with a certificate over TLS.

    ``errors``: what went wrong in here, to be asserted empty.
    """

    def __init__(
        self, database: Oracle, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        self.database = database
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        self.errors: list[Exception] = []
        self._lines: list[Any] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._socket.close()
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=[line], daemon=True)
                self._lines = [*(one for one in self._lines if one.fileno() >= 0), line]
                self._threads = [*(one for one in self._threads if one.is_alive()), thread]
                thread.start()

    def _serve(self, line: Any) -> None:
        try:
            with line:
                wrapped = self.context.wrap_socket(line, server_side=True) if self.context else line
                with wrapped:
                    Client(self.database, wrapped).run()
        except OSError:
            pass
        except Exception as error:  # noqa: BLE001 asserted by a test
            self.errors.append(error)
