"""The gaps of AWS's templates that concern two users in turn, each as a test on real servers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import errors as psycopg_errors
from psycopg import sql

from rotators.database.users import Mark
from rotators.errors import ForbiddenTarget, PermissionMissing, RotationError
from rotators.request import Step
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.postgresql_scene import (
    Scene,
    alter,
    exists,
    fingerprint,
    scene_on,
    settings_of,
)

if TYPE_CHECKING:
    from tests.servers import PostgreSQL


@pytest.fixture
def scene(postgresql: PostgreSQL) -> Iterator[Scene]:
    with scene_on(postgresql) as scene:
        yield scene


# ── G1: the user whose password is set has to be this secret's ──

POWERS = {
    "a superuser": "SUPERUSER",
    "another admin": "CREATEROLE",
    "a reader of the server's files": "IN ROLE pg_read_server_files",
    "nobody's user": "",
}


def unchanged(scene: Scene, arn: str, value: dict[str, Any], match: str) -> None:
    """A rotation of the secret is forbidden and leaves no trace."""
    before = fingerprint(scene.server)
    token = scene.bench.driver.start(arn)
    for _ in range(2):
        with pytest.raises(ForbiddenTarget, match=match) as caught:
            scene.bench.driver.retry(arn, token)
        assert caught.value.cure
        assert value["password"] not in str(caught.value)
    assert fingerprint(scene.server) == before
    assert scene.bench.current(arn) == value
    assert scene.bench.target.logs_in(value)


@pytest.mark.parametrize("options", POWERS.values(), ids=POWERS)
@pytest.mark.parametrize("attacker_is", ["alternate", "base"])
def test_g1_a_namesake_is_not_touched(scene: Scene, options: str, attacker_is: str) -> None:
    victim = scene.server.create_user(options=options)
    name = f"{victim.name}_clone"
    if attacker_is == "base":
        # The other way round: the attacker's alternate would be the victim.
        alter(scene.server, "ALTER ROLE {} RENAME TO {}", victim.name, name)
        name = victim.name
    attacker = scene.server.create_user(name=name)
    for each in {victim.name, f"{victim.name}_clone"}:
        if options != "SUPERUSER":
            scene.target.let_admin(each)
    arn, value = scene.bench.secret(username=attacker.name, password=attacker.password)
    if options:
        scene.configure(admin_reset=True)  # which is no licence for these
    unchanged(scene, arn, value, "administrative rights" if options else "nothing proves")


def test_g1_the_admin_itself_is_not_touched(scene: Scene) -> None:
    attacker = scene.server.create_user(name=f"{scene.admin}_clone")
    scene.target.let_admin(attacker.name)
    arn, value = scene.bench.secret(username=attacker.name, password=attacker.password)
    scene.configure(admin_reset=True)
    unchanged(scene, arn, value, f"{scene.admin}' holds administrative rights")


def test_g1_a_base_that_became_powerful_is_no_longer_touched(scene: Scene) -> None:
    scene.rotate(2)
    alter(scene.server, "GRANT pg_read_server_files TO {}", scene.base)
    unchanged(scene, scene.arn, scene.current, "administrative rights")


# ── G2: all or nothing ──


MANY = 90  # more than the statements of any setSecret


def dress(scene: Scene, name: str) -> None:
    """Attributes and settings, so that there is much to copy."""
    for change in (
        "CONNECTION LIMIT 7 VALID UNTIL '2099-12-31 23:59:59+00'",
        """SET search_path = "$user", "it's", "quo""ted", public""",
        "SET statement_timeout = '31s'",
        "SET application_name = E'a=b, \"c\" \\\\ ''d'' %s'",
        f"IN DATABASE {scene.server.dbname} SET lock_timeout = '7s'",
        f"IN DATABASE {scene.server.dbname} SET search_path = ''",
    ):
        alter(scene.server, "ALTER ROLE {} " + change.replace("{", "{{"), name)


def at_statement(number: int, happens: Callable[[CrashPoints], None]) -> CrashPoints:
    """Points, at the n-th statement of which something happens; the first is 0."""

    def watch(point: str) -> None:
        if point == "before execute" and points.seen.count(point) == number + 1:
            happens(points)

    points = CrashPoints(watch=watch)
    return points


def crash(points: CrashPoints) -> None:
    points.at = len(points.seen) - 1


def fails(scene: Scene, token: str, kind: type[BaseException]) -> bool:
    """Whether setSecret ends with that, the points being as they are."""
    try:
        scene.bench.driver.step(scene.arn, token, Step.SET)
    except kind:
        return True
    finally:
        scene.bench.points = None
    return False


def test_g2_a_crash_at_any_statement_leaves_nothing(scene: Scene) -> None:
    dress(scene, scene.base)
    token = scene.begin(Step.CREATE)
    before = fingerprint(scene.server)
    for number in range(MANY):
        scene.bench.points = at_statement(number, crash)
        if not fails(scene, token, Crash):
            break
        assert fingerprint(scene.server) == before
        assert scene.bench.target.logs_in(scene.old)
    assert 20 < number < MANY - 1
    scene.bench.driver.retry(scene.arn, token)
    assert converged(scene)
    assert scene.run("SELECT current_user::text") == [(scene.base,)]


def test_g2_an_admin_that_loses_its_right_half_way_leaves_nothing(scene: Scene) -> None:
    dress(scene, scene.base)
    token = scene.begin(Step.CREATE)
    before = fingerprint(scene.server)
    for number in range(MANY):
        scene.bench.points = at_statement(number, lambda _: without_createrole(scene))
        lost = fails(scene, token, PermissionMissing)
        alter(scene.server, "ALTER ROLE {} CREATEROLE", scene.admin)
        if not lost:
            break  # nothing was left to be done but COMMIT
        assert fingerprint(scene.server) == before
        with pytest.raises(RotationError):
            scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert 20 < number < MANY - 1
    scene.bench.driver.retry(scene.arn, token)
    assert converged(scene)


# ── G8: whatever either user makes is the base's ──


def test_g8_tables_are_shared_whoever_made_them(scene: Scene) -> None:
    alter(scene.server, "CREATE SCHEMA {} AUTHORIZATION {}", f"s_{scene.base}", scene.base)
    alter(scene.server, "ALTER ROLE {} SET search_path = {}", scene.base, f"s_{scene.base}")
    made: list[str] = []
    for number in range(4):
        for table in made:
            scene.run(f"INSERT INTO {table} VALUES (1)")  # noqa: S608 our own name
            scene.run(f"ALTER TABLE {table} ADD COLUMN by_{number} int")
            assert len(scene.run(f"TABLE {table}")) == number - made.index(table)
        made.append(f"table_{number}")
        scene.run(f"CREATE TABLE table_{number} (n int)")
        scene.rotate()
        assert scene.current["username"] == (scene.base, scene.alternate)[(number + 1) % 2]
    owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = current_schema"
    assert scene.run(owners) == [(scene.base,)]


def test_g8_the_alternate_is_known_by_its_own_name(scene: Scene) -> None:
    scene.rotate()
    assert scene.run("SELECT session_user::text, current_user::text") == [
        (scene.alternate, scene.base)
    ]
    assert scene.run("RESET ROLE") == []
    assert scene.run("SET ROLE NONE") == []


# ── G9: attributes and settings ──

ATTRIBUTES = """
SELECT rolinherit, rolconnlimit, rolcanlogin, coalesce(rolvaliduntil, 'infinity')::text
FROM pg_roles WHERE rolname = %s
"""


def converged(scene: Scene) -> bool:
    """Whether the alternate has what the base has, and starts as it."""
    with scene.server.admin() as admin:
        base, alternate = (
            admin.execute(ATTRIBUTES, [name]).fetchone() for name in (scene.base, scene.alternate)
        )
    expected = settings_of(scene.server, scene.base)
    expected.setdefault(None, set()).add(f"role={scene.base}")
    return base == alternate and settings_of(scene.server, scene.alternate) == expected


def test_g9_attributes_and_settings_follow_the_base(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    dress(scene, scene.base)
    scene.rotate()
    assert converged(scene)
    assert scene.run("SHOW search_path") == [('""',)]
    assert scene.run("SHOW lock_timeout") == [("7s",)]
    assert scene.run("SHOW application_name") == [("a=b, \"c\" \\ 'd' %s",)]
    scene.rotate()
    for change in (
        "CONNECTION LIMIT -1 NOINHERIT VALID UNTIL '2098-01-01'",
        "SET statement_timeout = '32s'",
        'SET search_path = a, "B"',
        "RESET application_name",
        f"IN DATABASE {scene.server.dbname} RESET ALL",
        "SET work_mem = '5MB'",
    ):
        alter(scene.server, "ALTER ROLE {} " + change, scene.base)
    scene.rotate()
    assert converged(scene)
    assert scene.run("SHOW search_path") == [('a, "B"',)]
    assert scene.run("SHOW lock_timeout") == [("0",)]
    assert scene.run("SHOW work_mem") == [("5MB",)]
    scene.rotate()
    alter(scene.server, "ALTER ROLE {} RESET ALL", scene.base)
    alter(scene.server, "ALTER ROLE {} INHERIT VALID UNTIL 'infinity'", scene.base)
    capsys.readouterr()
    scene.rotate()
    assert converged(scene)
    assert "could not be copied" not in capsys.readouterr().out


def test_g9_createdb_is_usable(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} CREATEDB", scene.base)
    scene.rotate()
    assert scene.current["username"] == scene.alternate
    name = f"db_{scene.base}"
    try:
        scene.run(f"CREATE DATABASE {name}")
        query = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = %s"
        assert scene.run(query, name) == [(scene.base,)]
        scene.rotate()
        scene.run(f"ALTER DATABASE {name} CONNECTION LIMIT 3")
    finally:
        alter(scene.server, "DROP DATABASE IF EXISTS {}", name)


def test_g9_a_setting_with_a_name_of_its_own(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} SET my.var = 'one, \"two\"'", scene.base)
    alter(scene.server, "GRANT SET ON PARAMETER my.var TO {}", scene.admin)
    try:
        scene.rotate()
        assert converged(scene)
        assert scene.run("SHOW my.var") == [('one, "two"',)]
        scene.rotate()
        alter(scene.server, "ALTER ROLE {} RESET my.var", scene.base)
        scene.rotate()
        assert converged(scene)
    finally:
        alter(scene.server, "REVOKE SET ON PARAMETER my.var FROM {}", scene.admin)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("SET log_statement = 'all'", "SET \"log_statement\" = 'all'"),
        ("SET my.var = 'x'", 'SET "my"."var" = \'x\''),
        ("REPLICATION", "REPLICATION"),
        ("BYPASSRLS", "BYPASSRLS"),
    ],
)
def test_g9_what_the_admin_may_not_set_is_a_warning(
    scene: Scene, capsys: pytest.CaptureFixture[str], change: str, named: str
) -> None:
    alter(scene.server, f"ALTER ROLE {{}} {change}", scene.base)
    scene.rotate()
    written = capsys.readouterr().out.replace('\\"', '"')
    assert scene.current["username"] == scene.alternate
    cure = f'ALTER ROLE "{scene.alternate}" {named}'
    assert "WARNING" in written
    assert f"As a superuser: {cure}" in written
    if (scene.server.major, change) == (15, "REPLICATION"):
        # Before PostgreSQL 16, only a superuser sets its password.
        with pytest.raises(PermissionMissing, match=f'ALTER ROLE "{scene.base}" NOREPLICATION'):
            scene.rotate()
        return
    alter(scene.server, cure)
    scene.rotate(2)
    assert "could not be copied" not in capsys.readouterr().out


# ── G10: an admin that may not ──


def cured(scene: Scene, error: PermissionMissing) -> None:
    """Runs the statements that the error gives, as a superuser; the last only if it applies."""
    *given, last = re.findall(r"ALTER ROLE .*? CREATEROLE|GRANT .*? OPTION", error.cure)
    assert len(given) == 2
    for statement in given:
        alter(scene.server, statement)
    if exists(scene.server, scene.alternate):
        alter(scene.server, last)


def without_createrole(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} NOCREATEROLE", scene.admin)


def without_the_base(scene: Scene) -> None:
    if scene.server.major < 16:
        # There, CREATEROLE alone is enough.
        without_createrole(scene)
        return
    alter(scene.server, "REVOKE {} FROM {} CASCADE", scene.base, scene.admin)


def without_the_alternate(scene: Scene) -> None:
    if scene.server.major < 16:
        # There, CREATEROLE alone is enough.
        without_createrole(scene)
        return
    alter(scene.server, "REVOKE {} FROM {}", scene.alternate, scene.admin)


@pytest.mark.parametrize(
    ("lose", "rotations"),
    [
        (without_createrole, 0),
        (without_createrole, 1),
        (without_createrole, 2),
        (without_the_base, 0),
        (without_the_base, 1),
        (without_the_alternate, 2),
    ],
)
def test_g10_the_error_has_the_statements_that_help(
    scene: Scene, lose: Callable[[Scene], None], rotations: int
) -> None:
    scene.rotate(rotations)
    old = scene.current
    lose(scene)
    before = fingerprint(scene.server)
    token = scene.begin(Step.CREATE)
    with pytest.raises(PermissionMissing, match="may not do what it has to") as caught:
        scene.bench.driver.step(scene.arn, token, Step.SET)
    assert fingerprint(scene.server) == before
    assert scene.bench.target.logs_in(old)
    cured(scene, caught.value)
    scene.bench.driver.retry(scene.arn, token)
    assert "AWSCURRENT" in scene.bench.simulator.labels(scene.arn)[token]
    assert scene.current["username"] != old["username"]
    assert scene.run("SELECT current_user::text") == [(scene.base,)]
    scene.rotate(2)


# ── G11: testSecret proves the rights ──

LOSSES = {
    "the membership": "REVOKE {base} FROM {alternate}",
    "the start as base": "ALTER ROLE {alternate} RESET role",
    "the start as base, by another": "ALTER ROLE {alternate} SET role = none",
    "the start as base, in this database": (
        "ALTER ROLE {alternate} IN DATABASE {dbname} SET role = none"
    ),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_g11_rights_lost_between_set_and_test_fail_the_test(scene: Scene, loss: str) -> None:
    token = scene.begin(Step.CREATE, Step.SET)
    names = {"base": scene.base, "alternate": scene.alternate, "dbname": scene.server.dbname}
    as_admin = scene.server.major >= 16 and loss.startswith("REVOKE")
    by = f" GRANTED BY {scene.admin}" if as_admin else ""
    alter(scene.server, loss.format(**names) + by)
    with pytest.raises(PermissionMissing, match="no member of"):
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert scene.current == scene.old
    assert scene.bench.target.logs_in(scene.old)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.alternate
    assert scene.run("SELECT current_user::text") == [(scene.base,)]


# SET and INHERIT are options since PostgreSQL 16.
@pytest.mark.parametrize("postgresql", ["17"], indirect=True)
def test_g11_a_member_that_may_not_become_the_base_is_mended(scene: Scene) -> None:
    scene.rotate(2)
    for grantor in (scene.admin, scene.server.user):
        alter(
            scene.server,
            "GRANT {} TO {} WITH SET FALSE, INHERIT FALSE, ADMIN FALSE GRANTED BY {}",
            *(scene.base, scene.alternate, grantor),
        )
    scene.rotate()
    assert scene.run("SELECT current_user::text") == [(scene.base,)]


# ── more than the base ──


def test_a_role_that_only_the_alternate_has_is_reported(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rotate(2)
    group = scene.server.create_user().name
    alter(scene.server, "GRANT {} TO {}", group, scene.alternate)
    capsys.readouterr()
    scene.rotate()
    written = capsys.readouterr().out
    assert scene.current["username"] == scene.alternate
    assert f"GRANT {group} TO {scene.base}" in written.replace('\\"', "")
    assert scene.bench.target.logs_in(scene.current)
    token = scene.begin(Step.CREATE, Step.SET)
    with pytest.raises(PermissionMissing, match=f'GRANT "?{group}"? TO "?{scene.base}'):
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert scene.current["username"] == scene.alternate
    alter(scene.server, "REVOKE {} FROM {}", group, scene.alternate)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.base
    scene.rotate()
    assert converged(scene)


@pytest.mark.parametrize("value", ["copy", "missing"])
@pytest.mark.parametrize("rotations", [0, 1, 2])
def test_an_attach_that_only_tests_needs_no_alternate_and_no_admin(
    scene: Scene, value: str, rotations: int
) -> None:
    scene.rotate(rotations)
    if rotations == 2:
        alter(scene.server, "REVOKE {} FROM {}", scene.base, scene.alternate)
        if scene.server.major >= 16:
            alter(
                scene.server, f"REVOKE {{}} FROM {{}} GRANTED BY {scene.admin}",
                *(scene.base, scene.alternate),
            )  # fmt: skip
    alter(scene.server, "ALTER ROLE {} NOLOGIN", scene.admin)
    before = fingerprint(scene.server)
    scene.bench.driver.test_only(scene.arn, "copy" if value == "copy" else "missing")
    assert fingerprint(scene.server) == before


# ── what it costs ──


def test_the_budget_with_a_mark_in_both_directions(scene: Scene) -> None:
    assert [scene.cost() for _ in range(4)] == [(13, 3, 0)] * 4


def test_the_budget_without_a_mark(scene: Scene) -> None:
    """One call and one login more, to prove by an older version that the user is this secret's."""
    scene.rotate(2)
    for _ in range(2):
        for name in (scene.base, scene.alternate):
            alter(scene.server, "COMMENT ON ROLE {} IS NULL", name)
        assert scene.cost() == (14, 4, 0)
        assert scene.marks == {Mark(scene.arn, (scene.base, scene.alternate))}
        assert scene.cost() == (13, 3, 0)
        scene.rotate()


def test_a_rotation_touches_no_other_user(scene: Scene) -> None:
    other = scene.server.create_user()
    scene.rotate(3)
    assert scene.server.can_log_in(other.name, other.password)
    with (
        scene.server.connect(other.name, other.password) as connection,
        pytest.raises(psycopg_errors.InsufficientPrivilege),
    ):
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(scene.base)))


def test_the_base_alone_gets_its_password_back(scene: Scene) -> None:
    """Alternate to base: nothing of the base changes but its password and its mark."""
    dress(scene, scene.base)
    scene.rotate()
    query = "SELECT to_jsonb(a) - 'rolpassword' FROM pg_authid a WHERE rolname = %s"
    with scene.server.admin() as admin:
        before = (
            admin.execute(query, [scene.base]).fetchone(),
            settings_of(scene.server, scene.base),
        )
        scene.rotate()
        after = admin.execute(query, [scene.base]).fetchone(), settings_of(scene.server, scene.base)
    assert before == after
