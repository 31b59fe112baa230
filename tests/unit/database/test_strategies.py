"""Whose login acts on which user, and how many logins that costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rotators.database.login import Login
from rotators.database.postgresql import PostgreSQL
from rotators.database.strategies import (
    STRATEGIES,
    single_user,
    strategies_of,
    strategy_for,
)
from rotators.database.strategies.base import MOST_REFUSED, MOST_UNLABELLED
from rotators.database.strategies.single_user import SingleUser
from rotators.deadline import Deadline
from rotators.errors import (
    AccessDenied,
    AccountLocked,
    DeadlineExceeded,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    RotationError,
    ServerUnreachable,
    StrategyUnavailable,
    ValueRefused,
    ValueRejected,
    VersionNotFound,
)
from rotators.redaction import Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation
from rotators.secret import Secret
from rotators.settings import Settings, StrategyName
from rotators.testing.memory import Memory, MemoryServer
from rotators.versions import SecretMetadata, StoredValue

FIELDS: dict[str, Any] = {"engine": "memory", "host": "strategies", "username": "app"}
CURRENT, PENDING, PREVIOUS = "current-password", "pending-password", "previous-password"


def value(password: str, **fields: object) -> dict[str, Any]:
    return {**FIELDS, "password": password, **fields}


@dataclass
class History:
    """AWSPREVIOUS, and the values of unlabelled versions, newest first."""

    previous: dict[str, Any] | None = None
    unlabelled_values: list[dict[str, Any]] = field(default_factory=list)
    denied: bool = False
    reads: int = 0

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        self.reads += 1
        if stage == "AWSCURRENT":
            self.reads -= 1
            return StoredValue("v", frozenset([stage]), json.dumps(value(CURRENT)))
        found = self.previous if version_id is None else self.unlabelled_values[int(version_id)]
        if found is None:
            raise VersionNotFound
        return StoredValue("v", frozenset(), json.dumps(found))

    def unlabelled(self, secret_id: str) -> list[str]:
        if self.denied:
            raise AccessDenied("ListSecretVersionIds was refused", "Allow it.")
        return [str(number) for number in range(len(self.unlabelled_values))]

    def describe(self, secret_id: str) -> SecretMetadata:
        raise AssertionError("a strategy does not ask for labels")

    def put_pending(
        self, secret_id: str, version_id: str, text: str, rotation_token: str | None
    ) -> None:
        raise AssertionError("a strategy does not write")

    def move_stage(
        self, secret_id: str, stage: str, *, to: str | None = None, remove_from: str | None = None
    ) -> None:
        raise AssertionError("a strategy does not write")

    def tag(self, secret_id: str, key: str, value: str) -> None:
        raise AssertionError("a strategy does not write")

    def untag(self, secret_id: str, key: str) -> None:
        raise AssertionError("a strategy does not write")


class Watched(Memory):
    """Memory that remembers who logged in, and whether everything was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[Login] = []
        self.open_sessions = 0
        self.verified = 0

    def open(self, login: Login, deadline: Deadline) -> Any:
        self.tried.append(login)
        session = super().open(login, deadline)
        self.open_sessions += 1
        return session

    def close(self, session: object) -> None:
        self.open_sessions -= 1

    def verify(self, session: object) -> None:
        self.verified += 1


@dataclass
class Scene:
    """A user of a server, and the strategy that is to change the password."""

    server: MemoryServer
    history: History = field(default_factory=History)
    engine: Watched = field(default_factory=Watched)
    said: list[str] = field(default_factory=list)

    def rotation(self, seconds: float = 30) -> Rotation:
        return Rotation(
            request=RotationRequest(Step.SET, "arn", "v" * 32),
            deadline=Deadline.after(seconds),
            say=self._say,
            redactor=Redactor(),
            versions=self.history,
            pending=Secret(value(PENDING)),
        )

    def _say(self, sentence: str, /, *, warning: bool = False, **facts: object) -> None:
        self.said.append(" ".join([sentence, *map(str, facts.values())]))

    def apply(self, current: str = CURRENT, pending: str = PENDING, **fields: object) -> None:
        logins = [
            Login.of(Secret(value(current)), Memory),
            Login.of(Secret(value(pending, **fields)), Memory),
        ]
        try:
            SingleUser(self.engine, Settings()).apply(self.rotation(), *logins)
        finally:
            assert self.engine.open_sessions == 0

    @property
    def passwords_tried(self) -> list[str]:
        return [login.password for login in self.engine.tried]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with MemoryServer("strategies", {"app": CURRENT}) as server:
        yield Scene(server)


# ── which strategies there are ──


def test_every_strategy_is_registered_by_its_own_name() -> None:
    assert {name: strategy.name for name, strategy in STRATEGIES.items()} == {
        name: name for name in STRATEGIES
    }


def test_every_engine_can_have_a_single_user() -> None:
    assert StrategyName.SINGLE_USER in strategies_of(Memory)
    engine = Memory()
    strategy = strategy_for(StrategyName.SINGLE_USER, engine, Settings())
    assert isinstance(strategy, SingleUser)
    assert strategy.engine is engine


def test_an_ability_that_the_engine_lacks_rules_a_strategy_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Flies: ...

    class Flying(SingleUser):
        needs = Flies

    class Bird(PostgreSQL, Flies): ...

    known = {**STRATEGIES, StrategyName.DUAL_PASSWORD: Flying}
    monkeypatch.setattr("rotators.database.strategies.STRATEGIES", known)
    assert StrategyName.DUAL_PASSWORD in strategies_of(Bird)
    assert StrategyName.DUAL_PASSWORD not in strategies_of(PostgreSQL)
    assert isinstance(strategy_for(StrategyName.DUAL_PASSWORD, Bird(), Settings()), Flying)


def test_two_passwords_need_an_engine_that_has_them() -> None:
    assert StrategyName.DUAL_PASSWORD in strategies_of(Memory)
    assert StrategyName.DUAL_PASSWORD not in strategies_of(PostgreSQL)


def test_a_strategy_that_the_engine_cannot_do_is_told_with_those_that_it_can() -> None:
    with pytest.raises(StrategyUnavailable) as caught:
        strategy_for(StrategyName.DUAL_PASSWORD, PostgreSQL(), Settings())
    assert str(caught.value) == (
        "PostgreSQL cannot be rotated by 'dual-password' (ROTATION_STRATEGY). Set"
        " ROTATION_STRATEGY to one of: single-user, alternating-users."
    )


def test_a_single_user_has_no_successor(scene: Scene) -> None:
    login = Login.of(Secret(value(CURRENT)), Memory)
    assert SingleUser(scene.engine, Settings()).successor(login, Secret(value(CURRENT))) == {}


# ── proving ──


def test_proving_logs_in_once_and_reads(scene: Scene) -> None:
    login = Login.of(Secret(value(CURRENT)), Memory)
    SingleUser(scene.engine, Settings()).prove(scene.rotation(), login)
    assert scene.engine.tried == [login]
    assert (scene.engine.verified, scene.engine.open_sessions) == (1, 0)


def test_a_password_that_is_refused_in_a_test_says_the_cure(scene: Scene) -> None:
    login = Login.of(Secret(value(PENDING)), Memory)
    with pytest.raises(LoginRefused) as caught:
        SingleUser(scene.engine, Settings()).prove(scene.rotation(), login)
    assert caught.value.found == (
        "the server refuses the password to be tested: wrong user or password"
    )
    assert "somebody else changes this user's password" in caught.value.cure
    assert scene.engine.verified == 0


def test_a_locked_account_is_told_as_it_is_in_a_test(scene: Scene) -> None:
    scene.server.locked.add("app")
    with pytest.raises(AccountLocked):
        SingleUser(scene.engine, Settings()).prove(
            scene.rotation(), Login.of(Secret(value(CURRENT)), Memory)
        )


# ── which password logs in ──


def test_the_current_password_is_tried_first_and_is_enough(scene: Scene) -> None:
    scene.apply()
    assert scene.server.passwords == {"app": PENDING}
    assert scene.passwords_tried == [CURRENT]
    assert scene.server.refused_logins == 0
    assert scene.history.reads == 0
    assert scene.said == []


@pytest.fixture
def one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the engine knew no second passwords."""
    monkeypatch.setattr(single_user, "RetainsPassword", type("Unknown", (), {}))


@pytest.mark.usefixtures("one_password")
def test_a_password_that_is_in_place_already_is_not_set_again(scene: Scene) -> None:
    scene.server.passwords["app"] = PENDING
    scene.server.accepts = lambda _: pytest.fail("set again")
    scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING]
    assert scene.said == [
        "a password was refused AWSCURRENT",
        "the new password is in place already",
    ]


@pytest.mark.usefixtures("one_password")
def test_a_server_without_second_passwords_warns_of_none(scene: Scene) -> None:
    def accepts(password: str) -> bool:
        scene.server.passwords["app"] = password
        return False

    scene.server.accepts = accepts
    scene.apply()
    assert scene.said == ["the server refuses the new password, but it is in place already"]


@pytest.mark.usefixtures("one_password")
def test_an_attach_whose_pending_password_is_the_current_one_sets_nothing(scene: Scene) -> None:
    scene.server.accepts = lambda _: pytest.fail("set again")
    scene.apply(pending=CURRENT)
    assert scene.passwords_tried == [CURRENT]


# ── the other one of two passwords ──


OTHER = "other-password"
ALIVE = (
    "the server refuses to set the new password again, so a second password that the user may have"
    " keeps logging in: rotate once more, or discard it by hand"
)


@pytest.fixture
def two(scene: Scene) -> Scene:
    """The user has a second password."""
    scene.server.retained["app"] = OTHER
    return scene


def test_the_second_password_ends_with_the_first(two: Scene) -> None:
    two.apply()
    assert (two.server.passwords, two.server.retained) == ({"app": PENDING}, {})
    assert two.passwords_tried == [CURRENT]
    assert two.said == []


@pytest.mark.parametrize("first", [PENDING, OTHER])
def test_the_other_password_ends_also_where_the_new_one_is_in_place(two: Scene, first: str) -> None:
    two.server.passwords["app"] = first
    two.server.retained["app"] = PENDING if first == OTHER else OTHER
    two.apply()
    assert (two.server.passwords, two.server.retained) == ({"app": PENDING}, {})
    assert "the new password is in place already" in two.said


@pytest.mark.parametrize("first", [PENDING, OTHER])
def test_nothing_is_discarded_where_the_new_password_may_be_the_second(
    two: Scene, first: str
) -> None:
    two.server.passwords["app"] = first
    two.server.retained["app"] = PENDING if first == OTHER else OTHER
    before = dict(two.server.passwords), dict(two.server.retained)
    two.server.accepts = lambda _: False
    two.apply()
    assert (two.server.passwords, two.server.retained) == before
    assert two.said[-1] == ALIVE
    assert two.passwords_tried == [CURRENT, PENDING]


def test_what_the_user_may_not_discard_is_told(two: Scene) -> None:
    two.server.only_admins_retain = True
    two.apply()
    assert two.server.retained == {"app": OTHER}
    assert two.said == ["user 'app' has a second password: let an admin discard it"]


def test_the_previous_password_is_tried_third(scene: Scene) -> None:
    scene.server.passwords["app"] = PREVIOUS
    scene.history.previous = value(PREVIOUS)
    scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING, PREVIOUS]
    assert scene.server.passwords == {"app": PENDING}


def test_unlabelled_versions_are_tried_last_newest_first(scene: Scene) -> None:
    scene.server.passwords["app"] = "lost-password"
    scene.history.unlabelled_values = [value("newest-password"), value("lost-password")]
    scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING, "newest-password", "lost-password"]
    assert scene.server.passwords == {"app": PENDING}
    assert scene.said[-1] == "a password was refused a version without label"


def test_each_password_is_tried_once(scene: Scene) -> None:
    scene.server.passwords["app"] = "lost-password"
    scene.history.previous = value(PENDING)
    scene.history.unlabelled_values = [value(CURRENT), value(PENDING), value("lost-password")]
    scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING, "lost-password"]


def test_no_more_passwords_are_tried_than_a_lock_out_allows(scene: Scene) -> None:
    scene.server.passwords["app"] = "set-by-hand"
    scene.history.previous = value(PREVIOUS)
    scene.history.unlabelled_values = [value(f"password-{n}") for n in range(9)]
    with pytest.raises(LoginRefused) as caught:
        scene.apply()
    assert scene.server.refused_logins == MOST_REFUSED == 4
    assert caught.value.found == (
        "the server refuses every stored password"
        " (AWSCURRENT, AWSPENDING, AWSPREVIOUS, a version without label)"
    )
    assert "put-secret-value" in caught.value.cure
    assert scene.server.passwords == {"app": "set-by-hand"}


def test_no_more_versions_are_read_than_a_search_is_worth(scene: Scene) -> None:
    scene.server.passwords["app"] = "set-by-hand"
    scene.history.unlabelled_values = [value(CURRENT)] * 20
    with pytest.raises(LoginRefused):
        scene.apply()
    assert MOST_UNLABELLED == 8
    assert scene.history.reads == 1 + MOST_UNLABELLED
    assert scene.passwords_tried == [CURRENT, PENDING]


def test_versions_that_may_not_be_listed_are_skipped_and_that_is_told(scene: Scene) -> None:
    scene.server.passwords["app"] = "set-by-hand"
    scene.history.denied = True
    with pytest.raises(LoginRefused) as caught:
        scene.apply()
    assert caught.value.found == (
        "the server refuses every stored password (AWSCURRENT, AWSPENDING);"
        " older versions were not searched: ListSecretVersionIds was refused"
    )


def test_versions_are_not_listed_while_a_labelled_password_logs_in(scene: Scene) -> None:
    scene.history.denied = True
    scene.server.passwords["app"] = PREVIOUS
    scene.history.previous = value(PREVIOUS)
    scene.apply()
    assert scene.server.passwords == {"app": PENDING}


@pytest.mark.parametrize(
    "change", [{"host": "elsewhere"}, {"username": "admin"}, {"port": 9}, {"engine": "other"}]
)
def test_an_older_password_of_somebody_else_is_never_sent(
    scene: Scene, change: dict[str, Any]
) -> None:
    scene.server.passwords.update(app="set-by-hand", admin=PREVIOUS)
    scene.history.previous = value(PREVIOUS, **change)
    scene.history.unlabelled_values = [value("older-password", **change)]
    with MemoryServer("elsewhere", {"app": PREVIOUS}), pytest.raises(LoginRefused):
        scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING]


@pytest.mark.parametrize(
    "broken", [{"password": 7}, {"host": "a,b"}, {"username": None}, {"ssl": "maybe"}]
)
def test_an_older_value_that_cannot_be_used_is_skipped(
    scene: Scene, broken: dict[str, Any]
) -> None:
    scene.server.passwords["app"] = "lost-password"
    scene.history.previous = {**value(PREVIOUS), **broken}
    scene.history.unlabelled_values = [{**value("x"), **broken}, value("lost-password")]
    scene.apply()
    assert scene.server.passwords == {"app": PENDING}


def test_an_older_value_lends_only_its_password(scene: Scene) -> None:
    scene.server.passwords["app"] = PREVIOUS
    scene.history.previous = value(PREVIOUS, host="STRATEGIES", dbname="other", ssl=False)
    scene.apply()
    last = scene.engine.tried[-1]
    assert (last.password, last.host, last.dbname, last.tls) == (
        PREVIOUS,
        "strategies",
        "memory",
        True,
    )


def test_the_pending_value_lends_only_its_password_too(scene: Scene) -> None:
    scene.server.passwords["app"] = PENDING
    scene.apply(dbname="other", ssl=False)
    assert [(login.dbname, login.tls) for login in scene.engine.tried] == [("memory", True)] * 2


@pytest.mark.parametrize("change", [{"username": "admin"}, {"host": "elsewhere"}, {"port": 2}])
def test_a_pending_value_for_somebody_else_costs_no_login(
    scene: Scene, change: dict[str, Any]
) -> None:
    with pytest.raises(ForbiddenTarget):
        scene.apply(**change)
    assert scene.engine.tried == []


def test_a_locked_account_stops_the_search(scene: Scene) -> None:
    scene.server.locked.add("app")
    with pytest.raises(AccountLocked):
        scene.apply()
    assert scene.passwords_tried == [CURRENT]


def test_a_server_that_is_not_there_stops_the_search(scene: Scene) -> None:
    current = Login.of(Secret(value(CURRENT, host="absent")), Memory)
    with pytest.raises(ServerUnreachable):
        SingleUser(scene.engine, Settings()).apply(scene.rotation(), current, current)
    assert len(scene.engine.tried) == 1


def test_no_time_left_stops_the_search(scene: Scene) -> None:
    login = Login.of(Secret(value(CURRENT)), Memory)
    with pytest.raises(DeadlineExceeded):
        SingleUser(scene.engine, Settings()).apply(scene.rotation(seconds=0), login, login)
    assert len(scene.engine.tried) == 1


# ── rule 8: a value that the server refuses ──


def test_a_refused_value_that_is_not_in_place_is_rejected(scene: Scene) -> None:
    scene.server.accepts = lambda _: False
    with pytest.raises(ValueRejected) as caught:
        scene.apply()
    assert str(caught.value) == (
        "the policy does not take it; it is not in place, and AWSCURRENT still logs in. Draw"
        " another. AWSPENDING was taken from this version, so the next rotation draws a new value."
    )
    assert scene.passwords_tried == [CURRENT, PENDING, CURRENT]


def test_a_refused_value_that_is_in_place_is_a_success(scene: Scene) -> None:
    # Two deliveries: the other one set it, and the history refuses it to this one.
    def accepts(password: str) -> bool:
        scene.server.passwords["app"] = password
        return False

    scene.server.accepts = accepts
    scene.apply()
    assert scene.passwords_tried == [CURRENT, PENDING]
    said = "the server refuses the new password, but it is in place already"
    assert scene.said == [said, ALIVE]


def test_a_refused_value_is_kept_where_the_current_one_does_not_log_in(scene: Scene) -> None:
    def accepts(_: str) -> bool:
        scene.server.passwords["app"] = "set-by-hand"
        return False

    scene.server.accepts = accepts
    with pytest.raises(ValueRefused) as caught:
        scene.apply()
    assert type(caught.value) is ValueRefused


@pytest.mark.parametrize("kind", [AccountLocked, ServerUnreachable, MisconfiguredSecret])
def test_a_refused_value_is_kept_where_the_truth_cannot_be_found_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: type[RotationError]
) -> None:
    def accepts(_: str) -> bool:
        monkeypatch.setattr(scene.server, "log_in", failing)
        return False

    def failing(username: str, password: str) -> None:
        raise kind("found", "cure")

    scene.server.accepts = accepts
    with pytest.raises(kind) as caught:
        scene.apply()
    assert type(caught.value) is kind


def test_a_value_refused_to_an_older_password_is_kept(scene: Scene) -> None:
    scene.server.passwords["app"] = PREVIOUS
    scene.history.previous = value(PREVIOUS)
    scene.server.accepts = lambda _: False
    with pytest.raises(ValueRefused):
        scene.apply()
    assert scene.server.passwords == {"app": PREVIOUS}


def test_judging_a_refused_value_does_not_exceed_the_refused_logins(scene: Scene) -> None:
    scene.server.passwords["app"] = "lost-password"
    scene.history.previous = value(PREVIOUS)
    scene.history.unlabelled_values = [value("lost-password")]
    scene.server.accepts = lambda _: False
    with pytest.raises(ValueRefused):
        scene.apply()
    assert scene.server.refused_logins <= MOST_REFUSED


def test_no_error_and_no_line_shows_a_password(scene: Scene) -> None:
    scene.server.passwords["app"] = "set-by-hand"
    scene.history.previous = value(PREVIOUS)
    with pytest.raises(LoginRefused) as caught:
        scene.apply()
    told = f"{caught.value} {caught.value!r} {scene.said}"
    assert not any(password in told for password in (CURRENT, PENDING, PREVIOUS, "set-by-hand"))
