"""What SHOW CREATE USER says of an account's methods, and the hashes that the server stores."""

from __future__ import annotations

import sys

import pytest

from rotators.database.mariadb_methods import ED25519, NATIVE, Method, methods_in
from rotators.database.mysql_accounts import Account
from rotators.errors import DriverMissing, MisconfiguredSecret

ACCOUNT = Account("app", "%")
NATIVE_HASH = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
# As MariaDB 10.11 makes them of the password "secret".
ED25519_HASH = "ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"


@pytest.mark.parametrize(
    ("said", "methods"),
    [
        ("", [Method(NATIVE)]),
        (f" IDENTIFIED BY PASSWORD '{NATIVE_HASH}'", [Method(NATIVE, NATIVE_HASH)]),
        (
            f" IDENTIFIED BY PASSWORD '{NATIVE_HASH}' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3",
            [Method(NATIVE, NATIVE_HASH)],
        ),
        (f" IDENTIFIED VIA ed25519 USING '{ED25519_HASH}'", [Method(ED25519, ED25519_HASH)]),
        (
            f" IDENTIFIED VIA unix_socket OR mysql_native_password USING '{NATIVE_HASH}'"
            " REQUIRE SUBJECT '/CN=a'b OR c' ACCOUNT LOCK",
            [Method("unix_socket"), Method(NATIVE, NATIVE_HASH)],
        ),
    ],
)
def test_methods_are_read_and_written(said: str, methods: list[Method]) -> None:
    assert methods_in(f"CREATE USER {ACCOUNT}{said}", ACCOUNT) == methods
    chain = " OR ".join(map(str, methods))
    assert methods_in(f"CREATE USER {ACCOUNT} IDENTIFIED VIA {chain}", ACCOUNT) == methods


@pytest.mark.parametrize("text", ["o'brien", "o'", "' x", "' OR y'"])
@pytest.mark.parametrize("after", ["", " REQUIRE SSL", " ACCOUNT LOCK"])
def test_a_quote_that_could_hide_a_method_is_told_with_the_account(text: str, after: str) -> None:
    said = (
        f"CREATE USER {ACCOUNT} IDENTIFIED VIA unix_socket USING '{text}'"
        f" OR mysql_native_password USING '{NATIVE_HASH}'{after}"
    )
    with pytest.raises(MisconfiguredSecret, match="`app`@`%` logs in") as caught:
        methods_in(said, ACCOUNT)
    assert NATIVE_HASH not in str(caught.value)
    assert "ALTER USER `app`@`%` IDENTIFIED VIA" in caught.value.cure


def test_a_password_becomes_the_servers_own_hash() -> None:
    assert Method.by(NATIVE, "secret") == Method(NATIVE, NATIVE_HASH)
    assert Method.by(ED25519, "secret") == Method(ED25519, ED25519_HASH)


def test_without_pynacl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nacl", None)
    monkeypatch.setitem(sys.modules, "nacl.bindings", None)
    with pytest.raises(DriverMissing, match=r"rotators\[mariadb\]"):
        Method.by(ED25519, "secret")
