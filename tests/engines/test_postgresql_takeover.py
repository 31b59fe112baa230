"""Whoever may write a secret gains no account by it: the admin acts on nobody else's user."""

from __future__ import annotations

import contextlib
import json
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from psycopg import sql

from rotators.database.admin import admin_login
from rotators.database.login import Login
from rotators.database.postgresql import PostgreSQL as Engine
from rotators.database.postgresql_roles import ADMINISTRATIVE
from rotators.database.users import Mark
from rotators.errors import (
    AccessDenied,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    ServiceUnavailable,
)
from rotators.passwords import PasswordPolicy
from rotators.rds import Lookups, sandbox_client
from rotators.request import Step
from rotators.secret import Secret
from rotators.settings import StrategyName
from rotators.testing.crashes import CrashPoints
from tests.engines.postgresql_scene import (
    Scene,
    alter,
    comment,
    exists,
    fingerprint,
    scene_on,
)
from tests.engines.test_postgresql_gaps import staged
from tests.unit.test_rds import STRANGERS

if TYPE_CHECKING:
    from tests.servers import PostgreSQL, PostgreSQLServers

WRONG_PASSWORD = "password authentication failed"


@pytest.fixture
def scene(postgresql: PostgreSQL) -> Iterator[Scene]:
    with scene_on(postgresql) as scene:
        yield scene


@contextlib.contextmanager
def nothing_changes(
    scene: Scene, kind: type[RotationError], match: str
) -> Iterator[pytest.ExceptionInfo[RotationError]]:
    """What is inside ends with that error, a cure in it, and leaves no trace on the server."""
    before = fingerprint(scene.server)
    with pytest.raises(kind, match=match) as caught:
        yield caught
    assert type(caught.value) is kind
    assert caught.value.cure
    assert fingerprint(scene.server) == before


def say_of(scene: Scene, name: str, text: str) -> None:
    with scene.server.admin() as admin:
        statement = sql.SQL("COMMENT ON ROLE {} IS {}")
        admin.execute(statement.format(sql.Identifier(name), sql.Literal(text)))


def rewritten(scene: Scene, **fields: object) -> None:
    """AWSCURRENT as an attacker puts it, who knows the password of the user that it named."""
    scene.bench.driver.put_by_hand(scene.arn, {**scene.current, **fields})


# ── a secret rewritten to name somebody else ──


def somebody(scene: Scene) -> str:
    return scene.server.create_user().name


def somebody_let(scene: Scene) -> str:
    name = somebody(scene)
    scene.target.let_admin(name)
    return name


def another_secrets_base(scene: Scene) -> str:
    arn, value = scene.bench.secret()
    scene.bench.driver.rotate(arn)
    return str(value["username"])


def another_secrets_alternate(scene: Scene) -> str:
    return f"{another_secrets_base(scene)}_clone"


VICTIMS: dict[str, Callable[[Scene], str]] = {
    "another user": somebody,
    "another user that the admin may alter": somebody_let,
    "another secret's base": another_secrets_base,
    "another secret's alternate": another_secrets_alternate,
    "the admin": lambda scene: scene.admin,
    "the superuser": lambda scene: scene.server.user,
    "nobody": lambda scene: f"{scene.base}_nobody",
    "a role of the server's": lambda _: "pg_read_server_files",
}


@pytest.mark.parametrize("victim", VICTIMS.values(), ids=VICTIMS)
@pytest.mark.parametrize("rotations", [0, 2])
def test_a_secret_rewritten_to_name_somebody_else_changes_nothing(
    scene: Scene, victim: Callable[[Scene], str], rotations: int
) -> None:
    name = victim(scene)
    scene.rotate(rotations)
    rewritten(scene, username=name)
    scene.configure(admin_reset=True)
    with nothing_changes(scene, LoginRefused, "AWSCURRENT does not log in") as caught:
        scene.rotate()
    assert "put-secret-value" in caught.value.cure


@pytest.mark.parametrize("rotations", [1, 2])
@pytest.mark.parametrize("as_alternate", [True, False])
def test_a_mark_of_another_secret_is_respected(
    scene: Scene, rotations: int, *, as_alternate: bool
) -> None:
    """Even by whoever knows the password of its user."""
    arn, value = scene.bench.secret()
    for _ in range(rotations):
        scene.bench.driver.rotate(arn)
    name = f"{value['username']}_clone" if as_alternate else value["username"]
    alter(scene.server, "ALTER ROLE {} PASSWORD 'known to the attacker'", name)
    rewritten(scene, username=name, password="known to the attacker")
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, f"belongs to the secret {arn}"):
        scene.rotate()


@pytest.mark.parametrize("marked", ["base", "alternate"])
@pytest.mark.parametrize("rotations", [1, 2])
def test_a_foreign_mark_on_either_user_is_enough(scene: Scene, marked: str, rotations: int) -> None:
    scene.rotate(rotations)
    name = getattr(scene, marked)
    foreign = Mark(f"{scene.arn}-another", (scene.base, scene.alternate))
    say_of(scene, name, foreign.write(None))
    with nothing_changes(scene, ForbiddenTarget, f"user '{name}' belongs to the secret"):
        scene.rotate()


def test_a_mark_that_names_another_pair_is_no_proof(scene: Scene) -> None:
    scene.rotate()
    mark = Mark(scene.arn, (scene.alternate, f"{scene.alternate}_clone"))
    say_of(scene, scene.base, mark.write(None))
    with nothing_changes(scene, ForbiddenTarget, "belongs to the secret"):
        scene.rotate()


# ── administrators, by whatever name ──


def member_of(scene: Scene, role: str, how: str, name: str) -> None:
    if how == "nested":
        group = scene.server.create_user().name
        alter(scene.server, "ALTER ROLE {} NOINHERIT", group)
        alter(scene.server, "GRANT {} TO {}", group, name)
        name = group
    options = ""
    if how == "by name only":
        options = " WITH INHERIT FALSE, SET FALSE" if scene.server.major >= 16 else ""
    alter(scene.server, "GRANT {} TO {}" + options, role, name)


@pytest.mark.parametrize("role", ADMINISTRATIVE)
@pytest.mark.parametrize("how", ["direct", "nested", "by name only"])
def test_a_member_of_an_administrative_role_is_no_pair(scene: Scene, role: str, how: str) -> None:
    if not role.startswith("pg_"):
        scene.server.create_user(name=role)
    member_of(scene, role, how, scene.base)
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, f"administrative rights: {role}"):
        scene.rotate()


@pytest.mark.parametrize("how", ["direct", "nested"])
def test_a_member_of_an_admins_role_is_no_pair(scene: Scene, how: str) -> None:
    admins = scene.server.create_user(options="CREATEROLE").name
    scene.rotate(2)
    member_of(scene, admins, how, scene.alternate)
    with nothing_changes(scene, ForbiddenTarget, f"{scene.alternate}' holds administrative rights"):
        scene.rotate()


@pytest.mark.parametrize("options", ["SUPERUSER", "CREATEROLE"])
def test_an_admin_whose_password_is_known_is_no_pair(scene: Scene, options: str) -> None:
    role = scene.server.create_user(options=options)
    rewritten(scene, username=role.name, password=role.password)
    scene.configure(admin_reset=True)
    with nothing_changes(scene, ForbiddenTarget, f"{role.name}' holds administrative rights"):
        scene.rotate()


def test_the_admin_is_no_pair_of_its_own(scene: Scene) -> None:
    assert scene.target.admin is not None
    login = {key: scene.target.admin[key] for key in ("username", "password")}
    rewritten(scene, **login)
    with nothing_changes(scene, ForbiddenTarget, "administrative rights"):
        scene.rotate()


# ── an alternate that is there already ──


@pytest.mark.parametrize("options", ["", "NOLOGIN", "CREATEDB"])
def test_an_unmarked_namesake_is_not_taken_over(scene: Scene, options: str) -> None:
    scene.server.create_user(name=scene.alternate)
    alter(scene.server, f"ALTER ROLE {{}} {options}", scene.alternate)
    scene.target.let_admin(scene.alternate)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves that it belongs") as caught:
        scene.rotate()
    assert "ROTATION_ADMIN_RESET=true" in caught.value.cure


def test_an_unmarked_namesake_is_taken_over_where_that_is_allowed(scene: Scene) -> None:
    scene.server.create_user(name=scene.alternate)
    scene.target.let_admin(scene.alternate)
    scene.configure(admin_reset=True)
    scene.rotate()
    scene.configure()
    assert scene.marks == {Mark(scene.arn, (scene.base, scene.alternate))}
    scene.rotate(2)


def unmark(scene: Scene) -> None:
    for name in (scene.base, scene.alternate):
        alter(scene.server, "COMMENT ON ROLE {} IS NULL", name)


def test_a_stored_version_that_logs_in_is_proof(scene: Scene) -> None:
    scene.rotate()
    unmark(scene)
    scene.rotate()  # by AWSPREVIOUS
    unmark(scene)
    for _ in range(2):
        rewritten(scene, note=uuid.uuid4().hex)  # so that the alternate's has no label any more
    assert scene.alternate not in {v["username"] for v in scene.bench.labelled(scene.arn).values()}
    before = refused(scene)
    scene.rotate()
    assert scene.current["username"] == scene.alternate
    assert refused(scene) == before + 1  # AWSPENDING's, before it is in place


def test_a_proof_that_may_not_be_searched_is_said(scene: Scene) -> None:
    scene.server.create_user(name=scene.alternate)
    scene.bench.simulator.deny("ListSecretVersionIds")
    with nothing_changes(scene, ForbiddenTarget, "older versions were not searched: ListSecret"):
        scene.rotate()


def refused(scene: Scene) -> int:
    return scene.server.log_text().count(WRONG_PASSWORD)


def test_a_proof_costs_few_refused_logins(scene: Scene) -> None:
    scene.server.create_user(name=scene.alternate)
    scene.target.let_admin(scene.alternate)
    for _ in range(7):
        scene.bench.driver.put_by_hand(
            scene.arn, {**scene.old, "username": scene.alternate, "password": uuid.uuid4().hex}
        )
    scene.bench.driver.put_by_hand(scene.arn, scene.old)
    before = refused(scene)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.rotate()
    assert refused(scene) == before + 4


def test_a_proof_lends_only_its_password(scene: Scene) -> None:
    """Not its ssl, database, host or port."""
    made = scene.server.create_user(name=scene.alternate)
    scene.target.let_admin(scene.alternate)
    value = {**scene.old, "username": made.name, "password": made.password}
    scene.bench.driver.put_by_hand(scene.arn, {**value, "host": "127.0.0.1"})
    scene.bench.driver.put_by_hand(scene.arn, {**value, "port": 1})
    scene.bench.driver.put_by_hand(scene.arn, scene.old)
    rewritten(scene, note="AWSPREVIOUS is no proof either")
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.rotate()
    scene.bench.driver.put_by_hand(scene.arn, {**value, "ssl": False, "dbname": "nowhere"})
    scene.bench.driver.put_by_hand(scene.arn, scene.old)
    scene.rotate()
    assert scene.current["username"] == scene.alternate
    lines = [line for line in scene.server.log_text().splitlines() if "authorized" in line]
    mine = [line for line in lines if f"user={scene.alternate} " in line]
    assert mine
    assert all("SSL" in line for line in mine)


# ── AWSPENDING and masterarn ──


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "base"},
        {"username": "victim"},
        {"username": "admin"},
        {"host": "127.0.0.1"},
        {"port": 1},
    ],
)
@pytest.mark.parametrize("rotations", [0, 1])
def test_a_forged_awspending_changes_nothing(
    scene: Scene, fields: dict[str, Any], rotations: int
) -> None:
    victim = somebody_let(scene)
    scene.rotate(rotations)
    names = {"base": scene.current["username"], "victim": victim, "admin": scene.admin}
    fields = {key: names.get(value, value) for key, value in fields.items()}
    token = scene.begin()
    next_user = scene.alternate if scene.current["username"] == scene.base else scene.base
    forged = {"username": next_user, "password": uuid.uuid4().hex, **fields}
    staged(scene.bench, scene.arn, token, **forged)
    with nothing_changes(scene, ForbiddenTarget, "AWSPENDING is for"):
        scene.bench.driver.retry(scene.arn, token)
    assert scene.bench.target.logs_in(scene.current)


@pytest.mark.parametrize(
    "fields", [{"host": "127.0.0.1"}, {"host": "elsewhere.example"}, {"port": 1}]
)
def test_an_admin_of_another_server_is_not_used(scene: Scene, fields: dict[str, Any]) -> None:
    assert scene.target.admin is not None
    other = scene.bench.simulator.create_secret("other", {**scene.target.admin, **fields})
    rewritten(scene, masterarn=other)
    with nothing_changes(scene, ForbiddenTarget, "not one database, nor a replica of it"):
        scene.rotate()


def test_a_server_of_the_attackers_beside_the_real_one_proves_nothing(
    scene: Scene, postgresql_servers: PostgreSQLServers
) -> None:
    """On the same host, at another port, a server lets in as anybody whom it likes."""
    if scene.server.server is None:
        pytest.skip("there is one server only")
    other = "17" if scene.server.major == 15 else "15"
    with contextlib.ExitStack() as cleanup:
        own = replace(postgresql_servers.get(other), cleanup=cleanup)
        victim = somebody_let(scene)
        attacker = own.create_user(name=victim)
        rewritten(scene, username=victim, password=attacker.password, port=own.port)
        with nothing_changes(scene, ForbiddenTarget, f":{own.port}, its admin for"):
            scene.rotate()
        assert not exists(scene.server, f"{victim}_clone")


def test_another_applications_secret_is_no_admin(scene: Scene) -> None:
    arn, _ = scene.bench.secret()
    rewritten(scene, masterarn=arn)
    with nothing_changes(scene, PermissionMissing, "may not do what it has to"):
        scene.rotate()


def test_the_secret_itself_is_no_admin(scene: Scene) -> None:
    rewritten(scene, masterarn=scene.arn)
    with nothing_changes(scene, ForbiddenTarget, f"administrative rights: {scene.base}"):
        scene.rotate()


@pytest.mark.parametrize("masterarn", ["no-such-secret", "", 7, None])
def test_an_admin_that_is_none(scene: Scene, masterarn: object) -> None:
    rewritten(scene, masterarn=masterarn)
    with nothing_changes(scene, MisconfiguredSecret, "."):
        scene.rotate()


@pytest.mark.parametrize("where", ["here", "elsewhere", "single-user"])
def test_an_owner_of_a_database_gains_nothing_by_its_search_path(scene: Scene, where: str) -> None:
    """The admin logs in to a database in which the user may define what "=" means."""
    database = f"db_{scene.base}"
    alter(scene.server, "CREATE DATABASE {} OWNER {}", database, scene.base)
    try:
        names = {"me": sql.Identifier(scene.base), "here": sql.Identifier(database)}
        with scene.server.connect(scene.base, scene.old["password"], database) as attacker:
            for statement in TRAP:
                attacker.execute(sql.SQL(statement).format(**names))
        if where != "elsewhere":
            rewritten(scene, dbname=database)
        if where == "single-user":
            set_elsewhere(scene)
            scene.configure(strategy=StrategyName.SINGLE_USER)
        token = scene.begin()
        for _ in range(2):
            with contextlib.suppress(RotationError):
                scene.bench.driver.retry(scene.arn, token)
        if where == "elsewhere":
            now = scene.current
            with scene.server.connect(now["username"], now["password"], database) as attacker:
                attacker.execute("SET ROLE NONE")
                attacker.execute("CREATE TABLE evil.mine ()")  # which the admin looks at
            token = scene.begin()
            for _ in range(2):
                with contextlib.suppress(RotationError):
                    scene.bench.driver.retry(scene.arn, token)
        query = "SELECT bool_or(rolcreaterole) FROM pg_roles WHERE rolname IN (%s, %s)"
        with scene.server.admin() as admin:
            assert admin.execute(query, [scene.base, scene.alternate]).fetchone() == (False,)
        assert f"LOG:  sprung by {scene.admin}" not in scene.server.log_text()
    finally:
        alter(scene.server, "DROP DATABASE {} WITH (FORCE)", database)


TRAP = (
    "CREATE SCHEMA evil",
    "GRANT ALL ON SCHEMA evil TO PUBLIC",
    """CREATE FUNCTION evil.same(text, text) RETURNS bool LANGUAGE plpgsql AS $$
       BEGIN
         RAISE LOG 'sprung by %', session_user;
         BEGIN ALTER ROLE {me} CREATEROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
         RETURN $1 OPERATOR(pg_catalog.=) $2;
       END $$""",
    "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same)",
    "ALTER DATABASE {here} SET search_path = evil, pg_catalog",
)

# ── marks in comments, names ──

COMMENTS = (
    "owned by team 'shop'; ask \"them\" first\nbackslash \\ percent %s %(x)s brace {} [list]",
    "ünïcödé ключ 密码 😀",
    "[rotators",
    "[rotators ]",
    "see [rotators {",
    ']} [other {"a": 1}]',
    "x" * 10_000,
)
GARBLED = (
    "{}",
    "{not json}",
    '{"secret": 1, "base": null, "alternate": {}}',
    '{"secret": "s", "base": "b"}',
    '{"secret": "\\ud800", "base": "b", "alternate": "c"}',
    '{"a":' * 5_000 + "1" + "}" * 5_000,
    '{"secret": ' + "9" * 5_000 + "}",
)


@pytest.mark.parametrize("text", COMMENTS, ids=range(len(COMMENTS)))
def test_a_comment_that_people_wrote_survives(scene: Scene, text: str) -> None:
    say_of(scene, scene.base, text)
    scene.rotate()
    assert (comment(scene.server, scene.base) or "").startswith(text)
    say_of(scene, scene.alternate, f"{text} {comment(scene.server, scene.alternate)} and more")
    scene.rotate(2)
    said = comment(scene.server, scene.alternate) or ""
    assert said.startswith(text)
    assert said.endswith("and more")
    assert scene.marks == {Mark(scene.arn, (scene.base, scene.alternate))}


@pytest.mark.parametrize("garbled", GARBLED, ids=range(len(GARBLED)))
def test_a_garbled_mark_is_none(scene: Scene, garbled: str) -> None:
    scene.rotate()
    say_of(scene, scene.base, f"kept [rotators {garbled}]")
    scene.rotate()  # AWSPREVIOUS is the proof
    assert (comment(scene.server, scene.base) or "").startswith('kept [rotators {"secret"')
    assert scene.marks == {Mark(scene.arn, (scene.base, scene.alternate))}
    say_of(scene, scene.alternate, f"[rotators {garbled}]")
    alter(scene.server, "ALTER ROLE {} PASSWORD 'set by somebody'", scene.alternate)
    with nothing_changes(scene, ForbiddenTarget, "nothing proves"):
        scene.rotate()


NAMES = (
    "br[ack]et",
    "br{ace} {}",
    "it's",
    'quo"te;--',
    "back\\slash\\",
    "per%cent %s",
    " blanks around ",
    "ünïcödé ключ 密码",
    "line\nbreak",
    "}]",
    "x" * 57,
    "é" * 28,
    "PUBLIC",
    "current_user",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_nasty_name(scene: Scene, name: str) -> None:
    role = scene.server.create_user(name=name)
    scene.server.drop_later(f"{name}_clone")
    scene.target.let_admin(name)
    own = replace(scene)
    own.arn, own.old = scene.bench.secret(username=name, password=role.password)
    own.rotate()
    assert own.current["username"] == f"{name}_clone"
    assert own.run("SELECT session_user::text, current_user::text") == [(f"{name}_clone", name)]
    own.rotate(2)
    assert own.marks == {Mark(own.arn, (name, f"{name}_clone"))}


@pytest.mark.parametrize("name", ["x" * 58, "é" * 29, "_clone"])
def test_a_name_without_room_for_an_alternate_is_refused_at_once(scene: Scene, name: str) -> None:
    role = scene.server.create_user(name=name)
    arn, _ = scene.bench.secret(username=name, password=role.password)
    token = scene.bench.driver.start(arn)
    with nothing_changes(scene, MisconfiguredSecret, "no alternate can be named"):
        scene.bench.driver.step(arn, token, Step.CREATE)
    assert scene.bench.simulator.value(arn, version_id=token) is None


def test_an_alternate_without_base_is_told(scene: Scene) -> None:
    role = scene.server.create_user(name=f"{scene.base}2_clone")
    arn, _ = scene.bench.secret(username=role.name, password=role.password)
    with nothing_changes(scene, MisconfiguredSecret, f"there is no user '{scene.base}2'"):
        scene.bench.driver.rotate(arn)


# ── ROTATION_PROVISIONED ──


@pytest.fixture
def provisioned(scene: Scene) -> Scene:
    """A pair made by hand, whose alternate starts as the base."""
    scene.server.create_user(name=scene.alternate)
    scene.target.let_admin(scene.alternate)
    alter(scene.server, "GRANT {} TO {}", scene.base, scene.alternate)
    alter(scene.server, "ALTER ROLE {} SET role = {}", scene.alternate, scene.base)
    scene.configure(provisioned=True)
    return scene


def passwords_apart(scene: Scene) -> list[list[str]]:
    """The fingerprint without the passwords of the pair."""
    with scene.server.admin() as admin:
        query = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN (%s, %s)"
        hashes: dict[str, str] = dict(
            admin.execute(query, [scene.base, scene.alternate]).fetchall()
        )
    rows = fingerprint(scene.server)
    for secret in hashes.values():
        rows = [[row.replace(secret, "…") for row in kind] for kind in rows]
    return rows


def test_a_pair_made_by_hand_gets_passwords_and_nothing_else(provisioned: Scene) -> None:
    before = passwords_apart(provisioned)
    provisioned.configure(provisioned=True, admin_reset=True)
    provisioned.rotate()
    provisioned.configure(provisioned=True)
    mark = provisioned.server.log_text().count("\n")
    provisioned.rotate(3)
    assert provisioned.run("SELECT session_user::text") == [(provisioned.base,)]
    assert passwords_apart(provisioned) == before
    said = "\n".join(provisioned.server.log_text().splitlines()[mark:])
    for word in ("CREATE ROLE", "GRANT ", "COMMENT ON", " LOGIN", " SET role"):
        assert f": {word}" not in said
    changes = [line for line in said.splitlines() if "statement: ALTER" in line]
    assert len(changes) == 3
    assert all(" PASSWORD " in line for line in changes)


def test_a_pair_made_by_hand_has_to_be_proven_too(provisioned: Scene) -> None:
    with nothing_changes(provisioned, ForbiddenTarget, "nothing proves") as caught:
        provisioned.rotate()
    assert "ROTATION_ADMIN_RESET=true" in caught.value.cure


def test_a_pair_made_by_hand_in_a_group_is_one(scene: Scene) -> None:
    """No membership between the two: rights that are the same are enough."""
    group = scene.server.create_user().name
    scene.server.create_user(name=scene.alternate)
    scene.target.let_admin(scene.alternate)
    for name in (scene.base, scene.alternate):
        alter(scene.server, "GRANT {} TO {}", group, name)
    scene.configure(provisioned=True, admin_reset=True)
    scene.rotate(3)
    assert scene.current["username"] == scene.alternate


def test_a_user_that_was_not_made_by_hand_is_told(scene: Scene) -> None:
    scene.configure(provisioned=True)
    with nothing_changes(scene, MisconfiguredSecret, "ROTATION_PROVISIONED says") as caught:
        scene.rotate()
    assert f'CREATE ROLE "{scene.alternate}" LOGIN' in caught.value.cure


# ── a single user with an admin ──


@pytest.fixture
def single(scene: Scene) -> Scene:
    """No stored password logs in."""
    scene.configure(strategy=StrategyName.SINGLE_USER)
    set_elsewhere(scene)
    return scene


def set_elsewhere(scene: Scene) -> str:
    password = uuid.uuid4().hex
    statement = f"ALTER ROLE {{}} PASSWORD '{password}'"
    alter(scene.server, statement, scene.base)
    return password


def marked(scene: Scene, arn: str | None = None) -> None:
    say_of(scene, scene.base, Mark(arn or scene.arn, (scene.base, scene.alternate)).write(None))


def test_an_admin_does_not_reset_an_unmarked_user(single: Scene) -> None:
    with nothing_changes(single, LoginRefused, "ROTATION_ADMIN_RESET=true") as caught:
        single.rotate()
    assert "(AWSCURRENT, AWSPENDING)" in caught.value.found


def test_an_admin_resets_where_that_is_allowed(
    single: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    single.rotate()
    assert single.bench.target.logs_in(single.current)
    assert "the admin resets the password" in capsys.readouterr().out


def test_an_admin_that_may_not_reset_is_told_the_grant(single: Scene) -> None:
    marked(single)
    alter(single.server, "ALTER ROLE {} NOCREATEROLE", single.admin)
    with pytest.raises(PermissionMissing) as caught:
        single.rotate()
    assert f'ALTER ROLE "{single.admin}" CREATEROLE' in caught.value.cure
    assert f'GRANT "{single.base}" TO "{single.admin}" WITH ADMIN OPTION' in caught.value.cure


def test_an_admin_resets_a_marked_user(single: Scene) -> None:
    marked(single)
    single.rotate()
    assert single.bench.target.logs_in(single.current)


def test_an_admin_never_resets_another_secrets_user(single: Scene) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    marked(single, f"{single.arn}-another")
    with nothing_changes(single, LoginRefused, f"belongs to the secret {single.arn}-another"):
        single.rotate()


@pytest.mark.parametrize("change", ["SUPERUSER", "CREATEROLE", "pg_write_server_files"])
def test_an_admin_never_resets_a_powerful_user(single: Scene, change: str) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    statement = "GRANT {} TO {}" if change.startswith("pg_") else f"ALTER ROLE {{1}} {change}"
    alter(single.server, statement, change, single.base)
    marked(single)
    with nothing_changes(single, LoginRefused, "administrative rights"):
        single.rotate()


def test_an_admin_never_resets_itself(single: Scene) -> None:
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    rewritten(single, username=single.admin)
    with nothing_changes(single, LoginRefused, "administrative rights"):
        single.rotate()


def test_the_admin_comes_after_awsprevious(single: Scene) -> None:
    password = set_elsewhere(single)
    rewritten(single, password=password)
    rewritten(single, password=uuid.uuid4().hex)
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=True)
    points = single.bench.points = CrashPoints()
    single.rotate()
    assert "before look" not in points.seen
    assert single.bench.target.logs_in(single.current)


def forgotten(scene: Scene) -> None:
    """The password that works is in a version without a label."""
    rewritten(scene, password=set_elsewhere(scene))
    wrong = uuid.uuid4().hex
    for number in range(2):
        rewritten(scene, password=wrong, note=number)


@pytest.mark.parametrize("admin_reset", [True, False])
def test_the_admin_comes_before_versions_without_label(
    single: Scene, capsys: pytest.CaptureFixture[str], *, admin_reset: bool
) -> None:
    forgotten(single)
    single.configure(strategy=StrategyName.SINGLE_USER, admin_reset=admin_reset)
    single.rotate()
    assert single.bench.target.logs_in(single.current)
    assert ("the admin resets" in capsys.readouterr().out) is admin_reset


def lose_the_admins_password(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} PASSWORD 'changed'", scene.admin)


def lock_the_admin(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} NOLOGIN", scene.admin)


def deny_the_admins_secret(scene: Scene) -> None:
    scene.bench.simulator.deny("GetSecretValue", scene.bench.admin_arn)


def empty_the_admins_secret(scene: Scene) -> None:
    scene.bench.simulator.put_by_hand(scene.bench.admin_arn, "{}")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lose_the_admins_password, WRONG_PASSWORD),
        (lock_the_admin, "not permitted to log in"),
        (deny_the_admins_secret, "GetSecretValue"),
        (empty_the_admins_secret, "is missing"),
    ],
)
def test_an_admin_that_cannot_help_is_said_and_passed_over(
    single: Scene, trouble: Callable[[Scene], None], said: str
) -> None:
    trouble(single)
    with nothing_changes(single, LoginRefused, f"the admin could not help: .*{said}"):
        single.rotate()
    forgotten(single)
    single.rotate()
    assert single.bench.target.logs_in(single.current)


def test_the_admins_refused_login_counts_too(single: Scene) -> None:
    lose_the_admins_password(single)
    for _ in range(6):
        rewritten(single, password=uuid.uuid4().hex)
    before = refused(single)
    with nothing_changes(single, LoginRefused, "the admin's own"):
        single.rotate()
    assert refused(single) == before + 4


# ── an admin whom RDS manages ──


@dataclass
class RDS:
    """A client that answers one Describe with where the tests' server is, or with an error."""

    server: PostgreSQL
    error: Exception | None = None
    asked: list[str] = field(default_factory=list)
    meta: Any = field(default_factory=lambda: SimpleNamespace(region_name="eu-west-1"))

    def get_paginator(self, operation: str) -> Any:
        def paginate(**which: str) -> list[dict[str, Any]]:
            self.asked.append(operation)
            if self.error:
                raise self.error
            endpoint = {"Address": self.server.host, "Port": self.server.port}
            return [{"DBInstances": [{"Endpoint": endpoint, "Engine": "postgres"}]}]

        return SimpleNamespace(paginate=paginate)


@pytest.fixture
def rds(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[RDS]:
    """The scene's admin becomes one whose secret has only a user and a password, and tags."""
    assert scene.target.admin is not None
    rds = RDS(scene.server)
    monkeypatch.setattr("rotators.aws.client", lambda service: rds)
    # Each test is a sandbox of its own.
    sandbox_client.cache_clear()
    value = {key: scene.target.admin[key] for key in ("username", "password")}
    managed = scene.bench.simulator.create_secret("rds!db-1", value)
    arn = "arn:aws:rds:eu-west-1:123456789012:db:shop"
    tags = [{"Key": "aws:rds:primaryDBInstanceArn", "Value": arn}]
    scene.bench.client.tag_resource(SecretId=managed, Tags=tags)
    rewritten(scene, masterarn=managed)
    yield rds
    sandbox_client.cache_clear()


def test_an_admin_managed_by_rds(scene: Scene, rds: RDS) -> None:
    assert [scene.cost() for _ in range(3)] == [(14, 3, 0)] * 3
    assert rds.asked == ["describe_db_instances"] * 3
    assert sandbox_client.cache_info().misses == 1


DENIED = ClientError(
    {
        "Error": {"Code": "AccessDenied", "Message": "not authorized"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    },
    "DescribeDBInstances",
)
SILENT = ReadTimeoutError(endpoint_url="https://rds.eu-west-1.amazonaws.com")


@pytest.mark.parametrize(("error", "kind"), [(DENIED, AccessDenied), (SILENT, ServiceUnavailable)])
@pytest.mark.parametrize("strategy", ["alternating-users", "single-user"])
def test_an_rds_api_that_does_not_answer(
    scene: Scene, rds: RDS, error: Exception, kind: type[RotationError], strategy: str
) -> None:
    scene.configure(strategy=StrategyName(strategy), admin_reset=True)
    rds.error = error
    if strategy == "single-user":
        set_elsewhere(scene)
        kind = LoginRefused if kind is AccessDenied else kind
    token = scene.begin(Step.CREATE)
    with nothing_changes(scene, kind, "DescribeDBInstances"):
        scene.bench.driver.step(scene.arn, token, Step.SET)
    rds.error = None
    scene.bench.driver.retry(scene.arn, token)
    assert scene.bench.target.logs_in(scene.current)


HOME = "abc123.eu-west-1.rds.amazonaws.com"
READER, WRITER = f"shop.cluster-ro-{HOME}", f"shop.cluster-{HOME}"
# Of the secret, of its admin → where the admin logs in, or None: forbidden.
HOSTS = [
    ("db", "db", "db"),
    ("db", "DB", "DB"),
    ("db.corp.example", "db.corp.example.", "db.corp.example."),
    ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
    ("::1", "::1", "::1"),
    (READER, WRITER, WRITER),
    (READER, READER, WRITER),
    (WRITER, READER, WRITER),
    ("db", "other", None),
    ("db.corp.example", f"shop.{HOME}", None),
    (f"shop.{HOME}", "db", None),
    (f"shop.proxy-{HOME}", WRITER, None),
]


def admin_of(host: str, admin_host: str, **admin: object) -> Login:
    """Where the admin logs in, where RDS knows nothing."""
    login = {"engine": "postgres", "username": "u", "password": "p"}
    current = Secret({**login, "host": host, "masterarn": "arn"})
    given = Secret({**login, "host": admin_host, **admin})
    rotation: Any = SimpleNamespace(current=current, secret=lambda arn: given)
    nothing: dict[str, list[Any]] = {"DBInstances": [], "DBClusters": []}
    paginator = SimpleNamespace(paginate=lambda **which: [nothing])
    client = SimpleNamespace(get_paginator=lambda operation: paginator)
    return admin_login(rotation, Login.of(current, Engine), Engine, Lookups(lambda: client))


@pytest.mark.parametrize(("host", "admin_host", "where"), HOSTS)
def test_which_hosts_are_one_server(host: str, admin_host: str, where: str | None) -> None:
    if where is None:
        with pytest.raises(ForbiddenTarget, match="two names of one server count as two"):
            admin_of(host, admin_host)
    else:
        assert admin_of(host, admin_host).host == where


def test_one_host_with_two_ports_is_two_servers() -> None:
    for name in ("db.corp.example.", "DB.corp.example", WRITER):
        with pytest.raises(ForbiddenTarget):
            admin_of(name, name.lower().removesuffix("."), port=6432)
    assert admin_of(READER, WRITER, port=6432).port == 6432


@pytest.mark.parametrize("host", STRANGERS, ids=lambda host: ascii(host[:40]))
@pytest.mark.parametrize("other", ["db", WRITER, f"shop.{HOME}"])
def test_no_host_is_a_defect(host: str, other: str) -> None:
    for pair in ((host, other), (other, host), (host, host)):
        with contextlib.suppress(RotationError):
            admin_of(*pair)


# ── no password anywhere it does not belong ──


def leaks(scene: Scene, text: str) -> list[str]:
    assert scene.target.admin is not None
    secrets = scene.bench.passwords() | {scene.target.admin["password"]}
    return [secret for secret in secrets if secret in text or json.dumps(secret)[1:-1] in text]


def without_createrole(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} NOCREATEROLE", scene.admin)


def with_a_namesake(scene: Scene) -> None:
    scene.server.create_user(name=scene.alternate)


def with_power(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} CREATEROLE", scene.base)


def with_a_lost_password(scene: Scene) -> None:
    alter(scene.server, "ALTER ROLE {} PASSWORD 'set by a person'", scene.base)


def with_another_admin(scene: Scene) -> None:
    assert scene.target.admin is not None
    other = {**scene.target.admin, "port": 1}
    scene.bench.simulator.put_by_hand(scene.bench.admin_arn, other)


FAILURES: Mapping[Callable[[Scene], None], type[RotationError]] = {
    without_createrole: PermissionMissing,
    with_a_namesake: ForbiddenTarget,
    with_power: ForbiddenTarget,
    with_a_lost_password: LoginRefused,
    lose_the_admins_password: LoginRefused,
    with_another_admin: ForbiddenTarget,
    empty_the_admins_secret: MisconfiguredSecret,
}


@pytest.fixture
def loud(scene: Scene) -> Scene:
    """Passwords with characters that every layer quotes in its own way."""
    policy = PasswordPolicy(length=40, exclude_characters="")
    scene.configure(passwords=policy)
    return scene


@pytest.mark.parametrize("trouble", FAILURES, ids=lambda trouble: trouble.__name__)
def test_a_failure_shows_no_password(
    loud: Scene, capsys: pytest.CaptureFixture[str], trouble: Callable[[Scene], None]
) -> None:
    trouble(loud)
    with pytest.raises(FAILURES[trouble]) as caught:
        loud.rotate()
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    written = capsys.readouterr().out
    assert error.reason in written
    shown = [str(error), repr(error), "".join(traceback.format_exception(error)), written]
    assert not [found for text in [*shown, loud.server.log_text()] for found in leaks(loud, text)]


def test_a_rights_test_that_fails_shows_no_password(
    loud: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    token = loud.begin(Step.CREATE, Step.SET)
    alter(loud.server, "ALTER ROLE {} RESET role", loud.alternate)
    with pytest.raises(PermissionMissing) as caught:
        loud.bench.driver.step(loud.arn, token, Step.TEST)
    written = capsys.readouterr().out
    assert caught.value.reason in written
    for text in (str(caught.value), written, loud.server.log_text()):
        assert not leaks(loud, text)


def test_a_success_shows_no_password(loud: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    loud.rotate(4)
    written = capsys.readouterr().out
    assert "StepDuration" in written
    assert not leaks(loud, written)
    assert not leaks(loud, loud.server.log_text())
    with loud.server.admin() as admin:
        admin.execute(sql.SQL("SELECT {}").format(sql.Literal(loud.current["password"])))
    assert leaks(loud, loud.server.log_text().replace("''", "'").replace("\\\\", "\\"))
