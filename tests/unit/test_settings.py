"""Every environment variable: unset, empty, right and wrong."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rotators import settings as module
from rotators.errors import InvalidSetting
from rotators.passwords import PasswordPolicy
from rotators.settings import Settings, StrategyName
from rotators.testing.certificates import Certificates

FLAGS = {
    "EXCLUDE_NUMBERS": "exclude_numbers",
    "EXCLUDE_PUNCTUATION": "exclude_punctuation",
    "EXCLUDE_UPPERCASE": "exclude_uppercase",
    "EXCLUDE_LOWERCASE": "exclude_lowercase",
    "REQUIRE_EACH_INCLUDED_TYPE": "require_each_included_type",
}
NO_NUMBERS = ("-1", "99999999999", "1.5", "1e2", "0x20", "thirty", "３２", "²", "1_0", "+8")
VARIABLES = (
    "SECRETS_MANAGER_ENDPOINT",
    "EXCLUDE_CHARACTERS",
    "PASSWORD_LENGTH",
    *FLAGS,
    "USERNAME_CHARACTER_LIMIT",
    "ROTATION_STRATEGY",
    "ROTATION_ENGINES",
    "ROTATION_CA_BUNDLE",
    "ROTATION_ADMIN_RESET",
    "ROTATION_PROVISIONED",
)
TRUE = ("true", "True", "TRUE", "1", "y", "Y", "yes", " yes\n")
FALSE = ("false", "False", "0", "n", "no", "NO", "\tno ")
NEITHER = ("on", "off", "2", "t", "none", "truee", "yes no", "ｙ", "True;")


def read(**environ: str) -> Settings:
    return Settings.from_environ(environ)


def refused(name: str, value: str) -> InvalidSetting:
    """The error for a value, which always names the variable and what it is."""
    with pytest.raises(InvalidSetting) as caught:
        read(**{name: value})
    assert caught.value.found == f"the environment variable {name} is {value[:80]!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read() == Settings()
    assert read() == Settings(
        endpoint_url=None,
        passwords=PasswordPolicy(
            length=32,
            exclude_characters=None,
            exclude_numbers=False,
            exclude_punctuation=False,
            exclude_uppercase=False,
            exclude_lowercase=False,
            require_each_included_type=True,
        ),
        strategy=None,
        engines=None,
        ca_bundle=None,
        admin_reset=False,
        provisioned=False,
        username_character_limit=None,
    )


@pytest.mark.parametrize("value", ["", " ", "\t\n"], ids=["nothing", "blank", "whitespace"])
@pytest.mark.parametrize("name", [name for name in VARIABLES if name != "EXCLUDE_CHARACTERS"])
def test_a_variable_that_is_set_to_nothing_counts_as_unset(name: str, value: str) -> None:
    assert read(**{name: value}) == Settings()


def test_variables_of_somebody_else_do_not_matter() -> None:
    assert read(PASSWORD="x", AWS_REGION="eu-west-1", password_length="bad") == Settings()


def test_every_variable_is_documented_and_no_other() -> None:
    documented = re.findall(r"\b[A-Z]{4,}(?:_[A-Z]+)+\b", module.__doc__ or "")
    assert set(documented) == set(VARIABLES)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().admin_reset = True  # type: ignore[misc]


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(("texts", "meaning"), [(TRUE, True), (FALSE, False)])
def test_a_flag_is_read_as_the_templates_of_aws_read_it(
    name: str, texts: tuple[str, ...], meaning: bool
) -> None:
    for text in texts:
        assert getattr(read(**{name: text}).passwords, FLAGS[name]) is meaning


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_changes_its_own_setting_only(name: str) -> None:
    field = FLAGS[name]
    flipped = not getattr(PasswordPolicy(), field)
    expected = dataclasses.replace(PasswordPolicy(), **{field: flipped})  # type: ignore[arg-type]
    assert read(**{name: str(flipped)}).passwords == expected


@pytest.mark.parametrize("name", [*FLAGS, "ROTATION_ADMIN_RESET", "ROTATION_PROVISIONED"])
@pytest.mark.parametrize("value", NEITHER)
def test_a_flag_that_is_neither_true_nor_false_is_refused(name: str, value: str) -> None:
    assert refused(name, value).cure == "Set it to true or false."


def test_the_admin_may_reset_only_where_that_is_said() -> None:
    assert [read(ROTATION_ADMIN_RESET=text).admin_reset for text in TRUE] == [True] * len(TRUE)
    assert [read(ROTATION_ADMIN_RESET=text).admin_reset for text in FALSE] == [False] * len(FALSE)
    assert read(ROTATION_PROVISIONED="true").provisioned
    assert not read(ROTATION_PROVISIONED="false").provisioned


@pytest.mark.parametrize(("text", "length"), [("4", 4), (" 20 ", 20), ("032", 32), ("4096", 4096)])
def test_the_password_length_is_a_number(text: str, length: int) -> None:
    assert read(PASSWORD_LENGTH=text).passwords.length == length


@pytest.mark.parametrize("value", ["0", "4097", *NO_NUMBERS])
def test_a_password_length_out_of_range_or_no_number_is_refused(value: str) -> None:
    assert refused("PASSWORD_LENGTH", value).cure == "Set it to 1 to 4096."


@pytest.mark.parametrize(("text", "limit"), [("1", 1), (" 16 ", 16), ("032", 32), ("255", 255)])
def test_a_user_name_may_be_limited(text: str, limit: int) -> None:
    assert read(USERNAME_CHARACTER_LIMIT=text).username_character_limit == limit


@pytest.mark.parametrize("value", ["0", "256", *NO_NUMBERS])
def test_a_limit_of_a_user_name_that_is_out_of_range_or_no_number_is_refused(value: str) -> None:
    assert refused("USERNAME_CHARACTER_LIMIT", value).cure == "Set it to 1 to 255."


def test_a_password_length_of_more_digits_than_python_reads_is_refused() -> None:
    assert refused("PASSWORD_LENGTH", "9" * 5000).cure == "Set it to 1 to 4096."


def test_a_password_length_below_what_the_types_need_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="PASSWORD_LENGTH is 3, but 4 types are required"):
        read(PASSWORD_LENGTH="3")
    policy = read(PASSWORD_LENGTH="1", REQUIRE_EACH_INCLUDED_TYPE="false").passwords
    assert policy.length == 1


def test_excluding_everything_is_refused_when_the_environment_is_read() -> None:
    with pytest.raises(InvalidSetting, match="exclude every character"):
        read(**dict.fromkeys(tuple(FLAGS)[:4], "true"))


@pytest.mark.parametrize("text", ["", " ", "/@\"'\\", "ä€", "x" * 4096], ids=len)
def test_excluded_characters_are_taken_as_they_are(text: str) -> None:
    assert read(EXCLUDE_CHARACTERS=text).passwords.exclude_characters == text


def test_too_many_excluded_characters_are_refused() -> None:
    with pytest.raises(InvalidSetting) as caught:
        read(EXCLUDE_CHARACTERS="x" * 4097)
    assert str(caught.value) == "EXCLUDE_CHARACTERS has 4097 characters. Name at most 4096."


@pytest.mark.parametrize(
    "url",
    [
        "https://secretsmanager.eu-west-1.amazonaws.com",
        "http://127.0.0.1:4566",
        "https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com/",
        "http://[::1]:80",
    ],
)
def test_the_endpoint_is_a_url(url: str) -> None:
    assert read(SECRETS_MANAGER_ENDPOINT=f" {url} ").endpoint_url == url


@pytest.mark.parametrize(
    "value",
    [
        "secretsmanager.eu-west-1.amazonaws.com",
        "ftp://host",
        "https://",
        "https:///path",
        "https://:443",
        "https://host:port",
        "https://host:65536",
        "https://[::1",
        "//host",
        "https://h h",
        "x",
    ],
)
def test_an_endpoint_that_is_no_url_is_refused(value: str) -> None:
    cure = refused("SECRETS_MANAGER_ENDPOINT", value).cure
    assert cure.startswith("Set it to a URL such as https://secretsmanager.")


@pytest.mark.parametrize("name", list(StrategyName))
def test_every_strategy_can_be_said(name: StrategyName) -> None:
    assert read(ROTATION_STRATEGY=f" {name.value} ").strategy is name


@pytest.mark.parametrize(
    "value",
    ["Single-User", "single_user", "SINGLE_USER", "multi-user", "single-user,dual-password"],
)
def test_a_strategy_that_does_not_exist_is_refused(value: str) -> None:
    assert refused("ROTATION_STRATEGY", value).cure == (
        "Set it to one of single-user, alternating-users, dual-password."
    )


@pytest.mark.parametrize(
    ("text", "engines"),
    [
        ("postgres", {"postgres"}),
        (" postgres , mysql,,postgres,", {"postgres", "mysql"}),
        ("Nonsense", {"Nonsense"}),
    ],
)
def test_engines_are_names_between_commas(text: str, engines: set[str]) -> None:
    assert read(ROTATION_ENGINES=text).engines == frozenset(engines)


@pytest.mark.parametrize("value", [",", " , ,"])
def test_engines_without_a_name_are_refused(value: str) -> None:
    assert refused("ROTATION_ENGINES", value.strip()).cure == "Name engines, such as postgres."


def test_a_ca_bundle_is_a_file_of_certificates(tmp_path: Path) -> None:
    bundle = Certificates.create(tmp_path).ca
    assert read(ROTATION_CA_BUNDLE=f" {bundle} ").ca_bundle == bundle


def _bad_bundles(tmp_path: Path) -> Mapping[str, Path]:
    certificates = Certificates.create(tmp_path)
    paths = {name: tmp_path / name for name in ("empty", "text", "cut", "key", "garbled")}
    whole = certificates.ca.read_text()
    paths["empty"].write_text("")
    paths["text"].write_text("no certificate here\n")
    paths["cut"].write_text(whole[: len(whole) // 2])
    paths["key"].write_text(
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"  # not a key either
    )
    paths["garbled"].write_text("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")
    return {**paths, "absent": tmp_path / "absent", "directory": tmp_path}


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "key", "garbled", "absent", "directory"])
def test_a_ca_bundle_without_a_certificate_is_refused(tmp_path: Path, kind: str) -> None:
    error = refused("ROTATION_CA_BUNDLE", str(_bad_bundles(tmp_path)[kind]))
    assert error.cure == "Name a readable PEM file that holds at least one CA certificate."


def test_a_ca_bundle_with_a_character_that_no_path_has_is_refused() -> None:
    refused("ROTATION_CA_BUNDLE", "/etc\0/cert.pem")


def test_a_long_value_is_shown_in_part_only() -> None:
    assert len(str(refused("ROTATION_STRATEGY", "s" * 4000))) < 250
