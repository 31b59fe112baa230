"""The tree of errors: as drawn, and what each tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotators import errors
from rotators.errors import (
    LoginRefused,
    MisconfiguredSecret,
    PermanentError,
    RotationError,
    ServerUnreachable,
    TransientError,
    UnknownEngine,
    ValueNotReadable,
    VersionExists,
    VersionNotFound,
)

_DRAWN = re.compile(r"^(?P<indent>[│ ]*(?:[├└]── )?)(?P<name>[A-Z]\w+)(?: {2,}|$)")
_INDENT = 4


def drawn() -> Iterator[tuple[str, str | None]]:
    """The classes in the docstring's tree, each with its parent."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = _DRAWN.match(line)
        if match:
            depth = len(match["indent"]) // _INDENT
            path[depth:] = [match["name"]]
            yield match["name"], path[depth - 1] if depth else None


def everyone(above: type[RotationError] = RotationError) -> Iterator[type[RotationError]]:
    yield above
    for below in above.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from everyone(below)


LEAVES = [kind for kind in everyone() if kind is not RotationError]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    classes = {
        (kind.__name__, None if kind is RotationError else kind.__bases__[0].__name__)
        for kind in everyone()
    }
    drawing = list(drawn())
    assert set(drawing) == classes
    assert len(drawing) == len(classes)


@pytest.mark.parametrize("kind", LEAVES)
def test_an_error_is_permanent_or_passing_as_its_branch_says(kind: type[RotationError]) -> None:
    assert kind.permanent is issubclass(kind, PermanentError)
    assert issubclass(kind, PermanentError) is not issubclass(kind, TransientError)


def test_exactly_five_errors_may_pass_by_themselves() -> None:
    passing = {kind.__name__ for kind in LEAVES if not kind.permanent} - {"TransientError"}
    assert passing == {
        "ServerUnreachable",
        "ServiceUnavailable",
        "AnswerLost",
        "ValueNotReadable",
        "DeadlineExceeded",
    }


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_says_what_it_is_for(kind: type[RotationError]) -> None:
    assert kind.__doc__


def test_signals_of_the_core_are_no_rotation_errors() -> None:
    assert not issubclass(VersionNotFound, RotationError)
    assert not issubclass(VersionExists, RotationError)


def test_an_error_reads_who_then_what_was_found_then_the_cure() -> None:
    error = LoginRefused("the server refuses the password", "Store the one that works.")
    assert str(error) == "the server refuses the password. Store the one that works."
    error.about(host="db.example", user="app")
    assert str(error) == (
        "host 'db.example', user 'app': the server refuses the password. Store the one that works."
    )


def test_an_error_can_be_taken_apart() -> None:
    error = LoginRefused("found", "cure")
    assert (error.found, error.cure) == error.args == ("found", "cure")


def test_an_error_shows_odd_characters_of_names_escaped() -> None:
    error = ServerUnreachable("no answer", "Wait.").about(user="a\nb'c")
    assert str(error) == 'user "a\\nb\'c": no answer. Wait.'


def test_the_innermost_word_on_who_it_is_about_wins() -> None:
    error = UnknownEngine("f", "c").about(engine="inner", host=None)
    assert error.about(engine="outer", secret="arn") is error
    assert error.who == {"engine": "inner", "secret": "arn"}
    assert error.about(host="late").who["host"] == "late"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (LoginRefused, "login-refused"),
        (UnknownEngine, "unknown-engine"),
        (MisconfiguredSecret, "misconfigured-secret"),
        (ValueNotReadable, "value-not-readable"),
        (errors.ReadOnlyServer, "read-only-server"),
        (errors.AccessDenied, "access-denied"),
        (errors.AnswerLost, "answer-lost"),
        (errors.ReauthorizationRequired, "reauthorization-required"),
    ],
)
def test_the_reason_is_the_name_in_kebab_case(kind: type[RotationError], reason: str) -> None:
    assert kind("f", "c").reason == reason


def test_no_two_errors_share_a_reason() -> None:
    assert len({kind("f", "c").reason for kind in everyone()}) == len(list(everyone()))


@pytest.mark.parametrize("kind", LEAVES)
def test_scrubbing_keeps_the_type_and_drops_the_cause(kind: type[RotationError]) -> None:
    try:
        try:
            raise ValueError("hunter2")
        except ValueError as cause:
            raise kind("found hunter2", "cure hunter2").about(user="hunter2", host="h") from cause
    except RotationError as error:
        dirty = error
    clean = dirty.scrubbed(lambda text: text.replace("hunter2", "***"))
    assert type(clean) is kind
    assert clean is not dirty
    assert str(clean) == "user '***', host 'h': found ***. cure ***"
    assert "hunter2" not in repr(clean)
    assert clean.__cause__ is None
    assert clean.__context__ is None
    assert clean.__traceback__ is None


class TokenExpired(LoginRefused):
    """One of somebody else's, who shows it in a way of his own."""

    def __init__(self, hours: int) -> None:
        super().__init__(f"expired {hours} hours ago", "Issue another.")
        self.token = "hunter2"

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.token}]"

    def __repr__(self) -> str:
        return f"TokenExpired({self.token})"


def test_what_somebody_elses_class_adds_is_left_out_by_scrubbing_and_its_reason_is_kept() -> None:
    clean = TokenExpired(3).about(secret="arn").scrubbed(str.upper)
    assert type(clean) is LoginRefused
    assert str(clean) == "secret 'ARN': EXPIRED 3 HOURS AGO. ISSUE ANOTHER."
    assert "hunter2" not in repr(clean)
    assert clean.reason == "token-expired"
    assert clean.scrubbed(str.upper).reason == "token-expired"


def test_the_runbook_has_an_entry_for_every_reason() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    entries = re.findall(r"^\| `([a-z-]+)` \| (.{20,}) \|$", readme, re.MULTILINE)
    told = {reason for reason, _ in entries}
    branches = {PermanentError, TransientError}
    assert told >= {kind("f", "c").reason for kind in LEAVES if kind not in branches}
