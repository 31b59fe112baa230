"""Labels decide what a step does: the table of the dispatcher's docstring, and its races."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from rotators.call import READ_AGAIN_AFTER_SECONDS, admit
from rotators.creation import NOTHING_TO_DO
from rotators.deadline import Deadline
from rotators.dispatcher import Dispatcher, Outcome
from rotators.errors import (
    AccessDenied,
    AccountLocked,
    DeadlineExceeded,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    RotationError,
    RotationRejected,
    ServerUnreachable,
    ServiceUnavailable,
    UnknownEngine,
    ValueNotReadable,
    ValueRefused,
    ValueRejected,
    VersionExists,
    VersionNotFound,
)
from rotators.redaction import REDACTED, Redactor
from rotators.registry import Registry
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation, Rotator
from rotators.settings import Settings
from rotators.testing.bench import Bench
from rotators.testing.memory import ENGINE_NAME, MemoryRotator, MemoryServer
from rotators.versions import CURRENT, PENDING, PREVIOUS, SecretMetadata, StoredValue

if TYPE_CHECKING:
    from rotators.secret import Secret

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-a1B2c3"
OLD, VERSION, OTHER = "old" * 12, "new" * 12, "other" * 8
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"
STEPS = list(Step)

OLD_VALUE = '{"engine": "recorded", "password": "old-password"}'
NEW_VALUE = '{"engine": "recorded", "password": "new-password"}'


class Recorded(Rotator):
    """Says which hook runs, and with which value."""

    raises: ClassVar[dict[str, Exception]] = {}

    @property
    def strategy(self) -> str:
        return "recorded-strategy"

    def create(self, rotation: Rotation) -> Secret:
        self._play("create", rotation)
        return rotation.current.replace(password="new-password")

    def set(self, rotation: Rotation) -> None:
        self._play("set", rotation)

    def test(self, rotation: Rotation) -> None:
        self._play("test", rotation)

    def finish(self, rotation: Rotation) -> None:
        self._play("finish", rotation)

    def _play(self, hook: str, rotation: Rotation) -> None:
        value = rotation.pending
        rotation.say(hook, password=None if value is None else value["password"])
        if hook in self.raises:
            raise self.raises[hook]


@dataclass
class FakeVersions:
    """One secret's versions, as strict as Secrets Manager, and the calls that were made.

    ``before`` runs ahead of a call, once; it may change the secret, or raise. ``after`` the same.
    """

    stages: dict[str, set[str]]
    values: dict[str, str | None]
    enabled: bool | None = True
    unreadable: int = 0
    calls: list[str] = field(default_factory=list)
    writes: list[tuple[Any, ...]] = field(default_factory=list)
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    after: dict[str, Callable[[], object]] = field(default_factory=dict)

    def describe(self, secret_id: str) -> SecretMetadata:
        self._arrived("describe", secret_id)
        stages = {version: frozenset(held) for version, held in self.stages.items() if held}
        return SecretMetadata(ARN, self.enabled, stages)

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        self._arrived("get", secret_id)
        if version_id is None:
            assert stage is not None
            version_id = next((v for v, held in self.stages.items() if stage in held), "")
        held = self.stages.get(version_id, set())
        text = self.values.get(version_id)
        if text is None or (stage is not None and stage not in held):
            raise VersionNotFound(version_id)
        if version_id == VERSION and self.unreadable:
            self.unreadable -= 1
            raise VersionNotFound(version_id)
        return StoredValue(version_id, frozenset(held), text)

    def put_pending(
        self, secret_id: str, version_id: str, text: str, rotation_token: str | None
    ) -> None:
        self._arrived("put_pending", secret_id)
        if self.values.get(version_id) not in {None, text}:
            raise VersionExists(version_id)
        self.values[version_id] = text
        self.writes.append(("put_pending", version_id, json.loads(text), rotation_token))

    def move_stage(
        self, secret_id: str, stage: str, *, to: str | None = None, remove_from: str | None = None
    ) -> None:
        self._arrived("move_stage", secret_id)
        holder = next((v for v, held in self.stages.items() if stage in held), None)
        if remove_from != holder:
            raise RotationRejected("the label is elsewhere", "Look at it.")
        if remove_from is not None:
            self.stages[remove_from].remove(stage)
        if to is not None:
            self.stages[to].add(stage)
        self.writes.append(("move_stage", stage, to, remove_from))
        self.after.pop("move_stage", lambda: None)()

    def unlabelled(self, secret_id: str) -> list[str]:
        raise AssertionError("the dispatcher does not search")

    def tag(self, secret_id: str, key: str, value: str) -> None:
        raise AssertionError("a value that we choose needs no mark")

    def untag(self, secret_id: str, key: str) -> None:
        raise AssertionError("a value that we choose needs no mark")

    def _arrived(self, call: str, secret_id: str) -> None:
        assert secret_id == ARN
        self.calls.append(call)
        self.before.pop(call, lambda: None)()


@dataclass
class Played:
    """A dispatcher on a secret, and what the rotator's hooks and the dispatcher did."""

    versions: FakeVersions
    hooks: list[str] = field(default_factory=list)
    tested: list[object] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    redactor: Redactor = field(default_factory=Redactor)
    sleep: Callable[[float], object] | None = None

    def step(self, step: Step, seconds: float = 60) -> Outcome:
        registry = Registry({"recorded": f"{__name__}:Recorded"})
        sleep = cast("Callable[[float], None]", self.sleep or self.pauses.append)
        dispatcher = Dispatcher(self.versions, registry, Settings(), sleep=sleep)
        request = RotationRequest(step, ARN, VERSION, ROTATION_TOKEN)
        return dispatcher.dispatch(request, Deadline.after(seconds), self.redactor, self._say)

    def _say(self, sentence: str, /, *, warning: bool = False, **facts: object) -> None:
        if sentence in {"create", "set", "test", "finish"}:
            self.hooks.append(sentence)
            self.tested.append(facts["password"])
        else:
            self.said.append(sentence)


@pytest.fixture(autouse=True)
def raises(monkeypatch: pytest.MonkeyPatch) -> dict[str, Exception]:
    """What each hook of the rotator raises, to be filled."""
    planned: dict[str, Exception] = {}
    monkeypatch.setattr(Recorded, "raises", planned)
    return planned


def pending(text: str | None = NEW_VALUE) -> Played:
    """A secret while VERSION is rotated in."""
    return Played(
        FakeVersions({OLD: {CURRENT}, VERSION: {PENDING}}, {OLD: OLD_VALUE, VERSION: text})
    )


# ── the table ──


@dataclass(frozen=True)
class Row:
    """What is said of the version, and what each step comes to: what it did, or what it raises."""

    stages: Mapping[str, set[str]]
    value: str | None
    enabled: bool | None
    expected: tuple[str | tuple[type[RotationError], str], ...]


KEPT = "a value was staged already"
SET = "made the value valid"
TESTED = "tested the value"
PROMOTED = "promoted the value to AWSCURRENT"
FINISHED = (NOTHING_TO_DO, NOTHING_TO_DO, NOTHING_TO_DO, "finished again")
SUPERSEDED = (RotationRejected, "is not being rotated in")
OFF = (RotationRejected, "rotation is not enabled")
ROWS = {
    "AWSCURRENT": Row({VERSION: {CURRENT}, OLD: {PREVIOUS}}, NEW_VALUE, True, FINISHED),
    "AWSCURRENT and AWSPENDING": Row(
        {VERSION: {CURRENT, PENDING}, OLD: {PREVIOUS}}, NEW_VALUE, True, FINISHED
    ),
    "AWSCURRENT with rotation off": Row({VERSION: {CURRENT}}, NEW_VALUE, False, FINISHED),
    "AWSPENDING with a value": Row(
        {VERSION: {PENDING}, OLD: {CURRENT}}, NEW_VALUE, True, (KEPT, SET, TESTED, PROMOTED)
    ),
    "AWSPENDING with a value, rotation never configured": Row(
        {VERSION: {PENDING}, OLD: {CURRENT}}, NEW_VALUE, None, (KEPT, SET, TESTED, PROMOTED)
    ),
    "AWSPENDING without a value": Row(
        {VERSION: {PENDING}, OLD: {CURRENT}},
        None,
        True,
        (
            "staged a new value",
            (ValueNotReadable, "is AWSPENDING, but has no value"),
            "tested AWSCURRENT's value (test-only)",
            (RotationRejected, "is AWSPENDING, but has no value"),
        ),
    ),
    # testSecret changes nothing, so it reads first: with a value, nobody asks for more.
    "AWSPENDING with a value, rotation off": Row(
        {VERSION: {PENDING}, OLD: {CURRENT}}, NEW_VALUE, False, (OFF, OFF, TESTED, OFF)
    ),
    "AWSPENDING without a value, rotation off": Row(
        {VERSION: {PENDING}, OLD: {CURRENT}}, None, False, (OFF,) * 4
    ),
    "unknown": Row({OLD: {CURRENT}}, None, True, (SUPERSEDED,) * 4),
    "unknown, another being AWSPENDING": Row(
        {OLD: {CURRENT}, OTHER: {PENDING}}, None, True, (SUPERSEDED,) * 4
    ),
    "without labels": Row({OLD: {CURRENT}, VERSION: set()}, NEW_VALUE, True, (SUPERSEDED,) * 4),
    "AWSPREVIOUS": Row({OLD: {CURRENT}, VERSION: {PREVIOUS}}, NEW_VALUE, True, (SUPERSEDED,) * 4),
    "unknown, rotation off": Row({OLD: {CURRENT}}, None, False, (OFF,) * 4),
}
# What the dispatcher did → the hooks that ran, and what was written.
EFFECTS: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {
    NOTHING_TO_DO: ([], []),
    "finished again": (["finish"], []),
    KEPT: ([], []),
    SET: (["set"], []),
    TESTED: (["test"], []),
    "tested AWSCURRENT's value (test-only)": (["test"], []),
    PROMOTED: (["finish"], [("move_stage", CURRENT, VERSION, OLD)]),
    "staged a new value": (
        ["create"],
        [("put_pending", VERSION, json.loads(NEW_VALUE), ROTATION_TOKEN)],
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("label", ROWS)
def test_the_labels_of_the_version_decide(label: str, step: Step) -> None:
    row = ROWS[label]
    expected = row.expected[STEPS.index(step)]
    stages = {version: set(held) for version, held in row.stages.items()}
    played = Played(FakeVersions(stages, {OLD: OLD_VALUE, VERSION: row.value}, row.enabled))
    if isinstance(expected, str):
        assert played.step(step).did == expected
        hooks, writes = EFFECTS[expected]
    else:
        kind, found = expected
        with pytest.raises(kind, match=found) as caught:
            played.step(step)
        assert type(caught.value) is kind
        hooks, writes = [], []
    assert played.hooks == hooks
    assert played.versions.writes == writes


def test_a_rejection_says_which_labels_there_are_and_who_is_awspending() -> None:
    metadata = SecretMetadata(
        ARN, True, {VERSION: frozenset({PREVIOUS, "CUSTOM"}), OTHER: frozenset({PENDING})}
    )
    with pytest.raises(RotationRejected) as caught:
        admit(metadata, VERSION)
    assert caught.value.found == (
        f"version {VERSION} is not being rotated in: its labels are ['AWSPREVIOUS', 'CUSTOM'],"
        f" and AWSPENDING is on version {OTHER}"
    )
    assert "Nothing was changed" in caught.value.cure
    with pytest.raises(RotationRejected, match=r"labels are none, and no version is AWSPENDING"):
        admit(SecretMetadata(ARN, True, {}), VERSION)


def test_a_rejection_where_rotation_is_off_does_not_tell_to_clear_a_label() -> None:
    with pytest.raises(RotationRejected) as caught:
        admit(SecretMetadata(ARN, False, {VERSION: frozenset({PENDING})}), VERSION)
    assert "Enable it with rotate-secret. Leave an AWSPENDING label where it is" in str(
        caught.value
    )


# ── what each step reads, and with which value its hook runs ──


@pytest.mark.parametrize(
    ("step", "calls"),
    [
        (Step.CREATE, ["describe", "get"]),
        (Step.SET, ["describe", "get"]),
        (Step.TEST, ["get"]),
        (Step.FINISH, ["describe", "get", "move_stage"]),
    ],
)
def test_a_step_makes_no_call_too_many(step: Step, calls: list[str]) -> None:
    played = pending()
    played.step(step)
    assert played.versions.calls == calls
    assert played.pauses == []


def test_creating_makes_four_calls() -> None:
    played = pending(None)
    played.step(Step.CREATE)
    assert played.versions.calls == ["describe", "get", "get", "put_pending"]


@pytest.mark.parametrize("step", [Step.SET, Step.TEST, Step.FINISH])
def test_a_hook_gets_the_staged_value(step: Step) -> None:
    played = pending()
    played.step(step)
    assert played.tested == ["new-password"]


def test_finishing_again_gets_the_current_value() -> None:
    played = Played(FakeVersions({VERSION: {CURRENT}}, {VERSION: NEW_VALUE}))
    played.step(Step.FINISH)
    assert played.tested == ["new-password"]


def test_creating_gets_no_pending_value() -> None:
    played = pending(None)
    played.step(Step.CREATE)
    assert played.tested == [None]


def test_an_outcome_names_engine_and_strategy() -> None:
    assert pending().step(Step.SET) == Outcome(SET, "recorded", "recorded-strategy")
    played = Played(FakeVersions({VERSION: {CURRENT}}, {VERSION: NEW_VALUE}))
    assert played.step(Step.SET) == Outcome(NOTHING_TO_DO, None, None)


@pytest.mark.parametrize("step", STEPS)
def test_every_value_that_was_read_or_made_is_hidden(step: Step) -> None:
    played = pending(None if step is Step.CREATE else NEW_VALUE)
    played.step(step)
    assert played.redactor.scrub("new-password") == REDACTED
    if step is Step.CREATE:
        assert played.redactor.scrub("old-password") == REDACTED


def test_a_test_that_comes_alone_says_so_and_tests_without_a_pending_value() -> None:
    played = pending(None)
    played.step(Step.TEST)
    assert played.said == ["test-only: no value is staged, so AWSCURRENT's is tested"]
    assert played.tested == [None]
    assert played.redactor.scrub("old-password") == REDACTED


def test_a_test_that_comes_alone_with_a_copy_tests_the_copy() -> None:
    played = pending(OLD_VALUE)
    assert played.step(Step.TEST).did == TESTED
    assert played.tested == ["old-password"]
    assert played.said == []


def test_a_secret_without_awscurrent_gets_it_by_its_first_rotation() -> None:
    played = Played(FakeVersions({VERSION: {PENDING}}, {VERSION: NEW_VALUE}))
    played.step(Step.FINISH)
    assert played.versions.writes == [("move_stage", CURRENT, VERSION, None)]


def test_awspending_is_never_removed_when_a_rotation_finishes() -> None:
    played = pending()
    played.step(Step.FINISH)
    assert [write for write in played.versions.writes if PENDING in write] == []
    assert PENDING in played.versions.stages[VERSION]


def test_nothing_is_promoted_for_an_engine_that_is_not_there() -> None:
    played = pending('{"engine": "absent", "password": "new-password"}')
    with pytest.raises(UnknownEngine):
        played.step(Step.FINISH)
    assert played.versions.writes == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("text", ["no JSON", "[]", '{"password": "new-password"}', '{"engine": 1}'])
def test_a_staged_value_that_cannot_be_used_fails_every_step_unshown(text: str, step: Step) -> None:
    played = pending(text)
    with pytest.raises(MisconfiguredSecret) as caught:
        played.step(step)
    assert "new-password" not in str(caught.value)
    assert played.versions.writes == []
    assert played.hooks == []


def test_no_value_is_staged_when_the_hook_fails(raises: dict[str, Exception]) -> None:
    raises["create"] = MisconfiguredSecret("the host is missing", "Store it.")
    played = pending(None)
    with pytest.raises(MisconfiguredSecret):
        played.step(Step.CREATE)
    assert played.versions.writes == []


def test_a_failure_after_the_promotion_leaves_it_and_is_made_good_by_finishing_again(
    raises: dict[str, Exception],
) -> None:
    raises["finish"] = ServerUnreachable("no answer", "Wait.")
    played = pending()
    with pytest.raises(ServerUnreachable):
        played.step(Step.FINISH)
    assert CURRENT in played.versions.stages[VERSION]
    raises.clear()
    assert played.step(Step.FINISH).did == "finished again"
    assert played.hooks == ["finish", "finish"]


# ── who an error is about ──


def test_an_error_is_told_about_secret_engine_and_strategy(raises: dict[str, Exception]) -> None:
    raises["set"] = LoginRefused("refused", "Mend it.").about(host="db", engine="inner")
    with pytest.raises(LoginRefused) as caught:
        pending().step(Step.SET)
    assert caught.value.who == {
        "host": "db",
        "engine": "inner",
        "secret": ARN,
        "strategy": "recorded-strategy",
    }
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_error_before_the_value_was_read_is_told_about_the_secret() -> None:
    played = Played(FakeVersions({}, {}))
    with pytest.raises(RotationRejected) as caught:
        played.step(Step.SET)
    assert caught.value.who == {"secret": ARN}


def test_what_is_no_rotation_error_comes_through(raises: dict[str, Exception]) -> None:
    raises["set"] = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError):
        pending().step(Step.SET)


def test_a_secret_without_awscurrent_is_misconfigured() -> None:
    played = Played(FakeVersions({VERSION: {PENDING}}, {}))
    with pytest.raises(MisconfiguredSecret, match="no value labelled AWSCURRENT"):
        played.step(Step.CREATE)


# ── rule 8: a value that the target refuses ──


def test_a_rejected_value_loses_awspending_and_nothing_else_changes(
    raises: dict[str, Exception],
) -> None:
    raises["set"] = ValueRejected("too simple", "Draw another.")
    played = pending()
    with pytest.raises(ValueRejected, match="too simple"):
        played.step(Step.SET)
    assert played.versions.writes == [("move_stage", PENDING, None, VERSION)]
    assert played.versions.stages == {OLD: {CURRENT}, VERSION: set()}


@pytest.mark.parametrize(
    "kind",
    [
        ValueRefused,
        LoginRefused,
        AccountLocked,
        ServerUnreachable,
        ForbiddenTarget,
        MisconfiguredSecret,
        ValueError,
    ],
)
def test_after_any_other_failure_awspending_stays(
    raises: dict[str, Exception], kind: type[Exception]
) -> None:
    raises["set"] = kind("found", "cure")
    played = pending()
    with pytest.raises(kind):
        played.step(Step.SET)
    assert played.versions.writes == []


@pytest.mark.parametrize("step", [Step.CREATE, Step.TEST, Step.FINISH])
def test_only_set_secret_gives_a_value_up(raises: dict[str, Exception], step: Step) -> None:
    raises[{Step.CREATE: "create", Step.TEST: "test", Step.FINISH: "finish"}[step]] = ValueRejected(
        "too simple", "Draw another."
    )
    played = pending(None if step is Step.CREATE else NEW_VALUE)
    with pytest.raises(ValueRejected):
        played.step(step)
    assert played.versions.stages[VERSION] >= {PENDING}


def test_a_label_that_another_delivery_took_already_does_not_hide_the_reason(
    raises: dict[str, Exception],
) -> None:
    raises["set"] = ValueRejected("too simple", "Draw another.")
    played = pending()
    played.versions.before["move_stage"] = played.versions.stages[VERSION].clear
    with pytest.raises(ValueRejected, match="too simple"):
        played.step(Step.SET)


def test_a_label_that_could_not_be_taken_is_told(raises: dict[str, Exception]) -> None:
    raises["set"] = ValueRejected("too simple", "Draw another.")
    played = pending()
    played.versions.before["move_stage"] = raising(AccessDenied("denied", "Allow it."))
    with pytest.raises(AccessDenied):
        played.step(Step.SET)
    assert PENDING in played.versions.stages[VERSION]


# ── rule 12: two deliveries at once, and answers that were lost ──


def raising(error: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_a_value_that_another_delivery_staged_first_counts() -> None:
    played = pending(None)
    faster = '{"engine": "recorded", "password": "faster-password"}'
    played.versions.before["put_pending"] = lambda: played.versions.values.update({VERSION: faster})
    assert played.step(Step.CREATE).did == "a value was staged by another delivery"
    assert played.versions.values[VERSION] == faster
    assert played.versions.writes == []


def test_a_value_that_another_delivery_staged_but_nobody_can_read_is_passing() -> None:
    played = pending(None)
    played.versions.before["put_pending"] = raising(VersionExists())
    with pytest.raises(ValueNotReadable) as caught:
        played.step(Step.CREATE)
    assert caught.value.permanent is False
    assert played.pauses == list(READ_AGAIN_AFTER_SECONDS)


def _promote_elsewhere(played: Played) -> None:
    played.versions.stages.update({OLD: {PREVIOUS}, VERSION: {CURRENT}})


def test_a_promotion_that_another_delivery_made_first_is_a_success() -> None:
    played = pending()
    played.versions.before["move_stage"] = lambda: _promote_elsewhere(played)
    assert played.step(Step.FINISH).did == PROMOTED
    assert played.hooks == ["finish"]


def test_a_promotion_whose_answer_was_lost_is_a_success() -> None:
    played = pending()
    played.versions.after["move_stage"] = raising(ServiceUnavailable("no answer", "Wait."))
    assert played.step(Step.FINISH).did == PROMOTED
    assert played.versions.calls == ["describe", "get", "move_stage", "describe"]


@pytest.mark.parametrize("kind", [AccessDenied, ServiceUnavailable, RotationRejected])
def test_a_promotion_that_failed_is_an_error_and_the_hook_does_not_run(
    kind: type[RotationError],
) -> None:
    played = pending()
    played.versions.before["move_stage"] = raising(kind("refused", "Mend it."))
    with pytest.raises(kind, match="refused"):
        played.step(Step.FINISH)
    assert played.hooks == []
    assert CURRENT in played.versions.stages[OLD]


@pytest.mark.parametrize(
    ("step", "did", "hooks"),
    [
        (Step.SET, NOTHING_TO_DO, []),
        (Step.TEST, NOTHING_TO_DO, []),
        (Step.FINISH, "finished again", ["finish"]),
    ],
)
def test_a_promotion_between_the_labels_and_the_value_is_a_success(
    step: Step, did: str, hooks: list[str]
) -> None:
    # Secrets Manager takes AWSPENDING from the version that becomes AWSCURRENT.
    played = pending()
    played.versions.before["get"] = lambda: _promote_elsewhere(played)
    assert played.step(step).did == did
    assert played.hooks == hooks
    assert played.versions.writes == []


def test_a_promotion_while_a_test_reads_again_is_a_success() -> None:
    played = pending(None)
    sleep = played.pauses.append

    def promote(seconds: float) -> None:
        sleep(seconds)
        _promote_elsewhere(played)

    played.sleep = promote
    assert played.step(Step.TEST).did == NOTHING_TO_DO
    assert played.hooks == []
    assert played.said == []


def test_a_rotation_that_is_superseded_while_its_value_is_read_again_is_rejected() -> None:
    played = pending(None)
    played.sleep = lambda _: played.versions.stages[VERSION].clear()
    with pytest.raises(RotationRejected, match="is not being rotated in"):
        played.step(Step.SET)


# ── a value that cannot be read yet ──


@pytest.mark.parametrize("step", [Step.SET, Step.FINISH])
@pytest.mark.parametrize("misses", range(len(READ_AGAIN_AFTER_SECONDS) + 1))
def test_a_value_is_read_again_after_growing_pauses(step: Step, misses: int) -> None:
    played = pending()
    played.versions.unreadable = misses
    played.step(step)
    assert played.pauses == list(READ_AGAIN_AFTER_SECONDS[:misses])
    assert played.tested == ["new-password"]


@pytest.mark.parametrize("misses", range(len(READ_AGAIN_AFTER_SECONDS) + 2))
def test_a_test_reads_again_before_it_takes_the_value_for_missing(misses: int) -> None:
    played = pending()
    played.versions.unreadable = misses
    assert played.step(Step.TEST).did == TESTED
    assert played.pauses == list(READ_AGAIN_AFTER_SECONDS[: max(0, misses - 1)])


@pytest.mark.parametrize("step", [Step.SET, Step.FINISH])
def test_reading_again_ends(step: Step) -> None:
    played = pending()
    played.versions.unreadable = 100
    with pytest.raises(RotationError, match=r"has no value\. createSecret has not stored one yet"):
        played.step(step)
    assert played.versions.calls.count("get") == len(READ_AGAIN_AFTER_SECONDS) + 1
    assert sum(played.pauses) < 2
    assert played.versions.writes == []


def test_a_current_value_that_was_just_read_is_not_read_twice() -> None:
    played = pending(None)
    played.step(Step.TEST)
    assert played.versions.calls.count("get") == 1 + len(READ_AGAIN_AFTER_SECONDS) + 1 + 1


# ── time ──


@pytest.mark.parametrize("step", STEPS)
def test_no_call_is_made_when_the_time_is_used_up(step: Step) -> None:
    played = pending()
    with pytest.raises(DeadlineExceeded, match=r"used up before: (Describe|Get)Secret"):
        played.step(step, seconds=0)
    assert played.versions.calls == []


# ── the same through boto3, against a strict simulator ──


class MemoryTarget:
    settings = Settings()
    admin: Mapping[str, Any] | None = None

    def __init__(self, server: MemoryServer) -> None:
        self.server = server

    def new_secret(self) -> dict[str, Any]:
        self.server.passwords["app"] = "old-password"
        host = self.server.host
        return {
            "engine": ENGINE_NAME, "host": host, "username": "app", "password": "old-password"
        }  # fmt: skip

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return bool(self.server.passwords[secret["username"]] == secret["password"])


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with MemoryServer("dispatcher") as server:
        yield server


@pytest.fixture
def bench(server: MemoryServer) -> Iterator[Bench]:
    with Bench(MemoryRotator, MemoryTarget(server)) as bench:
        yield bench


# The second call of each step, so that the other delivery comes between two calls of this one.
@pytest.mark.parametrize(
    ("step", "between"),
    [
        (Step.CREATE, "PutSecretValue"),
        (Step.SET, "GetSecretValue"),
        (Step.TEST, "GetSecretValue"),
        (Step.FINISH, "GetSecretValue"),
        (Step.FINISH, "UpdateSecretVersionStage"),
    ],
)
@pytest.mark.parametrize("keep", [True, False], ids=["label kept", "label taken"])
def test_a_delivery_inside_another_ends_well_and_so_does_the_other(
    bench: Bench, step: Step, between: str, keep: bool
) -> None:
    bench.simulator.keep_pending_label = keep
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    for each in Step:
        if each is step:
            bench.simulator.before(
                between, lambda _: bench.driver.step(arn, token, step.value), times=1
            )
        bench.driver.step(arn, token, each.value)
    assert CURRENT in bench.simulator.labels(arn)[token]
    assert bench.target.logs_in(bench.current(arn))
    assert not bench.target.logs_in(old)


def test_a_policy_that_changed_costs_one_rotation(bench: Bench, server: MemoryServer) -> None:
    arn, old = bench.secret()
    server.accepts = lambda _: False
    token = bench.driver.start(arn)
    with pytest.raises(ValueRejected, match="AWSPENDING was taken from this version"):
        bench.driver.retry(arn, token)
    assert bench.simulator.labels(arn).get(token) is None
    assert bench.target.logs_in(old)
    server.accepts = lambda _: True
    bench.driver.rotate(arn)
    assert bench.target.logs_in(bench.current(arn))


@pytest.mark.parametrize("step", STEPS)
def test_a_secret_that_does_not_exist_is_rejected(bench: Bench, step: Step) -> None:
    event = {"Step": step.value, "SecretId": "absent", "ClientRequestToken": VERSION}
    with pytest.raises(RotationRejected, match="find the specified secret"):
        bench.handle(event, None)


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        (Step.CREATE, "DescribeSecret"),
        (Step.CREATE, "GetSecretValue"),
        (Step.CREATE, "PutSecretValue"),
        (Step.TEST, "GetSecretValue"),
        (Step.FINISH, "UpdateSecretVersionStage"),
    ],
)
def test_what_the_function_may_not_do_is_told(bench: Bench, step: Step, operation: str) -> None:
    arn, old = bench.secret()
    token = bench.driver.start(arn)
    if step is Step.FINISH:
        bench.driver.step(arn, token, Step.CREATE)
    bench.simulator.deny(operation)
    with pytest.raises(AccessDenied, match=f"{operation} was refused") as caught:
        bench.driver.step(arn, token, step.value)
    assert caught.value.who["secret"] == arn
    assert bench.target.logs_in(old)
