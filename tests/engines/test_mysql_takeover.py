"""Whoever may write a secret gains no account by it: the admin acts on nobody else's user."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from rotators.database.mysql_grants import ADMINISTRATIVE
from rotators.database.users import Mark
from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
)
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.mysql_scene import Scene, fingerprint, globally, hosts, other, refused, scene_on
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from tests.servers_mysql import Kind, MySQL, MySQLServers


@pytest.fixture
def scene(mysql_or_mariadb: MySQL) -> Iterator[Scene]:
    with scene_on(mysql_or_mariadb) as scene:
        yield scene


only_mysql = pytest.mark.parametrize("mysql_or_mariadb", ["mysql"], indirect=True)
only_mariadb = pytest.mark.parametrize("mysql_or_mariadb", ["mariadb"], indirect=True)


@contextlib.contextmanager
def nothing_changes(scene: Scene, kind: type[RotationError], match: str) -> Iterator[None]:
    """What is inside ends with that error, a cure in it, and leaves no trace on the server."""
    before = fingerprint(scene.server)
    with pytest.raises(kind, match=match) as caught:
        yield
    assert type(caught.value) is kind
    assert caught.value.cure
    assert not scene.leaks(str(caught.value))
    assert fingerprint(scene.server) == before


def mark_of(scene: Scene, name: str) -> Mark | None:
    query = "SELECT User_attributes->>'$.metadata.rotators' FROM mysql.user WHERE User = %s"
    ((said,),) = scene.server.execute(query, name)
    return Mark.of(json.loads(said)) if said else None


def mark(scene: Scene, name: str, **said: str) -> None:
    attribute = json.dumps({"rotators": said})
    scene.server.execute(f"ALTER USER {name} ATTRIBUTE %s", attribute)


def pair(scene: Scene, arn: str | None = None) -> dict[str, str]:
    return {"secret": arn or scene.arn, "base": scene.base, "alternate": scene.alternate}


# ── G1: namesakes ──


@pytest.mark.parametrize("attacker_is", ["alternate", "base"])
@pytest.mark.parametrize("admin_reset", [True, False])
def test_g1_a_namesake_of_an_admin_changes_nothing(
    scene: Scene, attacker_is: str, *, admin_reset: bool
) -> None:
    """A low-privileged svc_admin_clone, or a svc whose alternate would be svc_clone."""
    lowly = scene.server.create_user(name=f"{scene.base}_svc_admin_clone")
    powerful = scene.server.create_user(name=f"{scene.base}_svc_admin")
    if attacker_is == "base":
        lowly, powerful = powerful, lowly
    scene.server.execute(f"GRANT CREATE USER ON *.* TO {powerful.name}")
    arn, value = scene.bench.secret(username=lowly.name, password=lowly.password)
    scene.configure(admin_reset=admin_reset)
    token = scene.bench.driver.start(arn)
    for _ in range(2):
        with nothing_changes(scene, ForbiddenTarget, "administrative rights: CREATE USER"):
            scene.bench.driver.retry(arn, token)
    assert scene.bench.current(arn) == value
    assert scene.server.can_log_in(powerful.name, powerful.password)


def test_g1_the_admin_is_no_pair(scene: Scene) -> None:
    lowly = scene.server.create_user(name=f"{scene.admin}_clone")
    arn, _ = scene.bench.secret(username=lowly.name, password=lowly.password)
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights"):
        scene.bench.driver.rotate(arn)
    assert scene.target.admin is not None
    scene.rewrite(**{key: scene.target.admin[key] for key in ("username", "password")})
    with nothing_changes(scene, ForbiddenTarget, "it is the admin itself"):
        scene.rotate()


def test_g1_an_unrelated_namesake_is_touched_only_where_that_is_allowed(scene: Scene) -> None:
    unrelated = other(scene, name=scene.alternate)
    token = scene.begin()
    with nothing_changes(scene, ForbiddenTarget, "nothing proves that it belongs"):
        scene.bench.driver.retry(scene.arn, token)
    assert scene.server.can_log_in(unrelated.name, unrelated.password)
    scene.configure(admin_reset=True)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.alternate
    scene.configure()
    scene.rotate(2)


# ── administrators, by whatever name ──


def known(server: MySQL) -> list[str]:
    """The privileges that the server knows, spelled as in GRANT."""
    return [name.upper() for name, *_ in server.execute("SHOW PRIVILEGES")]


# By these nobody gains an account, or leave to act as one.
HARMLESS = """
ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE TEMPORARY TABLES, CREATE VIEW, DELETE, DROP,
EVENT, EXECUTE, GRANT OPTION, INDEX, LOCK TABLES, PROCESS, REFERENCES, RELOAD, REPLICATION CLIENT,
REPLICATION SLAVE, SELECT, SHOW DATABASES, SHOW VIEW, SHUTDOWN, TRIGGER, CREATE TABLESPACE, USAGE,
CREATE ROLE, DROP ROLE, AUDIT_ABORT_EXEMPT, FIREWALL_EXEMPT, OPTIMIZE_LOCAL_TABLE,
SENSITIVE_VARIABLES_OBSERVER, GROUP_REPLICATION_STREAM, FLUSH_PRIVILEGES, FLUSH_TABLES,
XA_RECOVER_ADMIN, INNODB_REDO_LOG_ARCHIVE, MANAGE_DATA_MASKING_POLICY, SESSION_VARIABLES_ADMIN,
APPLICATION_PASSWORD_ADMIN, CREATE_SPATIAL_REFERENCE_SYSTEM, BACKUP_ADMIN, TRANSACTION_GTID_TAG,
INNODB_REDO_LOG_ENABLE, RESOURCE_GROUP_USER, BINLOG_ENCRYPTION_ADMIN, SERVICE_CONNECTION_ADMIN,
SHOW_ROUTINE, RESOURCE_GROUP_ADMIN, TABLE_ENCRYPTION_ADMIN, TELEMETRY_LOG_ADMIN, FLUSH_STATUS,
REPLICATION_APPLIER, FLUSH_OPTIMIZER_COSTS, FLUSH_USER_RESOURCES, DELETE HISTORY, BINLOG MONITOR,
SLAVE MONITOR
"""


@pytest.mark.parametrize("how", ["direct", "by a role", "by a role's role"])
def test_whoever_holds_an_administrative_right_is_no_pair(scene: Scene, how: str) -> None:
    """Of every right that this server knows, and none is left unjudged."""
    scene.configure(admin_reset=True)
    grantee = scene.base
    for level in range({"direct": 0, "by a role": 1, "by a role's role": 2}[how]):
        role = f"{scene.base}_role{level}"
        scene.server.execute(f"CREATE ROLE {role}")
        scene.server.drop_later(role)
        scene.server.execute(f"GRANT {role} TO {grantee}")
        grantee = role
    token = scene.begin()
    harmless = {name.strip() for name in HARMLESS.replace("\n", " ").split(",")}
    judged = set(known(scene.server)) - harmless - {"PROXY"}
    assert judged >= {"SUPER", "CREATE USER", "FILE", "INSERT", "UPDATE"}
    for privilege in sorted(judged):
        assert privilege in ADMINISTRATIVE | {"INSERT", "UPDATE"}
        scene.server.execute(f"GRANT {privilege} ON *.* TO {grantee}")
        with pytest.raises(ForbiddenTarget, match=f"administrative rights: .*{privilege}"):
            scene.bench.driver.retry(scene.arn, token)
        scene.server.execute(f"REVOKE {privilege} ON *.* FROM {grantee}")
    assert hosts(scene.server, scene.alternate) == []


WIDE = {
    "everything": "GRANT ALL ON *.* TO {}",
    "the system's tables": "GRANT UPDATE ON mysql.* TO {}",
    "all of the system's tables": "GRANT ALL ON mysql.* TO {}",
    "one of the system's tables": "GRANT INSERT ON mysql.db TO {}",
    "a column of the system's": "GRANT UPDATE (Host) ON mysql.db TO {}",
    "any schema": "GRANT UPDATE ON `%`.* TO {}",
    "a wildcard": r"GRANT INSERT ON `m_sq%`.* TO {}",
    "a wildcard with a backslash": r"GRANT UPDATE ON `m\ysql`.* TO {}",
}


@pytest.mark.parametrize("statement", WIDE.values(), ids=WIDE)
@pytest.mark.parametrize("via", ["direct", "by a role"])
def test_whoever_may_write_the_systems_tables_is_no_pair(
    scene: Scene, statement: str, via: str
) -> None:
    grantee = scene.base
    if via == "by a role":
        grantee = f"{scene.base}_role"
        scene.server.execute(f"CREATE ROLE {grantee}")
        scene.server.execute(f"GRANT {grantee} TO {scene.base}")
    scene.server.execute(statement.format(grantee))
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights"):
        scene.rotate()


def test_whoever_may_act_as_another_is_no_pair(scene: Scene) -> None:
    # The test's administrator may not GRANT PROXY.
    scene.server.execute(
        "INSERT INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, Grantor)"
        " VALUES ('%%', %s, '%%', %s, '')",
        *(scene.base, other(scene).name),
    )
    scene.server.execute("FLUSH PRIVILEGES")
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights: PROXY"):
        scene.rotate()


def test_rights_are_seen_however_the_server_quotes(scene: Scene) -> None:
    scene.server.execute(f"GRANT UPDATE ON mysql.* TO {scene.base}")
    scene.configure(admin_reset=True)
    with (
        globally(scene.server, "sql_quote_show_create", 0),
        globally(scene.server, "sql_mode", "ANSI_QUOTES"),
        nothing_changes(scene, ForbiddenTarget, "administrative rights: UPDATE"),
    ):
        scene.rotate()


def test_rights_are_seen_behind_many_roles(scene: Scene) -> None:
    role = f"{scene.base}_role"
    for number in range(110):
        scene.server.execute(f"CREATE ROLE {role}{number:03}")
        scene.server.execute(f"GRANT {role}{number:03} TO {scene.base}")
    scene.server.execute(f"GRANT CREATE USER ON *.* TO {role}000")
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights"):
        scene.rotate()


# ── a secret rewritten to name somebody else ──


def another_secrets_base(scene: Scene) -> str:
    arn, value = scene.bench.secret()
    scene.bench.driver.rotate(arn)
    return str(value["username"])


VICTIMS: dict[str, Callable[[Scene], str]] = {
    "another user": lambda scene: other(scene).name,
    "another secret's base": another_secrets_base,
    "another secret's alternate": lambda scene: f"{another_secrets_base(scene)}_clone",
    "the admin": lambda scene: scene.admin,
    "root": lambda scene: scene.server.user,
    "nobody": lambda scene: f"{scene.base}_nobody",
    "the same with a blank": lambda scene: f"{scene.base} ",
    "the same in capitals": lambda scene: scene.base.upper(),
}


@pytest.mark.parametrize("victim", VICTIMS.values(), ids=VICTIMS)
def test_a_secret_rewritten_to_name_somebody_else_changes_nothing(
    scene: Scene, victim: Callable[[Scene], str]
) -> None:
    name = victim(scene)
    scene.rewrite(username=name)
    scene.configure(admin_reset=True)
    with nothing_changes(scene, LoginRefused, "AWSCURRENT does not log in"):
        scene.rotate()


# Neither server expires an anonymous user's password by statement; by and by, both do.
EXPIRED = {
    "mysql": "UPDATE mysql.user SET password_expired = 'Y' WHERE User = ''",
    "mariadb": (
        "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.password_last_changed', 0)"
        " WHERE User = ''"
    ),
}


@pytest.mark.parametrize("expired", [True, False])
@pytest.mark.parametrize("target_exists", [True, False])
def test_a_login_as_somebody_else_proves_nothing(
    scene: Scene, *, target_exists: bool, expired: bool
) -> None:
    """An anonymous user is let in under every name that has no account for this host.

    Whose session it is, the server does not say before an expired password is replaced.
    """
    victim = scene.target.new_user(host="10.0.0.5")
    scene.server.drop_later(f"{victim.name}_clone")
    if target_exists:
        scene.server.create_user(name=f"{victim.name}_clone", host="10.0.0.5")
    anonymous = uuid.uuid4().hex
    scene.server.execute(f"CREATE USER ''@'%' IDENTIFIED BY '{anonymous}'")
    if expired:
        scene.server.execute(EXPIRED[scene.server.kind])
        scene.server.execute("FLUSH PRIVILEGES")
    try:
        scene.rewrite(username=f"{victim.name}_clone", password=anonymous)
        scene.rewrite(username=victim.name, password=anonymous)
        before = fingerprint(scene.server)
        with pytest.raises(RotationError):
            scene.rotate()
        assert fingerprint(scene.server) == before
    finally:
        scene.server.execute("DROP USER ''@'%'")


@pytest.mark.parametrize("expired", [True, False])
def test_an_alternate_of_somebody_else_is_not_proven_by_a_login_as_nobody(
    scene: Scene, *, expired: bool
) -> None:
    scene.server.create_user(name=scene.alternate, host="10.0.0.5")
    anonymous = uuid.uuid4().hex
    scene.server.execute(f"CREATE USER ''@'%' IDENTIFIED BY '{anonymous}'")
    if expired:
        scene.server.execute(EXPIRED[scene.server.kind])
        scene.server.execute("FLUSH PRIVILEGES")
    good = scene.current
    try:
        scene.rewrite(username=scene.alternate, password=anonymous)
        scene.rewrite(username=good["username"], password=good["password"])
        before = fingerprint(scene.server)
        with pytest.raises(RotationError):
            scene.rotate()
        assert fingerprint(scene.server) == before
    finally:
        scene.server.execute("DROP USER ''@'%'")


@pytest.mark.parametrize(
    "fields", [{"username": "base"}, {"username": "admin"}, {"host": "127.0.0.1"}, {"port": 1}]
)
def test_a_forged_awspending_changes_nothing(scene: Scene, fields: dict[str, Any]) -> None:
    names = {"base": scene.base, "admin": scene.admin}
    fields = {key: names.get(value, value) for key, value in fields.items()}
    token = scene.begin()
    forged = {"username": scene.alternate, "password": uuid.uuid4().hex, **fields}
    staged(scene.bench, scene.arn, token, **forged)
    with nothing_changes(scene, ForbiddenTarget, "AWSPENDING is for"):
        scene.bench.driver.retry(scene.arn, token)


def test_another_applications_secret_is_no_admin(scene: Scene) -> None:
    arn, _ = scene.bench.secret()
    scene.rewrite(masterarn=arn)
    with nothing_changes(scene, PermissionMissing, "may not do what it has to"):
        scene.rotate()


def test_a_server_of_the_attackers_beside_the_real_one_proves_nothing(
    scene: Scene, mysql_servers: MySQLServers
) -> None:
    own_kind: Kind = "mariadb" if scene.server.kind == "mysql" else "mysql"
    own = replace(mysql_servers.get(own_kind), cleanup=scene.server.cleanup)
    victim = other(scene)
    attacker = own.create_user(name=victim.name)
    scene.rewrite(username=victim.name, password=attacker.password, port=own.port)
    before = fingerprint(scene.server)
    with pytest.raises(RotationError):
        scene.rotate()
    assert fingerprint(scene.server) == before


@only_mariadb
def test_a_role_of_that_name_is_no_alternate(scene: Scene) -> None:
    scene.server.execute(f"CREATE ROLE {scene.alternate}")
    scene.configure(admin_reset=True)
    before = fingerprint(scene.server)
    with pytest.raises(RotationError):
        scene.rotate()
    assert fingerprint(scene.server) == before


# ── MySQL: marks ──


@only_mysql
@pytest.mark.parametrize("rotations", [1, 2])
@pytest.mark.parametrize("whose", ["base", "alternate"])
def test_the_mark_of_another_secret_is_respected(scene: Scene, rotations: int, whose: str) -> None:
    scene.rotate(rotations)
    mark(scene, getattr(scene, whose), **pair(scene, f"{scene.arn}-another"))
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, f"belongs to the secret {scene.arn}-another"):
        scene.rotate()


@only_mysql
def test_both_users_get_a_mark(scene: Scene) -> None:
    scene.rotate(2)
    assert mark_of(scene, scene.base) == mark_of(scene, scene.alternate)
    assert mark_of(scene, scene.base) == Mark(scene.arn, (scene.base, scene.alternate))


@only_mysql
@pytest.mark.parametrize("locked", [True, False])
def test_a_mark_is_proof_while_nobody_but_the_admin_can_have_written_it(
    scene: Scene, *, locked: bool
) -> None:
    scene.rotate(2)
    scene.server.execute(f"ALTER USER {scene.alternate} IDENTIFIED BY 'set by a person'")
    if locked:
        scene.server.execute(f"ALTER USER {scene.alternate} ACCOUNT LOCK")
        scene.rotate()
        assert scene.current["username"] == scene.alternate
        return
    with nothing_changes(scene, ForbiddenTarget, "nothing proves that it belongs to this secret"):
        scene.rotate()


@only_mysql
def test_an_alternate_that_marked_itself_is_not_taken_over(scene: Scene) -> None:
    """Its owner, who may keep a session open, would have the base's rights."""
    own, text = "its owner's own", json.dumps({"rotators": pair(scene)})
    scene.server.execute(f"CREATE USER {scene.alternate} IDENTIFIED BY %s", own)
    with scene.server.connect(scene.alternate, own) as session, session.cursor() as cursor:
        cursor.execute(f"ALTER USER {scene.alternate} IDENTIFIED BY %s ATTRIBUTE %s", (own, text))
        for me in ("USER()", scene.alternate):
            with pytest.raises(pymysql.Error):
                cursor.execute(f"ALTER USER {me} ACCOUNT LOCK")
            with pytest.raises(pymysql.Error):
                cursor.execute(f"ALTER USER {me} IDENTIFIED BY %s ACCOUNT LOCK", (own,))
        with nothing_changes(scene, ForbiddenTarget, "nothing proves that it belongs to"):
            scene.rotate()


@only_mysql
def test_a_mark_leaves_other_attributes(scene: Scene) -> None:
    scene.server.execute(f"""ALTER USER {scene.base} ATTRIBUTE '{{"team": "it''s"}}'""")
    scene.rotate(2)
    query = "SELECT User_attributes->>'$.metadata.team' FROM mysql.user WHERE User = %s"
    assert scene.server.execute(query, scene.base) == [("it's",)]


FORGERIES = (
    "ALTER USER USER() ATTRIBUTE '{mark}'",
    "ALTER USER {me} ATTRIBUTE '{mark}'",
    "ALTER USER {me} IDENTIFIED BY '{password}' ATTRIBUTE '{mark}'",
    "ALTER USER {me} IDENTIFIED BY '{password}' REPLACE '{password}' ATTRIBUTE '{mark}'",
    "UPDATE mysql.user SET User_attributes = '{mark}'",
)


@only_mysql
@pytest.mark.parametrize("forgery", FORGERIES, ids=range(len(FORGERIES)))
def test_a_user_that_marks_itself_gains_and_loses_nothing(scene: Scene, forgery: str) -> None:
    """Whoever once knew the password, which was rotated since, has no way back by a mark."""
    victim = scene.target.new_user()
    arn, _ = scene.bench.secret(username=victim.name, password=victim.password)
    said = {"secret": arn, "base": victim.name, "alternate": f"{victim.name}_clone"}
    text = json.dumps({"rotators": said})
    names = {"me": victim.name, "password": victim.password, "mark": text}
    with (
        contextlib.suppress(pymysql.Error),
        scene.server.connect(victim.name, victim.password) as own,
        own.cursor() as cursor,
    ):
        cursor.execute(forgery.format(**names))
    scene.server.execute(f"ALTER USER {victim.name} IDENTIFIED BY 'rotated since'")
    scene.configure(strategy=StrategyName.SINGLE_USER)
    with nothing_changes(scene, LoginRefused, "the server refuses every stored password"):
        scene.bench.driver.rotate(arn)


# ── MariaDB, or without a mark: a stored version that logs in ──


def test_an_alternate_whose_password_has_expired_is_known_all_the_same(scene: Scene) -> None:
    """Nobody uses it for two rotations, and servers let passwords expire."""
    scene.rotate(2)
    if scene.server.kind == "mysql":
        scene.server.execute(f"ALTER USER {scene.alternate} PASSWORD EXPIRE")
    else:
        by_and_by = EXPIRED["mariadb"].replace("User = ''", "User = %s")
        scene.server.execute(by_and_by, scene.alternate)
        scene.server.execute("FLUSH PRIVILEGES")
    scene.rotate()
    assert scene.current["username"] == scene.alternate


@only_mysql
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_repeated_set_locks_nobody_out(scene: Scene, attempts: int) -> None:
    """It tries AWSPREVIOUS, which its predecessor may have replaced."""
    policy = f"FAILED_LOGIN_ATTEMPTS {attempts} PASSWORD_LOCK_TIME 1"
    scene.server.execute(f"ALTER USER {scene.base} {policy}")
    if attempts == 1:
        with nothing_changes(scene, MisconfiguredSecret, "FAILED_LOGIN_ATTEMPTS 1"):
            scene.rotate()
        return
    scene.rotate(2)
    token = scene.begin(Step.CREATE, Step.SET, Step.SET, Step.TEST, Step.FINISH)
    assert "AWSCURRENT" in scene.bench.simulator.labels(scene.arn)[token]


def unmark(scene: Scene) -> None:
    if scene.server.kind == "mysql":
        for name in (scene.base, scene.alternate):
            scene.server.execute(f"""ALTER USER {name} ATTRIBUTE '{{"rotators": null}}'""")


def test_awsprevious_is_proof(scene: Scene) -> None:
    scene.rotate(2)
    unmark(scene)
    before = refused(scene.server, scene.alternate)
    scene.rotate()
    assert scene.current["username"] == scene.alternate
    assert refused(scene.server, scene.alternate) == before


def test_awspending_is_proof_after_a_crash(scene: Scene) -> None:
    """Right after CREATE USER; a retry with the same value."""
    token = scene.begin(Step.CREATE)
    points = CrashPoints()

    def crash(point: str) -> None:
        if point == "after execute" and hosts(scene.server, scene.alternate):
            points.at = len(points.seen) - 1

    points = scene.bench.points = CrashPoints(watch=crash)
    with pytest.raises(Crash):
        scene.bench.driver.step(scene.arn, token, Step.SET)
    scene.bench.points = None
    assert hosts(scene.server, scene.alternate)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.alternate
    assert scene.converged()


def test_a_version_without_label_is_proof(scene: Scene) -> None:
    scene.rotate(2)
    unmark(scene)
    for _ in range(2):
        scene.rewrite(note=uuid.uuid4().hex)
    named = {value["username"] for value in scene.bench.labelled(scene.arn).values()}
    assert scene.alternate not in named
    scene.rotate()
    assert scene.current["username"] == scene.alternate


def test_a_version_that_does_not_log_in_is_no_proof(scene: Scene) -> None:
    scene.rotate(2)
    unmark(scene)
    own = scene.current
    scene.server.execute(f"ALTER USER {scene.alternate} IDENTIFIED BY 'set by somebody'")
    for _ in range(7):
        scene.rewrite(username=scene.alternate, password=uuid.uuid4().hex)
    scene.rewrite(**own)
    before = refused(scene.server, scene.alternate)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.rotate()
    assert refused(scene.server, scene.alternate) == before + 4


def test_a_proof_that_may_not_be_searched_is_said(scene: Scene) -> None:
    other(scene, name=scene.alternate)
    scene.bench.simulator.deny("ListSecretVersionIds")
    with nothing_changes(scene, ForbiddenTarget, "older versions were not searched: ListSecret"):
        scene.rotate()


# ── a single user with an admin ──


@pytest.fixture
def single(scene: Scene) -> Scene:
    """No stored password logs in."""
    scene.configure(strategy=StrategyName.SINGLE_USER)
    scene.server.execute(f"ALTER USER {scene.base} IDENTIFIED BY 'set elsewhere'")
    return scene


def test_an_admin_does_not_reset_an_unmarked_user(single: Scene) -> None:
    with nothing_changes(single, LoginRefused, "ROTATION_ADMIN_RESET=true"):
        single.rotate()


def test_an_admin_resets_where_that_is_allowed(single: Scene) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    single.rotate()
    assert single.bench.target.logs_in(single.current)


@pytest.mark.parametrize("right", ["CREATE USER ON *.*", "UPDATE ON mysql.*"])
def test_an_admin_never_resets_a_powerful_user(single: Scene, right: str) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    single.server.execute(f"GRANT {right} TO {single.base}")
    with nothing_changes(single, LoginRefused, "administrative rights"):
        single.rotate()


def test_an_admin_never_resets_itself(single: Scene) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    single.rewrite(username=single.admin)
    with nothing_changes(single, LoginRefused, "administrative rights"):
        single.rotate()


def test_an_admin_does_not_guess_between_host_entries(single: Scene) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    single.server.create_user(name=single.base, host="10.1.2.%")
    with nothing_changes(single, LoginRefused, "2 host entries"):
        single.rotate()


@only_mysql
def test_an_admin_never_resets_another_secrets_user(single: Scene) -> None:
    mark(single, single.base, **pair(single, f"{single.arn}-another"))
    token = single.begin()
    with nothing_changes(single, LoginRefused, f"belongs to the secret {single.arn}-another"):
        single.bench.driver.retry(single.arn, token)


def test_an_alternate_without_base_is_told(scene: Scene) -> None:
    lonely = scene.server.create_user(name=f"{scene.base}2_clone")
    arn, _ = scene.bench.secret(username=lonely.name, password=lonely.password)
    with nothing_changes(scene, MisconfiguredSecret, f"there is no user '{scene.base}2'"):
        scene.bench.driver.rotate(arn)
