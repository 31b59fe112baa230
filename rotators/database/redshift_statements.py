"""Statements about users. Nothing in them is pasted: names are quoted, passwords are hashes."""

from __future__ import annotations

import hashlib
import re
import secrets

from rotators.database.redshift_wire import MD5
from rotators.errors import MisconfiguredSecret

_SALT_BYTES = 16
# Settings whose value is a list of names, each quoted by itself.
_LISTS = frozenset({"search_path"})
_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')
_NAME = re.compile(r"[a-z_][a-z0-9_.]*", re.IGNORECASE)


def identifier(name: str) -> str:
    """A name as part of a statement. Exact where enable_case_sensitive_identifier is on."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A value as part of a statement. Raises MisconfiguredSecret for a backslash.

    What one means depends on the server: Redshift is of a time when it was an escape character.
    """
    if "\\" in text or "\0" in text:
        raise MisconfiguredSecret(
            "a value that would have to be copied has a backslash in it", "Copy it by hand."
        )
    return "'" + text.replace("'", "''") + "'"


def verifier(method: int | None, username: str, password: str) -> str:
    """The password's hash, of the kind that the user logs in by now.

    A user of md5 stays one: clients made on libpq (psql, psycopg) know no other question, and
    would be locked out by a rotation. So does Redshift itself with a password in clear.
    """
    if method == MD5:
        return "md5" + hashlib.md5((password + username).encode()).hexdigest()  # noqa: S324
    salt = secrets.token_hex(_SALT_BYTES)
    return f"sha256|{hashlib.sha256((password + salt).encode()).hexdigest()}|{salt}"


def alter_password(username: str, hashed: str, valid_until: str | None = None) -> str:
    """By name: CURRENT_USER may be somebody else."""
    until = "" if valid_until is None else f" VALID UNTIL {literal(valid_until)}"
    return f"ALTER USER {identifier(username)} PASSWORD {literal(hashed)}{until}"


def create_user(username: str, hashed: str) -> str:
    return f"CREATE USER {identifier(username)} PASSWORD {literal(hashed)}"


def setting(name: str, value: str) -> str | None:
    """``search_path TO "$user", "public"``; None if that cannot be said on any server."""
    if not _NAME.fullmatch(name) or "\\" in value:
        return None
    if name.lower() in _LISTS:
        names = [quoted.replace('""', '"') or plain for quoted, plain in _ITEM.findall(value)]
        said = ", ".join(map(identifier, names)) or "''"
    else:
        said = literal(value)
    return f"{name} TO {said}"
