"""What an Oracle user may do, as the dictionary says it, and the statements that change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rotators.database.oracle_names import quoted
from rotators.database.oracle_queries import BEYOND, held

Run = Callable[..., list[tuple[Any, ...]]]

_UNLIMITED = -1
# In the order that GRANT wants.
_OPTIONS = (" WITH ADMIN OPTION", " WITH HIERARCHY OPTION", " WITH GRANT OPTION")
# How GRANT wants these named; all else is an object of a schema.
_NAMED_BY = {
    "DIRECTORY": "DIRECTORY {name}",
    "USER": "USER {name}",
    "EDITION": "EDITION {name}",
    "MINING MODEL": "MINING MODEL {owner}.{name}",
    "JAVA SOURCE": "JAVA SOURCE {owner}.{name}",
    "JAVA RESOURCE": "JAVA RESOURCE {owner}.{name}",
    "SQL TRANSLATION PROFILE": "SQL TRANSLATION PROFILE {owner}.{name}",
}

# By each of these somebody gains other accounts, or code that runs with other users' rights. No
# rotation may lend them. SELECT ANY DICTIONARY and its like show no verifiers since 12.1.
ADMINISTRATIVE_ROLES = frozenset(
    {
        "DBA", "PDB_DBA", "CDB_DBA", "IMP_FULL_DATABASE", "EXP_FULL_DATABASE",
        "DATAPUMP_IMP_FULL_DATABASE", "DATAPUMP_EXP_FULL_DATABASE", "DELETE_CATALOG_ROLE",
        "EXECUTE_CATALOG_ROLE", "RDS_MASTER_ROLE", "DV_OWNER", "DV_ACCTMGR", "DV_ADMIN",
        "DV_REALM_OWNER", "LBAC_DBA", "AUDIT_ADMIN", "JAVA_ADMIN", "XDBADMIN", "OLAP_DBA",
        "SCHEDULER_ADMIN", "DATAPATCH_ROLE", "GSMADMIN_ROLE", "SYSUMF_ROLE", "EM_EXPRESS_ALL",
    }
)  # fmt: skip
ADMINISTRATIVE_PRIVILEGES = frozenset(
    {
        "ALTER USER", "CREATE USER", "DROP USER", "BECOME USER", "GRANT ANY PRIVILEGE",
        "GRANT ANY ROLE", "GRANT ANY OBJECT PRIVILEGE", "ALTER ANY ROLE", "ALTER PROFILE",
        "ALTER DATABASE", "ALTER SYSTEM", "AUDIT SYSTEM", "ADMINISTER KEY MANAGEMENT",
        "ADMINISTER DATABASE TRIGGER", "CREATE ANY TRIGGER", "ALTER ANY TRIGGER",
        "CREATE ANY PROCEDURE", "ALTER ANY PROCEDURE", "EXECUTE ANY PROCEDURE", "CREATE ANY JOB",
        "CREATE EXTERNAL JOB", "CREATE ANY LIBRARY", "CREATE ANY DIRECTORY", "CREATE ANY VIEW",
        "CREATE ANY INDEX", "EXPORT FULL DATABASE", "IMPORT FULL DATABASE",
        "INHERIT ANY PRIVILEGES", "TRANSLATE ANY SQL", "CREATE ANY CREDENTIAL",
        "EXECUTE DYNAMIC MLE", "SYSDBA", "SYSOPER", "SYSBACKUP", "SYSDG", "SYSKM", "SYSRAC",
        "SYSASM",
    }
)  # fmt: skip
# On one schema this is EXECUTE on what is in it, which is no more than a grant on objects. By each
# of the others somebody becomes the schema's owner.
_HARMLESS_ON_A_SCHEMA = frozenset({"EXECUTE ANY PROCEDURE"})
_SCHEMA = "SCHEMA "


class Right(NamedTuple):
    """One row of the dictionary: a role, a system privilege, or one on a schema, object, column."""

    what: str
    target: str = ""  # as GRANT names it; empty for roles and system privileges
    column: str = ""
    option: str = ""  # WITH … OPTION, as GRANT spells it
    role: bool = False

    def __str__(self) -> str:
        column = f" ({quoted(self.column)})" if self.column else ""
        named = quoted(self.what) if self.role else self.what
        return f"{named}{column}" + (f" ON {self.target}" if self.target else "")

    def grant(self, grantee: str) -> str:
        return f"GRANT {self} TO {quoted(grantee)}{self.option}"

    def revoke(self, grantee: str) -> str:
        # Privileges on columns go with the one on the whole object.
        return f"REVOKE {self._replace(column='')} FROM {quoted(grantee)}"

    def options(self) -> set[str]:
        return {option for option in _OPTIONS if option in self.option}

    def having(self, options: set[str]) -> Right:
        return self._replace(option="".join(o for o in _OPTIONS if o in options))

    @property
    def administrative(self) -> bool:
        if self.target.startswith(_SCHEMA) and self.what in _HARMLESS_ON_A_SCHEMA:
            return False
        return self.what in (ADMINISTRATIVE_ROLES if self.role else ADMINISTRATIVE_PRIVILEGES)

    def to_lend(self) -> str:
        """How an admin is allowed to pass it on."""
        if self.target and not self.target.startswith(_SCHEMA):
            whole = self._replace(column="")
            return f"GRANT {whole} TO … WITH GRANT OPTION (or GRANT ANY OBJECT PRIVILEGE)"
        any_of = "ROLE" if self.role else "PRIVILEGE"
        return f"GRANT {self} TO … WITH ADMIN OPTION (or GRANT ANY {any_of})"


class Rights(NamedTuple):
    """Everything that can be granted, and the roles that a session starts with."""

    granted: frozenset[Right] = frozenset()
    default_roles: frozenset[str] = frozenset()
    quotas: frozenset[tuple[str, int]] = frozenset()

    def lacks(self, wanted: Rights) -> list[str]:
        """What ``wanted`` has and this has not."""
        texts = [f"{right}{right.option}" for right in sorted(wanted.granted - self.granted)]
        texts += [
            f"DEFAULT ROLE {role}" for role in sorted(wanted.default_roles - self.default_roles)
        ]
        have = dict(self.quotas)
        for space, most in sorted(wanted.quotas):
            if _size(have.get(space, 0)) < _size(most):
                texts.append(f"QUOTA {_said(most)} ON {space}")
        return texts


def rights_of(run: Run, places: str, name: str, base: str) -> Rights:
    """The user's own rights, not those of its roles, nor any on what ``base`` owns."""
    granted: set[Right] = set()
    default, quotas = set(), set()
    for kind, what, *row in run(places, *[name] * places.count(":")):
        # Oracle's empty text is NULL.
        a, b, c, d, e = (text or "" for text in row)
        if kind == "quota":
            quotas.add((what, int(a or 0)))
        elif kind == "role":
            granted.add(Right(what, option=_option(a, "ADMIN"), role=True))
            default |= {what} if b == "YES" else set()
        elif kind == "system":
            granted.add(Right(what, option=_option(a, "ADMIN")))
        elif kind == "schema":
            if b != base:
                granted.add(Right(what, _SCHEMA + quoted(b), option=_option(a, "ADMIN")))
        elif a != base and not (e == "USER" and b in {base, name}):
            options = _option(d if kind == "object" else "", "HIERARCHY") + _option(c, "GRANT")
            target = _target(a, b, e if kind == "object" else "")
            granted.add(Right(what, target, d if kind == "column" else "", options))
    some = frozenset((space, most) for space, most in quotas if most)
    return Rights(_strongest(granted), frozenset(default), some)


def _strongest(granted: set[Right]) -> frozenset[Right]:
    """Each once: several may have granted the same, with and without options."""
    options: dict[Right, set[str]] = {}
    for right in granted:
        options.setdefault(right._replace(option=""), set()).update(right.options())
    return frozenset(right.having(found) for right, found in options.items())


def administrative(run: Run, name: str, version: tuple[int, ...]) -> list[str]:
    """What the user holds, by itself or by its roles, and no rotation may lend."""
    found = set()
    for kind, what in run(held(version), name, name):
        target = _SCHEMA if kind == "schema" else ""
        if kind == "file":
            found.add("it is in the password file (SYSDBA or its like)")
        elif Right(what, target, role=kind == "role").administrative:
            found.add(what)
    return sorted(found)


def beyond_grants(run: Run, base: str) -> list[str]:
    """What a base user may have and no alternate gets, as it would change another user."""
    return sorted(said for (said,) in run(BEYOND, *[base] * BEYOND.count(":")))


def changes(wanted: Rights, have: Rights, grantee: str) -> Iterator[tuple[str, Right | None]]:
    """Statements after which ``have`` is nearer to ``wanted``: first what is too much goes."""
    revoked = {right.revoke(grantee): right for right in have.granted - wanted.granted}
    yield from sorted(revoked.items(), key=str)
    if not revoked:
        for right in sorted(wanted.granted - have.granted):
            yield right.grant(grantee), right
    clauses = []
    if wanted.default_roles != have.default_roles and not revoked:
        roles = {right.what for right in wanted.granted if right.role}
        clauses.append(f"DEFAULT ROLE {_roles(wanted.default_roles, roles)}")
    for space in sorted({space for space, _ in wanted.quotas ^ have.quotas}):
        most = _said(dict(wanted.quotas).get(space, 0))
        clauses.append(f"QUOTA {most} ON {quoted(space)}")
    if clauses:
        yield f"ALTER USER {quoted(grantee)} {' '.join(clauses)}", None


def _roles(default: Iterable[str], granted: set[str]) -> str:
    named = set(default)
    if not named:
        return "NONE"
    return "ALL" if named == granted else ", ".join(quoted(role) for role in sorted(named))


def _option(said: str, what: str) -> str:
    return f" WITH {what} OPTION" if said == "YES" else ""


def _target(owner: str, name: str, kind: str) -> str:
    named = _NAMED_BY.get(kind, "{owner}.{name}")
    return named.format(owner=quoted(owner), name=quoted(name))


def _size(most: int) -> float:
    return float("inf") if most == _UNLIMITED else most


def _said(most: int) -> str:
    return "UNLIMITED" if most == _UNLIMITED else str(most)
