"""Policies, and what is drawn by them."""

from __future__ import annotations

import dataclasses
import string
from collections import Counter
from typing import Any

import pytest

from rotators.errors import InvalidSetting
from rotators.passwords import DEFAULT_LENGTH, LENGTHS, MOST_EXCLUDED, PasswordPolicy

TYPES = {
    "exclude_lowercase": string.ascii_lowercase,
    "exclude_uppercase": string.ascii_uppercase,
    "exclude_numbers": string.digits,
    "exclude_punctuation": string.punctuation,
}
DRAWS = 60


def drawn(excluded_by_engine: str = "", **policy: Any) -> list[str]:
    return [PasswordPolicy(**policy).generate(excluded_by_engine) for _ in range(DRAWS)]


def test_the_limits_are_those_of_get_random_password() -> None:
    assert (LENGTHS[0], LENGTHS[-1], DEFAULT_LENGTH, MOST_EXCLUDED) == (1, 4096, 32, 4096)


def test_a_password_has_the_default_length_and_every_type() -> None:
    for password in drawn():
        assert len(password) == DEFAULT_LENGTH
        for characters in TYPES.values():
            assert set(password) & set(characters)


def test_no_two_passwords_are_the_same() -> None:
    assert len(set(drawn())) == DRAWS


@pytest.mark.parametrize("length", [4, 5, 32, 4096])
def test_a_password_has_the_length_that_was_asked_for(length: int) -> None:
    assert len(PasswordPolicy(length=length).generate("")) == length


@pytest.mark.parametrize("flag", TYPES)
def test_an_excluded_type_never_occurs_and_all_others_do(flag: str) -> None:
    for password in drawn(**dict[str, Any]({flag: True})):
        for each, characters in TYPES.items():
            assert bool(set(password) & set(characters)) is (each != flag)


def test_every_type_is_required_even_at_the_least_length() -> None:
    for password in drawn(length=4):
        for characters in TYPES.values():
            assert len(set(password) & set(characters)) == 1


def test_the_types_stand_in_no_fixed_order() -> None:
    assert len({password[0] in string.ascii_lowercase for password in drawn(length=4)}) == 2


def test_types_that_are_not_required_may_be_missing() -> None:
    passwords = drawn(length=1, require_each_included_type=False)
    assert {len(password) for password in passwords} == {1}
    assert len(set(passwords)) > 1


def test_the_whole_alphabet_is_drawn_from() -> None:
    seen = Counter("".join(PasswordPolicy(length=4096).generate("") for _ in range(3)))
    assert set(seen) == set("".join(TYPES.values()))


def test_characters_that_the_engine_excludes_never_occur() -> None:
    assert not set("".join(drawn("/@\"'\\aA0"))) & set("/@\"'\\aA0")


def test_excluded_characters_of_the_policy_replace_those_of_the_engine() -> None:
    most = string.ascii_letters + string.digits
    seen = set("".join(drawn("!", exclude_characters=most, require_each_included_type=True)))
    assert "!" in seen
    assert seen <= set(string.punctuation)


def test_a_policy_that_excludes_nothing_overrules_the_engine() -> None:
    assert "!" in "".join(drawn("!", length=500, exclude_characters=""))


def test_a_type_of_which_all_is_excluded_is_not_required() -> None:
    for password in drawn(length=3, exclude_characters=string.digits):
        assert len(password) == 3
        assert not set(password) & set(string.digits)


def test_a_policy_that_excludes_everything_is_refused_when_it_is_made() -> None:
    with pytest.raises(InvalidSetting) as caught:
        PasswordPolicy(**dict[str, Any](dict.fromkeys(TYPES, True)))
    assert str(caught.value) == (
        "the password settings (EXCLUDE_…) exclude every character. Leave at least one of"
        " lowercase, uppercase, numbers and punctuation."
    )
    with pytest.raises(InvalidSetting):
        PasswordPolicy(exclude_characters="".join(TYPES.values()))


def test_what_the_engine_excludes_on_top_may_leave_nothing() -> None:
    policy = PasswordPolicy(
        exclude_lowercase=True, exclude_uppercase=True, exclude_punctuation=True
    )
    assert policy.generate("").isdigit()
    with pytest.raises(InvalidSetting, match="exclude every character"):
        policy.generate(string.digits)


def test_a_length_below_the_number_of_required_types_is_refused() -> None:
    with pytest.raises(InvalidSetting) as caught:
        PasswordPolicy(length=3)
    assert str(caught.value) == (
        "PASSWORD_LENGTH is 3, but 4 types are required. Ask for a longer password, or set"
        " REQUIRE_EACH_INCLUDED_TYPE=false."
    )
    assert len(PasswordPolicy(length=3, exclude_numbers=True).generate("")) == 3
    assert len(PasswordPolicy(length=3, require_each_included_type=False).generate("")) == 3


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PasswordPolicy().length = 1  # type: ignore[misc]
