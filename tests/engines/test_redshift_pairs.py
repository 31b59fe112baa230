"""Two users that take turns, on the double of Redshift: what the alternate gets, and takeovers."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators.database import redshift_acl
from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    StrategyUnavailable,
)
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.redshift_target import BARE, Server, bench_on, quoted, redshift_server
from tests.engines.scene import Scene as SharedScene
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from tests.servers import PrivatePostgreSQL


@dataclass
class Scene(SharedScene[Server, Any]):
    """One secret whose user is the base, in a schema of its own."""

    @property
    def schema(self) -> str:
        return f"s_{self.base}"

    def run(self, *statements: str) -> None:
        """Statements of the server's administrator; names are filled in."""
        for statement in statements:
            self.server.execute(self.filled(statement))

    def filled(self, text: str) -> str:
        names = {"{b}": quoted(self.base), "{a}": quoted(self.alternate), "{s}": self.schema}
        for name, instead in names.items():
            text = text.replace(name, instead)
        return text

    def as_current(self, *statements: str) -> list[list[Any]]:
        login = self.current["username"], self.current["password"]
        return self.server.execute_as(*login, *map(self.filled, statements))

    def ask(self, query: str) -> Any:
        return self.server.execute(self.filled(query))[0][0]

    def configure(self, **changes: Any) -> None:
        target = self.bench.target
        target.settings = replace(target.settings, **changes)


@pytest.fixture(scope="module")
def server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    with redshift_server(private_postgresql) as server:
        server.execute("CREATE ROLE role_reader")
        server.execute("CREATE ROLE role_writer")
        server.execute("CREATE GROUP analysts")
        yield server


@pytest.fixture
def scene(server: Server) -> Iterator[Scene]:
    with bench_on(server, StrategyName.ALTERNATING_USERS, hashed="md5") as bench:
        arn, old = bench.secret()
        scene = Scene(server, bench.target, bench, arn, old)
        scene.run(
            "CREATE SCHEMA {s}",
            "CREATE TABLE {s}.orders (id int, total int)",
            "CREATE VIEW {s}.totals AS SELECT 1 AS one",
            "CREATE FUNCTION {s}.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE PROCEDURE {s}.p(int) LANGUAGE sql AS 'SELECT 1'",
            "REVOKE ALL ON FUNCTION {s}.f(int, text) FROM PUBLIC",
            "REVOKE ALL ON PROCEDURE {s}.p(int) FROM PUBLIC",
            "GRANT USAGE ON SCHEMA {s} TO {b}",
        )
        yield scene


TABLE = "SELECT has_table_privilege('{a}', '{s}.orders', '%s')"
RIGHTS: dict[str, tuple[str, str, str]] = {
    "a table": (
        "GRANT SELECT ON {s}.orders TO {b}",
        TABLE % "SELECT",
        "REVOKE SELECT ON {s}.orders FROM {b}",
    ),
    "a grant option": (
        "GRANT SELECT ON {s}.orders TO {b} WITH GRANT OPTION",
        TABLE % "SELECT WITH GRANT OPTION",
        "REVOKE GRANT OPTION FOR SELECT ON {s}.orders FROM {b}",
    ),
    "a view": (
        "GRANT SELECT ON {s}.totals TO {b}",
        "SELECT has_table_privilege('{a}', '{s}.totals', 'SELECT')",
        "REVOKE SELECT ON {s}.totals FROM {b}",
    ),
    "a column": (
        "GRANT SELECT (id) ON {s}.orders TO {b}",
        "SELECT has_column_privilege('{a}', '{s}.orders', 'id', 'SELECT')",
        "REVOKE SELECT (id) ON {s}.orders FROM {b}",
    ),
    "a schema": (
        "GRANT CREATE ON SCHEMA {s} TO {b}",
        "SELECT has_schema_privilege('{a}', '{s}', 'CREATE')",
        "REVOKE CREATE ON SCHEMA {s} FROM {b}",
    ),
    "a function": (
        "GRANT EXECUTE ON FUNCTION {s}.f(int, text) TO {b}",
        "SELECT has_function_privilege('{a}', '{s}.f(int, text)', 'EXECUTE')",
        "REVOKE EXECUTE ON FUNCTION {s}.f(int, text) FROM {b}",
    ),
    "a procedure": (
        "GRANT EXECUTE ON PROCEDURE {s}.p(int) TO {b}",
        "SELECT has_function_privilege('{a}', '{s}.p(int)', 'EXECUTE')",
        "REVOKE EXECUTE ON PROCEDURE {s}.p(int) FROM {b}",
    ),
    "a database": (
        "GRANT CREATE ON DATABASE postgres TO {b}",
        "SELECT has_database_privilege('{a}', 'postgres', 'CREATE')",
        "REVOKE CREATE ON DATABASE postgres FROM {b}",
    ),
    "a group": (
        "ALTER GROUP analysts ADD USER {b}",
        "SELECT pg_has_role('{a}', 'analysts', 'MEMBER')",
        "ALTER GROUP analysts DROP USER {b}",
    ),
    "a role": (
        "GRANT ROLE role_reader TO {b}",
        "SELECT pg_has_role('{a}', 'role_reader', 'MEMBER')",
        "REVOKE ROLE role_reader FROM {b}",
    ),
    "a role to pass on": (
        "GRANT ROLE role_writer TO {b} WITH ADMIN OPTION",
        "SELECT pg_has_role('{a}', 'role_writer', 'MEMBER WITH ADMIN OPTION')",
        "REVOKE ROLE role_writer FROM {b}",
    ),
    "all on a view": (
        "GRANT ALL ON TABLE {s}.totals TO {b}",
        "SELECT has_table_privilege('{a}', '{s}.totals', 'TRUNCATE')"
        " AND has_table_privilege('{a}', '{s}.totals', 'MAINTAIN')",
        "REVOKE ALL ON TABLE {s}.totals FROM {b}",
    ),
    "all tables of a schema": (
        'GRANT SELECT FOR TABLES IN SCHEMA "{s}" TO {b}',
        "SELECT count(*) > 0 FROM svv_schema_privileges"
        " WHERE identity_name = '{a}' AND privilege_scope = 'TABLES'",
        'REVOKE SELECT FOR TABLES IN SCHEMA "{s}" FROM {b}',
    ),
    "all schemas of a database, to pass on": (
        'GRANT USAGE FOR SCHEMAS IN DATABASE "postgres" TO {b} WITH GRANT OPTION',
        "SELECT coalesce((SELECT admin_option FROM svv_database_privileges"
        " WHERE identity_name = '{a}' AND privilege_scope = 'SCHEMAS'), false)",
        'REVOKE USAGE FOR SCHEMAS IN DATABASE "postgres" FROM {b}',
    ),
    "an IAM role": (
        "GRANT ASSUMEROLE ON 'arn:aws:iam::123456789012:role/load' TO {b} FOR COPY",
        "SELECT count(*) > 0 FROM svv_iam_privileges WHERE identity_name = '{a}'"
        " AND iam_arn = 'arn:aws:iam::123456789012:role/load' AND command_type = 'COPY'",
        "REVOKE ASSUMEROLE ON 'arn:aws:iam::123456789012:role/load' FROM {b} FOR COPY",
    ),
    "the default IAM role": (
        "GRANT ASSUMEROLE ON default TO {b} FOR EXTERNAL FUNCTION",
        "SELECT count(*) > 0 FROM svv_iam_privileges WHERE identity_name = '{a}'"
        " AND iam_arn = 'default-aws-iam-role' AND command_type = 'EXFUNC'",
        "REVOKE ASSUMEROLE ON default FROM {b} FOR EXTERNAL FUNCTION",
    ),
    "a model": (
        'GRANT EXECUTE ON MODEL "{s}"."m" TO {b}',
        "SELECT count(*) > 0 FROM svv_ml_model_privileges WHERE identity_name = '{a}'",
        'REVOKE EXECUTE ON MODEL "{s}"."m" FROM {b}',
    ),
    "models to be made": (
        "GRANT CREATE MODEL TO {b}",
        "SELECT count(*) > 0 FROM svv_system_privileges WHERE identity_name = '{a}'",
        "REVOKE CREATE MODEL FROM {b}",
    ),
    "createdb": (
        "ALTER USER {b} CREATEDB",
        "SELECT usecreatedb FROM pg_user WHERE usename = '{a}'",
        "ALTER USER {b} NOCREATEDB",
    ),
    "a limit": (
        "ALTER USER {b} CONNECTION LIMIT 7",
        "SELECT rolconnlimit = 7 FROM pg_roles WHERE rolname = '{a}'",
        "ALTER USER {b} CONNECTION LIMIT UNLIMITED",
    ),
    "a date": (
        "ALTER USER {b} VALID UNTIL '2040-01-01'",
        "SELECT valuntil < 'infinity' FROM pg_user WHERE usename = '{a}'",
        "ALTER USER {b} VALID UNTIL 'infinity'",
    ),
    "a time-out": (
        "ALTER USER {b} SESSION TIMEOUT 77",
        "SELECT session_timeout = 77 FROM svv_user_info WHERE user_name = '{a}'",
        "ALTER USER {b} RESET SESSION TIMEOUT",
    ),
    "the logs": (
        "ALTER USER {b} SYSLOG ACCESS UNRESTRICTED",
        "SELECT syslog_access = 'UNRESTRICTED' FROM svv_user_info WHERE user_name = '{a}'",
        "ALTER USER {b} SYSLOG ACCESS RESTRICTED",
    ),
    "a setting": (
        "ALTER USER {b} SET search_path TO \"$user\", \"we\"\"ird, one\", public",
        "SELECT coalesce((SELECT useconfig FROM pg_user WHERE usename = '{a}')"
        " = (SELECT useconfig FROM pg_user WHERE usename = '{b}'), false)",
        "ALTER USER {b} RESET search_path",
    ),
    "what others will make": (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} GRANT SELECT ON TABLES TO {b}",
        "SELECT count(*) > 0 FROM pg_default_acl"
        " WHERE array_to_string(defaclacl, ',') LIKE '%{a}=r/%'",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA {s} REVOKE SELECT ON TABLES FROM {b}",
    ),
    "what the user will make": (
        "ALTER DEFAULT PRIVILEGES FOR USER {b} IN SCHEMA {s}"
        " GRANT SELECT ON TABLES TO GROUP analysts",
        "SELECT count(*) > 0 FROM pg_default_acl WHERE pg_get_userbyid(defacluser) = '{a}'",
        "ALTER DEFAULT PRIVILEGES FOR USER {b} IN SCHEMA {s} REVOKE SELECT ON TABLES FROM analysts",
    ),
}  # fmt: skip


def test_the_alternate_gets_every_kind_of_right_and_loses_it_again(scene: Scene) -> None:
    """G5, G6: AWS's template copies once, and only tables, schemas and databases."""
    ask = {name: query.replace("{a}", scene.alternate).replace("{b}", scene.base)
           for name, (_, query, _) in RIGHTS.items()}  # fmt: skip
    granted = {name: give for name, (give, _, _) in RIGHTS.items() if name != "a grant option"}
    scene.run(*granted.values())
    scene.rotate()
    assert scene.current["username"] == scene.alternate
    lacked = [name for name in granted if scene.ask(ask[name]) is not True]
    assert lacked == []
    assert scene.as_current("SELECT * FROM {s}.orders") == []
    scene.rotate()
    scene.run(*(take for _, _, take in RIGHTS.values()))
    scene.rotate()
    kept = [name for name in granted if scene.ask(ask[name]) is not False]
    assert kept == []


def test_a_grant_option_comes_and_goes(scene: Scene) -> None:
    give, query, take = RIGHTS["a grant option"]
    query = query.replace("{a}", scene.alternate)
    scene.run(give)
    scene.rotate()
    assert scene.ask(query)
    scene.rotate()
    scene.run(take)
    scene.rotate()
    assert not scene.ask(query)
    assert scene.ask((TABLE % "SELECT").replace("{a}", scene.alternate))


def test_a_letter_of_the_base_that_is_unknown_is_refused_before_any_change(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(redshift_acl._TABLE, "A")
    scene.run("GRANT SELECT, ALTER ON {s}.orders TO {b}")
    with nothing_changes(scene, StrategyUnavailable, "privilege 'A' ON TABLE .*orders"):
        scene.rotate()
    assert not scene.ask(f"SELECT count(*) FROM pg_user WHERE usename = '{scene.alternate}'")  # noqa: S608


def test_a_letter_of_the_alternate_that_is_unknown_goes_with_all_others_which_come_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run("GRANT SELECT ON {s}.orders TO {b}")
    scene.rotate(2)
    scene.run("GRANT ALTER ON {s}.orders TO {a}")
    monkeypatch.delitem(redshift_acl._TABLE, "A")
    scene.rotate()
    has = TABLE.replace("{a}", scene.alternate)
    assert not scene.ask(has % "MAINTAIN")
    assert scene.ask(has % "SELECT")


def test_a_system_permission_of_a_users_own_that_no_grant_gives_is_refused(scene: Scene) -> None:
    """GRANT gives those to roles; the view can show users."""
    own = "INSERT INTO redshift_double.permission VALUES ('system', '%s', 'VACUUM', '', '', false)"
    scene.run(own % scene.base)
    token = scene.bench.driver.start(scene.arn)
    with nothing_changes(scene, StrategyUnavailable, "privilege 'VACUUM'"):
        scene.bench.driver.retry(scene.arn, token)
    scene.run("DELETE FROM redshift_double.permission")
    scene.bench.driver.retry(scene.arn, token)
    scene.rotate()
    scene.run(own % scene.alternate)
    with nothing_changes(scene, StrategyUnavailable, "privilege 'VACUUM'"):
        scene.rotate()


def test_rights_of_public_and_groups_are_not_made_direct(scene: Scene) -> None:
    """As AWS's template makes them, which copies what a user may do by whatever way."""
    scene.run(
        "GRANT SELECT ON {s}.totals TO PUBLIC",
        "GRANT SELECT ON {s}.orders TO GROUP analysts",
        "ALTER GROUP analysts ADD USER {b}",
    )
    scene.rotate()
    assert scene.as_current("SELECT * FROM {s}.orders") == []
    for table in ("totals", "orders"):
        asked = "SELECT relacl::text FROM pg_class WHERE oid = '{s}.TABLE'::regclass"
        assert scene.alternate not in scene.ask(asked.replace("TABLE", table))


def test_what_the_base_owns_the_alternate_may_use(scene: Scene) -> None:
    """Although neither its rights nor those of AWS's clone are in any access list."""
    scene.run("GRANT CREATE ON SCHEMA {s} TO {b}")
    scene.as_current("CREATE TABLE {s}.own (id int)", "INSERT INTO {s}.own VALUES (1)")
    scene.rotate()
    assert scene.as_current("INSERT INTO {s}.own VALUES (2)", "SELECT * FROM {s}.own") == [[1], [2]]
    scene.rotate(2)
    assert scene.as_current("SELECT * FROM {s}.own") == [[1], [2]]


def test_g8_what_the_alternate_owns_fails_the_test_and_names_the_cure(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.run("GRANT CREATE ON SCHEMA {s} TO {b}")
    scene.rotate()
    scene.as_current("CREATE TABLE {s}.theirs (id int)")
    token = scene.bench.driver.start(scene.arn)
    with pytest.raises(PermissionMissing) as caught:
        scene.bench.driver.retry(scene.arn, token)
    cure = scene.filled('ALTER TABLE "{s}"."theirs" OWNER TO {b};')
    assert cure in str(caught.value)
    assert scene.current["username"] == scene.alternate
    assert cure.replace('"', '\\"') in capsys.readouterr().out  # a warning of setSecret's, as well
    scene.run(cure.rstrip(";"))
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.base
    assert scene.as_current("SELECT * FROM {s}.theirs") == []


def test_the_cure_for_what_is_still_to_be_made_holds(scene: Scene) -> None:
    scene.run("GRANT CREATE ON SCHEMA {s} TO {b}")
    scene.rotate()
    scene.run("ALTER DEFAULT PRIVILEGES FOR USER {a} GRANT ALL ON TABLES TO {b}")
    scene.as_current("CREATE TABLE {s}.later (id int)")
    scene.rotate()
    assert scene.as_current("SELECT * FROM {s}.later") == []
    scene.rotate()
    scene.as_current("CREATE TABLE {s}.later2 (id int)")
    scene.rotate()
    assert scene.as_current("SELECT * FROM {s}.later2") == []


def test_of_the_base_nothing_but_the_password_changes(scene: Scene) -> None:
    scene.run("GRANT SELECT ON {s}.orders TO {b}", "ALTER USER {b} CONNECTION LIMIT 7")
    scene.rotate()
    query = scene.filled("SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL"
                         " ORDER BY oid")  # fmt: skip
    users = "SELECT rolname, rolconnlimit, rolconfig::text FROM pg_roles ORDER BY oid"
    before = scene.server.execute(query), scene.server.execute(users)
    scene.rotate()
    assert scene.current["username"] == scene.base
    assert (scene.server.execute(query), scene.server.execute(users)) == before


def test_g11_a_right_revoked_after_set_fails_the_test(scene: Scene) -> None:
    scene.run("GRANT SELECT ON {s}.orders TO {b}")
    token = scene.bench.driver.start(scene.arn)
    for step in (Step.CREATE, Step.SET):
        scene.bench.driver.step(scene.arn, token, step)
    scene.run("REVOKE SELECT ON {s}.orders FROM {a}")
    with pytest.raises(PermissionMissing, match="SELECT ON TABLE"):
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.as_current("SELECT * FROM {s}.orders") == []


def test_what_the_alternate_has_beyond_the_base_fails_the_bases_turn(scene: Scene) -> None:
    scene.rotate()
    scene.run("GRANT SELECT ON {s}.orders TO {a}")
    with pytest.raises(PermissionMissing, match="SELECT ON TABLE"):
        scene.rotate()
    assert scene.current["username"] == scene.alternate


def test_g2_a_clone_is_whole_or_not_there(scene: Scene) -> None:
    """A crash at every statement of its making."""
    scene.run("GRANT SELECT ON {s}.orders TO {b}", "ALTER GROUP analysts ADD USER {b}")
    exists = f"SELECT count(*) FROM pg_user WHERE usename = '{scene.alternate}'"  # noqa: S608
    at = 0
    while True:
        token = scene.bench.driver.start(scene.arn)
        scene.bench.driver.step(scene.arn, token, Step.CREATE)
        points = scene.bench.points = CrashPoints()
        points._die = None
        counted = _crashing(points, at)
        with contextlib.suppress(Crash):
            scene.bench.driver.step(scene.arn, token, Step.SET)
        scene.bench.points = None
        if scene.ask(exists):
            assert scene.ask((TABLE % "SELECT").replace("{a}", scene.alternate))
            assert scene.ask(f"SELECT pg_has_role('{scene.alternate}', 'analysts', 'MEMBER')")
            break
        scene.bench.driver.cancel(scene.arn)
        scene.bench.client.update_secret_version_stage(
            SecretId=scene.arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
        )
        at += 1
    assert counted
    assert at >= 5


def _crashing(points: CrashPoints, at: int) -> list[str]:
    """Has it crash after so many statements."""
    seen: list[str] = []

    def watch(point: str) -> None:
        if point in {"after execute", "after execute_hidden"}:
            seen.append(point)
            if len(seen) == at + 1:
                points.at = len(points.seen) - 1

    points._watch = watch
    return seen


def test_an_alternate_that_somebody_made_meanwhile_is_not_taken_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine: Any = scene.bench.rotator.engine  # type: ignore[attr-defined]
    real = engine.execute

    def execute(itself: Any, session: Any, statement: str, *values: Any) -> Any:
        if statement == "BEGIN":
            monkeypatch.setattr(engine, "execute", real)
            scene.run("CREATE USER {a} PASSWORD 'sha256|Some-1-body'")
        return real(itself, session, statement, *values)

    monkeypatch.setattr(engine, "execute", execute)
    with pytest.raises(ForbiddenTarget, match="somebody else has just made"):
        scene.rotate()
    assert scene.server.can_log_in(scene.alternate, "Some-1-body")


# ── who may touch whom ──


@contextlib.contextmanager
def nothing_changes(scene: Scene, kind: type[RotationError], match: str) -> Iterator[None]:
    state = "SELECT * FROM pg_authid ORDER BY oid"
    before = scene.server.execute(state), dict(scene.server.front.digests)
    with pytest.raises(kind, match=match):
        yield
    after = scene.server.execute(state), dict(scene.server.front.digests)
    assert after == before


def test_g1_a_user_named_like_an_alternate_gains_nothing(scene: Scene) -> None:
    victim, password = scene.server.create_user()
    lowly, theirs = scene.server.create_user(f"{victim}_clone")
    arn, _ = scene.bench.secret(username=lowly, password=theirs)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.bench.driver.rotate(arn)
    assert scene.server.can_log_in(victim, password)


def test_g1_an_alternate_of_somebody_elses_is_not_taken(scene: Scene) -> None:
    stranger, password = scene.server.create_user(scene.alternate)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.rotate()
    assert scene.server.can_log_in(stranger, password)


def test_a_secret_rewritten_to_name_another_user_changes_nobody(scene: Scene) -> None:
    victim, _ = scene.server.create_user()
    scene.bench.driver.put_by_hand(scene.arn, {**scene.current, "username": victim})
    with nothing_changes(scene, LoginRefused, "AWSCURRENT does not log in"):
        scene.rotate()


def test_a_pair_with_the_admin_in_it_is_left_alone(scene: Scene) -> None:
    admin = scene.server
    arn, _ = scene.bench.secret(username=admin.user, password=admin.password)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights.*the admin itself"):
        scene.bench.driver.rotate(arn)


def test_an_alternate_without_base_is_told(scene: Scene) -> None:
    name, password = scene.server.create_user(f"{scene.base}2_clone")
    arn, _ = scene.bench.secret(username=name, password=password)
    with nothing_changes(scene, MisconfiguredSecret, "there is no user"):
        scene.bench.driver.rotate(arn)


def test_a_lost_pending_version_is_proof_enough(scene: Scene) -> None:
    """A crash after the alternate was made, and a label that somebody cleared."""
    token = scene.bench.driver.start(scene.arn)
    for step in (Step.CREATE, Step.SET):
        scene.bench.driver.step(scene.arn, token, step)
    scene.bench.client.update_secret_version_stage(
        SecretId=scene.arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )
    scene.rotate()
    assert scene.current["username"] == scene.alternate


def test_provisioned_users_get_passwords_and_nothing_else(scene: Scene) -> None:
    scene.configure(provisioned=True, admin_reset=True)
    with pytest.raises(MisconfiguredSecret, match="there is no user"):
        scene.rotate()
    token = next(t for t, labels in scene.bench.simulator.labels(scene.arn).items()
                 if "AWSPENDING" in labels)  # fmt: skip
    scene.server.create_user(scene.alternate)
    scene.run("GRANT USAGE ON SCHEMA {s} TO {a}", "GRANT USAGE ON SCHEMA public TO {a}")
    begun = len(scene.server.said())
    scene.bench.driver.retry(scene.arn, token)
    changed = [one for one in scene.server.said()[begun:] if one.split()[0] in {"GRANT", "REVOKE"}]
    assert changed == []
    assert scene.bench.target.logs_in(scene.current)


def test_an_admin_that_may_not_is_told_what_it_lacks(scene: Scene) -> None:
    name, password = scene.server.create_user()
    admin = scene.bench.simulator.create_secret("weak", scene.server.secret(name, password))
    arn, _ = scene.bench.secret(masterarn=admin)
    with nothing_changes(scene, PermissionMissing, "superuser"):
        scene.bench.driver.rotate(arn)


def test_a_hostile_name_and_hostile_objects(scene: Scene) -> None:
    name, password = scene.server.create_user(f'we"ird {{}} %s;-- {uuid.uuid4().hex[:6]}')
    scene.run(
        'CREATE TABLE IF NOT EXISTS {s}."ta""ble %s; {} DROP" (id int)',
        f'GRANT SELECT ON {{s}}."ta""ble %s; {{}} DROP" TO {quoted(name)}',
        f"GRANT USAGE ON SCHEMA {{s}} TO {quoted(name)}",
    )
    arn, _ = scene.bench.secret(username=name, password=password)
    for _ in range(3):
        scene.bench.driver.rotate(arn)
        now = scene.bench.current(arn)
        read = 'SELECT * FROM {s}."ta""ble %s; {} DROP"'
        assert scene.server.execute_as(now["username"], now["password"], scene.filled(read)) == []


def test_a_server_without_roles_is_done_without_and_told(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    arn, _ = scene.bench.secret(dbname=BARE)
    scene.bench.driver.rotate(arn)
    assert scene.bench.target.logs_in(scene.bench.current(arn))
    assert "SVV_USER_GRANTS" in capsys.readouterr().out


def test_a_staged_alternate_of_another_pair_is_refused(scene: Scene) -> None:
    victim, _ = scene.server.create_user()
    token = scene.bench.driver.start(scene.arn)
    staged(scene.bench, scene.arn, token, username=victim, password=uuid.uuid4().hex)
    with nothing_changes(scene, ForbiddenTarget, "AWSPENDING is for"):
        scene.bench.driver.step(scene.arn, token, Step.SET)
