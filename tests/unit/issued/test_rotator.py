"""Rotators of issued values: what comes before the provider is asked, and what after."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from rotators.aws import bounded
from rotators.deadline import RESERVE_SECONDS, Deadline
from rotators.errors import (
    AccessDenied,
    AnswerLost,
    DeadlineExceeded,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    ReauthorizationRequired,
    RotationError,
    ServerUnreachable,
    ServiceUnavailable,
    StrategyUnavailable,
    UnexpectedError,
    ValueNotReadable,
)
from rotators.exchange import TAG, TRIES, Mark
from rotators.issued.http import Provider
from rotators.issued.rotator import NEEDED_SECONDS, IssuedSecretRotator
from rotators.redaction import REDACTED, Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation
from rotators.secret import Secret
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.versions import StoredValue

if TYPE_CHECKING:
    from rotators.exchange import Exchange
    from rotators.versions import Versions
    from tests.unit.conftest import Output

ADMIN_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:admin"
CURRENT: dict[str, Any] = {
    "engine": "tiny",
    "token": "token-0",
    "note": "kept",
    "list": [1, {"a": None}],
    "nothing": None,
}


@dataclass
class Desk:
    """A provider in memory: each token is good for one new one. What is asked of it is noted."""

    valid: str = "token-0"
    effects: list[str] = field(default_factory=list)
    # What comes next, instead of an answer: an error, raised after the effect or without it.
    after_effect: list[BaseException] = field(default_factory=list)
    without_effect: list[BaseException] = field(default_factory=list)

    def exchange(self, token: str) -> str:
        self.effects.append("obtain")
        if self.without_effect:
            raise self.without_effect.pop(0)
        if token != self.valid:
            raise ReauthorizationRequired("the token is spent", "Authorise anew.")
        name, _, number = token.rpartition("-")
        self.valid = f"{name}-{int(number) + 1}"
        if self.after_effect:
            raise self.after_effect.pop(0)
        return self.valid

    @property
    def asked(self) -> int:
        return self.effects.count("obtain")


class Tiny(IssuedSecretRotator):
    """The least that a rotator of issued values has to have, with a provider that takes notes."""

    desk: ClassVar[Desk] = Desk()
    found: ClassVar[dict[str, Any] | Exception | None] = None

    def issued(self, current: Secret) -> frozenset[str]:
        return frozenset({"token", "expires"})

    def compare(self, rotation: Rotation) -> Mapping[str, Any] | None:
        self.desk.effects.append("compare")
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        return {"token": self.desk.exchange(rotation.current.text("token"))}

    def verify(self, rotation: Rotation, value: Secret) -> None:
        self.desk.effects.append(f"verify {value['token']}")
        if value["token"] != self.desk.valid:
            raise LoginRefused("the token is not valid", "Rotate.")


class Reading(Tiny):
    """One whose provider tells its token as often as one asks."""

    def spends(self, current: Secret) -> bool:
        return False


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(Tiny, "desk", desk)
    return desk


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """What ``compare`` comes to."""
    return lambda found: monkeypatch.setattr(Tiny, "found", found)


class Marking:
    """An exchange whose mark is noted among the provider's effects."""

    def __init__(self, desk: Desk, raises: Exception | None = None) -> None:
        self.desk = desk
        self.raises = raises

    def begin(self, *, spends: bool, proof: str) -> None:
        assert re.fullmatch("[0-9a-f]{32}", proof)
        self.desk.effects.append(f"mark, spends={spends}")
        if self.raises:
            raise self.raises


class Stored:
    """AWSCURRENT's value, and the admin's."""

    def __init__(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        self.values = values
        self.reads: list[str] = []

    def get(self, secret_id: str, *, stage: str) -> StoredValue:
        self.reads.append(secret_id)
        return StoredValue("v", frozenset({stage}), Secret(self.values[secret_id]).to_json())


def rotation(
    *,
    current: Mapping[str, Any] = CURRENT,
    pending: Mapping[str, Any] | None = None,
    deadline: Deadline | None = None,
    exchange: object = None,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> Rotation:
    return Rotation(
        request=RotationRequest(Step.CREATE, "arn", "v" * 32),
        deadline=deadline or Deadline.after(60),
        say=lambda *_, **__: None,
        redactor=Redactor(),
        versions=cast("Versions", Stored({"arn": current, **(others or {})})),
        pending=None if pending is None else Secret(pending),
        exchange=cast("Exchange | None", exchange),
    )


def tiny(settings: Settings | None = None) -> Tiny:
    return Tiny(settings or Settings())


# ── createSecret: in which order ──


def test_first_it_compares_then_it_leaves_a_mark_then_it_asks(desk: Desk) -> None:
    value = tiny().create(rotation(exchange=Marking(desk)))
    assert desk.effects == ["compare", "mark, spends=True", "obtain"]
    assert dict(value) == {**CURRENT, "token": "token-1"}
    assert list(value) == list(CURRENT)


def test_the_mark_says_whether_asking_uses_the_value_up(desk: Desk) -> None:
    Reading(Settings()).create(rotation(exchange=Marking(desk)))
    assert desk.effects == ["compare", "mark, spends=False", "obtain"]


def test_what_the_provider_has_issued_already_is_not_asked_for(
    desk: Desk, found: Callable[[object], None]
) -> None:
    found({"token": "token-9", "expires": 3600})
    # Neither a mark nor time is needed for that.
    value = tiny().create(rotation(exchange=Marking(desk), deadline=Deadline.after(3)))
    assert desk.effects == ["compare"]
    assert dict(value) == {**CURRENT, "token": "token-9", "expires": 3600}


def test_what_compare_fails_at_is_found_before_there_is_a_mark(
    desk: Desk, found: Callable[[object], None]
) -> None:
    found(MisconfiguredSecret("f", "c"))
    with pytest.raises(MisconfiguredSecret):
        tiny().create(rotation(exchange=Marking(desk)))
    assert desk.effects == ["compare"]


@pytest.mark.parametrize(("seconds", "enough"), [(-0.5, False), (0.0, True), (9.0, True)])
def test_an_exchange_is_not_begun_without_time_to_store_the_answer(
    desk: Desk, seconds: float, enough: bool
) -> None:
    view = rotation(
        exchange=Marking(desk), deadline=Deadline(NEEDED_SECONDS + seconds, clock=lambda: 0.0)
    )
    if enough:
        tiny().create(view)
        assert desk.asked == 1
        return
    with pytest.raises(DeadlineExceeded) as caught:
        tiny().create(view)
    assert desk.effects == ["compare"]
    assert "it was not begun" in caught.value.found
    assert "time-out of 60 s" in caught.value.cure


def test_the_time_is_looked_at_after_the_comparison(desk: Desk) -> None:
    def now() -> float:
        return 5.0 if "compare" in desk.effects else 0.0

    view = rotation(exchange=Marking(desk), deadline=Deadline(NEEDED_SECONDS + 2, clock=now))
    with pytest.raises(DeadlineExceeded):
        tiny().create(view)
    assert desk.effects == ["compare"]


@pytest.mark.parametrize("kind", [ValueNotReadable, ReauthorizationRequired, AccessDenied])
def test_where_no_mark_may_be_left_nobody_is_asked(desk: Desk, kind: type[RotationError]) -> None:
    with pytest.raises(kind):
        tiny().create(rotation(exchange=Marking(desk, raises=kind("f", "c"))))
    assert desk.effects == ["compare", "mark, spends=True"]


def test_outside_of_create_secret_nobody_is_asked(desk: Desk) -> None:
    with pytest.raises(TypeError, match="only createSecret"):
        tiny().create(rotation(exchange=None))
    assert desk.asked == 0


# ── setSecret, testSecret ──


@pytest.mark.parametrize(
    "pending",
    [
        CURRENT,
        {**CURRENT, "token": "token-1"},
        {**CURRENT, "token": "token-1", "expires": 3600},
        {key: value for key, value in CURRENT.items() if key != "token"},
        dict(reversed(CURRENT.items())),
    ],
)
def test_a_pending_value_that_differs_in_what_is_issued_is_set(
    desk: Desk, pending: dict[str, Any]
) -> None:
    tiny().set(rotation(pending=pending))
    assert desk.effects == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"note": "hunter2"}, "'note'"),
        ({"masterarn": ADMIN_ARN}, "'masterarn'"),
        ({"base_url": "https://hunter2.example"}, "'base_url'"),
        ({"list": [1, {"a": "hunter2"}]}, "'list'"),
        ({"nothing": "hunter2"}, "'nothing'"),
        ({"absent": None}, "'absent'"),
        ({"note": "hunter2", "engine": "hunter2"}, "'engine', 'note'"),
    ],
)
def test_a_pending_value_that_differs_in_anything_else_is_refused(
    desk: Desk, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ForbiddenTarget) as caught:
        tiny().set(rotation(pending={**CURRENT, "token": "token-1", **changes}))
    assert f"differs from AWSCURRENT in {told}, which no rotation changes" in caught.value.found
    assert "hunter2" not in str(caught.value)
    assert desk.effects == []
    # AWSCURRENT's may be used up, and only AWSPENDING have its successor.
    assert "Do not take AWSPENDING's label away" in caught.value.cure
    assert "with AWSPENDING's 'expires', 'token' in it (put-secret-value)" in caught.value.cure
    with pytest.raises(ForbiddenTarget, match="Take AWSPENDING's label away and rotate again"):
        Reading(Settings()).set(rotation(pending={**CURRENT, **changes}))


@pytest.mark.parametrize("key", ["note", "nothing"])
def test_a_pending_value_that_lacks_anything_else_is_refused(desk: Desk, key: str) -> None:
    pending = {name: value for name, value in CURRENT.items() if name != key}
    with pytest.raises(ForbiddenTarget, match=repr(key)):
        tiny().set(rotation(pending=pending))


def test_the_pending_value_is_verified_and_where_there_is_none_the_current_one(desk: Desk) -> None:
    with pytest.raises(LoginRefused):
        tiny().test(rotation(pending={**CURRENT, "token": "token-1"}))
    tiny().test(rotation(pending=None))
    assert desk.effects == ["verify token-1", "verify token-0"]


# ── what it is given ──


@pytest.mark.parametrize("strategy", list(StrategyName))
def test_a_strategy_is_for_users_of_databases(strategy: StrategyName) -> None:
    with pytest.raises(StrategyUnavailable) as caught:
        tiny(Settings(strategy=strategy))
    assert strategy in caught.value.found
    assert "Unset ROTATION_STRATEGY" in caught.value.cure


def test_without_a_strategy_none_is_told() -> None:
    assert tiny().strategy is None
    assert tiny().strategies == ()


@pytest.mark.parametrize("fields", [{}, {"masterarn": None}, {"masterarn": ""}])
def test_without_masterarn_the_keys_are_in_the_secret_itself(fields: dict[str, Any]) -> None:
    secret = Secret({**CURRENT, **fields})
    view = rotation()
    assert tiny().admin(view, secret) is secret
    assert cast("Stored", view.versions).reads == []


def test_with_masterarn_they_are_read_there_once_and_hidden() -> None:
    view = rotation(others={ADMIN_ARN: {"client_secret": "hunter2-hunter2"}})
    secret = Secret({**CURRENT, "masterarn": ADMIN_ARN})
    for _ in range(2):
        assert tiny().admin(view, secret)["client_secret"] == "hunter2-hunter2"
    assert cast("Stored", view.versions).reads == [ADMIN_ARN]
    assert view.redactor.scrub("hunter2-hunter2") == REDACTED


@pytest.mark.parametrize("value", [7, ["arn"], {"arn": "x"}, False])
def test_a_masterarn_that_is_no_text_is_misconfigured(value: object) -> None:
    with pytest.raises(MisconfiguredSecret, match="'masterarn' is no text"):
        tiny().admin(rotation(), Secret({**CURRENT, "masterarn": value}))


class Watched(Provider):
    """Notes how it is made."""

    made: ClassVar[list[tuple[str, bool]]] = []

    def __init__(self, base_url: str, *args: Any, **options: Any) -> None:
        self.made.append((base_url, options["plaintext"]))
        super().__init__(base_url, *args, **options)


@pytest.mark.parametrize(
    ("admin", "made"),
    [
        ({}, ("https://default.example", False)),
        ({"base_url": "https://own.example"}, ("https://own.example", False)),
        ({"base_url": "http://own.example", "ssl": False}, ("http://own.example", True)),
        ({"base_url": "https://own.example", "ssl": True}, ("https://own.example", False)),
        ({"base_url": "https://own.example", "ssl": "false"}, ("https://own.example", False)),
        ({"base_url": "https://own.example", "ssl": 0}, ("https://own.example", False)),
    ],
)
def test_where_the_keys_are_sent_their_own_secret_says(
    monkeypatch: pytest.MonkeyPatch, admin: dict[str, Any], made: tuple[str, bool]
) -> None:
    monkeypatch.setattr(Tiny, "provider", Watched)
    monkeypatch.setattr(Watched, "made", [])
    # The writer of the secret would like to have the keys sent elsewhere.
    hostile = {**CURRENT, "base_url": "http://hostile.example", "ssl": False}
    tiny().connect(rotation(current=hostile), Secret(admin), "https://default.example")
    assert Watched.made == [made]


@pytest.mark.parametrize(
    "admin",
    [
        {"base_url": "http://own.example"},
        {"base_url": "http://own.example", "ssl": 0},
        {"base_url": ""},
        {"base_url": 7},
        {"base_url": None},
    ],
)
def test_an_address_that_is_no_https_url_is_misconfigured(admin: dict[str, Any]) -> None:
    with pytest.raises(MisconfiguredSecret, match="base_url"):
        tiny().connect(rotation(), Secret(admin), "https://default.example")


# ── whole rotations ──


class TinyTarget:
    """The desk, to a bench."""

    settings = Settings()
    admin: Mapping[str, Any] | None = None

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def new_secret(self) -> dict[str, Any]:
        return {"engine": "tiny", "token": self.desk.valid}

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return bool(secret["token"] == self.desk.valid)


@pytest.fixture
def bench(desk: Desk) -> Iterator[Bench]:
    with Bench(Tiny, TinyTarget(desk)) as bench:
        yield bench


@pytest.fixture
def begun(bench: Bench) -> tuple[str, str]:
    """A secret, and the version that is to be rotated in."""
    arn, _ = bench.secret()
    return arn, bench.driver.start(arn)


def mark(bench: Bench, arn: str) -> Mark | None:
    return Mark.read(bench.simulator.secret(arn).tags.get(TAG))


def fails(bench: Bench, begun: tuple[str, str], kind: type[RotationError]) -> RotationError:
    with pytest.raises(kind) as caught:
        bench.driver.retry(*begun)
    assert type(caught.value) is kind
    return caught.value


def test_a_whole_rotation(bench: Bench, desk: Desk, begun: tuple[str, str]) -> None:
    bench.driver.retry(*begun)
    assert desk.effects == ["compare", "obtain", "verify token-1"]
    assert bench.current(begun[0])["token"] == "token-1"
    operations = [call.operation for call in bench.simulator.calls]
    assert operations.index("TagResource") < operations.index("PutSecretValue")
    assert operations.index("PutSecretValue") < operations.index("UntagResource")
    assert mark(bench, begun[0]) is None


def test_a_lost_answer_that_had_no_effect_is_made_good_by_the_next_try(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    desk.without_effect.append(AnswerLost("f", "c"))
    fails(bench, begun, AnswerLost)
    left = mark(bench, begun[0])
    assert left is not None
    assert (left.tries, left.until) == (1, 0)
    bench.driver.retry(*begun)
    assert bench.current(begun[0])["token"] == "token-1"
    assert mark(bench, begun[0]) is None


def test_a_lost_answer_that_had_its_effect_is_found_out_and_not_looped_over(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    desk.after_effect.append(AnswerLost("f", "c"))
    fails(bench, begun, AnswerLost)
    fails(bench, begun, ReauthorizationRequired)
    assert desk.asked == 2
    for _ in range(3):
        fails(bench, begun, ReauthorizationRequired)
    assert desk.asked == 2
    assert bench.current(begun[0])["token"] == "token-0"


def test_a_new_rotation_does_not_ask_either_until_a_person_stores_another_value(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    arn, token = begun
    desk.after_effect.append(AnswerLost("f", "c"))
    fails(bench, begun, AnswerLost)
    fails(bench, begun, ReauthorizationRequired)
    bench.client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )
    fails(bench, (arn, bench.driver.start(arn)), ReauthorizationRequired)
    assert desk.asked == 2
    desk.valid = "token-5"
    bench.driver.put_by_hand(arn, {"engine": "tiny", "token": "token-5"})
    bench.driver.rotate(arn)
    assert bench.current(arn)["token"] == "token-6"
    assert mark(bench, arn) is None


def test_two_lost_answers_are_enough(bench: Bench, desk: Desk, begun: tuple[str, str]) -> None:
    desk.without_effect += [AnswerLost("f", "c")] * 9
    for _ in range(TRIES):
        fails(bench, begun, AnswerLost)
    error = fails(bench, begun, ReauthorizationRequired)
    assert desk.asked == TRIES
    # Its own cure, for whoever knows that the provider was never asked.
    assert f"remove the tag {TAG}" in error.cure
    desk.without_effect.clear()
    bench.client.untag_resource(SecretId=begun[0], TagKeys=[TAG])
    bench.driver.retry(*begun)
    assert bench.current(begun[0])["token"] == "token-1"


@pytest.mark.parametrize("kind", [LoginRefused, ServerUnreachable, MisconfiguredSecret])
def test_a_refusal_costs_no_try(
    bench: Bench, desk: Desk, begun: tuple[str, str], kind: type[RotationError]
) -> None:
    desk.without_effect += [kind("f", "c") for _ in range(4)]
    for _ in range(4):
        fails(bench, begun, kind)
        assert mark(bench, begun[0]) is None
    bench.driver.retry(*begun)
    assert bench.current(begun[0])["token"] == "token-1"


LATE = {
    "refused": (ServiceUnavailable("503", "Wait."), None),
    "lost": (AnswerLost("no answer", "Wait."), (1, 0)),
    "spent": (ReauthorizationRequired("spent", "Ask a person."), (TRIES, 0)),
}


@pytest.mark.parametrize("outcome", LATE)
def test_an_outcome_that_comes_late_is_settled_all_the_same(
    bench: Bench, begun: tuple[str, str], monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """With less time left than an attempt of AWS's clients may take."""
    error, settled = LATE[outcome]

    def obtain(_: Tiny, rotation: Rotation) -> dict[str, str]:
        # The clock runs on meanwhile: that there is any time is enough.
        object.__setattr__(rotation.deadline, "at", rotation.deadline.clock() + 6)
        raise error

    bounded(bench.client)
    monkeypatch.setattr(Tiny, "obtain", obtain)
    with pytest.raises(type(error)):
        bench.driver.step(*begun, Step.CREATE)
    left = mark(bench, begun[0])
    assert (left and (left.tries, left.until)) == settled


def test_a_defect_after_the_provider_was_asked_counts_as_asked(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    desk.after_effect.append(ZeroDivisionError())
    fails(bench, begun, UnexpectedError)
    left = mark(bench, begun[0])
    assert left is not None
    assert left.tries == 1
    # It may still be at it.
    fails(bench, begun, ValueNotReadable)
    assert desk.asked == 1


def test_what_cannot_be_stored_in_time_counts_as_asked(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    bench.simulator.deny("PutSecretValue")
    fails(bench, begun, AccessDenied)
    offered = [call for call in bench.simulator.calls if call.operation == "PutSecretValue"]
    assert len(offered) > 3
    assert desk.asked == 1
    left = mark(bench, begun[0])
    assert left is not None
    assert (left.tries, left.until) == (1, 0)
    bench.simulator.allow("PutSecretValue")
    fails(bench, begun, ReauthorizationRequired)
    assert desk.asked == 2


def test_slow_refusals_are_offered_to_no_longer_than_there_is_time(
    bench: Bench, begun: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotators.issued.rotator.NEEDED_SECONDS", 0.0)
    bench.simulator.deny("PutSecretValue")
    bench.simulator.before("PutSecretValue", lambda _: time.sleep(0.5))
    driver = type(bench.driver)(bench.simulator, bench.handle, seconds=RESERVE_SECONDS + 1.2)
    with pytest.raises(AccessDenied):
        driver.retry(*begun)
    offered = [call for call in bench.simulator.calls if call.operation == "PutSecretValue"]
    assert 1 < len(offered) <= 3
    left = mark(bench, begun[0])
    assert left is not None
    assert (left.tries, left.until) == (1, 0)


def test_a_mark_is_gone_where_the_provider_tells_what_was_lost(
    bench: Bench, desk: Desk, found: Callable[[object], None], begun: tuple[str, str]
) -> None:
    desk.after_effect.append(AnswerLost("f", "c"))
    fails(bench, begun, AnswerLost)
    assert mark(bench, begun[0]) is not None
    found({"token": desk.valid})
    bench.driver.retry(*begun)
    assert bench.current(begun[0])["token"] == "token-1"
    assert mark(bench, begun[0]) is None


def test_what_can_be_chosen_again_is_offered_once(
    bench: Bench, found: Callable[[object], None], begun: tuple[str, str]
) -> None:
    found({"token": "token-9"})
    bench.simulator.deny("PutSecretValue")
    fails(bench, begun, AccessDenied)
    assert [call.operation for call in bench.simulator.calls].count("PutSecretValue") == 1


def test_whoever_finds_a_value_staged_takes_the_mark_of_the_dead_away(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    bench.simulator.deny("UntagResource")
    bench.driver.step(*begun, Step.CREATE)
    assert mark(bench, begun[0]) is not None
    bench.simulator.allow("UntagResource")
    bench.driver.step(*begun, Step.CREATE)
    assert mark(bench, begun[0]) is None
    assert desk.asked == 1


def test_who_may_not_ask_waits_for_what_the_other_stages(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    arn, token = begun
    bench.driver.step(arn, token, Step.CREATE)
    staged = bench.labelled(arn)["AWSPENDING"]
    # A second delivery that looked before the first had stored, and reads stale answers.
    current = next(v for v, held in bench.simulator.labels(arn).items() if "AWSCURRENT" in held)
    tag = {"Key": TAG, "Value": str(Mark(current, 1, int(time.time()) + 600, "0badcafe"))}
    bench.client.tag_resource(SecretId=arn, Tags=[tag])
    bench.simulator.delay_reads(2)
    bench.driver.step(arn, token, Step.CREATE)
    assert desk.asked == 1
    assert bench.labelled(arn)["AWSPENDING"] == staged


def test_a_value_beside_that_of_another_delivery_is_told_and_the_next_call_goes_on(
    bench: Bench, desk: Desk, begun: tuple[str, str]
) -> None:
    arn, token = begun
    staged = {"engine": "tiny", "token": "token-9"}
    bench.client.put_secret_value(
        SecretId=arn,
        ClientRequestToken=token,
        SecretString=json.dumps(staged),
        VersionStages=["AWSPENDING"],
    )
    # Both looks at what is staged are stale, and the provider makes another value.
    bench.simulator.delay_reads(2)
    with pytest.raises(ReauthorizationRequired) as caught:
        bench.driver.step(arn, token, Step.CREATE)
    assert desk.asked == 1
    assert "one for another, whose is staged" in caught.value.found
    assert "testSecret shows whether the provider takes it" in caught.value.cure
    assert bench.labelled(arn)["AWSPENDING"] == staged
    desk.valid = "token-9"
    bench.driver.retry(arn, token)
    assert bench.current(arn) == staged
    assert desk.asked == 1
    assert mark(bench, arn) is None


def test_what_is_not_issued_is_left_out_and_named(
    bench: Bench, found: Callable[[object], None], log: Output
) -> None:
    found({"token": "token-0", "note": "hunter2", "id_hint": "hunter2"})
    arn, old = bench.secret(note="kept")
    bench.driver.rotate(arn)
    assert bench.current(arn) == old
    (warning,) = [line["message"] for line in log.lines() if line["level"] == "WARNING"]
    assert warning == "left out, for issued() names it not: 'id_hint', 'note'"


def test_what_another_delivery_has_obtained_meanwhile_is_not_foreign(
    bench: Bench, desk: Desk, begun: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that left its mark, and died: what it obtained is compared again, as tried."""

    def compare(self: Tiny, rotation: Rotation) -> Mapping[str, Any] | None:
        if desk.valid == rotation.current["token"]:
            return None
        if not self.tried(rotation):
            desk.effects.append("foreign")
            raise ForbiddenTarget("none that this secret has held", "Store it.")
        return {"token": desk.valid}

    def die(_: object) -> None:
        reads.append("AWSCURRENT")
        if reads == ["AWSCURRENT"]:
            desk.after_effect.append(AnswerLost("f", "c"))
            with pytest.raises(AnswerLost):
                bench.driver.step(*begun, Step.CREATE)

    monkeypatch.setattr(Tiny, "compare", compare)
    reads: list[str] = []
    bench.simulator.before("GetSecretValue", die)
    bench.driver.retry(*begun)
    assert desk.effects == ["obtain", "foreign", "verify token-1"]
    assert desk.asked == 1


def test_what_nobody_has_obtained_stays_foreign(
    bench: Bench, found: Callable[[object], None], begun: tuple[str, str]
) -> None:
    found(ForbiddenTarget("none that this secret has held", "Store it."))
    for _ in range(2):
        fails(bench, begun, ForbiddenTarget)
    assert mark(bench, begun[0]) is None


def test_the_value_is_hidden_before_it_is_stored(
    bench: Bench, begun: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = Redactor.hide_secret

    def hide_secret(redactor: Redactor, secret: Secret) -> None:
        real(redactor, secret)
        seen.append(secret["token"])

    monkeypatch.setattr(Redactor, "hide_secret", hide_secret)
    stored: list[bool] = []
    bench.simulator.before("PutSecretValue", lambda _: stored.append("token-1" in seen))
    bench.driver.step(*begun, Step.CREATE)
    assert stored == [True]
