"""How MySQL stores passwords, to tell which of two a password is.

The server compares by itself only in a login, which both pass, and in REPLACE, which the user's
password policy forbids for a password that it has already.
"""

from __future__ import annotations

import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CACHING = "$A$"  # caching_sha2_password: $A$, thousands of rounds in hex, $, 20 bytes of salt
_SHA256 = "$5$"  # sha256_password: $5$, the salt, $
_ROUNDS = 5000


def matches(password: str, stored: str) -> bool:
    """Whether ``stored``, an authentication string of any plug-in, is of this password."""
    given = password.encode()
    if stored.startswith("*"):
        return stored[1:] == _sha1(_sha1(given)).hex().upper()
    if stored.startswith(_CACHING):
        rounds, salt = int(stored[3:6], 16) * 1000, stored[7:27]
        return stored[27:] == sha256_crypt(given, salt.encode("latin-1"), rounds)
    salt, _, crypt = stored.removeprefix(_SHA256).rpartition("$")
    return stored.startswith(_SHA256) and crypt == sha256_crypt(given, salt.encode("latin-1"))


def sha256_crypt(password: bytes, salt: bytes, rounds: int = _ROUNDS) -> str:
    """The hash part of SHA-crypt (A. Drepper's specification), for a salt of any length."""
    size = len(password)
    text = password + salt + _stretched(_sha256(password + salt + password), size)
    bits, inner = size, _sha256(password + salt + password)
    while bits:
        text += inner if bits & 1 else password
        bits >>= 1
    digest = _sha256(text)
    p = _stretched(_sha256(password * size), size)
    s = _stretched(_sha256(salt * (16 + digest[0])), len(salt))
    for i in range(rounds):
        odd = i & 1
        digest = _sha256(
            (p if odd else digest)
            + (s if i % 3 else b"")
            + (p if i % 7 else b"")
            + (digest if odd else p)
        )
    return _encoded(digest)


def _encoded(digest: bytes) -> str:
    a, b, c = 0, 10, 20
    text = ""
    for _ in range(10):
        text += _characters(digest[a] << 16 | digest[b] << 8 | digest[c], 4)
        a, b, c = c + 1, a + 1, b + 1
    return text + _characters(digest[31] << 8 | digest[30], 3)


def _characters(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(count))


def _stretched(digest: bytes, size: int) -> bytes:
    return (digest * (size // len(digest) + 1))[:size]


def _sha256(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _sha1(text: bytes) -> bytes:
    return hashlib.sha1(text).digest()  # noqa: S324 as the server does
