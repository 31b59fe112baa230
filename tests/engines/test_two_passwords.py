"""MySQL and MariaDB users with two passwords: which of them live, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rotators.errors import (
    MisconfiguredSecret,
    PermissionMissing,
    StrategyUnavailable,
    ValueRejected,
)
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing.crashes import CrashPoints
from rotators.testing.mariadb import native_verifier
from tests.engines.test_postgresql_gaps import staged
from tests.engines.two_passwords import Scene, scene_on, warnings

if TYPE_CHECKING:
    from tests.servers_mysql import MySQL, MySQLServers, PrivateMySQL

SINGLE, ALTERNATING, DUAL = StrategyName
NEEDED = "APPLICATION_PASSWORD_ADMIN"
DELIVERIES = 4


@pytest.fixture(params=["mysql", "mysql by an admin", "mariadb by an admin"])
def scene(request: pytest.FixtureRequest, mysql_servers: MySQLServers) -> Iterator[Scene]:
    """Wherever a user may have two passwords, and whoever gives them."""
    kind, _, admin = request.param.partition(" by ")
    with (
        mysql_servers.tidied(kind) as server,
        scene_on(server, DUAL, with_admin=bool(admin)) as scene,
    ):
        yield scene


# ── deliveries that race ──


def test_repeats_one_by_one_and_at_once_keep_both(scene: Scene) -> None:
    rotations_with_repeats(scene)


def test_a_second_delivery_at_any_point_keeps_both(scene: Scene) -> None:
    race = Race(scene)
    while True:
        token = scene.begin()
        passed = race.run(token)
        assert scene.alive(scene.current, scene.pending) == [True, True], race.point
        scene.bench.driver.retry(scene.arn, token)
        if not passed:
            break
        race.at += 1
    assert race.at > 8


class Race:
    """Lets another delivery of setSecret in, at one of the first's points on the server.

    Not while it reads the secret: before Python 3.12 two threads would wait for each other there.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.at = 0
        self.point = ""

    def run(self, token: str) -> bool:
        """Whether the point was passed; both deliveries end without an error."""
        failed: list[BaseException] = []
        others: list[threading.Thread] = []
        passed: list[str] = []
        bench, arn = self.scene.bench, self.scene.arn

        def deliver() -> None:
            try:
                bench.driver.step(arn, token, Step.SET)
            except BaseException as error:  # noqa: BLE001 it is shown
                failed.append(error)

        def watch(point: str) -> None:
            if point.endswith((" describe", " get")):
                return
            passed.append(point)
            if len(passed) - 1 != self.at:
                return
            self.point, bench.points = f"{point} ({self.at})", None
            others.append(threading.Thread(target=deliver))
            others[0].start()
            # On with the first when the other has ended, or waits for the first.
            while others[0].is_alive() and not self._waiting():
                others[0].join(0.005)

        bench.points = CrashPoints(watch=watch)
        bench.driver.step(arn, token, Step.SET)
        bench.points = None
        for other in others:
            other.join(30)
            assert not other.is_alive(), self.point
        assert not failed, self.point
        return bool(others)

    def _waiting(self) -> bool:
        query = "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'"
        return bool(self.scene.server.execute(query))


# ── passwords that MySQL refuses, or wants to hear ──


@pytest.mark.parametrize("strategy", StrategyName)
def test_a_password_history_refuses_no_repeat(mysql: MySQL, strategy: StrategyName) -> None:
    with scene_on(mysql, strategy) as scene:
        scene.alter("PASSWORD HISTORY 5")
        rotations_with_repeats(scene)


def test_a_password_history_does_not_keep_an_admin_from_helping(mysql: MySQL) -> None:
    with scene_on(mysql, DUAL, with_admin=True) as scene:
        scene.alter("PASSWORD HISTORY 5")
        rotations_with_repeats(scene)


@pytest.mark.parametrize("strategy", [SINGLE, DUAL])
def test_a_user_that_has_to_name_its_password_does(mysql: MySQL, strategy: StrategyName) -> None:
    with scene_on(mysql, strategy) as scene:
        scene.alter("PASSWORD REQUIRE CURRENT")
        for _ in range(2):
            old = scene.current
            scene.rotate()
            assert scene.alive(scene.current, old) == [True, strategy is DUAL]


@pytest.mark.parametrize("strategy", [SINGLE, DUAL])
def test_a_first_password_that_nobody_can_name_is_told_with_its_cure(
    mysql: MySQL, strategy: StrategyName
) -> None:
    """After a rotation was given up, AWSCURRENT is the second, and MySQL asks for the first."""
    with scene_on(mysql, DUAL) as scene:
        scene.alter("PASSWORD REQUIRE CURRENT")
        scene.abandon()
        scene.by(strategy)
        cure = "PASSWORD REQUIRE CURRENT OPTIONAL"
        assert f"ALTER USER `{scene.user}`@`%` {cure}" in scene.fails(PermissionMissing).cure
        scene.alter(cure)
        scene.retry()
        assert scene.alive(scene.current, scene.old) == [True, strategy is DUAL]


def test_an_account_that_a_probe_could_lock_is_refused(mysql: MySQL) -> None:
    with scene_on(mysql, DUAL) as scene:
        scene.alter("FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME UNBOUNDED")
        cure = "FAILED_LOGIN_ATTEMPTS 3"
        assert cure in scene.fails(MisconfiguredSecret).cure
        assert scene.alive(scene.old) == [True]
        scene.alter(f"{cure} PASSWORD HISTORY 5")
        scene.retry()
        used = scene.current
        scene.rotate(2)
        # Refused once as a login, once as a new password, and once more as a login.
        token = scene.bench.driver.start(scene.arn)
        staged(scene.bench, scene.arn, token, **used)
        with pytest.raises(ValueRejected):
            scene.bench.driver.step(scene.arn, token, Step.SET)
        assert scene.alive(scene.current) == [True]


# ── who may not ──


def test_a_user_of_mysql_that_may_not_is_told_the_grant(mysql: MySQL) -> None:
    with scene_on(mysql, DUAL) as scene:
        scene.revoke(NEEDED)
        error = scene.fails(PermissionMissing)
        grant = f"GRANT {NEEDED} ON *.* TO `{scene.user}`@`%`"
        assert error.cure == f"{grant}; or add the admin's secret as 'masterarn'."
        mysql.execute(grant)
        scene.retry()
        assert scene.alive(scene.current, scene.old) == [True, True]


def test_a_user_of_mariadb_needs_an_admin(mariadb: MySQL) -> None:
    with scene_on(mariadb, DUAL, with_admin=False) as scene:
        assert "'masterarn'" in scene.fails(PermissionMissing).cure


def test_mariadb_has_two_passwords_of_one_kind_only(private_mariadb: PrivateMySQL) -> None:
    kinds = {
        "ed25519": "ed25519 USING PASSWORD(%s)",
        "unix_socket": "unix_socket OR mysql_native_password USING PASSWORD(%s)",
    }
    with private_mariadb(settings={"plugin-load-add": "auth_ed25519"}) as server:
        for kind, methods in kinds.items():
            with scene_on(server, DUAL) as scene:
                scene.alter(f"IDENTIFIED VIA {methods}", scene.old["password"])
                found = scene.fails(StrategyUnavailable).found
                assert f"by {kind}, and only mysql_native_password can be had twice" in found


# ── single-user ends what lives besides ──


def test_single_user_ends_a_second_password(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    second = scene.give_second()
    scene.by(SINGLE)
    scene.rotate()
    assert scene.alive(scene.current, scene.old, second) == [True, False, False]
    assert warnings(caplog) == []


def test_a_second_password_that_lives_on_is_told(
    mysql_or_mariadb: MySQL, caplog: pytest.LogCaptureFixture
) -> None:
    with scene_on(mysql_or_mariadb, SINGLE) as scene:
        if mysql_or_mariadb.kind == "mysql":
            scene.revoke(NEEDED)
            cure = f"GRANT {NEEDED} ON *.* TO `{scene.user}`@`%`"
        else:
            cure = "As an admin: SHOW CREATE USER, then ALTER USER"
        second = scene.give_second()
        scene.rotate()
        assert scene.alive(scene.current, scene.old, second) == [True, False, True]
        (said,) = warnings(caplog)
        assert cure in said


@pytest.mark.parametrize("provisioned", [False, True])
def test_alternating_users_ends_a_second_password(
    mysql_or_mariadb: MySQL, *, provisioned: bool
) -> None:
    with scene_on(mysql_or_mariadb, DUAL, with_admin=True) as scene:
        scene.rotate()
        now = scene.current
        scene.by(ALTERNATING)
        if provisioned:
            mysql_or_mariadb.create_user(name=scene.alternate)
            granted = f"SELECT, INSERT (x) ON {scene.target.database}.t TO {scene.alternate}"
            mysql_or_mariadb.execute(f"GRANT {granted}")
            settings = scene.target.settings
            scene.target.settings = replace(settings, provisioned=True, admin_reset=True)
        scene.rotate()
        assert scene.alive(scene.current, now, scene.old) == [True, True, True]
        scene.rotate()
        assert scene.current["username"] == scene.user
        assert scene.alive(scene.current, now, scene.old) == [True, False, False]


def test_methods_that_cannot_be_read_are_told(
    mariadb: MySQL, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's own words hide what follows a quote."""
    native = "mysql_native_password USING %s"
    via = f"IDENTIFIED VIA {native} OR unix_socket USING 'o''brien' OR {native}"
    for strategy in (DUAL, SINGLE):
        with scene_on(mariadb, strategy) as scene:
            second = {**scene.old, "password": "a second one"}
            scene.alter(via, *(native_verifier(one["password"]) for one in (scene.old, second)))
            assert scene.alive(scene.old, second) == [True, True]
            if strategy is DUAL:
                assert f"`{scene.user}`@`%`" in scene.fails(MisconfiguredSecret).found
                continue
            scene.rotate()
            assert scene.alive(scene.current, second) == [True, True]
    (said,) = warnings(caplog)
    assert "whether other passwords log in is not known" in said


def rotations_with_repeats(scene: Scene) -> None:
    """Every setSecret comes several times at once, and then again and again."""
    lives_on = scene.target.settings.strategy is not SINGLE
    for _ in range(3):
        token = scene.begin()
        ended = scene.bench.driver.parallel(scene.arn, token, Step.SET, DELIVERIES)
        assert ended == [None] * DELIVERIES
        scene.bench.driver.replay(scene.arn, token, Step.SET, 3)
        old = scene.current
        assert scene.alive(scene.pending, old) == [True, lives_on]
        scene.bench.driver.retry(scene.arn, token)
        assert scene.alive(scene.current, old) == [True, lives_on]
