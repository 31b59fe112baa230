"""Hashes as MySQL makes them; the real server's are compared in tests/engines."""

from __future__ import annotations

import pytest

from rotators.database.mysql_hashes import matches, sha256_crypt

# As glibc's crypt(3) makes them.
VECTORS = (
    ("Hello world!", "saltstring", 5_000, "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    ("Hello world!", "saltstringsaltst", 10_000, "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
    (
        "we have a short salt string but not a short password",
        "short",
        77_777,
        "JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
    ),
    ("é" * 40, "abc", 5_000, "kbQuEw8IsShIBFN8JbzcVyMjfsD1rjzTxEwyn7K7xuA"),
)


@pytest.mark.parametrize(("password", "salt", "rounds", "expected"), VECTORS)
def test_sha256_crypt(password: str, salt: str, rounds: int, expected: str) -> None:
    assert sha256_crypt(password.encode(), salt.encode(), rounds) == expected


@pytest.mark.parametrize(
    "stored",
    [
        "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
        f"$5$abc${sha256_crypt(b'password', b'abc')}",
        f"$A$005$twenty bytes of salt{sha256_crypt(b'password', b'twenty bytes of salt')}",
        f"$A$00A$20 bytes with a $ in{sha256_crypt(b'password', b'20 bytes with a $ in', 10_000)}",
    ],
)
def test_a_password_matches_its_own_hash_only(stored: str) -> None:
    assert matches("password", stored)
    assert not matches("passwords", stored)


@pytest.mark.parametrize("stored", ["", "x", "$5$", "$B$005$what is this"])
def test_what_is_not_known_matches_nothing(stored: str) -> None:
    assert not matches("password", stored)
