"""The mark of an exchange: what it says, when it forbids to ask, and who may touch it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from rotators import errors
from rotators.deadline import Deadline
from rotators.errors import (
    AccessDenied,
    AnswerLost,
    DeadlineExceeded,
    PermanentError,
    ReauthorizationRequired,
    RotationError,
    ServiceUnavailable,
    TransientError,
    ValueNotReadable,
    VersionNotFound,
)
from rotators.exchange import SETTLE_SECONDS, TAG, TRIES, Exchange, Mark
from rotators.versions import CURRENT, PENDING, SecretMetadata, StoredValue

if TYPE_CHECKING:
    from rotators.versions import Versions

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/x-a1B2c3"
SOURCE, PENDING_ID, OTHER = "s" * 36, "p" * 36, "o" * 36
NOW = 1_800_000_000.0
# Of the invocation; five more are for two machines' clocks.
LEFT = 20.0
OVER = math.ceil(NOW + LEFT + 5)

# What AWS takes in a tag: letters, digits, spaces and a few signs; 128 and 256 of them.
TAG_TEXT = re.compile(r"[A-Za-z0-9 _.:/=+@-]*")

BASES = (PermanentError, TransientError, errors.MisconfiguredSecret)
KINDS = [
    kind for base in BASES for kind in base.__subclasses__() if kind.__module__ == errors.__name__
]
ANSWERS = [kind for kind in KINDS if kind not in {AnswerLost, ReauthorizationRequired}]


@dataclass
class World:
    """A secret's tags, a clock, and what befalls the calls."""

    tags: dict[str, str] = field(default_factory=dict)
    now: float = NOW
    elapsed: float = 0.0
    calls: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    said: list[tuple[str, bool]] = field(default_factory=list)
    # Run ahead of a call or in a pause, once; they may raise.
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    # What the next describe answers, instead of the truth.
    stale: dict[str, str] | None = None
    current: str = SOURCE
    staged: bool = False

    def describe(self, secret_id: str) -> SecretMetadata:
        self._arrived("describe", secret_id)
        tags, self.stale = self.tags if self.stale is None else self.stale, None
        stages = {self.current: frozenset({CURRENT}), PENDING_ID: frozenset({PENDING})}
        return SecretMetadata(ARN, True, stages, dict(tags))

    def get(self, secret_id: str, *, version_id: str, stage: str) -> StoredValue:
        self._arrived("get", secret_id)
        assert (version_id, stage) == (PENDING_ID, PENDING)
        if not self.staged:
            raise VersionNotFound
        return StoredValue(version_id, frozenset({stage}), "{}")

    def tag(self, secret_id: str, key: str, value: str) -> None:
        self._arrived("tag", secret_id)
        self.tags[key] = value

    def untag(self, secret_id: str, key: str) -> None:
        self._arrived("untag", secret_id)
        self.tags.pop(key, None)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.before.pop("sleep", lambda: None)()

    def say(self, sentence: str, /, *, warning: bool = False, **_: object) -> None:
        self.said.append((sentence, warning))

    def exchange(self, left: float = LEFT) -> Exchange:
        """One invocation's, which describes the secret now."""
        made = Exchange(
            cast("Versions", self),
            self.describe(ARN),
            PENDING_ID,
            Deadline(left, clock=lambda: self.elapsed),
            self.say,
            looked=self.elapsed,
            clock=lambda: self.now,
            sleep=self.sleep,
        )
        self.calls.clear()
        return made

    def mark(self) -> Mark:
        mark = Mark.read(self.tags.get(TAG))
        assert mark is not None
        return mark

    def refuse(self, call: str) -> None:
        def refused() -> None:
            raise AccessDenied(f"{call} was refused", "Allow it.")

        self.before[call] = refused

    def _arrived(self, call: str, secret_id: str) -> None:
        assert secret_id == ARN
        self.calls.append(call)
        self.before.pop(call, lambda: None)()


@pytest.fixture
def world() -> World:
    return World()


def marked(tries: int, until: float = 0, source: str = SOURCE, **others: str) -> World:
    """A secret on which somebody has left a mark."""
    return World(tags={TAG: str(Mark(source, tries, int(until), "0badcafe")), **others})


# ── the text ──


@pytest.mark.parametrize(
    "mark",
    [
        Mark("v" * 32, 1, 0, "00000000"),
        Mark("V" * 64, 9, 999_999_999_999, "ffffffff"),
        Mark("12345678-1234-1234-1234-123456789012", 0, OVER, "01234567"),
        Mark("v" * 64, 9, 999_999_999_999, "ffffffff", "0123456789abcdef" * 2),
    ],
)
def test_a_mark_is_read_as_it_was_written_and_is_what_a_tag_may_be(mark: Mark) -> None:
    text = str(mark)
    assert Mark.read(text) == mark
    assert TAG_TEXT.fullmatch(text)
    assert TAG_TEXT.fullmatch(TAG)
    assert len(text) <= 256
    assert not TAG.startswith("aws:")


GOOD = str(Mark(SOURCE, 1, 0, "0badcafe"))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "yes",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.replace("tries=1", "tries=-1"),
        GOOD.replace("tries=1", "tries=10"),
        GOOD.replace("tries=1", "tries=1.5"),
        GOOD.replace("tries=1", "tries=١"),
        GOOD.replace("until=0", "until="),
        GOOD.replace("until=0", "until=1e9"),
        GOOD.replace("until=0", "until=-1"),
        GOOD.replace("until=0", f"until={'9' * 13}"),
        GOOD.replace(SOURCE, "s" * 31),
        GOOD.replace(SOURCE, "s" * 65),
        GOOD.replace(SOURCE, "s s" * 12),
        GOOD.replace("by=0badcafe", "by=0BADCAFE"),
        GOOD + " proof=",
        GOOD + " proof=" + "0" * 31,
        GOOD + " proof=" + "F" * 32,
        "by=0badcafe until=0 tries=1 from=" + SOURCE,
        "9" * 256,
        "\0" * 40,
    ],
)
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert Mark.read(text) is None
    world = World(tags={} if text is None else {TAG: text})
    assert world.exchange().tries == 0
    world.exchange().begin(spends=True)
    assert world.mark().tries == 1


def test_a_mark_of_another_current_version_counts_for_nothing() -> None:
    world = marked(TRIES, OVER, source=OTHER)
    begun = world.exchange()
    assert begun.tries == 0
    begun.begin(spends=True)
    assert (world.mark().source, world.mark().tries) == (SOURCE, 1)


# ── begin ──


@pytest.mark.parametrize("tries", [0, 1])
def test_begin_leaves_a_mark_with_the_version_that_is_used_up_and_when_this_is_over(
    tries: int,
) -> None:
    world = marked(tries, other="kept") if tries else World(tags={"other": "kept"})
    begun = world.exchange()
    assert begun.tries == tries
    begun.begin(spends=True)
    assert begun.begun
    mark = world.mark()
    assert (mark.source, mark.tries, mark.until) == (SOURCE, tries + 1, OVER)
    assert mark.by != "0badcafe"
    assert world.tags["other"] == "kept"
    assert world.calls == ["tag", "describe", "get"]
    assert world.slept == [SETTLE_SECONDS]
    assert begun.tries == tries


def test_begin_of_what_can_be_asked_again_waits_for_nobody() -> None:
    for tries, until in ((TRIES, 0), (1, OVER), (9, OVER)):
        world = marked(tries, until)
        begun = world.exchange()
        begun.begin(spends=False)
        assert begun.begun
        assert (world.mark().tries, world.mark().until) == (TRIES, OVER)
        assert world.calls == ["tag"]
        assert world.slept == []


def test_two_invocations_have_two_names() -> None:
    names = set()
    for _ in range(20):
        world = World()
        world.exchange().begin(spends=True)
        names.add(world.mark().by)
    assert len(names) == 20


# Before the mark's end; no invocation is longer than fifteen minutes.
@pytest.mark.parametrize(
    ("seconds", "under_way"), [(-906, False), (-905, True), (-0.001, True), (0, False), (1, False)]
)
def test_while_another_may_be_at_it_nobody_begins(seconds: float, under_way: bool) -> None:
    world = marked(1, OVER)
    world.now = OVER + seconds
    begun = world.exchange()
    before = dict(world.tags)
    if not under_way:
        begun.begin(spends=True)
        assert begun.begun
        return
    with pytest.raises(ValueNotReadable) as caught:
        begun.begin(spends=True)
    assert "another invocation of createSecret may be at the provider" in caught.value.found
    assert "will call again" in caught.value.cure
    assert world.tags == before
    assert world.calls == []
    assert not begun.begun


@pytest.mark.parametrize("tries", [TRIES, TRIES + 1, 9])
def test_after_enough_tries_nobody_asks_and_the_cure_is_told(tries: int) -> None:
    world = marked(tries)
    before = dict(world.tags)
    begun = world.exchange()
    with pytest.raises(ReauthorizationRequired) as caught:
        begun.begin(spends=True)
    assert "AWSCURRENT's may be used up" in caught.value.found
    assert "may have been asked before" in caught.value.found
    for part in ("authorise anew", "put-secret-value", "AWSCURRENT was left as it is", TAG):
        assert part in caught.value.cure
    # The successor may have been stored, and its label been taken away.
    assert "AWSPENDING, or a version without a label, holds a newer value" in caught.value.cure
    begun.fail(caught.value)
    assert world.tags == before
    assert world.calls == []
    assert not begun.begun


def test_a_value_that_a_person_stores_ends_the_tries(world: World) -> None:
    lost = world.exchange()
    lost.begin(spends=True)
    lost.fail(ReauthorizationRequired("spent", "Authorise anew."))
    assert world.exchange().tries == TRIES
    world.tags[TAG] = str(world.mark()).replace(SOURCE, OTHER)  # AWSCURRENT is another version
    world.exchange().begin(spends=True)
    assert world.mark().tries == 1


def test_without_time_no_mark_is_left(world: World) -> None:
    begun = world.exchange(left=0)
    with pytest.raises(DeadlineExceeded, match="TagResource"):
        begun.begin(spends=True)
    assert (world.tags, world.calls, begun.begun) == ({}, [], False)


def test_without_a_mark_nothing_is_begun(world: World) -> None:
    world.refuse("tag")
    begun = world.exchange()
    with pytest.raises(AccessDenied) as caught:
        begun.begin(spends=True)
    begun.fail(caught.value)
    assert (world.tags, world.calls, begun.begun) == ({}, ["tag"], False)


def test_a_mark_that_cannot_be_seen_again_begins_nothing(world: World) -> None:
    begun = world.exchange()
    world.refuse("describe")
    with pytest.raises(AccessDenied) as caught:
        begun.begin(spends=True)
    assert not begun.begun
    begun.fail(caught.value)
    # It may be another's by now, so it stays as it is.
    assert world.calls == ["tag", "describe"]
    assert world.mark().until == OVER


@pytest.mark.parametrize("seen", [{}, {TAG: GOOD}, {TAG: "nonsense"}])
def test_a_stale_look_at_the_mark_begins_nothing(world: World, seen: dict[str, str]) -> None:
    begun = world.exchange()
    world.stale = seen
    with pytest.raises(ValueNotReadable) as caught:
        begun.begin(spends=True)
    assert not begun.begun
    begun.fail(caught.value)
    assert world.calls == ["tag", "describe", "get"]
    assert world.mark().until == OVER
    # The next finds out that it is over, and asks.
    world.now = OVER
    world.exchange().begin(spends=True)
    assert world.mark().tries == TRIES


def test_a_proof_is_kept_for_the_next_try_however_this_one_ends(world: World) -> None:
    proof = "0123456789abcdef" * 2
    first = world.exchange()
    first.begin(spends=True, proof=proof)
    assert (first.proof, world.exchange().proof) == ("", proof)
    first.fail(AnswerLost("found", "cure"))
    assert world.exchange().proof == proof
    world.exchange().fail(ReauthorizationRequired("found", "cure"))
    assert world.exchange().proof == proof


# ── several at once (Fischer) ──


def test_of_two_at_once_the_later_writer_asks_and_the_earlier_leaves_its_mark_alone(
    world: World,
) -> None:
    earlier, later = world.exchange(), world.exchange()
    world.before["sleep"] = lambda: later.begin(spends=True)
    with pytest.raises(ValueNotReadable) as caught:
        earlier.begin(spends=True)
    assert (earlier.begun, later.begun) == (False, True)
    winners = dict(world.tags)
    earlier.fail(caught.value)
    assert world.tags == winners
    later.end()
    assert world.tags == {}


def test_of_three_at_once_one_asks(world: World) -> None:
    three = [world.exchange() for _ in range(3)]
    refused: list[RotationError] = []

    def begin(number: int) -> None:
        if number < 2:
            world.before["sleep"] = lambda: begin(number + 1)
        try:
            three[number].begin(spends=True)
        except ValueNotReadable as error:
            refused.append(error)

    begin(0)
    assert [one.begun for one in three] == [False, False, True]
    assert len(refused) == 2


def test_who_was_slow_to_leave_a_mark_looks_again(world: World) -> None:
    slow, winner = world.exchange(), world.exchange()
    winner.begin(spends=True)
    mark = world.mark()
    world.elapsed = SETTLE_SECONDS  # it has read secrets meanwhile
    with pytest.raises(ValueNotReadable):
        slow.begin(spends=True)
    assert (winner.begun, slow.begun) == (True, False)
    assert world.mark() == mark


def test_who_left_a_mark_too_late_gives_way(world: World) -> None:
    slow, winner = world.exchange(), world.exchange()

    def meanwhile() -> None:
        winner.begin(spends=True)
        world.elapsed = SETTLE_SECONDS + 0.1

    world.before["tag"] = meanwhile
    with pytest.raises(ValueNotReadable):
        slow.begin(spends=True)
    assert (winner.begun, slow.begun) == (True, False)


def test_who_comes_while_one_asks_gives_way_without_a_mark(world: World) -> None:
    first = world.exchange()
    first.begin(spends=True)
    mark = world.mark()
    second = world.exchange()
    with pytest.raises(ValueNotReadable):
        second.begin(spends=True)
    assert world.mark() == mark


def test_a_mark_that_was_taken_away_meanwhile_begins_nothing(world: World) -> None:
    begun = world.exchange()
    world.before["sleep"] = world.tags.clear
    with pytest.raises(ValueNotReadable):
        begun.begin(spends=True)
    assert not begun.begun
    assert world.tags == {}


# ── one after the other ──


OVERTAKEN: dict[str, dict[str, object]] = {
    "the value is staged": {"staged": True},
    "AWSCURRENT is another version": {"current": OTHER},
}


def overtake(world: World, how: str) -> None:
    vars(world).update(OVERTAKEN[how])


@pytest.mark.parametrize("how", OVERTAKEN)
def test_whose_mark_stands_looks_whether_another_was_through_before(world: World, how: str) -> None:
    begun = world.exchange()
    overtake(world, how)  # by one that has taken its mark away
    with pytest.raises(ValueNotReadable) as caught:
        begun.begin(spends=True)
    assert not begun.begun
    assert "the provider was not asked" in caught.value.found
    begun.fail(caught.value)
    assert world.mark().until == OVER


@pytest.mark.parametrize("spends", [True, False])
@pytest.mark.parametrize("how", OVERTAKEN)
def test_who_was_slow_leaves_no_mark_where_another_was_through_before(
    world: World, how: str, spends: bool
) -> None:
    slow = world.exchange()
    overtake(world, how)
    world.elapsed = SETTLE_SECONDS
    with pytest.raises(ValueNotReadable):
        slow.begin(spends=spends)
    assert (world.tags, slow.begun) == ({}, False)


def test_who_looks_again_sees_the_mark_that_was_left_meanwhile(world: World) -> None:
    proof = "0123456789abcdef" * 2
    late = world.exchange()
    world.exchange().begin(spends=False, proof=proof)
    assert late.proof == ""
    late.look()
    assert late.proof == proof


@pytest.mark.parametrize(("spends", "expected"), [(True, True), (False, False)])
def test_what_was_begun_with_a_value_that_it_uses_up_cannot_be_done_twice(
    world: World, spends: bool, expected: bool
) -> None:
    begun = world.exchange()
    assert not begun.unrepeatable
    begun.begin(spends=spends)
    assert begun.unrepeatable is expected


# ── how it ends ──


@pytest.mark.parametrize("tries", [0, 1])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_error_that_is_an_answer_counts_as_never_asked(
    kind: type[RotationError], tries: int
) -> None:
    world = marked(tries) if tries else World()
    before = dict(world.tags)
    begun = world.exchange()
    begun.begin(spends=True)
    begun.fail(kind("found", "cure"))
    assert world.tags == before
    assert world.exchange().tries == tries


@pytest.mark.parametrize("kind", [AnswerLost, *ANSWERS])
def test_where_asking_twice_is_free_the_mark_stays_until_the_value_is_stored(
    world: World, kind: type[RotationError]
) -> None:
    begun = world.exchange()
    begun.begin(spends=False)
    begun.fail(kind("found", "cure"))
    assert (world.mark().tries, world.mark().until) == (1, 0)
    following = world.exchange()
    following.begin(spends=False)
    following.end()
    assert world.tags == {}


@pytest.mark.parametrize("tries", [0, 1])
def test_a_lost_answer_counts_and_the_next_need_not_wait(tries: int) -> None:
    world = marked(tries) if tries else World()
    begun = world.exchange()
    begun.begin(spends=True)
    begun.fail(AnswerLost("found", "cure"))
    assert (world.mark().tries, world.mark().until) == (tries + 1, 0)
    following = world.exchange()
    if tries + 1 < TRIES:
        following.begin(spends=True)
    else:
        with pytest.raises(ReauthorizationRequired):
            following.begin(spends=True)


@pytest.mark.parametrize("tries", [0, 1])
@pytest.mark.parametrize("asked", [True, False])
def test_what_the_provider_calls_used_up_is_asked_for_no_more(tries: int, asked: bool) -> None:
    world = marked(tries) if tries else World()
    begun = world.exchange()
    if asked:
        begun.begin(spends=True)
    begun.fail(ReauthorizationRequired("spent", "Authorise anew."))
    assert (world.mark().tries, world.mark().until) == (TRIES, 0)
    with pytest.raises(ReauthorizationRequired):
        world.exchange().begin(spends=True)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not ReauthorizationRequired])
def test_an_error_before_the_provider_was_asked_touches_no_mark(kind: type[RotationError]) -> None:
    world = marked(1)
    before = dict(world.tags)
    world.exchange().fail(kind("found", "cure"))
    assert world.tags == before
    assert world.calls == []


@pytest.mark.parametrize("tries", [0, 1])
def test_an_answer_that_could_not_be_stored_counts(tries: int) -> None:
    world = marked(tries) if tries else World()
    begun = world.exchange()
    begun.begin(spends=True)
    begun.lose()
    assert (world.mark().tries, world.mark().until) == (tries + 1, 0)


def test_at_the_end_there_is_no_mark_and_other_tags_are_left(world: World) -> None:
    world.tags["other"] = "kept"
    begun = world.exchange()
    begun.begin(spends=True)
    begun.end()
    assert world.tags == {"other": "kept"}


@pytest.mark.parametrize(
    ("call", "settle"),
    [
        ("untag", lambda begun: begun.end()),
        ("tag", lambda begun: begun.lose()),
        ("tag", lambda begun: begun.fail(AnswerLost("found", "cure"))),
        ("tag", lambda begun: begun.fail(ReauthorizationRequired("found", "cure"))),
        ("untag", lambda begun: begun.fail(ServiceUnavailable("found", "cure"))),
    ],
)
def test_a_mark_that_cannot_be_settled_is_a_warning(
    world: World, call: str, settle: Callable[[Exchange], None]
) -> None:
    begun = world.exchange()
    begun.begin(spends=True)
    before = dict(world.tags)
    world.refuse(call)
    settle(begun)
    assert world.tags == before
    ((sentence, warning),) = world.said
    assert warning
    assert TAG in sentence
    assert f"{call} was refused" in sentence


def test_the_provider_is_asked_once_more_to_find_out_and_no_third_time(world: World) -> None:
    for _ in range(2):
        begun = world.exchange()
        begun.begin(spends=True)
        begun.fail(AnswerLost("found", "cure"))
    with pytest.raises(ReauthorizationRequired):
        world.exchange().begin(spends=True)
