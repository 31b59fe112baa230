"""Where and as whom a secret logs in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rotators.errors import ForbiddenTarget, MisconfiguredSecret

if TYPE_CHECKING:
    from rotators.database.engine import Engine
    from rotators.secret import Secret

# One name or address. What else drivers understand by a host (several of them, a socket's path, a
# whole connection string) would let a secret say more than where.
_HOST = re.compile(r"[\w.:%-]+")
_PORTS = range(1, 65536)
_DIGITS = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Login:
    """Everything a driver needs to open a session, validated."""

    engine: str
    host: str
    port: int
    dbname: str
    tls: bool
    username: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, secret: Secret, engine: type[Engine]) -> Login:
        """Reads a secret as AWS documents it. Raises MisconfiguredSecret."""
        host = secret.text("host")
        if not _HOST.fullmatch(host):
            raise MisconfiguredSecret(
                "the secret's 'host' is not one host name or address",
                "Store one host name, without blanks, commas or slashes.",
            )
        return cls(
            engine=secret.text("engine"),
            host=host,
            port=_port(secret.get("port"), engine.default_port),
            dbname=_dbname(secret) or engine.default_dbname,
            tls=_tls(secret.get("ssl")),
            username=_username(secret, engine),
            password=_plain(secret, "password"),
        )

    def with_password_of(self, other: Login) -> Login:
        """This login with the other's password, and nothing else of it."""
        return replace(self, password=other.password)

    def same_account(self, other: Login) -> bool:
        """Whether both name one user of one server."""
        return self.username == other.username and self.same_server(other)

    def same_server(self, other: Login) -> bool:
        """Whether both name one server, by its name. Two names of it count as two."""
        mine = (self.engine, self.host.lower(), self.port)
        return mine == (other.engine, other.host.lower(), other.port)

    def require_same(self, pending: Login, *usernames: str) -> None:
        """Raises ForbiddenTarget unless ``pending`` is for this server and one of these users.

        Whoever may write AWSPENDING could otherwise have the function, with what it knows and
        may, change somebody else's password (UG:rotate-secrets_lambda-functions).
        """
        if self.same_server(pending) and pending.username in usernames:
            return
        raise ForbiddenTarget(
            f"AWSPENDING is for user {pending.username!r} on {pending.engine}"
            f" {pending.host}:{pending.port}, AWSCURRENT for {self.username!r} on {self.engine}"
            f" {self.host}:{self.port}",
            "Nothing was changed. If AWSCURRENT is right, take AWSPENDING from its version"
            " (update-secret-version-stage) and rotate again.",
        )


def _port(value: object, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in _PORTS:
        return value
    raise MisconfiguredSecret(
        "the secret's 'port' is no port number",
        f"Store a number from {_PORTS[0]} to {_PORTS[-1]}, or leave it out for {default}.",
    )


def _dbname(secret: Secret) -> str | None:
    return None if secret.get("dbname") in (None, "") else _plain(secret, "dbname")


def _tls(value: object) -> bool:
    said = value.strip().lower() if isinstance(value, str) else value
    if said is None or said is True or said == "true":
        return True
    if said is False or said == "false":
        return False
    raise MisconfiguredSecret(
        "the secret's 'ssl' is neither true nor false",
        "Store true (or leave it out) for verified TLS, false for an unencrypted connection.",
    )


def _username(secret: Secret, engine: type[Engine]) -> str:
    username = _plain(secret, "username")
    excess = engine.username_limit.excess(username)
    if excess:
        # A server that cuts the name off would take it for another user's.
        raise MisconfiguredSecret(
            f"the secret's 'username' is longer than {engine.name} allows: {excess}",
            "Store the name of a user that exists.",
        )
    return username


def _plain(secret: Secret, key: str) -> str:
    """Text that no driver, written in C, would cut off."""
    text = secret.text(key)
    if "\0" in text:
        raise MisconfiguredSecret(f"the secret's {key!r} has a NUL character", "Store it without.")
    return text
