"""The value of a secret, kind and hostile. Nothing of it is ever shown."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from rotators.errors import MisconfiguredSecret
from rotators.secret import PUBLIC_KEYS, Secret

PASSWORD = "correct horse battery staple"


def assert_tells_nothing(error: BaseException) -> None:
    assert PASSWORD not in str(error)
    assert PASSWORD not in repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_a_secret_is_a_mapping_of_what_was_stored() -> None:
    secret = Secret.parse('{"b": 1, "a": {"x": [null]}, "c": null}')
    assert dict(secret) == {"b": 1, "a": {"x": [None]}, "c": None}
    assert list(secret) == ["b", "a", "c"]
    assert len(secret) == 3
    assert secret.get("absent") is None
    with pytest.raises(KeyError):
        secret["absent"]


def test_a_secret_is_not_changed_by_what_it_was_made_from() -> None:
    fields: dict[str, Any] = {"username": "app"}
    secret = Secret(fields)
    fields["username"] = "other"
    assert secret["username"] == "app"
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        secret["username"] = "other"  # type: ignore[index]


def test_a_secret_is_never_shown() -> None:
    secret = Secret({"password": PASSWORD, "username": "app"})
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert PASSWORD not in shown
        assert "Secret(2 keys)" in shown


def test_replacing_keeps_every_other_key_where_it_stands() -> None:
    old = Secret({"engine": "x", "password": "old", "note": {"kept": [1]}, "port": None})
    new = old.replace(password=PASSWORD, extra=1)
    assert list(new.items()) == [
        ("engine", "x"),
        ("password", PASSWORD),
        ("note", {"kept": [1]}),
        ("port", None),
        ("extra", 1),
    ]
    assert old["password"] == "old"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"a": "ä€😀", "b": 'quo"te\\', "c": "\u0000\n\u2028"},
        {"a": 1, "b": 1.5, "c": True, "d": None, "e": [], "f": {}},
        {"a": 10**30, "b": -0.1},
    ],
)
def test_a_value_survives_being_read_and_stored(fields: dict[str, Any]) -> None:
    text = Secret.parse(json.dumps(fields)).to_json()
    assert json.loads(text) == fields
    assert Secret.parse(text) == Secret(fields)


def test_a_value_is_stored_in_as_few_characters_as_it_has() -> None:
    # The limit of Secrets Manager is one of bytes: \u escapes would cost six each.
    assert Secret({"a": "ä€"}).to_json() == '{"a": "ä€"}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "is binary"),
        ("", "is not JSON, not an object"),
        (PASSWORD, "is not JSON, not an object"),
        ("{", "is not JSON, not an object"),
        (f"{{'password': '{PASSWORD}'}}", "is not JSON, not an object"),
        (f'{{"password": "{PASSWORD}"}} trailing', "is not JSON, not an object"),
        (f'\ufeff{{"password": "{PASSWORD}"}}', "is not JSON, not an object"),
        (f'{{"password": "{PASSWORD}\ud800"}}', "is not JSON, not an object"),
        (f'{{"password": "{PASSWORD}", "n": {"9" * 5000}}}', "is not JSON, not an object"),
        (f'{{"password": "{PASSWORD}", "a": {"[" * 200_000}', "is not JSON, not an object"),
        (f'["{PASSWORD}"]', "is JSON, but a list, not an object"),
        (f'"{PASSWORD}"', "is JSON, but a str, not an object"),
        ("5432", "is JSON, but a int, not an object"),
        ("null", "is JSON, but a NoneType, not an object"),
        ("true", "is JSON, but a bool, not an object"),
    ],
    ids=range(15),
)
def test_a_value_that_is_no_json_object_is_refused_unshown(text: str | None, found: str) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        Secret.parse(text)
    assert caught.value.found == f"the secret's value {found}"
    assert "Store a JSON object" in caught.value.cure
    assert '"engine": "postgres"' in caught.value.cure
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"password": "{PASSWORD}", "password": "other"}}',
        f'{{"host": "a", "password": "{PASSWORD}", "host": "a"}}',
        f'{{"nested": {{"x": "{PASSWORD}", "x": 1}}}}',
        f'{{"list": [{{"x": "{PASSWORD}", "x": 1}}]}}',
        f'{{"user": "{PASSWORD}", "\\u0075ser": 1}}',
    ],
    ids=["password", "host", "nested", "in a list", "escaped"],
)
def test_a_key_that_stands_twice_is_refused_at_any_depth(text: str) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        Secret.parse(text)
    assert str(caught.value) == "the secret's value has a key twice. Store every key once."
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "number",
    [
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "12345678901234567.123456",
        "0.1234567890123456789",
        "NaN",
        "Infinity",
        "-Infinity",
    ],
)
@pytest.mark.parametrize(
    "around", ["%s", "[%s]", '[[1], ["a", %s]]', '{"far": 1, "limit": %s}', '[{"limit": %s}]']
)
def test_a_number_that_would_be_stored_as_another_is_refused_by_its_key(
    number: str, around: str
) -> None:
    text = f'{{"password": "{PASSWORD}", "limit": {around.replace("%s", number)}}}'
    with pytest.raises(MisconfiguredSecret) as caught:
        Secret.parse(text)
    assert "under 'limit' a number that cannot be stored again" in caught.value.found
    assert "Store 'limit' as text" in caught.value.cure
    assert number.strip("-") not in str(caught.value)
    assert_tells_nothing(caught.value)


@pytest.mark.parametrize("number", ["1.10", "-0.0", "1e3", "1.5E-7", "0.1", "1e308", "100.000"])
def test_a_number_may_be_written_in_another_way(number: str) -> None:
    again = json.loads(Secret.parse(f'{{"limit": {number}}}').to_json())
    assert again == {"limit": float(number)}


@pytest.mark.parametrize("text", ["1e400", "NaN", "[NaN]"])
def test_a_number_alone_is_no_object(text: str) -> None:
    with pytest.raises(MisconfiguredSecret, match=r"is JSON, but a (float|list), not an object"):
        Secret.parse(text)


@pytest.mark.parametrize("key", ["username", "password", "host", "dbname", "note"])
def test_a_lone_surrogate_written_as_an_escape_is_refused(key: str) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        Secret.parse(f'{{"first": "{PASSWORD}", "{key}": "\\ud800"}}')
    assert_tells_nothing(caught.value)


def test_a_pair_of_surrogates_written_as_escapes_is_a_character() -> None:
    assert Secret.parse('{"a": "\\ud83d\\ude00"}')["a"] == "😀"


def test_text_is_read_as_it_is() -> None:
    assert Secret({"username": " app "}).text("username") == " app "


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "is missing"),
        ({"password": None}, "is missing"),
        ({"password": ""}, "is empty"),
        ({"password": 12345678}, "is no text"),
        ({"password": 0}, "is no text"),
        ({"password": True}, "is no text"),
        ({"password": False}, "is no text"),
        ({"password": [PASSWORD]}, "is no text"),
        ({"password": {"value": PASSWORD}}, "is no text"),
        ({"password": []}, "is no text"),
    ],
)
def test_a_key_without_text_is_named_and_its_value_is_not(
    fields: dict[str, Any], found: str
) -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        Secret(fields).text("password")
    assert str(caught.value) == f"the secret's 'password' {found}. Store 'password' as text."
    assert_tells_nothing(caught.value)


def test_every_text_but_those_that_say_where_and_who_is_sensitive() -> None:
    shown = {key: f"shown-{key}" for key in PUBLIC_KEYS}
    hidden = {
        "password": "one",
        "api": {"key": "two", "deeper": [{"x": "three"}, ["four"]]},
        "number": 5,
        "fraction": 6.5,
        "flag": True,
        "nothing": None,
        "frozen": MappingProxyType({"x": "seven"}),
    }
    assert sorted(Secret({**shown, **hidden}).sensitive()) == sorted(
        ["one", "two", "three", "four", "5", "6.5", "seven"]
    )


def test_the_public_keys_are_those_of_the_documented_formats() -> None:
    assert {"engine", "host", "port", "username", "dbname", "ssl", "masterarn"} < PUBLIC_KEYS
    assert "password" not in PUBLIC_KEYS


def test_a_value_nested_deeper_than_the_stack_is_still_sensitive() -> None:
    # json reads deeper than Python calls, from Python 3.12 on.
    value: object = PASSWORD
    for _ in range(20_000):
        value = [value]
    assert list(Secret({"note": value}).sensitive()) == [PASSWORD]
