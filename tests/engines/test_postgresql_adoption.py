"""Pairs that AWS's templates made: whose alternates own what they make, on real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql

from rotators.database.postgresql import PostgreSQLRotator
from rotators.errors import PermissionMissing
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.client import Client
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from tests.servers import PostgreSQL

# What a text says is to be run, and where.
SCRIPT = re.compile(
    r"in database '([^']+)', as a superuser .*?(BEGIN; .*?COMMIT;)(?=;|$)", re.MULTILINE
)
OWNED = "CREATE SCHEMA {s}; CREATE TABLE {s}.made (n int); INSERT INTO {s}.made VALUES (1)"


@dataclass
class Pair:
    """A pair as AWS's PostgreSQL multi-user function leaves it. The admin is no superuser."""

    server: PostgreSQL
    bench: Bench
    arn: str
    base: dict[str, Any]
    alternate: dict[str, Any]
    logged: pytest.LogCaptureFixture
    other: str = ""

    def names(self) -> dict[str, sql.Composable]:
        admin = (self.bench.target.admin or {})["username"]
        named = {"base": self.base["username"], "alt": self.alternate["username"], "admin": admin}
        named |= {"s": f"{self.base['username']}_s", "other": self.other}
        named |= {"here": self.server.dbname}
        return {key: sql.Identifier(value) for key, value in named.items()}

    def run(
        self, value: dict[str, Any], query: str, dbname: str | None = None
    ) -> list[tuple[Any, ...]]:
        """What an application does with a value."""
        with self.server.connect(value["username"], value["password"], dbname) as connection:
            cursor = connection.execute(sql.SQL(query).format(**self.names()))
            return list(cursor.fetchall()) if cursor.description else []

    def administer(self, query: str, dbname: str | None = None) -> list[tuple[Any, ...]]:
        server = self.server
        return self.run({"username": server.user, "password": server.password}, query, dbname)

    def label(self, previous: dict[str, Any], current: dict[str, Any]) -> None:
        for value in (previous, current):
            self.bench.driver.put_by_hand(self.arn, value)

    def current(self) -> dict[str, Any]:
        return self.bench.current(self.arn)

    def rotate(self) -> list[str]:
        """One rotation; the warnings in its log."""
        self.logged.clear()
        self.bench.driver.rotate(self.arn)
        return self.warnings()

    def rotate_to_alternate(self) -> list[str]:
        self.label(previous=self.alternate, current=self.base)
        return self.rotate()

    def warnings(self) -> list[str]:
        return [r.getMessage() for r in self.logged.records if r.levelname == "WARNING"]

    def refused(self, token: str) -> str:
        """What the rotation to the base fails with."""
        with pytest.raises(PermissionMissing) as caught:
            self.bench.driver.retry(self.arn, token)
        assert caught.value.permanent
        return caught.value.found

    def obey(self, texts: list[str]) -> set[str]:
        """Runs exactly what is said; returns the databases."""
        scripts = SCRIPT.findall("\n".join(texts))
        for database, script in scripts:
            with self.server.connect(self.server.user, self.server.password, database) as admin:
                admin.execute(script)
        return {database for database, _ in scripts}

    def starts_as(self) -> tuple[str, str]:
        ((session, now),) = self.run(self.current(), "SELECT session_user, current_user")
        return session, now


@pytest.fixture
def pair(postgresql: PostgreSQL, caplog: pytest.LogCaptureFixture) -> Iterator[Pair]:
    target = PostgreSQLTarget(postgresql, StrategyName.ALTERNATING_USERS)
    with Bench(PostgreSQLRotator, target) as bench:
        arn, base = bench.secret()
        alternate = {**base, "username": f"{base['username']}_clone", "password": "the clone's"}
        pair = Pair(postgresql, bench, arn, base, alternate, caplog)
        assert target.admin is not None
        # AWS's own statements.
        pair.run(dict(target.admin), "CREATE ROLE {alt} WITH LOGIN PASSWORD 'the clone''s'")
        pair.run(dict(target.admin), "GRANT {base} TO {alt}")
        pair.administer("GRANT CREATE ON DATABASE {here} TO {alt}")
        yield pair


@pytest.fixture
def elsewhere(pair: Pair) -> Iterator[str]:
    """Another database, in which the alternate owns something."""
    with database(pair, "other") as name:
        yield name


@contextmanager
def database(pair: Pair, suffix: str) -> Iterator[str]:
    pair.other = f"{pair.base['username']}_{suffix}"
    name = pair.other
    pair.administer("CREATE DATABASE {other}")
    pair.administer("GRANT CREATE, CONNECT ON DATABASE {other} TO {alt}")
    pair.run(pair.alternate, OWNED, name)
    yield name
    pair.other = name
    pair.administer("DROP DATABASE {other} WITH (FORCE)")


def test_an_app_reads_its_clones_table_before_during_and_after(pair: Pair, elsewhere: str) -> None:
    pair.label(previous=pair.base, current=pair.alternate)
    pair.run(pair.alternate, OWNED)
    query = sql.SQL("SELECT n FROM {s}.made").format(**pair.names()).as_string(None)
    with Client(pair.bench, pair.server, pair.arn, query) as client:
        # To the base, which may not read it yet: nothing changes for the application.
        token = pair.bench.driver.start(pair.arn)
        found = pair.refused(token)
        assert "REASSIGN OWNED" in found
        client.settle()
        assert client.users == {pair.alternate["username"]}
        assert pair.obey([found]) == {pair.server.dbname, elsewhere}
        client.settle()
        pair.bench.driver.retry(pair.arn, token)
        client.settle()
        assert client.users == {pair.base["username"], pair.alternate["username"]}
        for user in ("alternate", "base", "alternate"):
            assert not pair.rotate()
            client.settle()
            assert pair.starts_as() == (getattr(pair, user)["username"], pair.base["username"])
            assert pair.run(pair.current(), "SELECT n FROM {s}.made", elsewhere) == [(1,)]
    assert not client.failures
    assert client.served


def test_from_base_to_alternate_nothing_is_lost_on_the_way(pair: Pair, elsewhere: str) -> None:
    pair.run(pair.alternate, OWNED)
    pair.run(pair.alternate, "GRANT USAGE ON SCHEMA {s} TO {base}")
    pair.run(pair.alternate, "GRANT SELECT ON {s}.made TO {base}")
    pair.label(previous=pair.alternate, current=pair.base)
    query = sql.SQL("SELECT n FROM {s}.made").format(**pair.names()).as_string(None)
    with Client(pair.bench, pair.server, pair.arn, query) as client:
        warnings = pair.rotate()
        client.settle()
        # It has what it had, and what the base has.
        assert pair.starts_as() == (pair.alternate["username"],) * 2
        pair.run(pair.current(), "INSERT INTO {s}.made VALUES (2)")
        assert len(warnings) == 2
        assert all("does not start as" in warning for warning in warnings)
        token = pair.bench.driver.start(pair.arn)
        assert "REASSIGN OWNED" in pair.refused(token)
        assert pair.obey(warnings) == {pair.server.dbname, elsewhere}
        pair.bench.driver.retry(pair.arn, token)
        client.settle()
        pair.run(pair.current(), "INSERT INTO {s}.made VALUES (3)")
        assert not pair.rotate()
        client.settle()
        assert pair.starts_as() == (pair.alternate["username"], pair.base["username"])
    assert not client.failures


# Everything that GRANT knows, and more, under names that want to be statements.
RIGHTS = """
CREATE SCHEMA {s}; CREATE TABLE {s}.{evil} (n int, {evil} int); CREATE VIEW {s}.v AS SELECT 1 AS n;
CREATE SEQUENCE {s}.q; CREATE TYPE {s}.{evil_type} AS (n int); CREATE DOMAIN {s}.d AS int;
CREATE FUNCTION {s}.f(int, {s}.d[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE {s}.p() LANGUAGE sql AS 'SELECT 1'; CREATE TABLE {s}.rows (n int);
CREATE AGGREGATE {s}.a (int) (sfunc = int4pl, stype = int);
REVOKE ALL ON FUNCTION {s}.f, {s}.a FROM PUBLIC; REVOKE ALL ON PROCEDURE {s}.p FROM PUBLIC;
REVOKE ALL ON TYPE {s}.{evil_type}, {s}.d FROM PUBLIC;
CREATE FOREIGN DATA WRAPPER {w}; CREATE SERVER {evil} FOREIGN DATA WRAPPER {w};
CREATE USER MAPPING FOR {alt} SERVER {evil} OPTIONS (password 'kept to itself');
CREATE ROLE {group}; CREATE ROLE {third}; GRANT USAGE ON SCHEMA {s} TO {third};
SELECT lo_create({lo}); ALTER TABLE {s}.rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY {evil} ON {s}.rows TO {alt}, {third} USING (true);
INSERT INTO {s}.rows VALUES (1);
GRANT USAGE ON SCHEMA {s} TO {alt}; GRANT SELECT (n), UPDATE ({evil}) ON {s}.{evil} TO {alt};
GRANT SELECT ON {s}.v, {s}.rows TO {alt} WITH GRANT OPTION; GRANT USAGE ON SEQUENCE {s}.q TO {alt};
GRANT USAGE ON TYPE {s}.{evil_type}, {s}.d TO {alt}; GRANT EXECUTE ON FUNCTION {s}.f TO {alt};
GRANT EXECUTE ON PROCEDURE {s}.p TO {alt}; GRANT EXECUTE ON FUNCTION {s}.a TO {alt};
GRANT SELECT ON LARGE OBJECT {lo} TO {alt}; GRANT USAGE ON LANGUAGE sql TO {alt};
GRANT USAGE ON FOREIGN DATA WRAPPER {w} TO {alt}; GRANT USAGE ON FOREIGN SERVER {evil} TO {alt};
GRANT SET ON PARAMETER log_statement TO {alt}; GRANT TEMPORARY ON DATABASE {here} TO {alt};
GRANT CREATE ON TABLESPACE pg_default TO {alt}; GRANT {group} TO {alt} WITH ADMIN OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON SEQUENCES TO {alt};
ALTER DEFAULT PRIVILEGES FOR ROLE {alt} GRANT SELECT, INSERT ON TABLES TO {third};
ALTER DEFAULT PRIVILEGES FOR ROLE {alt} GRANT ALL ON TABLES TO {base};
ALTER DEFAULT PRIVILEGES FOR ROLE {alt} REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
GRANT SELECT ON {s}.rows TO {base} WITH GRANT OPTION;
SET ROLE {alt}; GRANT SELECT ON {s}.v, {s}.rows TO {third}; RESET ROLE;
"""
HOSTILE = 'x\'; DROP ROLE "postgres"; COMMIT; */ --%s {}'
MAY = {
    "a column": "has_column_privilege(%(base)s, %(table)s, 'n', 'SELECT')",
    "another column": "has_column_privilege(%(base)s, %(table)s, %(evil)s, 'UPDATE')",
    "a view": "has_table_privilege(%(base)s, %(s)s || '.v', 'SELECT WITH GRANT OPTION')",
    "a sequence": "has_sequence_privilege(%(base)s, %(s)s || '.q', 'USAGE')",
    "a type": "has_type_privilege(%(base)s, %(type)s, 'USAGE')",
    "a domain": "has_type_privilege(%(base)s, %(s)s || '.d', 'USAGE')",
    "a function": "has_function_privilege(%(base)s, format('%%s.f(int, %%s.d[])',"
                  " %(s)s::text, %(s)s::text), 'EXECUTE')",
    "a procedure": "has_function_privilege(%(base)s, %(s)s || '.p()', 'EXECUTE')",
    "an aggregate": "has_function_privilege(%(base)s, %(s)s || '.a(int)', 'EXECUTE')",
    "a wrapper": "has_foreign_data_wrapper_privilege(%(base)s, %(w)s, 'USAGE')",
    "a server": "has_server_privilege(%(base)s, %(evil)s, 'USAGE')",
    "a tablespace": "has_tablespace_privilege(%(base)s, 'pg_default', 'CREATE')",
    "a role": "pg_has_role(%(base)s, %(group)s, 'MEMBER WITH ADMIN OPTION')",
    "a large object": "(SELECT lomacl::text LIKE '%%' || %(base)s || '=r/%%'"
                      " FROM pg_largeobject_metadata WHERE oid = %(lo)s)",
    "a third one's view": "has_table_privilege(%(third)s, %(s)s || '.v', 'SELECT')",
    # Of the other table, the alternate goes on to be a grantor, by way of the base.
    "nobody's by the alternate": "(SELECT strpos(relacl::text, %(alt)s) = 0 FROM pg_class"
                                 " WHERE oid = to_regclass(%(s)s || '.v'))",
    "a third one's rows": "has_table_privilege(%(third)s, %(s)s || '.rows', 'SELECT')",
    "a third one's default": "(SELECT defaclacl::text LIKE '%%' || %(third)s || '=ar/%%'"
        " FROM pg_default_acl JOIN pg_roles r ON r.oid = defaclrole"
        " WHERE rolname = %(base)s AND defaclobjtype = 'r')",
    "what PUBLIC is not to have": "(SELECT NOT defaclacl::text ~ '[{{,]=X' FROM pg_default_acl"
        " JOIN pg_roles r ON r.oid = defaclrole WHERE rolname = %(base)s AND defaclobjtype = 'f')",
    "a parameter": "(SELECT paracl::text LIKE '%%' || %(base)s || '=s/%%' FROM pg_parameter_acl"
                   " WHERE parname = 'log_statement')",
}  # fmt: skip


def test_every_kind_of_right_is_given_to_the_base(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = pair.base["username"]
    own = pair.names()
    more = {
        "evil": HOSTILE, "evil_type": "{" + HOSTILE, "w": f"{base}_w", "third": f"{base}_third",
        "group": f"{base}_group",
    }  # fmt: skip
    lo = int(base[-6:], 16) + 1_000_000
    names = own | {key: sql.Identifier(name) for key, name in more.items()}
    monkeypatch.setattr(pair, "names", lambda: names | {"lo": sql.Literal(lo)})
    pair.label(previous=pair.alternate, current=pair.base)
    try:
        pair.administer(RIGHTS)
        warnings = pair.rotate()
        assert "kept to itself" not in pair.logged.text
        assert "CREATE USER MAPPING" in warnings[0]
        assert pair.starts_as() == (pair.alternate["username"],) * 2
        found = pair.refused(pair.bench.driver.start(pair.arn))
        assert set(SCRIPT.findall(found)) == set(SCRIPT.findall("\n".join(warnings)))
        pair.obey(warnings)
        table, kind = (
            f"{base}_s.{sql.Identifier(more[key]).as_string(None)}" for key in ("evil", "evil_type")
        )
        values = {
            **more,
            "base": base,
            "alt": pair.alternate["username"],
            "s": f"{base}_s",
            "table": table,
            "type": kind,
            "lo": lo,
        }
        with pair.server.admin() as admin:
            for what, asked in MAY.items():
                row = admin.execute(f"SELECT {asked}".replace("{{", "{"), values).fetchone()
                assert row == (True,), what
        assert pair.run(pair.current(), "SELECT n FROM {s}.rows") == [(1,)]
        # The user mapping was for a person; it is gone, and nothing is left.
        pair.bench.driver.put_by_hand(pair.arn, pair.current())
        assert not pair.rotate()
        assert pair.run(pair.current(), "SELECT n FROM {s}.rows") == [(1,)]
        assert not pair.rotate()
        assert pair.starts_as() == (pair.alternate["username"], base)
    finally:
        pair.administer("DROP SCHEMA IF EXISTS {s} CASCADE")
        pair.administer("DROP FOREIGN DATA WRAPPER IF EXISTS {w} CASCADE")
        pair.administer("SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = {lo}")
        pair.administer("REVOKE ALL ON TABLESPACE pg_default FROM {alt}, {base}")
        for role in ("{alt}", "{base}", "{third}", "{group}"):
            pair.administer(f"DROP OWNED BY {role}")
        pair.administer("DROP ROLE {third}, {group}")


def test_a_database_that_cannot_be_looked_into_is_said(pair: Pair, elsewhere: str) -> None:
    pair.administer("REVOKE CONNECT ON DATABASE {other} FROM PUBLIC")
    (_, said) = pair.rotate_to_alternate()
    assert f"owns 2 objects and is granted 0 in database '{elsewhere}'" in said
    assert "may not connect there" in said
    found = pair.refused(pair.bench.driver.start(pair.arn))
    assert "may not connect there" in found
    for statement in re.findall(r"(?:REASSIGN|DROP) OWNED [^;]+;", said):
        pair.administer(statement.replace("{", "{{"), elsewhere)


def test_a_database_whose_door_is_shut_is_said(
    pair: Pair, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_hba.conf may forbid what CONNECT allows."""
    from rotators.database.postgresql import PostgreSQL as Engine
    from rotators.errors import ServerUnreachable

    opening = Engine.open

    def shut(engine: Engine, login: Any, deadline: Any) -> Any:
        if login.dbname == elsewhere:
            raise ServerUnreachable("no pg_hba.conf entry", "Add one.")
        return opening(engine, login, deadline)

    monkeypatch.setattr(Engine, "open", shut)
    assert "could not be looked into: no pg_hba.conf entry" in pair.rotate_to_alternate()[-1]


def test_temporary_tables_of_an_app_do_not_count(pair: Pair) -> None:
    pair.label(previous=pair.base, current=pair.alternate)
    pair.administer("REVOKE CREATE ON DATABASE {here} FROM {alt}")
    value = pair.alternate
    with pair.server.connect(value["username"], value["password"]) as app:
        app.execute("CREATE TEMPORARY TABLE scratch (n int)")
        assert not pair.rotate()
        assert not pair.rotate()
        assert pair.starts_as() == (pair.alternate["username"], pair.base["username"])
        app.execute("SELECT FROM scratch")


def test_an_alternate_that_starts_as_the_base_goes_on_so(pair: Pair) -> None:
    """A stray grant later on is said; to start as itself again would split the ownership."""
    pair.obey(pair.rotate_to_alternate())
    for _ in range(3):
        assert not pair.rotate()
    pair.administer("CREATE SCHEMA {s}; GRANT USAGE ON SCHEMA {s} TO {alt}")
    (warning,) = pair.rotate()
    assert "GRANT USAGE ON SCHEMA" in warning
    assert pair.starts_as() == (pair.alternate["username"], pair.base["username"])
    token = pair.bench.driver.start(pair.arn)
    assert "GRANT USAGE ON SCHEMA" in pair.refused(token)
    pair.obey([warning])
    pair.bench.driver.retry(pair.arn, token)
    pair.administer("DROP SCHEMA {s}")


def test_a_base_that_does_not_inherit_keeps_no_clone_from_inheriting(pair: Pair) -> None:
    pair.administer("ALTER ROLE {base} NOINHERIT")
    warnings = pair.rotate_to_alternate()
    pair.administer("CREATE TABLE {s} (n int); GRANT SELECT ON {s} TO {base}")
    assert pair.run(pair.current(), "SELECT n FROM {s}") == []
    pair.obey(warnings)
    pair.rotate()
    pair.rotate()
    assert pair.starts_as() == (pair.alternate["username"], pair.base["username"])
    assert pair.run(pair.current(), "SELECT n FROM {s}") == []
    pair.administer("DROP TABLE {s}")


HIJACK = """
CREATE FUNCTION public.hijack(oid, regclass) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'hijacked'; END $$;
CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.hijack);
CREATE OPERATOR public.<> (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.hijack);
"""


def test_operators_in_the_search_path_are_not_run_by_the_admin(pair: Pair, elsewhere: str) -> None:
    """Who may create in public could otherwise act with the admin's rights (CVE-2018-1058)."""
    for name in (pair.server.dbname, elsewhere):
        pair.administer(HIJACK, name)
    try:
        warnings = pair.rotate_to_alternate()
        assert "hijacked" not in pair.logged.text
        token = pair.bench.driver.start(pair.arn)
        assert "hijacked" not in pair.refused(token)
        pair.obey(warnings)
        pair.bench.driver.retry(pair.arn, token)
    finally:
        pair.administer("DROP FUNCTION public.hijack CASCADE")
