"""The gaps of AWS's templates that concern two users in turn, on a double of MongoDB."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import bson
import pytest

from rotators import rds
from rotators.database.documentdb import DocumentDBRotator
from rotators.database.users import Mark
from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
)
from rotators.request import Step
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.documentdb_scene import Scene, scene_on

if TYPE_CHECKING:
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]

RICH = {
    "team": "billing",
    "since": datetime.datetime(2020, 1, 1),
    "limits": {"cost": bson.Decimal128("1.50"), "n": [1, 2.5, None, float("nan")]},
}


@pytest.mark.parametrize("fixture", ["scene", "markless"])
def test_double_g2_a_crash_at_any_command_is_never_promoted(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    """There is no half of an alternate: it is one command."""
    scene: Scene = request.getfixturevalue(fixture)
    for number in range(30):
        counter = iter(range(number))
        token = scene.begin(Step.CREATE)
        try:
            with scene.crash_after(lambda counter=counter: next(counter, None) is None):  # type: ignore[misc]
                scene.bench.driver.step(scene.arn, token, Step.SET)
            break
        except Crash:
            info = scene.server.info(scene.alternate)
        assert info is None or scene.converged, number
        scene.bench.driver.retry(scene.arn, token)
        assert scene.converged, number
        scene.arn, scene.old = scene.bench.secret()
    assert 5 < number < 29


def test_double_g6_the_alternate_ends_with_exactly_the_bases_roles(scene: Scene) -> None:
    scene.rotate(2)
    roles = [{"role": "read", "db": "reports"}, {"role": "dbAdmin", "db": "new"}]
    scene.update(scene.base, roles=[*roles, scene.server.own_password()])
    scene.update(scene.alternate, roles=[{"role": "readWrite", "db": "elsewhere"}])
    scene.rotate()
    assert scene.converged
    assert ("dbAdmin", "new") in scene.server.roles(scene.alternate)
    assert ("readWrite", "elsewhere") not in scene.server.roles(scene.alternate)


def test_double_nothing_of_the_base_changes_but_its_password(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rotate()
    before = scene.info(scene.base)
    scene.update(scene.alternate, roles=[*before["roles"], {"role": "read", "db": "more"}])
    scene.begin(Step.CREATE, Step.SET)
    assert scene.bench.target.logs_in(scene.pending)
    assert scene.info(scene.base) == before
    assert "has a role that" in capsys.readouterr().out
    assert ("read", "more") in scene.server.roles(scene.alternate)


def test_double_g11_a_right_that_is_missing_fails_the_test(scene: Scene) -> None:
    token = scene.begin(Step.CREATE, Step.SET)
    scene.update(scene.alternate, roles=[{"role": "readWrite", "db": "app"}])
    with pytest.raises(PermissionMissing, match="grantRolesToUser") as caught:
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert '{"role": "read", "db": "reports"}' in str(caught.value)
    scene.bench.driver.retry(scene.arn, token)
    assert scene.converged


def test_double_g11_a_right_that_the_base_lacks_fails_the_test(scene: Scene) -> None:
    scene.rotate()
    scene.update(scene.base, roles=[scene.server.own_password()])
    token = scene.begin(Step.CREATE, Step.SET)
    with pytest.raises(PermissionMissing, match="readWrite") as caught:
        scene.bench.driver.step(scene.arn, token, Step.TEST)
    assert scene.bench.target.logs_in(scene.current)
    for statement in caught.value.found.split("grantRolesToUser(")[1:]:
        name, _, rest = statement.partition(", ")
        role = json.loads(rest.rpartition("])")[0].lstrip("["))
        scene.server.command("grantRolesToUser", json.loads(name), roles=[role])
    scene.bench.driver.retry(scene.arn, token)
    assert scene.current["username"] == scene.base


def test_double_g5_custom_data_and_restrictions_follow_the_base(scene: Scene) -> None:
    here: list[dict[str, Any]] = [{"clientSource": ["127.0.0.1", "::1"]}]
    scene.update(scene.base, customData=RICH, authenticationRestrictions=here)
    scene.rotate()
    kept = scene.info(scene.base)["customData"]
    assert repr({key: kept[key] for key in RICH}) == repr(RICH)
    assert scene.info(scene.alternate)["authenticationRestrictions"] == here
    assert repr(scene.info(scene.alternate)["customData"]) == repr(kept)
    scene.update(scene.base, customData={"team": "other"}, authenticationRestrictions=[])
    scene.rotate(2)
    assert scene.converged
    assert scene.info(scene.alternate)["customData"]["team"] == "other"
    assert not scene.info(scene.alternate)["authenticationRestrictions"]


@pytest.mark.parametrize("kinds", [["SCRAM-SHA-1"], ["SCRAM-SHA-256"], None])
def test_double_the_kinds_of_password_are_kept(mongo: Mongo, kinds: list[str] | None) -> None:
    with scene_on(mongo) as scene:
        fields = {"mechanisms": kinds} if kinds else {}
        user = scene.target.new_user(**fields)
        scene.arn, scene.old = scene.bench.secret(username=user.name, password=user.password)
        scene.rotate(3)
        shown = scene.info(scene.alternate)["mechanisms"]
        assert sorted(shown) == sorted(kinds or ["SCRAM-SHA-1", "SCRAM-SHA-256"])
        assert scene.converged


def test_double_both_users_are_marked(scene: Scene) -> None:
    scene.rotate()
    expected = Mark(scene.arn, (scene.base, scene.alternate))
    assert scene.mark(scene.base) == scene.mark(scene.alternate) == expected
    scene.bench.points = points = CrashPoints()
    scene.rotate()
    assert points.seen.count("after open") == 4  # a mark is proof enough


@pytest.mark.parametrize("persona", ["documentdb", "careless"])
def test_double_without_custom_data_a_stored_version_is_the_proof(
    mongo: Mongo, persona: str
) -> None:
    with mongo.persona(persona), scene_on(mongo) as scene:
        scene.rotate(3)
        assert scene.server.roles(scene.alternate) == scene.server.roles(scene.base)
        assert "customData" not in scene.info(scene.base)
        made = [line["command"] for line in mongo.log() if "createUser" in line.get("command", ())]
        assert not [command for command in made if "customData" in command]
        scene.bench.points = points = CrashPoints()
        calls = len(scene.bench.simulator.calls)
        scene.rotate()
        assert points.seen.count("after open") == 5
        assert len(scene.bench.simulator.calls) - calls == 14


def test_double_without_custom_data_a_crash_right_after_the_creation_is_healed(
    markless: Scene,
) -> None:
    token = markless.begin(Step.CREATE)
    made = lambda: markless.server.info(markless.alternate) is not None  # noqa: E731
    with pytest.raises(Crash), markless.crash_after(made):
        markless.bench.driver.step(markless.arn, token, Step.SET)
    markless.bench.driver.retry(markless.arn, token)
    assert markless.current["username"] == markless.alternate


def test_double_without_custom_data_nobodys_user_is_taken(markless: Scene) -> None:
    stranger = markless.server.create_user(name=markless.alternate)
    with markless.nothing_changes(ForbiddenTarget, "nothing proves that it belongs"):
        markless.rotate()
    assert markless.server.can_log_in(stranger.name, stranger.password)


def test_double_users_of_another_database(mongo: Mongo) -> None:
    """The secret's 'dbname' is where its users are defined; the admin is one of admin's."""
    with scene_on(mongo, database="app-db") as scene:
        assert scene.old["dbname"] == "app-db"
        scene.rotate(3)
        assert scene.converged
        assert scene.bench.target.logs_in(scene.current)
        assert mongo.info(scene.alternate, "admin") is None


def test_double_an_admin_that_may_not_do_it_is_told_the_grant(scene: Scene) -> None:
    scene.server.command("updateUser", scene.admin, roles=[{"role": "read", "db": "app"}])
    token = scene.begin()
    with scene.nothing_changes(PermissionMissing, "may not do what it has to"):
        scene.bench.driver.retry(scene.arn, token)
    with pytest.raises(PermissionMissing) as caught:
        scene.bench.driver.retry(scene.arn, token)
    statement = f'grantRolesToUser("{scene.admin}", [{{"role": "userAdminAnyDatabase", "db":'
    assert statement in caught.value.cure
    role = {"role": "userAdminAnyDatabase", "db": "admin"}
    scene.server.command("grantRolesToUser", scene.admin, roles=[role])
    scene.bench.driver.retry(scene.arn, token)
    assert scene.converged


def test_double_provisioned_users_get_a_password_and_nothing_else(scene: Scene) -> None:
    scene.configure(provisioned=True, admin_reset=True)
    token = scene.begin()
    with scene.nothing_changes(MisconfiguredSecret, "there is no user"):
        scene.bench.driver.retry(scene.arn, token)
    base = scene.info(scene.base)
    scene.server.create_user(name=scene.alternate, roles=base["roles"])
    before = scene.info(scene.alternate)
    scene.bench.driver.retry(scene.arn, token)
    scene.rotate()
    assert scene.info(scene.base) == base
    assert scene.info(scene.alternate) == before


def test_double_awscurrent_has_to_log_in(scene: Scene) -> None:
    scene.rewrite(password="neither this nor that")
    with scene.nothing_changes(LoginRefused, "AWSCURRENT does not log in"):
        scene.rotate()


def test_double_an_admin_that_rds_manages(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's template knows none: its secret has no host, and tags say of which cluster it is."""
    cluster = "arn:aws:rds:us-east-1:123456789012:cluster:docdb"
    asked: list[Mapping[str, str]] = []

    def managed_endpoint(_: rds.Lookups, tags: Mapping[str, str]) -> rds.Endpoint:
        asked.append(tags)
        return rds.Endpoint(scene.server.host, scene.server.port, "docdb")

    monkeypatch.setattr(rds.Lookups, "managed_endpoint", managed_endpoint)
    assert scene.target.admin is not None
    managed = {key: scene.target.admin[key] for key in ("username", "password")}
    arn = scene.bench.simulator.create_secret("rds!cluster-1", managed)
    tags = [{"Key": "aws:rds:primaryDBClusterArn", "Value": cluster}]
    scene.bench.client.tag_resource(SecretId=arn, Tags=tags)
    scene.rewrite(masterarn=arn)
    calls = len(scene.bench.simulator.calls)
    scene.rotate()
    assert asked == [{"aws:rds:primaryDBClusterArn": cluster}]
    assert len(scene.bench.simulator.calls) - calls == 14
    assert scene.converged


def test_double_an_alternate_that_another_delivery_makes_first_is_no_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = DocumentDBRotator.engine
    real = engine._write

    def overtaken(itself: Any, session: Any, command: str, name: str, **fields: Any) -> None:
        if command == "createUser":
            scene.server.create_user(name=name, password=fields["pwd"])
        real(itself, session, command, name, **fields)

    monkeypatch.setattr(engine, "_write", overtaken)
    scene.rotate()
    assert scene.converged
    assert scene.mark(scene.alternate) == Mark(scene.arn, (scene.base, scene.alternate))
