"""PostgreSQL's roles as pairs: the alternate is a member of the base and starts as it.

So whatever the alternate makes belongs to the base, and no right has to be copied.
``session_user`` stays the alternate, ``current_user`` is the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rotators.database.postgresql_statements import compose, setting, text
from rotators.database.postgresql_strays import Elsewhere, Run, Strays
from rotators.database.users import Mark, Pair, User
from rotators.errors import MisconfiguredSecret, PermissionMissing, UnexpectedError

if TYPE_CHECKING:
    from psycopg.sql import Composable

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
_START = (None, "role")
_OPTIONS_SINCE = 16  # GRANT … WITH INHERIT, SET; ADMIN OPTION needed by CREATEROLE


class Roles:
    """Roles in one session."""

    def __init__(self, run: Run, major: int, elsewhere: Elsewhere) -> None:
        self.run = run
        self.major = major
        self.strays = Strays(run, elsewhere, major)

    def look(self, name: str) -> User | None:
        rows = self.run(_LOOK, list(ADMINISTRATIVE), name)
        if not rows:
            return None
        comment, privileges = rows[0]
        return User(name, tuple(privileges), Mark.read(comment))

    def make_alternate(self, pair: Pair) -> list[str]:
        """The alternate with the base's rights and settings, but for its password."""
        if self.look(pair.alternate) is None:
            self.run(compose("CREATE ROLE {} LOGIN", pair.alternate))
        strays = self.strays.all(pair)
        # Once it starts as the base, no application relies on what it has of its own.
        starts_as_base = self._is_set_to_start(pair) or not strays
        warnings = self._copy_attributes(pair, may_inherit=not starts_as_base)
        self._make_member(pair)
        warnings += self._copy_settings(pair, starts_as_base=starts_as_base)
        yet = "" if starts_as_base else f", so it does not start as {pair.base!r} yet"
        return warnings + [f"{pair.alternate!r} has something of its own{yet}: {s}" for s in strays]

    def lacking(self, pair: Pair) -> list[str]:
        """How to give the base what only the alternate has, one text for each database."""
        return [
            f"{pair.alternate!r} may what {pair.base!r} may not: {found}"
            for found in self.strays.lacking(pair)
        ]

    def mark(self, pair: Pair, mark: Mark) -> None:
        for name in pair.users:
            rows = self.run(_LOOK, [], name)
            if rows and Mark.read(rows[0][0]) != mark:
                self.run(compose("COMMENT ON ROLE {} IS {:L}", name, mark.write(rows[0][0])))

    def starts_as_base(self, pair: Pair) -> bool:
        """Whether this session, the alternate's, started as the role that the base starts as."""
        ((database, session, current),) = self.run(
            "SELECT pg_catalog.current_database()::text, session_user::text, current_user::text"
        )
        settings = self._settings(pair.base)
        everywhere = settings.get(_START, pair.base)
        expected = settings.get((database, "role"), everywhere)
        return bool(session == pair.alternate and current == expected)

    def inherits_for_now(self, pair: Pair) -> bool:
        """Whether the alternate has something of its own, and the base's rights beside it."""
        asked = "SELECT pg_catalog.pg_has_role(%s, %s, 'USAGE')"
        ((inherits,),) = self.run(asked, pair.alternate, pair.base)
        return bool(inherits and self.strays.any(pair))

    def _is_set_to_start(self, pair: Pair) -> bool:
        there, wanted = self._settings(pair.alternate), self._settings(pair.base)
        return there.get(_START) == wanted.get(_START, pair.base)

    def _copy_attributes(self, pair: Pair, *, may_inherit: bool) -> list[str]:
        ((inherit, limit, until, *base_may),) = self.run(_ATTRIBUTES, pair.base)
        self.run(
            compose(
                "ALTER ROLE {} LOGIN " + ("INHERIT" if inherit or may_inherit else "NOINHERIT")
                + f" CONNECTION LIMIT {int(limit)} VALID UNTIL {{:L}}",
                pair.alternate, until or "infinity",
            )
        )  # fmt: skip
        ((*_, replication, bypassrls, createdb),) = self.run(_ATTRIBUTES, pair.alternate)
        if not may_inherit:
            createdb = base_may[-1]  # goes by current_user, which is the base
        words = ("REPLICATION", "BYPASSRLS", "CREATEDB")
        has = (replication, bypassrls, createdb)
        warnings = []
        for word, wanted, there in zip(words, base_may, has, strict=True):
            if wanted != there:
                change = compose("ALTER ROLE {} " + ("" if wanted else "NO") + word, pair.alternate)
                warnings += self._attempt(change, f"the attribute {word} of {pair.base!r}")
        return warnings

    def _make_member(self, pair: Pair) -> None:
        if self.major < _OPTIONS_SINCE:
            self.run(compose("GRANT {} TO {}", pair.base, pair.alternate))
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
            self.run(compose(grant, pair.base, pair.alternate))

    def _copy_settings(self, pair: Pair, *, starts_as_base: bool) -> list[str]:
        there = self._settings(pair.alternate)
        wanted = self._settings(pair.base)
        if starts_as_base:
            wanted.setdefault(_START, pair.base)
        else:
            wanted = {key: value for key, value in wanted.items() if key[1] != "role"}
        warnings = []
        for key in sorted(there.keys() | wanted.keys(), key=repr):
            if there.get(key) != wanted.get(key):
                change = setting(pair.alternate, key, wanted.get(key))
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


def grants_lacking(error: PermissionMissing, users: Sequence[str], admin: str) -> PermissionMissing:
    """The same error with the exact cure, for an admin that acts on these users."""
    if "replication" in error.found:
        # Before PostgreSQL 16, nobody but a superuser may alter such a role.
        lose = "; ".join(text("ALTER ROLE {} NOREPLICATION", name) for name in users)
        cure = f"As a superuser: {lose}, and replicate with a user of its own"
    else:
        statements = [
            text("ALTER ROLE {} CREATEROLE", admin),
            *(text("GRANT {} TO {} WITH ADMIN OPTION", name, admin) for name in users),
        ]
        cure = f"As a superuser (on RDS: a member of rds_superuser): {'; '.join(statements)}"
        cure += ". The last only if that user exists" if len(users) > 1 else ""
    return PermissionMissing(
        f"the admin {admin!r} may not do what it has to: {error.found}",
        f"{cure}. Then rotate again.",
    )


def missing(name: str) -> MisconfiguredSecret:
    return MisconfiguredSecret(
        f"there is no user {name!r}, and ROTATION_PROVISIONED says that you make the pair",
        f"{text('CREATE ROLE {} LOGIN', name)}, with the rights of the other user.",
    )
