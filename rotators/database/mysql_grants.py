"""Rights as SHOW GRANTS of MySQL and MariaDB tells them: read, compared, and written again.

Object names are used as the server quoted them; a name may hold anything, `` a` TO b `` included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from rotators.database.mysql_accounts import QUOTED, Account, plain

ALL = "ALL PRIVILEGES"
EVERYWHERE = "*.*"
_GRANT_OPTION = "GRANT OPTION"
ROLE = "ROLE"
_ROLE_ADMIN = "ROLE WITH ADMIN OPTION"
_DEFAULT_ROLE = "DEFAULT ROLE"
_NOT = "NOT "  # a partial revoke
_ROLES = frozenset({ROLE, _ROLE_ADMIN, _DEFAULT_ROLE})
# Rights by which one could take another account over, or act as it.
ADMINISTRATIVE = frozenset(
    {
        ALL, "SUPER", "CREATE USER", "FILE", "ROLE_ADMIN", "SYSTEM_USER", "SYSTEM_VARIABLES_ADMIN",
        "SET_USER_ID", "SET_ANY_DEFINER", "ALLOW_NONEXISTENT_DEFINER", "CONNECTION_ADMIN",
        "AUTHENTICATION_POLICY_ADMIN", "PASSWORDLESS_USER_ADMIN", "PERSIST_RO_VARIABLES_ADMIN",
        "BINLOG_ADMIN", "REPLICATION_SLAVE_ADMIN", "GROUP_REPLICATION_ADMIN", "CLONE_ADMIN",
        "ENCRYPTION_KEY_ADMIN", "AUDIT_ADMIN", "FIREWALL_ADMIN", "SET USER", "CONNECTION ADMIN",
        "BINLOG ADMIN", "BINLOG REPLAY", "READ_ONLY ADMIN", "FEDERATED ADMIN",
        "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN",
    }
)  # fmt: skip
# Whoever may write the system's own tables may be whom he likes.
_WRITING = frozenset({ALL, "INSERT", "UPDATE"})

_TOKEN = re.compile(rf"{QUOTED}|\(|\)|,|[^\s`'(),]+|\s+")
_WILDCARD = re.compile(r"\\(.)|.", re.DOTALL)
# The text between may hold whatever REQUIRE names, so only the end counts.
_WITH_GRANT_OPTION = re.compile(r" WITH GRANT OPTION(?: MAX_[A-Z_]+ -?[0-9.]+)*$")


class Right(NamedTuple):
    """One privilege, of a column too (``SELECT (`x`)``), on one object; or a role."""

    privilege: str
    on: str

    def __str__(self) -> str:
        return f"{self.privilege} {self.on}" if self.privilege in _ROLES else " ON ".join(self)

    @property
    def question(self) -> str | None:
        """A statement that shows the object; None if rights on it do not need it to be there."""
        if self.privilege in _ROLES or self.on.endswith("*"):
            return None
        return f"SHOW {'COLUMNS FROM' if self.on[0] == '`' else 'CREATE'} {self.on}"

    @property
    def column(self) -> str | None:
        """Which column it is of, in lower case, as servers tell none apart by case."""
        _, bracket, column = self.privilege.partition(" (")
        return plain(column[:-1]).lower() if bracket else None

    @property
    def administrative(self) -> bool:
        """Whether no rotation may lend it to anybody."""
        if self.privilege == "PROXY":
            return True
        if self.on == EVERYWHERE:
            return self.privilege in ADMINISTRATIVE | _WRITING
        return self.privilege.split(" (")[0] in _WRITING and _is_system(self.on)


Rights = frozenset[Right]


def rights_of(rows: Iterable[str], account: Account) -> Rights:
    """The rights that SHOW GRANTS tells of ``account``; rows about its roles are left out."""
    return frozenset(
        right for row in rows for right in _parse(row, account) if right.privilege != "USAGE"
    )


def roles_in(rights: Rights) -> list[Account]:
    """The roles among them."""
    return sorted(Account.parse(right.on) for right in rights if right.privilege == ROLE)


def default_role_in(rights: Rights) -> str:
    """MariaDB's default role, as the server quotes it; NONE if there is none."""
    return next((right.on for right in rights if right.privilege == _DEFAULT_ROLE), "NONE")


def without_default_role(rights: Rights) -> Rights:
    return frozenset(right for right in rights if right.privilege != _DEFAULT_ROLE)


def without_roles(rights: Rights) -> Rights:
    return frozenset(right for right in rights if right.privilege not in _ROLES)


def lacking(wanted: Rights, had: Rights) -> list[str]:
    """What of ``wanted`` is not in ``had``, and what only ``had`` is denied; for a person."""
    less = {right for right in had - wanted if right.privilege.startswith(_NOT)}
    more = {right for right in wanted - had if not right.privilege.startswith(_NOT)}
    return sorted(str(right) for right in less | {r for r in more if not _covered(r, had)})


def changes(wanted: Rights, had: Rights, account: Account) -> list[str]:
    """Statements on the way from ``had`` to ``wanted``: what is missing first.

    A second round may be needed: what is revoked from a whole table goes from its columns too.
    """
    whole = {right.on for right in wanted if right.privilege == ALL}
    excess = {
        right
        for right in had - wanted
        if right.on not in whole or right.privilege in {_GRANT_OPTION, *_ROLES}
    }
    return [
        *_statements(wanted - had, account, granting=True),
        *_statements(excess, account, granting=False),
    ]


def _statements(rights: Iterable[Right], account: Account, *, granting: bool) -> Iterator[str]:
    by_object = attrgetter("on")
    for on, group in groupby(sorted(rights, key=by_object), key=by_object):
        names = {right.privilege for right in group}
        yield from _of_roles(names & _ROLES, on, account, granting=granting)
        denied = sorted(name.removeprefix(_NOT) for name in names if name.startswith(_NOT))
        if denied:
            yield _statement(", ".join(denied), on, account, granting=not granting)
        granted = sorted(name for name in names - _ROLES if not name.startswith(_NOT))
        if granting and granted:
            option = _GRANT_OPTION in granted
            plain = [name for name in granted if name != _GRANT_OPTION] or ["USAGE"]
            statement = _statement(", ".join(plain), on, account, granting=True)
            yield statement + (f" WITH {_GRANT_OPTION}" if option else "")
        elif granted:
            # ALL PRIVILEGES stands alone, and leaves the grant option.
            alone = [name for name in granted if name in {ALL, _GRANT_OPTION}]
            others = ", ".join(name for name in granted if name not in alone)
            for each in filter(None, (*alone, others)):
                yield _statement(each, on, account, granting=False)


def _statement(names: str, on: str, account: Account, *, granting: bool) -> str:
    if granting:
        return f"GRANT {names} ON {on} TO {account}"
    return f"REVOKE {names} ON {on} FROM {account}"


def _of_roles(names: set[str], role: str, account: Account, *, granting: bool) -> Iterator[str]:
    if granting and names & {ROLE, _ROLE_ADMIN}:
        option = " WITH ADMIN OPTION" if _ROLE_ADMIN in names else ""
        yield f"GRANT {role} TO {account}{option}"
    elif names & {ROLE, _ROLE_ADMIN}:
        yield f"REVOKE {role} FROM {account}"
    if _DEFAULT_ROLE in names:
        yield f"SET DEFAULT ROLE {role if granting else 'NONE'} FOR {account}"


def _covered(right: Right, had: Rights) -> bool:
    """Whether a wider right says the same."""
    table = right.privilege.split(" (")[0]
    wider = {Right(name, on) for name in (ALL, table) for on in (right.on, EVERYWHERE)}
    return right.privilege != _GRANT_OPTION and bool(wider & had)


def _is_system(on: str) -> bool:
    """Whether the object is, or its wildcards take in, the schema of the system's own tables."""
    found = re.search(QUOTED, on)
    pattern = _WILDCARD.sub(_as_regex, plain(found[0]) if found else "")
    return re.fullmatch(pattern, "mysql", re.IGNORECASE) is not None


def _as_regex(found: re.Match[str]) -> str:
    return {"%": ".*", "_": "."}.get(found[0]) or re.escape(found[1] or found[0])


def _parse(row: str, account: Account) -> Iterator[Right]:
    verb, parts, rest = _split(row)
    if Account.parse(rest) != account:
        return
    if verb == "SET":
        yield Right(_DEFAULT_ROLE, parts[0].removeprefix("DEFAULT ROLE ").strip())
    elif len(parts) == 1:
        for role in _items(parts[0]):
            yield Right(ROLE, role)
            if rest.endswith(" WITH ADMIN OPTION"):
                yield Right(_ROLE_ADMIN, role)
    else:
        names, on = parts
        denied = _NOT if verb == "REVOKE" else ""
        yield from (Right(denied + name, on) for name in _privileges(names))
        if _WITH_GRANT_OPTION.search(rest):
            yield Right(_GRANT_OPTION, on)


def _split(row: str) -> tuple[str, list[str], str]:
    """The verb, what stands between it and the grantee (privileges, object), and the rest."""
    tokens = list(_TOKEN.finditer(row))
    verb, begin, parts = tokens[0].group(), tokens[0].end(), []
    for token in tokens[1:]:
        if token.group() in {"ON", "TO", "FROM", "FOR"}:
            parts.append(row[begin : token.start()].strip())
            begin = token.end()
            if token.group() != "ON":
                break
    return verb, parts, row[begin:].lstrip()


def _items(text: str) -> list[str]:
    """Split at the commas that are neither quoted nor in brackets."""
    items, depth = [""], 0
    for part in _TOKEN.findall(text):
        depth += (part == "(") - (part == ")")
        if part == "," and not depth:
            items.append("")
        else:
            items[-1] += part
    return [item.strip() for item in items]


def _privileges(text: str) -> Iterator[str]:
    for item in _items(text):
        name, bracket, columns = item.partition(" (")
        if not bracket:
            yield name
            continue
        for column in _items(columns.removesuffix(")")):
            yield f"{name} ({column})"
