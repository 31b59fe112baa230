"""One user with two passwords: who sets the second one, and who may end it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from rotators.database.engine import NameLimit
from rotators.database.users import Mark
from rotators.dispatcher import Dispatcher
from rotators.errors import (
    AccountLocked,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    StrategyUnavailable,
    ValueRejected,
)
from rotators.registry import Registry
from rotators.request import Step
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.testing.crashes import Crash, CrashPoints
from rotators.testing.memory import ENGINE_NAME, Memory, MemoryRotator, MemoryServer
from rotators.versions import SecretsManager

HOST = "two-passwords"
IN_PLACE = "the new password is in place already"


class Target:
    """A server with users, and with an admin where one is needed."""

    admin: Mapping[str, Any] | None = None

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self.settings = Settings(strategy=StrategyName.DUAL_PASSWORD)
        if server.only_admins_retain:
            self.admin = self.new_secret()
            server.admins.add(self.admin["username"])

    def new_secret(self) -> dict[str, Any]:
        user, password = f"user{len(self.server.passwords)}", uuid.uuid4().hex
        self.server.passwords[user] = password
        return {"engine": ENGINE_NAME, "host": HOST, "username": user, "password": password}

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.knows(secret["username"], secret["password"])


class Scene:
    """A secret, and the two passwords that its user may have on the server."""

    def __init__(self, bench: Bench, server: MemoryServer) -> None:
        self.bench = bench
        self.server = server
        self.arn, self.value = bench.secret()
        self.user: str = self.value["username"]

    def rotate(self) -> str:
        return self.bench.driver.rotate(self.arn)

    def by(self, strategy: StrategyName) -> None:
        self.bench.target.settings = replace(self.bench.target.settings, strategy=strategy)

    @property
    def current(self) -> str:
        return str(self.bench.current(self.arn)["password"])

    @property
    def both(self) -> tuple[str | None, str | None]:
        return self.server.passwords.get(self.user), self.server.retained.get(self.user)

    def begin(self) -> str:
        """A rotation whose value is staged."""
        token = self.bench.driver.start(self.arn)
        self.bench.driver.step(self.arn, token, Step.CREATE)
        return token

    def staged(self) -> str:
        return str(self.bench.labelled(self.arn)["AWSPENDING"]["password"])

    def fails(self, kind: type[RotationError]) -> RotationError:
        """What a rotation ends with. It changes nothing."""
        before = self.both
        with pytest.raises(kind) as caught:
            self.rotate()
        assert type(caught.value) is kind
        assert self.both == before
        assert self.current == self.value["password"]
        return caught.value


@pytest.fixture
def scene() -> Iterator[Scene]:
    with MemoryServer(HOST) as server, Bench(MemoryRotator, Target(server)) as bench:
        yield Scene(bench, server)


@pytest.fixture
def administered() -> Iterator[Scene]:
    """The user cannot keep a second password by itself."""
    with (
        MemoryServer(HOST, only_admins_retain=True) as server,
        Bench(MemoryRotator, Target(server)) as bench,
    ):
        yield Scene(bench, server)


def give_up(bench: Bench, arn: str) -> None:
    """As a person does: AWSPENDING is taken from its version."""
    labels = bench.simulator.labels(arn)
    (token,) = (version for version, stages in labels.items() if "AWSPENDING" in stages)
    bench.client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


# ── the user itself ──


def test_the_last_password_goes_on_and_the_one_before_ends(scene: Scene) -> None:
    passwords = [scene.current]
    for _ in range(3):
        scene.rotate()
        passwords.append(scene.current)
        assert scene.both == (passwords[-1], passwords[-2])


def test_a_password_that_is_in_place_is_not_set_again(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    token = scene.begin()
    scene.bench.driver.step(scene.arn, token, Step.SET)
    scene.server.accepts = lambda _: pytest.fail("set again")
    scene.bench.driver.step(scene.arn, token, Step.SET)
    assert scene.both == (scene.staged(), scene.value["password"])
    assert IN_PLACE in caplog.messages
    assert warnings(caplog) == []


def test_a_current_password_that_is_the_second_stays_so(scene: Scene) -> None:
    scene.server.retained[scene.user] = scene.current
    scene.server.passwords[scene.user] = "of an abandoned rotation"
    scene.rotate()
    assert scene.both == (scene.current, scene.value["password"])


def test_a_new_password_that_alone_logs_in_is_left_as_it_is(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    token = scene.begin()
    scene.server.passwords[scene.user] = scene.staged()
    scene.bench.driver.step(scene.arn, token, Step.SET)
    assert scene.both == (scene.staged(), None)
    assert warnings(caplog) == [f"{IN_PLACE}, and AWSCURRENT does not log in"]


def test_a_lost_password_is_found_by_a_rotation_of_the_other_strategy(scene: Scene) -> None:
    lost = scene.current
    scene.value = {**scene.value, "password": "put by hand"}
    scene.bench.driver.put_by_hand(scene.arn, scene.value)
    error = scene.fails(LoginRefused)
    assert error.found == (
        "AWSCURRENT does not log in, so the rotation is abandoned: wrong user or password"
    )
    assert error.cure == (
        "Store the password that works as AWSCURRENT (put-secret-value), then rotate again. Or"
        " rotate once with ROTATION_STRATEGY=single-user (of a stack: its Strategy, by which the"
        " role may list versions), which searches older versions for it."
    )
    assert scene.server.refused_logins == 2
    give_up(scene.bench, scene.arn)
    scene.by(StrategyName.SINGLE_USER)
    scene.rotate()
    assert scene.both == (scene.current, None)
    assert scene.current != lost


def test_a_locked_account_is_told_as_it_is(scene: Scene) -> None:
    scene.server.locked.add(scene.user)
    scene.fails(AccountLocked)


def test_a_value_for_another_user_changes_nothing(scene: Scene) -> None:
    other = scene.bench.target.new_secret()
    token = scene.bench.driver.start(scene.arn)
    scene.bench.client.put_secret_value(
        SecretId=scene.arn,
        ClientRequestToken=token,
        SecretString=json.dumps(other),
        VersionStages=["AWSPENDING"],
    )
    before = dict(scene.server.passwords)
    with pytest.raises(ForbiddenTarget):
        scene.bench.driver.step(scene.arn, token, Step.SET)
    assert scene.server.passwords == before
    assert scene.server.accepted_logins == 0


def test_a_value_that_the_server_refuses_is_given_up(scene: Scene) -> None:
    scene.server.accepts = lambda _: False
    error = scene.fails(ValueRejected)
    assert error.found.endswith("it is not in place, and AWSCURRENT still logs in")
    assert "AWSPENDING" not in scene.bench.labelled(scene.arn)
    scene.server.accepts = lambda _: True
    scene.rotate()
    assert scene.both == (scene.current, scene.value["password"])


def test_no_permission_and_no_admin_is_told_by_the_engine(scene: Scene) -> None:
    scene.server.only_admins_retain = True
    scene.fails(PermissionMissing)


# ── an admin ──


def test_an_admin_helps_whom_it_has_to(administered: Scene) -> None:
    administered.rotate()
    assert administered.both == (administered.current, administered.value["password"])
    assert administered.server.accepted_logins == 3


def test_no_admin_logs_in_for_a_user_that_needs_none(administered: Scene) -> None:
    administered.server.only_admins_retain = False
    administered.rotate()
    assert administered.server.accepted_logins == 2


def test_an_admin_keeps_off_a_user_of_another_secret(administered: Scene) -> None:
    administered.server.marks[administered.user] = Mark("another", (administered.user, "b"))
    administered.fails(ForbiddenTarget)


def test_an_admin_keeps_off_a_user_that_it_cannot_see(
    administered: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Memory, "look", lambda *_: None)
    error = administered.fails(MisconfiguredSecret)
    assert error.found.startswith(f"the admin sees no user {administered.user!r}")


# ── single-user ends what was retained ──


def retained(scene: Scene) -> Scene:
    """After one rotation: two passwords, and the next rotation is by single-user."""
    scene.rotate()
    assert None not in scene.both
    scene.by(StrategyName.SINGLE_USER)
    return scene


def test_an_admin_discards_what_the_user_may_not(
    administered: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    retained(administered).rotate()
    assert administered.both == (administered.current, None)
    assert warnings(caplog) == []


def test_no_admin_logs_in_where_nothing_is_left(administered: Scene) -> None:
    administered.by(StrategyName.SINGLE_USER)
    administered.rotate()
    assert administered.server.accepted_logins == 2


def test_what_nobody_may_discard_is_a_warning_and_no_failure(
    administered: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    retained(administered)
    said = f"user {administered.user!r} has a second password: let an admin discard it"
    administered.server.marks[administered.user] = Mark("another", (administered.user, "b"))
    administered.rotate()
    administered.server.marks.clear()
    administered.server.passwords["user0"] = "the admin's, of which the secret knows nothing"
    administered.rotate()
    assert administered.both[0] == administered.current
    assert administered.both[1] is not None
    first, second = warnings(caplog)
    assert first.startswith(f"{said}; the admin could not help: user {administered.user!r} belongs")
    assert second == f"{said}; the admin could not help: wrong user or password"


def test_a_user_that_the_admin_cannot_see_keeps_its_passwords(
    administered: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    retained(administered)
    monkeypatch.setattr(Memory, "look", lambda *_: None)
    administered.rotate()
    assert administered.both[1] is not None
    assert warnings(caplog) == [
        f"user {administered.user!r} has a second password: let an admin discard it; the admin"
        f" could not help: the admin sees no user {administered.user!r}"
    ]


@pytest.mark.parametrize("point", ["after set_password", "before discard_others"])
def test_a_crash_before_the_other_password_ends_is_healed(scene: Scene, point: str) -> None:
    retained(scene)
    token = scene.begin()

    def watch(passed: str) -> None:
        if passed == point:
            points.at = len(points.seen) - 1

    points = scene.bench.points = CrashPoints(watch=watch)
    with pytest.raises(Crash):
        scene.bench.driver.step(scene.arn, token, Step.SET)
    assert scene.both[1] is not None
    scene.bench.points = None
    scene.bench.driver.retry(scene.arn, token)
    assert scene.both == (scene.current, None)


# ── what the function says ──


def test_a_strategy_that_the_engine_lacks_is_told_with_the_engines_that_have_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {
        "memory": "rotators.testing.memory:MemoryRotator",
        "memory2": "rotators.testing.memory:MemoryRotator",
        "postgres": "rotators.database.postgresql:PostgreSQLRotator",
    }
    arn, _ = scene.bench.secret(engine="postgres")

    def rotated_with(paths: dict[str, str]) -> str:
        versions = SecretsManager(scene.bench.client)
        dispatcher = Dispatcher(versions, Registry(paths), scene.bench.target.settings)
        monkeypatch.setattr(scene.bench, "_dispatcher", lambda: dispatcher)
        with pytest.raises(StrategyUnavailable) as caught:
            scene.bench.driver.rotate(arn)
        give_up(scene.bench, arn)
        return caught.value.found

    refused = "PostgreSQL cannot be rotated by 'dual-password' (ROTATION_STRATEGY): "
    assert rotated_with(paths) == f"{refused}memory, memory2 can"
    assert rotated_with({"postgres": paths["postgres"]}) == f"{refused}no engine here can"


# ── the alternate's name, where the server counts characters ──


@pytest.mark.parametrize(
    ("limit", "allowed", "fits"),
    [
        (NameLimit(32, "characters"), None, True),
        (NameLimit(32, "characters"), 11, True),
        (NameLimit(32, "characters"), 10, False),
        (NameLimit(10, "characters"), 255, False),
        (NameLimit(63), 10, True),
    ],
)
def test_a_name_may_be_limited_by_the_environment(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    limit: NameLimit,
    allowed: int | None,
    fits: bool,
) -> None:
    monkeypatch.setattr(Memory, "username_limit", limit)
    target: Any = scene.bench.target
    target.settings = Settings(
        strategy=StrategyName.ALTERNATING_USERS, username_character_limit=allowed
    )
    target.admin = target.new_secret()
    target.server.admins.add(target.admin["username"])
    arn, value = scene.bench.secret()
    assert len(value["username"]) == 5
    token = scene.bench.driver.start(arn)
    if fits:
        scene.bench.driver.retry(arn, token)
        return
    with pytest.raises(MisconfiguredSecret, match="would have 11 characters of at most 10"):
        scene.bench.driver.retry(arn, token)
    assert "AWSPENDING" not in scene.bench.labelled(arn)
