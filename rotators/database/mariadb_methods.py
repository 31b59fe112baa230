"""How an account of MariaDB may log in: one method, or several in a chain."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from rotators.errors import DriverMissing, MisconfiguredSecret

if TYPE_CHECKING:
    from rotators.database.mysql_accounts import Account

NATIVE, ED25519 = "mysql_native_password", "ed25519"
HASHED = frozenset({NATIVE, ED25519})
_IDENTIFIED = re.compile(r" IDENTIFIED (?:BY PASSWORD '(?P<hash>[^']*)'|VIA (?P<chain>.*))")
_METHOD = re.compile(r"(\w+)(?: USING '([^']*)')?")
_OR = " OR "
_AFTER = re.compile(r" (?:REQUIRE|WITH|ACCOUNT|PASSWORD) |$")


class Method(NamedTuple):
    """One way of logging in; an account may have several, any of which will do."""

    plugin: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.plugin} USING '{self.text}'" if self.text else self.plugin

    @classmethod
    def by(cls, plugin: str, password: str) -> Method:
        """Its hash, which the server stores as it is."""
        hashing = {NATIVE: _native_hash, ED25519: _ed25519_hash}[plugin]
        return cls(plugin, hashing(password.encode()))


def methods_in(said: str, account: Account) -> list[Method]:
    """Those that SHOW CREATE USER tells of. Raises MisconfiguredSecret if some may be hidden."""
    found = _IDENTIFIED.match(said.removeprefix(f"CREATE USER {account}"))
    if found is None:
        return [Method(NATIVE)]
    if found["chain"] is None:
        return [Method(NATIVE, found["hash"])]
    methods, rest = [], found["chain"]
    while (one := _METHOD.match(rest)) is not None:
        methods.append(Method(one[1], one[2] or ""))
        rest = rest[one.end() :]
        if _AFTER.match(rest):
            return methods
        if not rest.startswith(_OR):
            break
        rest = rest.removeprefix(_OR)
    # The server quotes no quote.
    raise MisconfiguredSecret(
        f"how {account} logs in cannot be read: {len(methods)} methods, then text that is none",
        f"ALTER USER {account} IDENTIFIED VIA … without a quote in what a method is told.",
    )


def _native_hash(password: bytes) -> str:
    return "*" + hashlib.sha1(hashlib.sha1(password).digest()).hexdigest().upper()  # noqa: S324


def _ed25519_hash(password: bytes) -> str:
    """The public key of the key pair that the password is the seed of."""
    try:
        from nacl.bindings import crypto_scalarmult_ed25519_base_noclamp as times_base
    except ModuleNotFoundError:
        raise DriverMissing(
            "a password of the kind ed25519 needs PyNaCl", "Install rotators[mariadb]."
        ) from None
    scalar = bytearray(hashlib.sha512(password).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    return base64.b64encode(times_base(bytes(scalar))).decode().rstrip("=")
