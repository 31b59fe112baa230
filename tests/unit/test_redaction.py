"""Values of secrets, kept out of text and of log records, in whatever shape they come."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
import warnings
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from aws_lambda_powertools import Logger

from rotators.redaction import REDACTED, Redactor, scrubbing
from rotators.secret import Secret

# By what is nasty about each; a value is never a test's name.
NASTY = {
    "plain": "hunter2-hunter2",
    "single quote": "it's secret",
    "double quote": 'say "secret"',
    "both quotes": 'it\'s "secret"',
    "backslash": "bkck\\slsh",
    "backslash and quote": "bkck\\'slsh\\\\''",
    "percent": "100%s%%d",
    "umlaut": "pässwörd",
    "emoji": "😀secret😀",
    "newline": "first\nsecond\r\n",
    "tab and NUL": "a\tb\0c",
    "markup": "</script><b>&amp;",
    "blank": "two words",
    "url": "p@ss:w/rd?x=1&y#z+",
    "braces": "{0} {password} $1 \\g<0>",
    "regex": "a.*(b)[c]+$^|",
    "like the placeholder": REDACTED,
    "inside the placeholder": "redact",
    "line separator": "a\u2028b\u0085c",
    "lone surrogate": "a\ud800b",
}
LAYERS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in SQL": lambda value: "PASSWORD '" + value.replace("'", "''") + "'",
    "in SQL, E-quoted": lambda value: value.replace("\\", "\\\\").replace("'", "''"),
    "in SQL, with backslashes": lambda value: value.replace("\\", "\\\\").replace("'", "\\'"),
    "with the placeholders of a driver": lambda value: value.replace("%", "%%"),
    "repr": repr,
    "repr of a tuple": lambda value: repr((value, 1)),
    "repr inside text with both quotes": lambda value: repr(f'"{value}" isn\'t'),
    "repr of SQL": lambda value: repr('"u" \'' + value.replace("'", "''") + "'"),
    "ascii": ascii,
    "repr of bytes": lambda value: repr(value.encode(errors="surrogatepass")),
    "JSON": json.dumps,
    "JSON, not escaped": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "repr of JSON": lambda value: repr(json.dumps({"key": value, "other": "it's"})),
    "repr of a repr": lambda value: repr(f"{value!r} isn't"),
    "JSON of a repr": lambda value: json.dumps(repr([value])),
    "URL": lambda value: quote(value, safe="", errors="replace"),
    "URL, in lower case": lambda value: re.sub(
        "%..", lambda code: code[0].lower(), quote(value, safe="", errors="replace")
    ),
    "path": lambda value: quote(value, errors="replace"),
    "form": lambda value: quote_plus(value, errors="replace"),
    "base64": lambda value: b64encode(value.encode(errors="surrogatepass")).decode(),
    "base64 of URLs": lambda value: urlsafe_b64encode(
        value.encode(errors="surrogatepass")
    ).decode(),
}


def leaks(value: str, text: str) -> bool:
    """Whether ``text`` has more than three characters of ``value`` on end."""
    bare = text.replace(REDACTED, "")
    least = min(4, len(value))
    return any(value[at : at + least] in bare for at in range(len(value) - least + 1))


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def log(redactor: Redactor) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose handler passes everything through the redactor."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(redactor)
    logger = logging.Logger("redaction")  # noqa: LOG001 registered nowhere, so gone afterwards
    logger.addHandler(handler)
    yield logger, stream
    handler.close()


def record(message: object, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("nasty", NASTY)
def test_a_value_is_found_in_every_shape(redactor: Redactor, nasty: str, layer: str) -> None:
    value = NASTY[nasty]
    shown = LAYERS[layer](value)
    redactor.hide([value])
    text = redactor.scrub(f"before {shown} after")
    assert REDACTED in text
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert not leaks(value, text)
    assert shown.strip("'\"") not in text.replace(REDACTED, "")


@pytest.mark.parametrize("user", ["", "u", "us", "user"])
@pytest.mark.parametrize("after", ["", "\n", ":realm"])
def test_a_value_is_found_within_something_longer_in_base64(
    redactor: Redactor, user: str, after: str
) -> None:
    redactor.hide(["hunter2?hunter2>>"])
    for encode in (b64encode, urlsafe_b64encode):
        shown = encode(f"{user}:hunter2?hunter2>>{after}".encode()).decode()
        text = redactor.scrub(f"Basic {shown}")
        assert REDACTED in text
        # Of a character that is shared with a neighbour, some bits are left.
        assert b"unter" not in b64decode(text.partition(REDACTED)[0][6:] + "====")
        assert len(text.replace(REDACTED, "")) <= len(shown) - 20 + len("Basic ")


@pytest.mark.parametrize("nasty", NASTY)
def test_scrubbing_twice_is_scrubbing_once(redactor: Redactor, nasty: str) -> None:
    redactor.hide([NASTY[nasty], "e", "d"])
    once = redactor.scrub(f"x {NASTY[nasty]} y")
    assert redactor.scrub(once) == once


def test_several_values_of_one_character_leave_placeholders_whole(redactor: Redactor) -> None:
    redactor.hide(["e", "d"])
    assert redactor.scrub("x e d y") == f"x {REDACTED} {REDACTED} y"


def test_text_without_a_value_stays_as_it_is(redactor: Redactor) -> None:
    assert redactor.scrub("nothing to hide") == "nothing to hide"
    redactor.hide(["secret-one"])
    assert redactor.scrub("nothing to hide") == "nothing to hide"


def test_an_empty_value_hides_nothing(redactor: Redactor) -> None:
    redactor.hide([""])
    assert redactor.scrub("abc") == "abc"


def test_a_value_that_holds_another_is_hidden_whole(redactor: Redactor) -> None:
    redactor.hide(["inner"])
    redactor.hide(["outer-inner-outer"])
    assert redactor.scrub("outer-inner-outer inner") == f"{REDACTED} {REDACTED}"


def test_of_two_values_that_begin_alike_the_longer_is_hidden_whole(redactor: Redactor) -> None:
    redactor.hide(["begin-alike"])
    redactor.hide(["begin-alike-and-go-on"])
    assert redactor.scrub("begin-alike-and-go-on begin-alike") == f"{REDACTED} {REDACTED}"


def test_values_add_up_and_repeating_them_changes_nothing(redactor: Redactor) -> None:
    redactor.hide(["first-value"])
    redactor.hide(["second-value", "first-value"])
    assert redactor.scrub("first-value second-value") == f"{REDACTED} {REDACTED}"


def test_one_redactor_knows_nothing_of_another(redactor: Redactor) -> None:
    redactor.hide(["first-value"])
    assert Redactor().scrub("first-value") == "first-value"


def test_of_a_secret_all_but_where_and_who_is_hidden(redactor: Redactor) -> None:
    redactor.hide_secret(
        Secret(
            {
                "engine": "postgres-engine",
                "host": "db.example.com",
                "port": 543210,
                "username": "application",
                "dbname": "warehouse",
                "masterarn": "arn:aws:secretsmanager:x",
                "password": "hunter2hunter2",
                "apiKey": "a-secret-key",
                "number": 12345678,
                "nested": {"token": ["nested-token"]},
            }
        )
    )
    public = "postgres-engine db.example.com 543210 application warehouse arn:aws:secretsmanager:x"
    assert redactor.scrub(public) == public
    hidden = "hunter2hunter2 a-secret-key 12345678 nested-token"
    assert redactor.scrub(hidden) == " ".join([REDACTED] * 4)


def test_short_texts_of_unknown_meaning_are_not_hidden(redactor: Redactor) -> None:
    redactor.hide_secret(Secret({"flag": "on", "five": "12345", "six": "123456", "n": 7}))
    assert redactor.scrub("on 12345 7") == "on 12345 7"
    assert redactor.scrub("123456") == REDACTED


@pytest.mark.parametrize("key", ["password", "PASSWORD", "masterPassword", "password_old"])
def test_passwords_are_hidden_at_any_length(redactor: Redactor, key: str) -> None:
    redactor.hide_secret(Secret({key: "z"}))
    assert redactor.scrub("a z b") == f"a {REDACTED} b"


@pytest.mark.parametrize(
    "fields",
    [
        {"auth": {"password": "z"}},
        {"auth": [{"x": {"oldPassword": "z"}}]},
        {"passwords": ["z"]},
        {"password": {"value": {"now": "z"}}},
    ],
    ids=["nested", "in a list", "a list", "an object"],
)
def test_passwords_are_hidden_at_any_depth(redactor: Redactor, fields: dict[str, Any]) -> None:
    redactor.hide_secret(Secret(fields))
    assert redactor.scrub("a z b") == f"a {REDACTED} b"


@pytest.mark.parametrize("value", [None, True, False, 0, 1, 90])
def test_what_is_no_text_under_a_password_key_does_not_blank_out_the_log(
    redactor: Redactor, value: object
) -> None:
    redactor.hide_secret(Secret({"password": value, "passwordRotationDays": value}))
    assert redactor.scrub(f"found {value}") == f"found {value}"


def test_a_message_and_its_arguments_are_scrubbed(
    redactor: Redactor, log: tuple[logging.Logger, io.StringIO]
) -> None:
    logger, stream = log
    redactor.hide(["hunter2-hunter2"])
    logger.warning("is %s and %r and 100%%, %d times", "hunter2-hunter2", ["hunter2-hunter2"], 3)
    logger.warning("hunter2-hunter2 is 100%")
    assert stream.getvalue() == (
        f"is {REDACTED} and ['{REDACTED}'] and 100%, 3 times\n{REDACTED} is 100%\n"
    )


def test_a_value_that_only_the_arguments_complete_is_found(redactor: Redactor) -> None:
    redactor.hide(["hunter2-hunter2"])
    made = record("%s-%s", "hunter2", "hunter2")
    redactor.filter(made)
    assert made.getMessage() == REDACTED


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("%d items of hunter2-hunter2", ("hunter2-hunter2",)),
        ("no argument", ("hunter2-hunter2",)),
        ("%s and %s", ("hunter2-hunter2",)),
        ("%(name)s", ({"password": "hunter2-hunter2"},)),
        ("%y", ("hunter2-hunter2",)),
    ],
    ids=["type", "too many", "too few", "key", "letter"],
)
def test_a_message_that_its_arguments_do_not_fit_is_shown_scrubbed(
    redactor: Redactor,
    log: tuple[logging.Logger, io.StringIO],
    capsys: pytest.CaptureFixture[str],
    message: str,
    args: tuple[object, ...],
) -> None:
    logger, stream = log
    redactor.hide(["hunter2-hunter2"])
    logger.warning(message, *args)
    assert REDACTED in stream.getvalue()
    assert message.partition(" of ")[0] in stream.getvalue()
    assert "hunter2" not in stream.getvalue() + capsys.readouterr().err


class Unshowable:
    def __repr__(self) -> str:
        raise ZeroDivisionError("hunter2-hunter2")


@pytest.mark.parametrize(
    ("said", "extra"),
    [
        ((Unshowable(),), {}),
        (("%s", Unshowable()), {}),
        (("is fine",), {"what": "hunter2-hunter2", "more": [Unshowable()]}),
    ],
    ids=["message", "argument", "extra"],
)
def test_what_cannot_be_shown_is_left_out_and_fails_nothing(
    redactor: Redactor,
    log: tuple[logging.Logger, io.StringIO],
    capsys: pytest.CaptureFixture[str],
    said: tuple[object, ...],
    extra: dict[str, object],
) -> None:
    logger, stream = log
    logger.warning(*said, extra=extra, stack_info=True)
    assert stream.getvalue() == "a log line that cannot be shown\n"
    assert capsys.readouterr().err == ""


def test_a_message_with_percent_signs_is_not_formatted_again(redactor: Redactor) -> None:
    made = record("%s", "%s %d")
    assert redactor.filter(made) is True
    assert made.getMessage() == "%s %d"


@pytest.mark.parametrize("nasty", NASTY)
def test_a_structured_message_keeps_its_structure(redactor: Redactor, nasty: str) -> None:
    value = NASTY[nasty]
    redactor.hide([value])
    made = record({"a": [value, 1, None, True, 2.5, ("x", value)], value: {"deep": value}})
    redactor.filter(made)
    assert made.msg == {
        "a": [REDACTED, 1, None, True, 2.5, ["x", REDACTED]],
        REDACTED: {"deep": REDACTED},
    }


def test_an_object_as_a_message_is_shown_scrubbed(redactor: Redactor) -> None:
    redactor.hide(["hunter2-hunter2"])
    made = record(ValueError("not hunter2-hunter2"))
    redactor.filter(made)
    assert made.getMessage() == f"not {REDACTED}"


def test_extras_are_scrubbed_and_plain_ones_keep_their_type(redactor: Redactor) -> None:
    redactor.hide(["hunter2-hunter2", "12345678"])
    extra: dict[str, Any] = {
        "text": "is hunter2-hunter2",
        "count": 7,
        "ratio": 0.5,
        "flag": True,
        "nothing": None,
        "error": ValueError("hunter2-hunter2"),
        "many": [{"x": "hunter2-hunter2"}, 3],
    }
    made = record("message", **extra)
    redactor.filter(made)
    assert {key: made.__dict__[key] for key in extra} == {
        "text": f"is {REDACTED}",
        "count": 7,
        "ratio": 0.5,
        "flag": True,
        "nothing": None,
        "error": REDACTED,
        "many": [{"x": REDACTED}, 3],
    }
    assert made.__dict__["flag"] is True
    assert type(made.__dict__["count"]) is int


def test_what_logging_itself_puts_on_a_record_stays(redactor: Redactor) -> None:
    made = record("message")
    before = dict(made.__dict__)
    redactor.hide(["unittest"])
    redactor.filter(made)
    assert made.__dict__ == {**before, "args": None}


@pytest.mark.parametrize("nasty", NASTY)
def test_a_traceback_is_scrubbed_with_its_causes(
    redactor: Redactor, log: tuple[logging.Logger, io.StringIO], nasty: str
) -> None:
    logger, stream = log
    value = NASTY[nasty]
    redactor.hide([value])
    try:
        try:
            raise KeyError(value)
        except KeyError as cause:
            raise ValueError(f"no {value}") from cause
    except ValueError:
        logger.exception("failed")
    shown = stream.getvalue()
    # The paths of this file are in the traceback.
    assert not leaks(value, shown.replace("test_redaction", ""))
    assert f"KeyError: '{REDACTED}'" in shown.replace('"', "'")
    assert f"ValueError: no {REDACTED}" in shown
    assert "direct cause" in shown


def test_a_record_of_an_exception_holds_the_exception_no_longer(redactor: Redactor) -> None:
    try:
        raise ValueError("x")
    except ValueError:
        made = logging.LogRecord("x", logging.ERROR, __file__, 1, "m", (), sys.exc_info())
    redactor.filter(made)
    assert made.exc_info is None
    assert "ValueError: x" in (made.exc_text or "")


def test_a_traceback_that_another_handler_has_cached_is_replaced(redactor: Redactor) -> None:
    redactor.hide(["hunter2-hunter2"])
    try:
        raise ValueError("hunter2-hunter2")
    except ValueError:
        made = logging.LogRecord("x", logging.ERROR, __file__, 1, "m", (), sys.exc_info())
    logging.Formatter().format(made)
    assert "hunter2" in (made.exc_text or "")
    redactor.filter(made)
    assert "hunter2" not in logging.Formatter().format(made)


def test_a_traceback_without_its_exception_and_a_stack_are_scrubbed(redactor: Redactor) -> None:
    redactor.hide(["hunter2-hunter2"])
    made = record("message")
    made.exc_text, made.stack_info = "E: hunter2-hunter2", "S: hunter2-hunter2"
    redactor.filter(made)
    assert (made.exc_text, made.stack_info) == (f"E: {REDACTED}", f"S: {REDACTED}")


# ── the whole process's log, for the time of a step ──


@pytest.fixture
def hiding(redactor: Redactor) -> Redactor:
    redactor.hide(["hunter2-hunter2"])
    return redactor


def test_meanwhile_every_record_is_scrubbed(
    hiding: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    with scrubbing(hiding):
        logging.getLogger("a.driver").warning(
            "sent %s", "hunter2-hunter2", extra={"more": "is hunter2-hunter2"}
        )
    (logged,) = caplog.records
    assert logged.getMessage() == f"sent {REDACTED}"
    assert logged.__dict__["more"] == f"is {REDACTED}"


def test_a_logger_that_is_made_meanwhile_brings_no_handler_that_is_spared(hiding: Redactor) -> None:
    stream = io.StringIO()
    with scrubbing(hiding):
        theirs = Logger(service="theirs", stream=stream)
        theirs.warning("sent hunter2-hunter2", more={"deep": ["hunter2-hunter2"]})
    said = json.loads(stream.getvalue())
    assert said["message"] == f"sent {REDACTED}"
    assert said["more"] == {"deep": [REDACTED]}


def test_the_handler_of_last_resort_is_not_spared(
    hiding: Redactor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = logging.getLogger("rotators.tests.alone")
    monkeypatch.setattr(alone, "propagate", False)
    with scrubbing(hiding):
        alone.warning("sent hunter2-hunter2")
    assert capsys.readouterr().err == f"sent {REDACTED}\n"


def test_a_warning_is_scrubbed_and_goes_where_it_went(
    hiding: Redactor,
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with scrubbing(hiding):
            warnings.warn("with hunter2-hunter2", DeprecationWarning, stacklevel=1)
    assert [(one.category, str(one.message)) for one in told] == [
        (DeprecationWarning, f"with {REDACTED}")
    ]


def test_of_steps_at_once_each_hides_its_own_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """The first to begin is the first to end."""
    one, other = Redactor(), Redactor()
    one.hide(["of-the-first"])
    other.hide(["of-the-other"])
    before = logging.Logger.callHandlers, warnings.showwarning
    began, ends = threading.Event(), threading.Event()

    def step() -> None:
        with scrubbing(one):
            began.set()
            ends.wait(30)

    thread = threading.Thread(target=step)
    thread.start()
    began.wait(30)
    with scrubbing(other):
        logging.getLogger("a.driver").warning("of-the-first of-the-other")
        ends.set()
        thread.join(30)
        logging.getLogger("a.driver").warning("of-the-first of-the-other")
    assert caplog.messages == [f"{REDACTED} {REDACTED}", f"of-the-first {REDACTED}"]
    assert (logging.Logger.callHandlers, warnings.showwarning) == before


def test_an_error_ends_it_as_well(hiding: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    before = logging.Logger.callHandlers, warnings.showwarning
    with pytest.raises(KeyError), scrubbing(hiding):
        raise KeyError
    assert (logging.Logger.callHandlers, warnings.showwarning) == before
    logging.getLogger("a.driver").warning("hunter2-hunter2")
    assert caplog.messages == ["hunter2-hunter2"]


def test_what_somebody_puts_around_it_meanwhile_stays(
    hiding: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    with scrubbing(hiding):
        ours = logging.Logger.callHandlers

        def traced(itself: logging.Logger, made: logging.LogRecord) -> None:
            seen.append(made)
            ours(itself, made)

        monkeypatch.setattr(logging.Logger, "callHandlers", traced)
    with scrubbing(hiding):
        logging.getLogger("a.driver").warning("hunter2-hunter2")
    logging.getLogger("a.driver").warning("hunter2-hunter2")
    assert [made.getMessage() for made in seen] == [REDACTED, "hunter2-hunter2"]
