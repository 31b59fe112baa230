"""Marks and pairs: whose a user is, and who takes turns with whom."""

from __future__ import annotations

import json

import pytest

from rotators.database.engine import NameLimit
from rotators.database.users import Mark, Pair
from rotators.errors import MisconfiguredSecret

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/db-AbCdEf"
NAMES = ("app", "we[ird]", 'qu"ote\\', "ünï", "[rotators {}]", "}]")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("comment", [None, "", "the shop's user", "[sic] {really}"])
def test_a_mark_is_read_as_it_was_written(name: str, comment: str | None) -> None:
    mark = Mark(ARN, (name, f"{name}_clone"))
    assert Mark.read(mark.write(comment)) == mark


@pytest.mark.parametrize("name", NAMES)
def test_a_mark_is_also_an_attribute(name: str) -> None:
    mark = Mark(ARN, (name, f"{name}_clone"))
    assert mark.said() == {"secret": ARN, "base": name, "alternate": f"{name}_clone"}
    assert Mark.of(json.loads(json.dumps(mark.said()))) == mark
    assert Mark.of({**mark.said(), "note": [1]}) == mark


@pytest.mark.parametrize(
    "said",
    [
        None,
        "secret base alternate",
        ["secret", "base", "alternate"],
        7,
        {},
        {"secret": ARN, "base": "app"},
        {"secret": ARN, "base": "app", "alternate": None},
        {"secret": ARN, "base": "app", "alternate": ["app_clone"]},
        {"secret": ARN, "base": "app", "alternate": "\ud800"},
    ],
)
def test_an_attribute_that_is_no_mark_is_none(said: object) -> None:
    assert Mark.of(said) is None


def test_what_people_wrote_stays() -> None:
    mark, other = Mark(ARN, ("a", "a_clone")), Mark("another", ("b", "b_clone"))
    once = mark.write("the shop's user")
    assert once.startswith("the shop's user [rotators {")
    assert other.write(once) == other.write("the shop's user")
    assert mark.write(None).startswith("[rotators {")


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "a comment",
        "[rotators {}]",
        '[rotators {"secret": "x"}]',
        "[rotators {not json}]",
        '[rotators {"secret": 1, "base": 2}]',
        "[rotators",
        "[rotators {" + '"a":{' * 100_000 + "}]",
    ],
)
def test_what_is_no_mark_is_none(comment: str | None) -> None:
    assert Mark.read(comment) is None


def test_two_users_take_turns() -> None:
    first = Pair.following("app", "_clone", NameLimit(63))
    assert first == Pair("app", "app_clone", target="app_clone")
    back = Pair.following("app_clone", "_clone", NameLimit(63))
    assert back == Pair("app", "app_clone", target="app")
    assert first.users == back.users == ("app", "app_clone")


def test_a_name_may_be_just_short_enough() -> None:
    limit = NameLimit(62)
    assert Pair.following("é" * 28, "_clone", limit).alternate == "é" * 28 + "_clone"
    with pytest.raises(MisconfiguredSecret, match="would have 63 bytes of at most 62"):
        Pair.following("x" + "é" * 28, "_clone", limit)


def test_a_name_may_be_counted_in_characters() -> None:
    limit = NameLimit(34, "characters")
    assert Pair.following("é" * 28, "_clone", limit).alternate == "é" * 28 + "_clone"
    with pytest.raises(MisconfiguredSecret, match="would have 35 characters of at most 34"):
        Pair.following("é" * 29, "_clone", limit)


def test_a_name_that_is_only_the_suffix_has_no_base() -> None:
    with pytest.raises(MisconfiguredSecret, match="no alternate"):
        Pair.following("_clone", "_clone", NameLimit(63))
