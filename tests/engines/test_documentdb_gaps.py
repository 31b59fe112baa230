"""The gaps of AWS's templates that concern a single user, on a double of MongoDB."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.documentdb import DocumentDB
from rotators.errors import (
    AccountLocked,
    ForbiddenTarget,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    ServerUnreachable,
    UntrustedServer,
    ValueRefused,
    ValueRejected,
)
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.crashes import CrashPoints
from tests.doubles.documentdb import double
from tests.engines.documentdb_scene import bench_on, scene_on
from tests.engines.documentdb_target import MongoTarget
from tests.engines.golden import assert_as_golden
from tests.engines.test_postgresql_gaps import played, silent_server, staged, unlabel

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from rotators.testing.certificates import Certificates
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]


@pytest.fixture
def bench(mongo: Mongo) -> Iterator[Bench]:
    with bench_on(mongo) as bench:
        yield bench


def test_double_g3_a_password_left_in_a_version_without_label_is_found(bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE, Step.SET)
    unlabel(bench, arn, token)
    assert not bench.lawful(arn)
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "no tls"])
def test_double_g12_an_untrusted_server_gets_no_password(
    certificates: Certificates, fault: str
) -> None:
    tls = certificates.wrong_name if fault == "wrong name" else fault != "no tls"
    trusted = certificates.unrelated_ca if fault == "unknown authority" else certificates.ca
    with (
        double(certificates, tls=tls) as server,
        bench_on(server, settings=Settings(ca_bundle=trusted)) as bench,
    ):
        user = server.create_user(roles=[server.own_password()])
        value = {key: item for key, item in server.secret(user).items() if key != "ssl"}
        arn = bench.simulator.create_secret("g12", value)
        bench.engines.add("mongo")
        began = time.monotonic()
        with pytest.raises(UntrustedServer) as caught:
            bench.driver.rotate(arn)
        assert time.monotonic() - began < 5  # not the driver's 30 seconds
        assert "ROTATION_CA_BUNDLE" in caught.value.cure
        assert '"ssl": false' in caught.value.cure
        assert not [line for line in server.log() if line.get("login") == user.name]
        if fault != "no tls":
            return
        bench.driver.put_by_hand(arn, {**value, "ssl": False})
        bench.driver.rotate(arn)
        assert server.can_log_in(user.name, bench.current(arn)["password"])


def test_double_g12_a_server_that_wants_tls_is_told_of(bench: Bench) -> None:
    arn, _ = bench.secret(ssl=False)
    with pytest.raises(ServerUnreachable, match='With "ssl": false'):
        bench.driver.rotate(arn)


@pytest.mark.parametrize("kinds", [["SCRAM-SHA-1"], ["SCRAM-SHA-256"], None])
def test_double_the_kinds_of_password_are_kept(
    mongo: Mongo, bench: Bench, kinds: list[str] | None
) -> None:
    """A user that was hardened to SHA-256 does not get SHA-1 back."""
    arn, user = secret_with_kinds(bench, kinds)
    bench.driver.rotate(arn)
    assert kinds_of(mongo, user) == (kinds or ["SCRAM-SHA-1", "SCRAM-SHA-256"])
    assert bench.target.logs_in(bench.current(arn))


def test_double_a_reset_by_an_admin_keeps_the_kinds_of_password(mongo: Mongo) -> None:
    settings = Settings(ca_bundle=mongo.ca, strategy=StrategyName.SINGLE_USER, admin_reset=True)
    with bench_on(mongo, settings=settings, with_admin=True) as bench:
        arn, user = secret_with_kinds(bench, ["SCRAM-SHA-256"])
        mongo.command("updateUser", user, pwd="lost", mechanisms=["SCRAM-SHA-256"])
        bench.driver.rotate(arn)
        assert kinds_of(mongo, user) == ["SCRAM-SHA-256"]
        assert bench.target.logs_in(bench.current(arn))


def test_double_a_kind_of_password_that_the_server_takes_no_more_is_given_up(
    mongo: Mongo, bench: Bench
) -> None:
    arn, user = secret_with_kinds(bench, None)
    with mongo.persona("mongodb", taking=["SCRAM-SHA-256"]):
        bench.driver.rotate(arn)
    assert kinds_of(mongo, user) == ["SCRAM-SHA-256"]


def test_double_a_server_that_does_not_tell_the_kinds_of_password_is_told_none(
    mongo: Mongo, bench: Bench
) -> None:
    arn, old = bench.secret()
    with mongo.failing("usersInfo", 13):
        bench.driver.rotate(arn)
    assert not bench.target.logs_in(old)
    (said,) = [line["command"] for line in mongo.log() if "updateUser" in line.get("command", ())]
    assert "mechanisms" not in said


def secret_with_kinds(bench: Bench, kinds: list[str] | None) -> tuple[str, str]:
    """A secret, and the name of its user."""
    target = bench.target
    assert isinstance(target, MongoTarget)
    user = target.new_user(**({"mechanisms": kinds} if kinds else {}))
    arn, _ = bench.secret(username=user.name, password=user.password)
    return arn, user.name


def kinds_of(mongo: Mongo, name: str) -> list[str]:
    info = mongo.info(name)
    assert info is not None
    return sorted(info["mechanisms"])


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_double_g13_a_rotation_costs_no_refused_login(mongo: Mongo, strategy: StrategyName) -> None:
    with bench_on(mongo, strategy) as bench:
        arn, old = bench.secret()
        for _ in range(3):
            bench.driver.rotate(arn)
        assert mongo.refused(old["username"]) + mongo.refused(f"{old['username']}_clone") == 0


def test_double_g13_a_repeated_set_costs_one(mongo: Mongo, bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE, Step.SET)
    bench.driver.step(arn, token, Step.SET)
    assert mongo.refused(old["username"]) == 1


def test_double_g13_at_most_four_logins_are_refused(mongo: Mongo, bench: Bench) -> None:
    arn, old = bench.secret()
    for _ in range(7):
        bench.driver.put_by_hand(arn, {**old, "password": uuid.uuid4().hex})
    with pytest.raises(LoginRefused, match="put-secret-value"):
        bench.driver.rotate(arn)
    assert mongo.refused(old["username"]) == 4


def test_double_g13_a_user_without_a_password_ends_the_search(mongo: Mongo, bench: Bench) -> None:
    arn, _, token = played(bench, Step.CREATE)
    bench.points = CrashPoints()
    with mongo.failing("saslContinue", 334), pytest.raises(AccountLocked, match="334"):
        bench.driver.step(arn, token, Step.SET)
    assert bench.points.seen.count("before open") == 1


@pytest.mark.parametrize("ssl", [True, False])
def test_double_g14_g15_a_silent_server_ends_inside_the_time_left(
    mongo: Mongo, *, ssl: bool
) -> None:
    with silent_server() as (port, _), bench_on(mongo) as bench:
        arn, _ = bench.secret(port=port, ssl=ssl)
        token = bench.driver.start(arn)
        bench.driver.step(arn, token, Step.CREATE)
        bench.driver = type(bench.driver)(bench.simulator, bench.handle, seconds=3)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="no session"):
            bench.driver.step(arn, token, Step.SET)
        assert time.monotonic() - began < 3


def test_double_g15_a_server_that_goes_silent_in_a_session_is_cut_off(
    certificates: Certificates,
) -> None:
    with double(certificates) as server, bench_on(server) as bench:
        assert server.server is not None
        paused = server.server
        for point in ("after open", "before set_password", "after set_password"):
            arn, old, token = played(bench, Step.CREATE)
            driver = type(bench.driver)(bench.simulator, bench.handle, seconds=2.5)

            def watch(reached: str, point: str = point) -> None:
                if reached == point:
                    paused.pause()

            bench.points = CrashPoints(watch=watch)
            began = time.monotonic()
            if point == "after set_password":
                driver.step(arn, token, Step.SET)  # nobody waits for an answer to a farewell
            else:
                with pytest.raises(ServerUnreachable, match="went silent"):
                    driver.step(arn, token, Step.SET)
            assert time.monotonic() - began < 2.5
            paused.resume()
            bench.points = None
            bench.driver.retry(arn, token)
            assert not bench.target.logs_in(old)
            # A session that broke is not opened anew with a password that may be the old one.
            assert server.refused(old["username"]) <= 2


def test_double_nobody_listens(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    arn, _ = bench.secret(port=port)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="refused"):
        bench.driver.rotate(arn)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
@pytest.mark.parametrize("code", [10107, 13435])
def test_double_a_secondary_is_said_to_be_one(
    mongo: Mongo, strategy: StrategyName, code: int
) -> None:
    """AWS's templates do not look."""
    with bench_on(mongo, strategy) as bench:
        arn, old, token = played(bench, Step.CREATE)
        with (
            mongo.failing("updateUser", code),
            pytest.raises(ReadOnlyServer, match="primary"),
        ):
            bench.driver.step(arn, token, Step.SET)
        assert bench.target.logs_in(old)
        bench.driver.retry(arn, token)


def test_double_a_server_that_steps_down_is_no_failure_for_ever(mongo: Mongo, bench: Bench) -> None:
    arn, _, token = played(bench, Step.CREATE)
    with mongo.failing("updateUser", 189), pytest.raises(ServerUnreachable, match="189"):
        bench.driver.step(arn, token, Step.SET)
    bench.driver.retry(arn, token)


def test_double_a_user_that_may_not_change_its_own_password_is_told_the_grant(
    mongo: Mongo, bench: Bench
) -> None:
    user = mongo.create_user(roles=[{"role": "readWrite", "db": "app"}])
    arn, _ = bench.secret(username=user.name, password=user.password)
    token = bench.driver.start(arn)
    with pytest.raises(PermissionMissing, match="may not change its own password") as caught:
        bench.driver.retry(arn, token)
    assert mongo.can_log_in(user.name, user.password)
    cure = caught.value.cure
    said = re.search(r'createRole\({role: "(\w+)", privileges: (\[.*?\]), roles', cure)
    assert said
    with contextlib.suppress(Exception):  # another test of this cure made it
        mongo.create_role(said[1], json.loads(re.sub(r"(\w+):", r'"\1":', said[2])))
    grant = re.search(r'grantRolesToUser\("(\w+)", \[({.*?})\]\)', cure)
    assert grant
    mongo.command("grantRolesToUser", grant[1], roles=[json.loads(grant[2])])
    bench.driver.retry(arn, token)
    assert bench.target.logs_in(bench.current(arn))


def test_double_on_documentdb_users_change_their_own_passwords(mongo: Mongo) -> None:
    with mongo.persona("documentdb"), bench_on(mongo) as bench:
        user = mongo.create_user(roles=["readAnyDatabase"])
        arn, _ = bench.secret(username=user.name, password=user.password)
        bench.driver.rotate(arn)
        assert bench.target.logs_in(bench.current(arn))
        (by,) = {line["by"] for line in mongo.log() if line.get("login") == user.name}
        assert by == "SCRAM-SHA-1"


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_double_a_value_that_the_server_refuses_is_given_up(
    mongo: Mongo, strategy: StrategyName
) -> None:
    """Rule 8. The code stands for a policy: neither server's documents name one."""
    with bench_on(mongo, strategy) as bench:
        arn, old = bench.secret()
        if strategy is StrategyName.ALTERNATING_USERS:
            bench.driver.rotate(arn)
            old = bench.current(arn)
        token = bench.driver.start(arn)
        with (
            mongo.failing("updateUser", 2),
            pytest.raises(ValueRejected, match="AWSPENDING was taken"),
        ):
            bench.driver.retry(arn, token)
        assert bench.target.logs_in(old)
        bench.driver.rotate(arn)


def test_double_a_refused_value_that_is_in_place_is_a_success(mongo: Mongo, bench: Bench) -> None:
    arn, old, token = played(bench, Step.CREATE)
    pending = bench.labelled(arn)["AWSPENDING"]["password"]
    with contextlib.ExitStack() as failing:

        def set_elsewhere(point: str) -> None:
            if point == "before set_password":
                mongo.command("updateUser", old["username"], pwd=pending)
                failing.enter_context(mongo.failing("updateUser", 2))

        bench.points = CrashPoints(watch=set_elsewhere)
        bench.driver.step(arn, token, Step.SET)
    assert bench.lawful(arn)


def test_double_a_value_refused_while_awscurrent_is_refused_keeps_its_label(
    mongo: Mongo, bench: Bench
) -> None:
    arn, old, token = played(bench, Step.CREATE)
    with contextlib.ExitStack() as failing:

        def set_elsewhere(point: str) -> None:
            if point == "before set_password":
                mongo.command("updateUser", old["username"], pwd="changed by a person")
                failing.enter_context(mongo.failing("updateUser", 2))

        bench.points = CrashPoints(watch=set_elsewhere)
        with pytest.raises(ValueRefused):
            bench.driver.step(arn, token, Step.SET)
    assert "AWSPENDING" in bench.simulator.labels(arn)[token]


def test_double_the_admin_resets_a_lost_password(mongo: Mongo) -> None:
    """AWS's single-user template passes over 'masterarn'."""
    with scene_on(mongo, StrategyName.SINGLE_USER) as scene:
        scene.configure(admin_reset=True)
        scene.update(scene.base, pwd="nobody knows it")
        scene.rotate()
        assert scene.bench.target.logs_in(scene.current)


def test_double_a_dbname_that_is_none_is_refused(bench: Bench) -> None:
    arn, _ = bench.secret(dbname="no.such$name")
    with pytest.raises(LoginRefused, match="stored password"):
        bench.driver.rotate(arn)


# ── what goes over the wire ──


@pytest.mark.parametrize(
    ("persona", "strategy"),
    [
        ("mongodb", StrategyName.SINGLE_USER),
        ("mongodb", StrategyName.ALTERNATING_USERS),
        ("documentdb", StrategyName.ALTERNATING_USERS),
    ],
)
def test_double_the_commands_of_two_rotations(
    mongo: Mongo, persona: str, strategy: StrategyName
) -> None:
    with mongo.persona(persona), bench_on(mongo, strategy) as bench:
        arn, old = bench.secret()
        before = len(mongo.log())
        for number in (1, 2):
            bench.driver.rotate(arn)
            if number == 1:
                middle = len(mongo.log())
        names = {old["username"]: "app", arn: "SECRET"}
        if bench.target.admin:
            names[bench.target.admin["username"]] = "admin"
        lines = ["-- first", *mongo.log()[before:middle], "-- second", *mongo.log()[middle:]]
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines) + "\n"
    for name, placeholder in names.items():
        text = text.replace(name, placeholder)
    markless = "" if persona == "mongodb" else "-without-marks"
    assert_as_golden(f"documentdb-{strategy}{markless}", text)


def test_double_g16_the_log_of_the_server_shows_no_password(mongo: Mongo) -> None:
    with scene_on(mongo) as scene:
        scene.rotate(2)
        said = mongo.log_text()
        assert scene.alternate in said
        assert not scene.leaks(said)


def test_the_driver_is_not_imported_with_the_engine() -> None:
    program = "import sys, rotators.database.documentdb as m; print('pymongo' in sys.modules)"
    done = subprocess.run(  # noqa: S603 - no shell; this very interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
    assert DocumentDB.driver.module == "pymongo"


def test_double_a_forged_pending_value_is_refused(bench: Bench) -> None:
    arn, old, token = played(bench)
    staged(bench, arn, token, username="root", password=uuid.uuid4().hex)
    with pytest.raises(ForbiddenTarget, match="AWSPENDING is for"):
        bench.driver.retry(arn, token)
    assert bench.target.logs_in(old)
