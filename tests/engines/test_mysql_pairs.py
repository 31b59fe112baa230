"""The gaps of AWS's templates that concern two users in turn: rights, properties, host entries."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rotators.errors import (
    AccountLocked,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
)
from rotators.request import Step
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.mysql_scene import Scene, fingerprint, globally, hosts, scene_on

if TYPE_CHECKING:
    from tests.servers_mysql import MySQLServers, PrivateMySQL

# How the alternate comes to its rights.
WAYS = ("mysql", "mysql without ROLE_ADMIN", "mariadb")


@contextlib.contextmanager
def scene_by(servers: MySQLServers, way: str) -> Iterator[Scene]:
    with (
        servers.tidied("mariadb" if way == "mariadb" else "mysql") as server,
        scene_on(server) as scene,
    ):
        if "without" in way:
            without_role_admin(scene)
        yield scene


def without_role_admin(scene: Scene) -> None:
    """From here on, the alternate gets the base's rights one by one, not the base for its role."""
    scene.alter("REVOKE ROLE_ADMIN ON *.* FROM {admin}")


@pytest.fixture(params=WAYS)
def scene(request: pytest.FixtureRequest, mysql_servers: MySQLServers) -> Iterator[Scene]:
    with scene_by(mysql_servers, request.param) as scene:
        yield scene


# ── G2: a half-made alternate is never promoted ──


def dress(scene: Scene) -> None:
    """Rights of every level, so that there is much to copy."""
    scene.alter("CREATE PROCEDURE {db}.p() SELECT 1")
    scene.alter("CREATE FUNCTION {db}.f() RETURNS INT DETERMINISTIC RETURN 1")
    wild = scene.base.replace("_", r"\_") + "%"
    scene.lend("PROCESS", "*.*")
    if scene.server.kind == "mysql":
        scene.lend("XA_RECOVER_ADMIN", "*.*")
    scene.lend("SELECT, DELETE", f"`{wild}`.*")
    scene.lend("INSERT, CREATE", "{db}.*")
    scene.lend("UPDATE", "{db}.t")
    scene.alter("GRANT SELECT (x), REFERENCES (y) ON {db}.t TO {base}")
    scene.alter("GRANT REFERENCES ON {db}.t TO {admin} WITH GRANT OPTION")
    scene.lend("EXECUTE", "PROCEDURE {db}.p")
    scene.lend("EXECUTE, ALTER ROUTINE", "FUNCTION {db}.f")
    role = scene.role("reader")
    scene.server.execute(f"GRANT SHOW DATABASES ON *.* TO {role}")
    scene.server.execute(f"GRANT {role} TO {scene.base}")


def at_point(name: str, number: int) -> CrashPoints:
    """A crash at the n-th point of that name; the first is 0."""

    def crash(reached: str) -> None:
        if reached == name and points.seen.count(name) == number + 1:
            points.at = len(points.seen) - 1

    points = CrashPoints(watch=crash)
    return points


@pytest.mark.parametrize("point", ["before execute", "after execute"])
def test_g2_a_crash_at_any_statement_is_never_promoted(scene: Scene, point: str) -> None:
    scene.lend("DELETE", "{db}.*")
    for number in range(60):
        points = at_point(point, number)
        token = scene.begin(Step.CREATE)
        scene.bench.points = points
        try:
            scene.bench.driver.step(scene.arn, token, Step.SET)
            break
        except Crash:
            scene.bench.points = None
        with contextlib.suppress(LoginRefused, AccountLocked, PermissionMissing):
            scene.bench.driver.step(scene.arn, token, Step.TEST)
            assert scene.converged(), number
        scene.bench.driver.retry(scene.arn, token)
        assert scene.converged(), number
        assert scene.current["username"] == scene.alternate
        scene.arn, scene.old = scene.bench.secret()
        scene.lend("DELETE", "{db}.*")
    assert 10 < number < 59


@pytest.mark.parametrize("scene", ["mysql without ROLE_ADMIN", "mariadb"], indirect=True)
def test_g2_a_grant_that_fails_half_way_is_never_promoted(scene: Scene) -> None:
    scene.alter("GRANT REFERENCES, TRIGGER ON {db}.* TO {base}")  # the admin may not pass them on
    token = scene.begin(Step.CREATE)
    for _ in range(2):
        with pytest.raises(PermissionMissing, match="may not do what it has to") as caught:
            scene.bench.driver.step(scene.arn, token, Step.SET)
        assert "WITH GRANT OPTION" in caught.value.cure
        with pytest.raises((LoginRefused, AccountLocked, PermissionMissing)) as tested:
            scene.bench.driver.step(scene.arn, token, Step.TEST)
    if scene.server.kind == "mariadb":
        # There the password comes first, and proves whose user it is.
        assert "REFERENCES ON" in str(tested.value)
        assert "TRIGGER ON" in str(tested.value)
    assert scene.bench.target.logs_in(scene.current)
    scene.alter("GRANT REFERENCES, TRIGGER ON {db}.* TO {admin} WITH GRANT OPTION")
    scene.bench.driver.retry(scene.arn, token)
    assert scene.converged()
    assert scene.current["username"] == scene.alternate


# ── G4: roles ──


def with_a_role(scene: Scene, option: str = "", *, default: bool = True) -> str:
    """The base gets a role, which alone lets it read a table."""
    role = scene.role("reader")
    scene.alter("CREATE TABLE {db}.only_by_role (n INT)")
    scene.alter("GRANT SELECT ON {db}.only_by_role TO {role}", role=role)
    scene.alter(f"GRANT {{role}} TO {{base}}{option}", role=role)
    if default:
        scene.alter(
            "SET DEFAULT ROLE {role} TO {base}"
            if scene.server.kind == "mysql"
            else "SET DEFAULT ROLE {role} FOR {base}",
            role=role,
        )
    return role


@pytest.mark.parametrize("option", ["", " WITH ADMIN OPTION"])
@pytest.mark.parametrize("default", [True, False])
def test_g4_a_user_with_roles_is_rotated_and_nothing_leaks(
    scene: Scene, capsys: pytest.CaptureFixture[str], option: str, *, default: bool
) -> None:
    role = with_a_role(scene, option, default=default)
    try:
        for _ in range(3):
            scene.rotate()
            if default:
                scene.read(scene.target.database, "only_by_role")
            if option:
                made = scene.server.create_user()
                scene.run(f"GRANT {role} TO {made.name}")
        assert scene.converged()
    finally:
        assert not scene.leaks(capsys.readouterr().out)


def test_g4_a_right_that_cannot_be_granted_leaks_nothing(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rotate()
    scene.alter("CREATE TABLE {db}.`a`` TO 'b` (n INT)")
    scene.alter("GRANT REFERENCES ON {db}.`a`` TO 'b` TO {base}")
    scene.rotate()
    if scene.shares:
        scene.rotate()
    else:
        with pytest.raises(PermissionMissing) as caught:
            scene.rotate()
        assert not scene.leaks(str(caught.value) + repr(caught.value))
    assert not scene.leaks(capsys.readouterr().out)


def test_g4_partial_revokes_are_kept(private_mysql: PrivateMySQL) -> None:
    with private_mysql() as server, globally(server, "partial_revokes", "ON"):
        for copied in (False, True):
            with scene_on(server) as scene:
                if copied:
                    without_role_admin(scene)
                scene.lend("SELECT", "*.*")
                secret = server.create_database()
                server.execute(f"CREATE TABLE {secret}.t (n INT)")
                scene.alter("REVOKE SELECT ON {secret}.* FROM {base}", secret=secret)
                for _ in range(3):
                    scene.rotate()
                    scene.read(scene.target.database, "t")
                    with pytest.raises(Exception, match="1142"):
                        scene.read(secret, "t")
                    assert scene.converged()
                server.execute(f"GRANT SELECT ON {secret}.* TO {scene.base}")
                scene.rotate(2)
                scene.read(secret, "t")


# ── G5: properties ──

QUOTED = r"""/CN=it''s a "quoted\\ %s name` {}"""
PROPERTIES = {
    "SSL": "REQUIRE SSL",
    "X509": "REQUIRE X509",
    "a certificate": (
        f"REQUIRE SUBJECT '{QUOTED}' AND ISSUER '/O={QUOTED}'"
        " AND CIPHER 'ECDHE-RSA-AES256-GCM-SHA384'"
    ),
    "limits": (
        "WITH MAX_QUERIES_PER_HOUR 10001 MAX_UPDATES_PER_HOUR 10002"
        " MAX_CONNECTIONS_PER_HOUR 10003 MAX_USER_CONNECTIONS 17"
    ),
    "nothing": "REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_USER_CONNECTIONS 0",
    "seconds": "WITH MAX_STATEMENT_TIME 12.5",
}


def test_g5_properties_follow_the_base(scene: Scene) -> None:
    """Some of them keep this function from logging in, so the base has them for a moment only."""
    scene.configure(admin_reset=True)  # MariaDB's proof is a login
    token = scene.begin(Step.CREATE)
    before = None
    for name, options in PROPERTIES.items():
        if name == "seconds" and scene.server.kind == "mysql":
            continue
        seen: list[Any] = []

        def change(point: str, options: str = options, seen: list[Any] = seen) -> None:
            if point == "before provide":
                escaped = options.replace("{", "{{").replace("}", "}}")
                scene.alter("ALTER USER {base} REQUIRE NONE")
                scene.alter("ALTER USER {base} " + escaped)
            elif point == "after provide":
                seen.extend(scene.properties(user) for user in (scene.base, scene.alternate))
                scene.alter("ALTER USER {base} REQUIRE NONE")

        scene.bench.points = CrashPoints(watch=change)
        scene.bench.driver.step(scene.arn, token, Step.SET)
        assert before != seen[0] == seen[1], name
        before = seen[0]
    scene.bench.points = None
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.alternate


POLICIES = {
    "mysql": (
        "PASSWORD EXPIRE NEVER PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 4 DAY"
        " PASSWORD REQUIRE CURRENT FAILED_LOGIN_ATTEMPTS 5 PASSWORD_LOCK_TIME UNBOUNDED",
        "PASSWORD EXPIRE INTERVAL 90 DAY PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY"
        " PASSWORD REQUIRE CURRENT OPTIONAL FAILED_LOGIN_ATTEMPTS 4 PASSWORD_LOCK_TIME 2",
        "PASSWORD EXPIRE DEFAULT PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT"
        " PASSWORD REQUIRE CURRENT DEFAULT FAILED_LOGIN_ATTEMPTS 0 PASSWORD_LOCK_TIME 0",
    ),
    "mariadb": (
        "PASSWORD EXPIRE NEVER",
        "PASSWORD EXPIRE INTERVAL 90 DAY",
        "PASSWORD EXPIRE DEFAULT",
    ),
}


@pytest.mark.parametrize("scene", ["mysql", "mariadb"], indirect=True)
def test_g5_what_is_asked_of_passwords_follows_the_base(scene: Scene) -> None:
    scene.rotate()
    seen = set()
    for options in POLICIES[scene.server.kind]:
        scene.alter("ALTER USER {base} " + options)
        asked = scene.policy(scene.base)
        scene.rotate(2)
        assert scene.policy(scene.base) == scene.policy(scene.alternate) == asked
        seen.add(asked)
    assert len(seen) == len(POLICIES[scene.server.kind])


def test_g5_grant_option_follows_the_base(scene: Scene) -> None:
    scene.alter("CREATE TABLE {db}.given (n INT)")
    scene.lend("SELECT, INSERT", "{db}.given")
    scene.alter("GRANT SELECT, INSERT ON {db}.given TO {base} WITH GRANT OPTION")
    made = scene.server.create_user()
    scene.rotate()
    scene.run(f"GRANT SELECT ON {scene.target.database}.given TO {made.name}")
    scene.rotate()
    scene.alter("REVOKE GRANT OPTION ON {db}.given FROM {base}")
    scene.rotate()
    with pytest.raises(Exception, match=r"114[24]"):
        scene.run(f"GRANT SELECT ON {scene.target.database}.given TO {made.name}")
    assert scene.converged()


@pytest.mark.parametrize("way", ["mysql", "mariadb"])
def test_g5_the_plug_in_follows_the_base(
    private_mysql: PrivateMySQL, private_mariadb: PrivateMySQL, way: str
) -> None:
    private = private_mysql if way == "mysql" else private_mariadb
    plugin = "sha256_password" if way == "mysql" else "ed25519"
    settings = {} if way == "mysql" else {"plugin-load-add": "auth_ed25519"}
    with private(settings=settings) as server, scene_on(server) as scene:
        scene.rotate()
        before = scene.properties(scene.base)[0]
        password = scene.old["password"]
        scene.alter(
            f"ALTER USER {{base}} IDENTIFIED WITH {plugin} BY '{password}'"
            if way == "mysql"
            else f"ALTER USER {{base}} IDENTIFIED VIA {plugin} USING PASSWORD('{password}')"
        )
        scene.rotate(2)
        assert scene.current["username"] == scene.alternate
        for name in (scene.base, scene.alternate):
            assert scene.properties(name)[0] == plugin != before
        with server.connect(scene.alternate, scene.current["password"]):
            pass


# ── G6: rights go as well as come ──


def test_g6_rights_of_every_level_come_and_go(scene: Scene) -> None:
    dress(scene)
    scene.rotate()
    assert scene.converged()
    assert len(scene.rights(scene.base)) > 6
    scene.run(f"CALL {scene.target.database}.p()")
    scene.rotate()
    role, wild = f"{scene.base}_reader", scene.base.replace("_", r"\_") + "%"
    for revoked in (
        "PROCESS ON *.*",
        f"DELETE ON `{wild}`.*",
        "INSERT, CREATE ON {db}.*",
        "SELECT ON {db}.t",
        "SELECT (x) ON {db}.t",
        "EXECUTE ON PROCEDURE {db}.p",
        "ALTER ROUTINE ON FUNCTION {db}.f",
        role,
    ):
        with contextlib.suppress(Exception):  # MariaDB has revoked the column with its table
            scene.alter(f"REVOKE {revoked} FROM {{base}}")
    if scene.server.kind == "mysql":
        scene.alter("REVOKE XA_RECOVER_ADMIN ON *.* FROM {base}")
    scene.alter("GRANT INSERT (y) ON {db}.t TO {base}")
    scene.rotate()
    assert scene.converged()
    with pytest.raises(Exception, match="1370"):
        scene.run(f"CALL {scene.target.database}.p()")


def test_g6_rights_of_the_alternates_own_go(scene: Scene) -> None:
    scene.rotate(2)
    dress(scene)
    role = scene.role("writer")
    scene.lend("DELETE", "{db}.*", to="{alternate}")
    scene.lend("UPDATE (y)", "{db}.t", to="{alternate}")
    scene.alter("GRANT {role} TO {alternate}", role=role)
    assert not scene.converged()
    scene.rotate()
    assert scene.converged()
    query = "SHOW GRANTS FOR " + scene.alternate
    assert role not in str(scene.server.execute(query))


def test_g6_nothing_is_revoked_from_the_base(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rotate()
    scene.alter("GRANT DELETE ON {db}.* TO {alternate}")
    had = scene.rights(scene.base)
    token = scene.begin(Step.CREATE, Step.SET)
    assert scene.rights(scene.base) == had
    written = capsys.readouterr().out
    assert "may what" in written
    assert "DELETE ON" in written
    with pytest.raises(PermissionMissing, match="DELETE ON") as caught:
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert "Applications go on with AWSCURRENT" in caught.value.cure
    assert scene.bench.target.logs_in(scene.current)
    scene.alter("REVOKE DELETE ON {db}.* FROM {alternate}")
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.base


# ── rights that outlived what they are on ──


def stale(scene: Scene, to: str = "{base}") -> None:
    """Rights on what is gone since: a table, a column, a whole database, a routine in it."""
    gone = scene.server.create_database()
    scene.alter(f"CREATE TABLE {gone}.t (n INT)")
    scene.alter("CREATE OR REPLACE VIEW {db}.v AS SELECT x FROM {db}.t")
    scene.alter("DROP TABLE IF EXISTS {db}.gone")
    scene.alter("CREATE TABLE {db}.gone (n INT)")
    scene.alter("ALTER TABLE {db}.t ADD COLUMN (z INT, w INT)")
    scene.lend("SELECT", f"{gone}.t", to)
    scene.lend("INSERT, SELECT", "{db}.gone", to)
    scene.alter(f"GRANT DELETE ON {{db}}.gone TO {to} WITH GRANT OPTION")
    scene.lend("SELECT (z, w), UPDATE (z, y)", "{db}.t", to)
    scene.alter("DROP TABLE {db}.gone")
    scene.alter(f"DROP DATABASE {gone}")
    scene.alter("ALTER TABLE {db}.t DROP COLUMN z")
    scene.alter(f"GRANT DELETE ON {{db}}.t TO {to}")


def test_rights_on_what_is_gone_are_left_out_and_told(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    stale(scene)
    scene.rotate()
    warned = [
        json.loads(line)["message"]
        for line in capsys.readouterr().out.splitlines()
        if "not there any more" in line
    ]
    assert bool(warned) != scene.shares
    scene.rotate(2)
    assert scene.current["username"] == scene.alternate
    scene.run(f"SELECT w FROM {scene.target.database}.t")  # noqa: S608 our own names
    scene.run(f"DELETE FROM {scene.target.database}.t")  # noqa: S608
    capsys.readouterr()
    for said in warned:  # the cure
        scene.server.execute(said.partition("any more: ")[2])
    scene.rotate(2)
    assert scene.converged()
    assert "not there any more" not in capsys.readouterr().out


def test_rights_of_the_alternates_own_on_what_is_gone_do_no_harm(scene: Scene) -> None:
    scene.rotate()
    stale(scene, to="{alternate}")
    scene.alter("REVOKE DELETE, SELECT (w), UPDATE (y) ON {db}.t FROM {alternate}")
    scene.rotate()
    assert scene.current["username"] == scene.base
    scene.rotate()
    assert scene.converged()


@pytest.mark.parametrize("scene", ["mariadb"], indirect=True)
def test_rights_on_packages_follow_the_base(scene: Scene) -> None:
    """Their words are grammar of one SQL mode only."""
    with scene.server.admin() as admin, admin.cursor() as cursor:
        cursor.execute("SET sql_mode = 'ORACLE'")
        cursor.execute(f"USE {scene.target.database}")
        cursor.execute("CREATE PACKAGE pk AS PROCEDURE p(); END")
        cursor.execute("CREATE PACKAGE BODY pk AS PROCEDURE p() AS BEGIN NULL; END; END")
        for kind in ("PACKAGE", "PACKAGE BODY"):
            cursor.execute(f"GRANT EXECUTE ON {kind} pk TO {scene.admin} WITH GRANT OPTION")
            cursor.execute(f"GRANT EXECUTE ON {kind} pk TO {scene.base}")
        scene.rotate()
        assert scene.converged()
        assert sum("PACKAGE" in row for row in scene.rights(scene.alternate)) == 2
        scene.rotate()
        cursor.execute(f"REVOKE EXECUTE ON PACKAGE BODY pk FROM {scene.base}")
        scene.rotate()
        assert scene.converged()


# ── G7: host entries ──


@pytest.mark.parametrize("host", ["127.0.0.1", "127.%", "127.0.0.0/255.0.0.0"])
def test_g7_the_alternate_comes_from_where_the_base_does(scene: Scene, host: str) -> None:
    user = scene.target.new_user(host=host)
    scene.arn, scene.old = scene.bench.secret(username=user.name, password=user.password)
    for turn in range(3):
        scene.rotate()
        assert scene.current["username"] == (scene.base if turn % 2 else scene.alternate)
        assert hosts(scene.server, scene.alternate) == [host]
        assert scene.converged()


@pytest.mark.parametrize("whose", ["base", "alternate"])
def test_g7_several_host_entries_are_refused_with_the_list(scene: Scene, whose: str) -> None:
    scene.rotate(2)
    name = getattr(scene, whose)
    scene.server.create_user(name=name, host="10.1.2.%")
    before = fingerprint(scene.server)
    with pytest.raises(MisconfiguredSecret, match=r"2 host entries.*`10\.1\.2\.%`") as caught:
        scene.rotate()
    assert "`@`%`" in str(caught.value)
    assert fingerprint(scene.server) == before
    assert scene.bench.target.logs_in(scene.current)


# ── G11: testSecret proves the rights ──


LOSSES = {
    "mysql": {
        "the role": "REVOKE {base} FROM {alternate}",
        "the default role": "ALTER USER {alternate} DEFAULT ROLE NONE",
    },
    "mysql without ROLE_ADMIN": {
        "all rights": "REVOKE ALL PRIVILEGES, GRANT OPTION FROM {alternate}",
        "one grant": "REVOKE SELECT ON {db}.t FROM {alternate}",
    },
    "mariadb": {
        "all rights": "REVOKE ALL PRIVILEGES, GRANT OPTION FROM {alternate}",
        "one grant": "REVOKE SELECT ON {db}.t FROM {alternate}",
    },
}


@pytest.mark.parametrize(
    ("scene", "loss"),
    [
        pytest.param(way, loss, id=f"{way}-{name}")
        for way, losses in LOSSES.items()
        for name, loss in losses.items()
    ],
    indirect=["scene"],
)
def test_g11_rights_lost_between_set_and_test_fail_the_test(scene: Scene, loss: str) -> None:
    token = scene.begin(Step.CREATE, Step.SET)
    scene.alter(loss)
    with pytest.raises(PermissionMissing, match=r"may not do what .* SELECT ON `db_"):
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert scene.current == scene.old
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.alternate
    assert scene.converged()


@pytest.mark.parametrize("scene", ["mysql without ROLE_ADMIN", "mariadb"], indirect=True)
def test_g11_a_default_role_lost_between_set_and_test_fails_the_test(scene: Scene) -> None:
    with_a_role(scene)
    token = scene.begin(Step.CREATE, Step.SET)
    scene.alter(
        "ALTER USER {alternate} DEFAULT ROLE NONE"
        if scene.server.kind == "mysql"
        else "SET DEFAULT ROLE NONE FOR {alternate}"
    )
    with pytest.raises(PermissionMissing, match=r"may not do what .* (DEFAULT ROLE|SELECT ON) `"):
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.converged()


def test_g11_a_right_that_the_base_lost_fails_the_test(scene: Scene) -> None:
    scene.rotate()
    token = scene.begin(Step.CREATE, Step.SET)
    scene.alter("GRANT DELETE ON {db}.t TO {alternate}")
    with pytest.raises(PermissionMissing, match="DELETE ON"):
        scene.bench.driver.step(scene.arn, token, Step.TEST)


@pytest.mark.parametrize("value", ["copy", "missing"])
@pytest.mark.parametrize("rotations", [0, 1])
def test_an_attach_that_only_tests_needs_no_alternate_and_no_admin(
    scene: Scene, value: str, rotations: int
) -> None:
    scene.rotate(rotations)
    scene.alter("ALTER USER {admin} ACCOUNT LOCK")
    before = fingerprint(scene.server)
    scene.bench.driver.test_only(scene.arn, "copy" if value == "copy" else "missing")
    assert fingerprint(scene.server) == before
