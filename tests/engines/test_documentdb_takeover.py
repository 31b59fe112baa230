"""Whoever may write a secret gains no account by it, on a double of MongoDB."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from rotators.database.documentdb_roles import ADMINISTRATIVE_ACTIONS
from rotators.errors import ForbiddenTarget, LoginRefused, PermissionMissing, RotationError
from rotators.settings import StrategyName
from tests.engines.documentdb_scene import Scene, scene_on
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]


@pytest.mark.parametrize("attacker_is", ["alternate", "base"])
@pytest.mark.parametrize("admin_reset", [True, False])
def test_double_g1_a_namesake_of_an_admin_changes_nothing(
    scene: Scene, attacker_is: str, *, admin_reset: bool
) -> None:
    """A low-privileged svc_admin_clone, or a svc whose alternate would be svc_clone."""
    lowly, powerful = f"{scene.base}_svc_clone", f"{scene.base}_svc"
    if attacker_is == "base":
        lowly, powerful = powerful, lowly
    victim = scene.server.create_user(name=powerful, roles=["userAdminAnyDatabase"])
    attacker = scene.server.create_user(name=lowly)
    arn, value = scene.bench.secret(username=lowly, password=attacker.password)
    scene.configure(admin_reset=admin_reset)
    token = scene.bench.driver.start(arn)
    for _ in range(2):
        with scene.nothing_changes(ForbiddenTarget, "administrative rights: role userAdminAny"):
            scene.bench.driver.retry(arn, token)
    assert scene.bench.current(arn) == value
    assert scene.server.can_log_in(powerful, victim.password)


def test_double_g1_the_admin_is_no_pair(scene: Scene) -> None:
    lowly = scene.server.create_user(name=f"{scene.admin}_clone")
    arn, _ = scene.bench.secret(username=lowly.name, password=lowly.password)
    scene.configure(admin_reset=True)
    with scene.nothing_changes(ForbiddenTarget, "administrative rights"):
        scene.bench.driver.rotate(arn)
    assert scene.target.admin is not None
    scene.rewrite(**{key: scene.target.admin[key] for key in ("username", "password")})
    with scene.nothing_changes(ForbiddenTarget, "it is the admin itself"):
        scene.rotate()


@pytest.mark.parametrize("persona", ["mongodb", "documentdb"])
def test_double_g1_an_unrelated_namesake_is_touched_only_where_that_is_allowed(
    mongo: Mongo, persona: str
) -> None:
    with mongo.persona(persona), scene_on(mongo) as scene:
        unrelated = mongo.create_user(name=scene.alternate)
        token = scene.begin()
        with scene.nothing_changes(ForbiddenTarget, "nothing proves that it belongs"):
            scene.bench.driver.retry(scene.arn, token)
        assert mongo.can_log_in(unrelated.name, unrelated.password)
        scene.configure(admin_reset=True)
        scene.bench.driver.retry(scene.arn, token)
        assert scene.current["username"] == scene.alternate
        scene.configure()
        scene.rotate(2)


# Those that SecantusDB knows; the others are in the unit tests.
ROLES = ("root", "userAdmin", "userAdminAnyDatabase", "dbOwner", "clusterAdmin", "restore")


@pytest.mark.parametrize("how", ["direct", "by a role", "by a role's role"])
def test_double_whoever_has_an_administrative_role_is_no_pair(scene: Scene, how: str) -> None:
    scene.configure(admin_reset=True)
    token = scene.begin()
    for name in ROLES:
        role = {"role": name, "db": "admin"}
        for level in range({"direct": 0, "by a role": 1, "by a role's role": 2}[how]):
            role = scene.server.create_role(f"{scene.base}_{name}_{level}", roles=[role])
        scene.update(scene.base, roles=[role])
        with pytest.raises(ForbiddenTarget, match=f"administrative rights: role {name}@admin"):
            scene.bench.driver.retry(scene.arn, token)
    assert scene.server.info(scene.alternate) is None


def test_double_whoever_has_an_administrative_action_is_no_pair(scene: Scene) -> None:
    token = scene.begin()
    for action in sorted(ADMINISTRATIVE_ACTIONS):
        privilege = {"resource": {"db": "app", "collection": ""}, "actions": ["find", action]}
        role = scene.server.create_role(f"{scene.base}_{action}", [privilege])
        outer = scene.server.create_role(f"{scene.base}_{action}_outer", roles=[role])
        scene.update(scene.base, roles=[outer])
        with pytest.raises(ForbiddenTarget, match=rf"{action}@admin \({action}\)"):
            scene.bench.driver.retry(scene.arn, token)
    assert scene.server.info(scene.alternate) is None


def test_double_the_owner_of_another_database_is_no_administrator(scene: Scene) -> None:
    scene.update(scene.base, roles=[{"role": "dbOwner", "db": "app"}])
    scene.rotate(2)
    assert ("dbOwner", "app") in scene.server.roles(scene.alternate)


def test_double_the_owner_of_the_users_own_database_is_one(mongo: Mongo) -> None:
    with scene_on(mongo, database="owned") as scene:
        scene.update(scene.base, roles=[{"role": "dbOwner", "db": "owned"}])
        with scene.nothing_changes(ForbiddenTarget, "dbOwner@owned"):
            scene.rotate()


def another_secrets_base(scene: Scene) -> str:
    arn, value = scene.bench.secret()
    scene.bench.driver.rotate(arn)
    return str(value["username"])


VICTIMS: dict[str, Callable[[Scene], str]] = {
    "another user": lambda scene: scene.target.new_user().name,
    "another secret's base": another_secrets_base,
    "another secret's alternate": lambda scene: f"{another_secrets_base(scene)}_clone",
    "the admin": lambda scene: scene.admin,
    "root": lambda scene: scene.server.user,
    "nobody": lambda scene: f"{scene.base}_nobody",
    "the same with a blank": lambda scene: f"{scene.base} ",
    "the same in capitals": lambda scene: scene.base.upper(),
}


@pytest.mark.parametrize("victim", VICTIMS.values(), ids=VICTIMS)
def test_double_a_secret_rewritten_to_name_somebody_else_changes_nothing(
    scene: Scene, victim: Callable[[Scene], str]
) -> None:
    scene.rewrite(username=victim(scene))
    scene.configure(admin_reset=True)
    with scene.nothing_changes(LoginRefused, "AWSCURRENT does not log in"):
        scene.rotate()


def test_double_a_user_that_belongs_to_another_secret_is_left_alone(scene: Scene) -> None:
    """Even for whoever knows its password, and where resets are allowed."""
    arn, value = scene.bench.secret()
    scene.bench.driver.rotate(arn)
    scene.configure(admin_reset=True)
    scene.rewrite(username=value["username"], password=value["password"])
    with scene.nothing_changes(ForbiddenTarget, "belongs to the secret"):
        scene.rotate()


def test_double_a_mark_of_ones_own_making_proves_nothing(scene: Scene) -> None:
    """A user that may write its own custom data does not gain its namesake by that."""
    lowly = scene.server.create_user(name=f"{scene.base}_x_clone")
    victim = scene.server.create_user(name=f"{scene.base}_x")
    arn, _ = scene.bench.secret(username=lowly.name, password=lowly.password)
    pair = {"secret": arn, "base": victim.name, "alternate": lowly.name}
    scene.update(lowly.name, customData={"rotators": pair})
    with scene.nothing_changes(ForbiddenTarget, "nothing proves"):
        scene.bench.driver.rotate(arn)


@pytest.mark.parametrize("itself", [True, False])
def test_double_a_mark_is_proof_unless_the_user_may_write_it(scene: Scene, *, itself: bool) -> None:
    """MongoDB's manual has a role for that, which people give along with one's own password."""
    actions = ["changeOwnPassword", *(["changeOwnCustomData"] if itself else [])]
    everywhere = {"resource": {"db": "", "collection": ""}, "actions": actions}
    inner = scene.server.create_role(f"{scene.base}_own", [everywhere])
    outer = scene.server.create_role(f"{scene.base}_outer", roles=[inner])
    scene.server.create_user(name=scene.alternate)
    pair = {"secret": scene.arn, "base": scene.base, "alternate": scene.alternate}
    scene.update(scene.alternate, roles=[outer], customData={"rotators": pair})
    if itself:
        with scene.nothing_changes(ForbiddenTarget, "nothing proves that it belongs"):
            scene.rotate()
    else:
        scene.rotate()
        assert scene.current["username"] == scene.alternate


def test_double_a_mark_that_is_none_is_no_defect(scene: Scene) -> None:
    marks: list[object] = ["text", 1, None, [], {}, {"secret": 1, "base": "x", "alternate": "y"}]
    for forged in marks:
        scene.update(scene.base, customData={"rotators": forged, "kept": 1})
        scene.rotate()
        assert scene.mark(scene.base) is not None
        assert scene.info(scene.base)["customData"]["kept"] == 1
        scene.arn, scene.old = scene.bench.secret()


@pytest.mark.parametrize(
    "fields", [{"username": "base"}, {"username": "admin"}, {"host": "127.0.0.1"}, {"port": 1}]
)
def test_double_a_forged_awspending_changes_nothing(scene: Scene, fields: dict[str, Any]) -> None:
    names = {"base": scene.base, "admin": scene.admin}
    fields = {key: names.get(value, value) for key, value in fields.items()}
    token = scene.begin()
    forged = {"username": scene.alternate, "password": uuid.uuid4().hex, **fields}
    staged(scene.bench, scene.arn, token, **forged)
    with scene.nothing_changes(ForbiddenTarget, "AWSPENDING is for"):
        scene.bench.driver.retry(scene.arn, token)


def test_double_another_applications_secret_is_no_admin(scene: Scene) -> None:
    arn, _ = scene.bench.secret()
    scene.rewrite(masterarn=arn)
    with scene.nothing_changes(PermissionMissing, "may not do what it has to"):
        scene.rotate()


def test_double_a_namesake_in_another_database_is_somebody_else(scene: Scene) -> None:
    """The secret's 'dbname' is a part of the user's name."""
    victim = scene.server.create_user(name=scene.base, database="elsewhere")
    scene.rewrite(dbname="elsewhere")
    with scene.nothing_changes(LoginRefused, "AWSCURRENT does not log in"):
        scene.rotate()
    assert scene.server.can_log_in(victim.name, victim.password, "elsewhere")


def test_double_an_admin_resets_nobody_without_proof(mongo: Mongo) -> None:
    with scene_on(mongo, StrategyName.SINGLE_USER) as scene:
        scene.update(scene.base, pwd="nobody knows it")
        with scene.nothing_changes(LoginRefused, "ROTATION_ADMIN_RESET"):
            scene.rotate()


def test_double_a_server_of_the_attackers_beside_the_real_one_proves_nothing(
    scene: Scene,
) -> None:
    before = scene.server.fingerprint()
    scene.rewrite(port=scene.server.port + 1)
    with pytest.raises(RotationError):
        scene.rotate()
    assert scene.server.fingerprint() == before
