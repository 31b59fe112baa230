"""TTC's encodings and O5LOGON's verifiers, as far as python-oracledb's thin mode uses them."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_LONG, _CHUNK, _SHORT = 0xFE, 32767, 252


class OraError(Exception):
    """An error as the server would send it."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"ORA-{number:05d}: {message}")
        self.number = number


def ub(number: int) -> bytes:
    """A counted big-endian integer."""
    if number == 0:
        return b"\0"
    size = next(k for k in (1, 2, 4, 8) if number < 1 << 8 * k)
    return bytes([size]) + number.to_bytes(size, "big")


def clr(data: bytes | None) -> bytes:
    """Length-prefixed bytes; None (and the empty string) is NULL."""
    if not data:
        return b"\0"
    if len(data) <= _SHORT:
        return bytes([len(data)]) + data
    chunks = [data[i : i + _CHUNK] for i in range(0, len(data), _CHUNK)]
    return bytes([_LONG]) + b"".join(ub(len(c)) + c for c in chunks) + ub(0)


def clr2(text: str | bytes) -> bytes:
    """A length, then the same as length-prefixed bytes."""
    data = text.encode() if isinstance(text, str) else text
    return ub(len(data)) + clr(data) if data else ub(0)


class Reader:
    """Reads fixed bytes, counted integers, counted bytes."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def raw(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def u1(self) -> int:
        return self.raw(1)[0]

    def ub(self) -> int:
        return int.from_bytes(self.raw(self.u1() & 0x7F), "big")

    def clr(self) -> bytes | None:
        size = self.u1()
        if size in (0, 255):
            return None
        if size != _LONG:
            return self.raw(size)
        out = b""
        while more := self.ub():
            out += self.raw(more)
        return out

    def clr2(self) -> bytes | None:
        return self.clr() if self.ub() else None

    def skip(self, kinds: str) -> None:
        """One field per letter: u for a byte, n for a counted integer, a digit for raw bytes."""
        for kind in kinds:
            if kind == "n":
                self.ub()
            else:
                self.raw(1 if kind == "u" else int(kind))

    def more(self) -> bool:
        return self.at < len(self.data)


def number_encode(number: int) -> bytes:
    """Oracle's NUMBER; integers only."""
    if number == 0:
        return b"\x80"
    text = str(abs(number))
    text = "0" * (len(text) % 2) + text
    digits = [int(text[i : i + 2]) for i in range(0, len(text), 2)]
    exponent = len(digits)
    while digits[-1] == 0:
        digits.pop()
    if number > 0:
        return bytes([0xC0 + exponent] + [d + 1 for d in digits])
    return bytes([0x3F - exponent] + [101 - d for d in digits] + [102])


def number_decode(data: bytes) -> int:
    if data == b"\x80":
        return 0
    negative = data[0] < 0x80
    exponent = 0x3F - data[0] if negative else data[0] - 0xC0
    digits = [101 - d for d in data[1:] if d != 102] if negative else [d - 1 for d in data[1:]]
    value = 0
    for i in range(exponent):
        value = value * 100 + (digits[i] if i < len(digits) else 0)
    return -value if negative else value


def aes(key: bytes, data: bytes, *, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(16)))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def padded(data: bytes) -> bytes:
    size = 16 - len(data) % 16
    return data + bytes([size]) * size


class Verifier:
    """What Oracle stores for a 12c password: no cleartext."""

    # A real server has 4096; this many tests want to be quick.
    iterations = 64

    def __init__(self, password: bytes, salt: bytes | None = None) -> None:
        self.salt = salt or secrets.token_bytes(16)
        self.key = self._derive(password)
        self.hash = hashlib.sha512(self.key + self.salt).digest()[:32]

    def matches(self, password: bytes) -> bool:
        return hmac.compare_digest(self._derive(password), self.key)

    def _derive(self, password: bytes) -> bytes:
        salt = self.salt + b"AUTH_PBKDF2_SPEEDY_KEY"
        return hashlib.pbkdf2_hmac("sha512", password, salt, self.iterations, 64)
