"""Where and as whom a secret logs in: every field, right and hostile."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from rotators.database.engine import NameLimit
from rotators.database.login import Login
from rotators.errors import ForbiddenTarget, MisconfiguredSecret, RotationError
from rotators.secret import Secret
from rotators.testing.memory import Memory

PASSWORD = "correct horse battery staple"
FIELDS: dict[str, Any] = {
    "engine": "memory",
    "host": "db.example.com",
    "username": "app",
    "password": PASSWORD,
}
LOGIN = Login("memory", "db.example.com", 1, "memory", True, "app", PASSWORD)


def login(**fields: object) -> Login:
    return Login.of(Secret({**FIELDS, **fields}), Memory)


def refused(**fields: object) -> MisconfiguredSecret:
    """The error for a field, which shows no value and says what to do."""
    with pytest.raises(MisconfiguredSecret) as caught:
        login(**fields)
    error = caught.value
    assert type(error) is MisconfiguredSecret
    assert PASSWORD not in f"{error} {error!r}"
    assert error.__cause__ is None
    assert error.cure.startswith("Store ")
    for key in fields:
        assert f"'{key}'" in error.found
    return error


def test_a_secret_of_four_keys_is_a_login_with_the_defaults_of_the_engine() -> None:
    assert login() == LOGIN


def test_a_secret_may_say_everything() -> None:
    said = login(port=5433, dbname="shop", ssl=False, masterarn="arn", note=[1])
    assert said == dataclasses.replace(LOGIN, port=5433, dbname="shop", tls=False)


def test_a_login_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(login())
    assert "'app'" in repr(login())


def test_a_login_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        login().host = "other"  # type: ignore[misc]


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("value", [None, "", 0, 7, 1.5, True, False, [], {}, ["x"], {"x": "y"}])
def test_a_key_without_text_is_named(key: str, value: object) -> None:
    refused(**{key: value})


@pytest.mark.parametrize("key", FIELDS)
def test_a_missing_key_is_named(key: str) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != key}
    with pytest.raises(MisconfiguredSecret) as caught:
        Login.of(Secret(fields), Memory)
    assert str(caught.value) == f"the secret's '{key}' is missing. Store '{key}' as text."


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "db-1.abc.eu-west-1.rds.amazonaws.com",
        "DB.EXAMPLE.COM",
        "10.0.0.1",
        "::1",
        "fe80::1%eth0",
        "db_1.internal",
        "bücher.example",
    ],
)
def test_a_name_or_an_address_is_a_host(host: str) -> None:
    assert login(host=host).host == host


@pytest.mark.parametrize(
    "host",
    [
        "a,b",
        "db.example.com,evil.example.com",
        "/tmp/x",  # noqa: S108 a socket's directory
        "/",
        "h h",
        " db.example.com",
        "db.example.com\n",
        "\n",
        "db.example.com user=postgres",
        "host=evil",
        "db.example.com/other",
        "db.example.com?sslmode=disable",
        "postgres://db.example.com",
        "user@db.example.com",
        "[::1]",
        "db\0evil",
        "db;evil",
        "'db'",
        "db\\evil",
        "@abstract",
    ],
)
def test_what_is_not_one_host_is_refused(host: str) -> None:
    assert refused(host=host).found == "the secret's 'host' is not one host name or address"


@pytest.mark.parametrize(
    ("value", "port"),
    [(None, 1), (1, 1), (65535, 65535), (5432, 5432), ("5432", 5432), ("1", 1), ("05432", 5432)],
)
def test_a_port_is_a_number_also_as_text(value: object, port: int) -> None:
    assert login(port=value).port == port


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "abc",
        0,
        "0",
        65536,
        "65536",
        -1,
        "-1",
        "+1",
        1.5,
        5432.0,
        "5432.0",
        True,
        False,
        "5432x",
        " 5432",
        "5_432",
        "0x1538",
        "5432,5433",
        "５４３２",
        "²",
        10**30,
        "0000054321",  # its first nine digits are another port
        [5432],
        {"port": 5432},
    ],
)
def test_what_is_no_port_is_refused(value: object) -> None:
    error = refused(port=value)
    assert str(error) == (
        "the secret's 'port' is no port number. Store a number from 1 to 65535, or leave it out"
        " for 1."
    )


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_port_of_many_digits_is_refused(digits: int) -> None:
    refused(port="9" * digits)


@pytest.mark.parametrize("value", [None, True, "true", "True", " TRUE "])
def test_tls_is_on_unless_the_secret_says_otherwise(value: object) -> None:
    assert login(ssl=value).tls is True


@pytest.mark.parametrize("value", [False, "false", "False", " FALSE\n"])
def test_tls_is_off_only_where_the_secret_says_so(value: object) -> None:
    assert login(ssl=value).tls is False


@pytest.mark.parametrize(
    "value", ["", "no", "off", "0", "disable", "require", 0, 1, 0.0, 1.0, [], {}, [False]]
)
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    assert refused(ssl=value).found == "the secret's 'ssl' is neither true nor false"


@pytest.mark.parametrize("value", [None, ""])
def test_a_database_of_no_name_is_the_default(value: object) -> None:
    assert login(dbname=value).dbname == "memory"


@pytest.mark.parametrize("value", [5, 0, False, True, [], ["x"], {"x": 1}])
def test_a_database_name_that_is_no_text_is_refused(value: object) -> None:
    refused(dbname=value)


@pytest.mark.parametrize("key", ["username", "password", "dbname"])
@pytest.mark.parametrize("text", ["\0", "app\0", "app\0evil"])
def test_text_that_a_driver_would_cut_off_is_refused(key: str, text: str) -> None:
    error = refused(**{key: text})
    assert error.found == f"the secret's '{key}' has a NUL character"
    assert error.cure == "Store it without."


@pytest.mark.parametrize("name", ["u" * 63, "ü" * 31, " ", "a b", "a'b\"c\\d;--", "😀" * 15])
def test_a_name_of_as_many_bytes_as_the_engine_allows_is_taken(name: str) -> None:
    assert login(username=name).username == name


@pytest.mark.parametrize("name", ["u" * 64, "ü" * 32, "😀" * 16])
def test_a_name_that_the_server_would_cut_off_is_refused(name: str) -> None:
    assert refused(username=name).found == (
        "the secret's 'username' is longer than Memory allows: 64 bytes of at most 63"
    )


def test_a_server_may_count_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "username_limit", NameLimit(32, "characters"))
    assert login(username="😀" * 32).username == "😀" * 32
    assert refused(username="😀" * 33).found == (
        "the secret's 'username' is longer than Memory allows: 33 characters of at most 32"
    )


@pytest.mark.parametrize("password", [" ", "a'b", 'a"b', "a\\b", "ä€😀", "\n", "x" * 4096], ids=len)
def test_a_password_is_taken_as_it_is(password: str) -> None:
    assert login(password=password).password == password


def test_another_login_lends_only_its_password() -> None:
    other = Login("other", "elsewhere", 9, "db", False, "root", "lent")
    assert LOGIN.with_password_of(other) == dataclasses.replace(LOGIN, password="lent")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"host": "DB.Example.COM"}, True),
        ({"dbname": "other"}, True),
        ({"tls": False}, True),
        ({"password": "other"}, True),
        ({"host": "db.example.org"}, False),
        ({"port": 2}, False),
        ({"engine": "other"}, False),
    ],
)
def test_a_server_is_an_engine_a_host_and_a_port(change: dict[str, Any], same: bool) -> None:
    other = dataclasses.replace(LOGIN, **change)
    assert LOGIN.same_server(other) is same
    assert other.same_server(LOGIN) is same
    assert LOGIN.same_account(other) is same


def test_an_account_is_a_user_of_a_server_and_case_matters() -> None:
    assert LOGIN.same_server(dataclasses.replace(LOGIN, username="App"))
    assert not LOGIN.same_account(dataclasses.replace(LOGIN, username="App"))


def test_awspending_may_be_for_any_of_the_users_named() -> None:
    LOGIN.require_same(dataclasses.replace(LOGIN, password="new"), "app")
    clone = dataclasses.replace(LOGIN, username="app_clone")
    LOGIN.require_same(clone, "app", "app_clone")
    with pytest.raises(ForbiddenTarget):
        LOGIN.require_same(clone, "app")
    with pytest.raises(ForbiddenTarget):
        LOGIN.require_same(LOGIN)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"username": "postgres"}, "user 'postgres' on memory db.example.com:1"),
        ({"host": "evil.example.com"}, "user 'app' on memory evil.example.com:1"),
        ({"port": 2}, "user 'app' on memory db.example.com:2"),
        ({"engine": "other"}, "user 'app' on other db.example.com:1"),
    ],
)
def test_awspending_for_somebody_else_is_refused_and_both_are_named(
    change: dict[str, Any], where: str
) -> None:
    with pytest.raises(ForbiddenTarget) as caught:
        LOGIN.require_same(dataclasses.replace(LOGIN, **change), "app")
    error: RotationError = caught.value
    assert error.found == (
        f"AWSPENDING is for {where}, AWSCURRENT for 'app' on memory db.example.com:1"
    )
    assert "Nothing was changed" in error.cure
    assert PASSWORD not in f"{error}{error!r}"
