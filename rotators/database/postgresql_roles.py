"""PostgreSQL's roles as pairs: the alternate is a member of the base and starts as it.

So whatever the alternate makes belongs to the base, and no right has to be copied.
``session_user`` stays the alternate, ``current_user`` is the base.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rotators.database.users import Mark, Pair, User
from rotators.errors import MisconfiguredSecret, PermissionMissing, UnexpectedError

if TYPE_CHECKING:
    from psycopg.sql import Composable

# Runs one statement, with values or none, and returns its rows.
Run = Callable[..., list[tuple[Any, ...]]]
# (database or None for all, name of the setting) → its value
Settings = dict[tuple[str | None, str], str]

# Roles whose members may reach the server's files and programs, or other users (RDS, Aurora,
# Cloud SQL, AlloyDB, Azure among them).
ADMINISTRATIVE = (
    "pg_execute_server_program", "pg_read_server_files", "pg_write_server_files",
    "rds_superuser", "rdsadmin", "cloudsqlsuperuser", "alloydbsuperuser", "azure_pg_admin",
)  # fmt: skip
_LOOK = """
SELECT pg_catalog.shobj_description(u.oid, 'pg_authid'),
       ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r
             WHERE (r.rolsuper OR r.rolcreaterole OR r.rolname = session_user
                    OR r.rolname::text = ANY (%s))
               AND pg_catalog.pg_has_role(u.oid, r.oid, 'MEMBER') ORDER BY 1)
FROM pg_catalog.pg_roles u WHERE u.rolname::text = %s
"""
_ATTRIBUTES = """
SELECT rolinherit, rolconnlimit, rolvaliduntil::text, rolreplication, rolbypassrls, rolcreatedb
FROM pg_catalog.pg_roles WHERE rolname::text = %s
"""
_SETTINGS = """
SELECT d.datname::text, s.setconfig FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE r.rolname::text = %s
"""
# What belongs to a role or is granted to it, by database (null: shared objects).
_DEPENDS = """
SELECT d.datname::text, s.deptype::text, pg_catalog.count(*)
FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND r.rolname::text = %s
  AND s.classid <> 'pg_catalog.pg_auth_members'::regclass
GROUP BY 1, 2 ORDER BY 1, 2
"""
# Grants to the first role that the second lacks, in this database.
_GRANTS = """
WITH who AS (SELECT a.oid AS alternate, b.oid AS base, b.rolname AS name
             FROM pg_catalog.pg_roles a, pg_catalog.pg_roles b
             WHERE a.rolname::text = %s AND b.rolname::text = %s),
given AS (
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS what, x.*
  FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) x
  UNION ALL SELECT pg_catalog.format('SCHEMA %%I', n.nspname), x.*
  FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) x
  UNION ALL SELECT 'ROUTINE ' || p.oid::regprocedure, x.*
  FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) x
  UNION ALL SELECT pg_catalog.format('DATABASE %%I', d.datname), x.*
  FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) x
)
SELECT pg_catalog.format('GRANT %%s ON %%s TO %%I%%s', g.privilege_type, g.what, who.name,
                         CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM who JOIN given g ON g.grantee = who.alternate
WHERE NOT EXISTS (SELECT FROM given o WHERE o.what = g.what
                  AND o.privilege_type = g.privilege_type AND o.grantee IN (who.base, 0)
                  AND o.is_grantable >= g.is_grantable)
ORDER BY 1
"""
_MEMBERSHIPS = """
SELECT r.rolname::text FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles a ON a.oid = m.member
WHERE a.rolname::text = %s AND r.rolname::text <> %s
  AND NOT pg_catalog.pg_has_role(%s, r.oid, 'MEMBER') ORDER BY 1
"""
# Settings whose value is a list of names, each quoted by itself (GUC_LIST_QUOTE in PostgreSQL).
_LISTS = frozenset(
    {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"}
)
_ITEM = re.compile(r'"((?:[^"]|"")*)"|([^",\s]+)')
_OWNS, _MAY = "o", "a"
_OPTIONS_SINCE = 16  # GRANT … WITH INHERIT, SET; ADMIN OPTION needed by CREATEROLE


class Roles:
    """Roles in one session."""

    def __init__(self, run: Run, major: int) -> None:
        self.run = run
        self.major = major

    def look(self, name: str) -> User | None:
        rows = self.run(_LOOK, list(ADMINISTRATIVE), name)
        if not rows:
            return None
        comment, privileges = rows[0]
        return User(name, tuple(privileges), Mark.read(comment))

    def make_alternate(self, pair: Pair) -> list[str]:
        """The alternate with the base's rights and settings, but for its password."""
        if self.look(pair.alternate) is None:
            self.run(_sql("CREATE ROLE {} LOGIN", pair.alternate))
        warnings = self._copy_attributes(pair)
        self._make_member(pair)
        strays = self.strays(pair)
        if strays or self._depends(pair.alternate):
            starts_as = None
            warnings += [_adoption(pair, statement) for statement in strays]
            warnings.append(_adoption(pair, self._drop_owned(pair)))
        else:
            starts_as = pair.base
        return warnings + self._copy_settings(pair, starts_as)

    def mark(self, pair: Pair, mark: Mark) -> None:
        for name in pair.users:
            rows = self.run(_LOOK, [], name)
            if rows and Mark.read(rows[0][0]) != mark:
                self.run(_sql("COMMENT ON ROLE {} IS {:L}", name, mark.write(rows[0][0])))

    def strays(self, pair: Pair) -> list[str]:
        """Statements that give the base what only the alternate has, each with its database."""
        found = [
            _text("GRANT {} TO {}", role, pair.base)
            for (role,) in self.run(_MEMBERSHIPS, pair.alternate, pair.base, pair.base)
        ]
        for database, kind, count in self._depends(pair.alternate):
            if kind == _OWNS and database is None:
                found.append(f"{count} databases or tablespaces: ALTER … OWNER TO {pair.base!r}")
            elif kind == _OWNS:
                statement = _text("REASSIGN OWNED BY {} TO {}", pair.alternate, pair.base)
                found.append(f"in database {database!r}: {statement}")
        here = self.run("SELECT pg_catalog.current_database()")[0][0]
        for (statement,) in self.run(_GRANTS, pair.alternate, pair.base):
            found.append(f"in database {here!r}: {statement}")
        return found

    def starts_as_base(self, pair: Pair) -> bool:
        """Whether this session, the alternate's, started as the role that the base starts as."""
        ((database, session, current),) = self.run(
            "SELECT pg_catalog.current_database()::text, session_user::text, current_user::text"
        )
        settings = self._settings(pair.base)
        everywhere = settings.get((None, "role"), pair.base)
        expected = settings.get((database, "role"), everywhere)
        return bool(session == pair.alternate and current == expected)

    def inherits_for_now(self, pair: Pair) -> bool:
        """Whether the alternate has something of its own, and the base's rights beside it."""
        asked = "SELECT pg_catalog.pg_has_role(%s, %s, 'USAGE')"
        ((inherits,),) = self.run(asked, pair.alternate, pair.base)
        return bool(inherits and self._depends(pair.alternate))

    def _depends(self, name: str) -> list[tuple[Any, ...]]:
        return self.run(_DEPENDS, name)

    def _drop_owned(self, pair: Pair) -> str:
        databases = sorted({row[0] for row in self._depends(pair.alternate)} - {None})
        statement = _text("DROP OWNED BY {}", pair.alternate)
        return f"when that is done, in each of the databases {databases}: {statement}"

    def _copy_attributes(self, pair: Pair) -> list[str]:
        ((inherit, limit, until, *base_may),) = self.run(_ATTRIBUTES, pair.base)
        self.run(
            _sql(
                "ALTER ROLE {} LOGIN " + ("INHERIT" if inherit else "NOINHERIT")
                + f" CONNECTION LIMIT {int(limit)} VALID UNTIL {{:L}}",
                pair.alternate, until or "infinity",
            )
        )  # fmt: skip
        ((*_, replication, bypassrls, createdb),) = self.run(_ATTRIBUTES, pair.alternate)
        words = ("REPLICATION", "BYPASSRLS", "CREATEDB")
        has = (replication, bypassrls, createdb)
        warnings = []
        for word, wanted, there in zip(words, base_may, has, strict=True):
            if wanted != there:
                change = _sql("ALTER ROLE {} " + ("" if wanted else "NO") + word, pair.alternate)
                warnings += self._attempt(change, f"the attribute {word} of {pair.base!r}")
        return warnings

    def _make_member(self, pair: Pair) -> None:
        if self.major < _OPTIONS_SINCE:
            self.run(_sql("GRANT {} TO {}", pair.base, pair.alternate))
            return
        ((inherits, sets),) = self.run(
            "SELECT bool_or(m.inherit_option), bool_or(m.set_option)"
            " FROM pg_catalog.pg_auth_members m"
            " JOIN pg_catalog.pg_roles b ON b.oid = m.roleid"
            " JOIN pg_catalog.pg_roles a ON a.oid = m.member"
            " WHERE b.rolname::text = %s AND a.rolname::text = %s",
            pair.base,
            pair.alternate,
        )
        if not (inherits and sets):
            grant = "GRANT {} TO {} WITH INHERIT TRUE, SET TRUE"
            self.run(_sql(grant, pair.base, pair.alternate))

    def _copy_settings(self, pair: Pair, starts_as: str | None) -> list[str]:
        there = self._settings(pair.alternate)
        wanted = self._settings(pair.base)
        if starts_as is not None:
            wanted.setdefault((None, "role"), starts_as)
        else:
            wanted = {key: value for key, value in wanted.items() if key[1] != "role"}
        warnings = []
        for key in sorted(there.keys() | wanted.keys(), key=repr):
            if there.get(key) != wanted.get(key):
                change = _setting(pair.alternate, key, wanted.get(key))
                warnings += self._attempt(change, f"the setting {key[1]} of {pair.base!r}")
        return warnings

    def _settings(self, name: str) -> Settings:
        return {
            (database, key): value
            for database, lines in self.run(_SETTINGS, name)
            for key, _, value in (line.partition("=") for line in lines)
        }

    def _attempt(self, change: Composable, what: str) -> list[str]:
        """Runs it; where the admin may not, nothing is lost but a warning."""
        self.run("SAVEPOINT attempt")
        try:
            self.run(change)
        except (PermissionMissing, UnexpectedError) as error:
            self.run("ROLLBACK TO attempt")
            statement = change.as_string(None)
            return [f"{what} could not be copied: {error.found}. As a superuser: {statement}"]
        return []


def grants_lacking(error: PermissionMissing, pair: Pair, admin: str) -> PermissionMissing:
    """The same error with the exact cure."""
    statements = [
        _text("ALTER ROLE {} CREATEROLE", admin),
        *(_text("GRANT {} TO {} WITH ADMIN OPTION", name, admin) for name in pair.users),
    ]
    return PermissionMissing(
        f"the admin {admin!r} may not do what the pair needs: {error.found}",
        f"As a superuser (on RDS: a member of rds_superuser): {'; '.join(statements)}. The last"
        " only if that user exists. Then rotate again.",
    )


def missing(name: str) -> MisconfiguredSecret:
    return MisconfiguredSecret(
        f"there is no user {name!r}, and ROTATION_PROVISIONED says that you make the pair",
        f"{_text('CREATE ROLE {} LOGIN', name)}, with the rights of the other user.",
    )


def _adoption(pair: Pair, statement: str) -> str:
    return (
        f"{pair.alternate!r} has something of its own, so it does not start as {pair.base!r} yet:"
        f" {statement}"
    )


def _setting(name: str, key: tuple[str | None, str], value: str | None) -> Composable:
    from psycopg import sql

    database, setting = key
    where = sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
    start = sql.SQL("ALTER ROLE {}{} ").format(sql.Identifier(name), where)
    named = sql.Identifier(*setting.split("."))
    if value is None:
        return start + sql.SQL("RESET {}").format(named)
    items = list(_items(value)) if setting in _LISTS else [value]
    values = sql.SQL(", ").join(sql.Literal(item) for item in items or [""])
    return start + sql.SQL("SET {} = {}").format(named, values)


def _items(value: str) -> Iterator[str]:
    for quoted, plain in _ITEM.findall(value):
        yield plain or quoted.replace('""', '"')


def _sql(template: str, *names: str) -> Composable:
    """Names for ``{}``, a text for ``{:L}``."""
    from psycopg import sql

    kinds = re.findall(r"\{(:L)?\}", template)
    values = [
        sql.Literal(name) if kind else sql.Identifier(name)
        for kind, name in zip(kinds, names, strict=True)
    ]
    return sql.SQL(template.replace("{:L}", "{}")).format(*values)


def _text(template: str, *names: str) -> str:
    return _sql(template, *names).as_string(None)
