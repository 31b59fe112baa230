"""The view of a rotation that hooks get, and the contract's small print."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from rotators.deadline import Deadline
from rotators.errors import AccessDenied, MisconfiguredSecret, VersionNotFound
from rotators.redaction import REDACTED, Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation, Rotator
from rotators.secret import Secret
from rotators.settings import Settings
from rotators.versions import ReadsVersions, SecretMetadata, StoredValue

VERSION = "v" * 32
ROTATION_TOKEN = "rotation-token-of-thirty-six-letters"


class FakeVersions:
    """Values by stage or version id; what is not there is not found, and every read is counted."""

    def __init__(self, **values: str | None) -> None:
        self.values = values
        self.reads: list[str] = []
        self.listed: list[str] | Exception = []

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        assert secret_id == "arn"
        key = version_id or stage or ""
        self.reads.append(key)
        if key not in self.values:
            raise VersionNotFound(key)
        return StoredValue("id", frozenset(), self.values[key])

    def unlabelled(self, secret_id: str) -> list[str]:
        assert secret_id == "arn"
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    def describe(self, secret_id: str) -> SecretMetadata:
        raise AssertionError("hooks do not ask for labels")


def say(sentence: str, /, *, warning: bool = False, **facts: object) -> None:
    raise AssertionError("nothing is to be said")


def rotation(versions: FakeVersions, pending: Secret | None = None) -> Rotation:
    return Rotation(
        request=RotationRequest(Step.SET, "arn", VERSION, ROTATION_TOKEN),
        deadline=Deadline.after(30),
        say=say,
        redactor=Redactor(),
        versions=versions,
        pending=pending,
    )


def test_current_is_read_by_its_label_once_and_hidden_at_once() -> None:
    versions = FakeVersions(AWSCURRENT='{"password": "hunter2"}')
    view = rotation(versions)
    assert versions.reads == []
    assert view.current["password"] == "hunter2"
    assert view.current is view.current
    assert versions.reads == ["AWSCURRENT"]
    assert view.redactor.scrub("is hunter2") == f"is {REDACTED}"


def test_a_secret_without_a_current_value_says_the_cure() -> None:
    with pytest.raises(MisconfiguredSecret) as caught:
        _ = rotation(FakeVersions()).current
    assert caught.value.found == "the secret has no value labelled AWSCURRENT"
    assert "put-secret-value" in caught.value.cure
    assert caught.value.__suppress_context__


def test_a_current_value_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(MisconfiguredSecret, match="is binary"):
        _ = rotation(FakeVersions(AWSCURRENT=None)).current


def test_previous_is_read_by_its_label_once_and_hidden_at_once() -> None:
    versions = FakeVersions(AWSPREVIOUS='{"password": "hunter2"}')
    view = rotation(versions)
    assert view.previous is not None
    assert view.previous["password"] == "hunter2"
    assert versions.reads == ["AWSPREVIOUS"]
    assert view.redactor.scrub("is hunter2") == f"is {REDACTED}"


@pytest.mark.parametrize("values", [{}, {"AWSPREVIOUS": None}, {"AWSPREVIOUS": "no JSON"}])
def test_a_previous_value_that_cannot_be_used_is_none_and_asked_for_once(
    values: dict[str, str | None],
) -> None:
    versions = FakeVersions(**values)
    view = rotation(versions)
    assert view.previous is None
    assert view.previous is None
    assert versions.reads == ["AWSPREVIOUS"]


def test_staged_is_the_pending_value() -> None:
    pending = Secret({})
    assert rotation(FakeVersions(), pending).staged is pending


def test_a_hook_that_cannot_go_without_a_pending_value_is_a_defect_without_one() -> None:
    with pytest.raises(TypeError):
        _ = rotation(FakeVersions()).staged


def test_unlabelled_versions_are_read_one_by_one_and_bad_ones_skipped() -> None:
    versions = FakeVersions(
        newest='{"password": "newest"}', binary=None, text="no JSON", oldest='{"password": "old"}'
    )
    versions.listed = ["newest", "gone", "binary", "text", "oldest"]
    view = rotation(versions)
    found: Iterator[Secret] = view.unlabelled()
    assert versions.reads == []
    assert next(found)["password"] == "newest"
    assert versions.reads == ["newest"]
    assert view.redactor.scrub("newest") == REDACTED
    assert [secret["password"] for secret in found] == ["old"]
    assert versions.reads == ["newest", "gone", "binary", "text", "oldest"]


def test_versions_that_may_not_be_listed_are_an_error() -> None:
    versions = FakeVersions()
    versions.listed = AccessDenied("denied", "Allow it.")
    with pytest.raises(AccessDenied):
        list(rotation(versions).unlabelled())


def test_a_rotation_shows_neither_values_nor_its_token() -> None:
    versions = FakeVersions(AWSCURRENT='{"password": "hunter2"}')
    view = rotation(versions, Secret({"password": "hunter3"}))
    _ = view.current
    assert "hunter" not in repr(view)
    assert ROTATION_TOKEN not in repr(view)


def test_a_rotation_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rotation(FakeVersions()).pending = Secret({})  # type: ignore[misc]


class Least(Rotator):
    """What a rotator has to have, and no more."""

    def create(self, rotation: Rotation) -> Secret:
        return rotation.current

    def set(self, rotation: Rotation) -> None: ...

    def test(self, rotation: Rotation) -> None: ...


def test_a_rotator_needs_three_hooks_and_no_more() -> None:
    assert Rotator.__abstractmethods__ == {"create", "set", "test"}
    settings = Settings()
    rotator = Least(settings)
    assert rotator.settings is settings
    assert rotator.strategy is None
    assert (rotator.driver, rotator.strategies) == (None, ())


def test_finishing_does_nothing_unless_a_rotator_says_so() -> None:
    versions = FakeVersions()
    Least(Settings()).finish(rotation(versions, Secret({})))
    assert versions.reads == []


def test_hooks_are_handed_nothing_to_write_with() -> None:
    assert Rotation.__annotations__["versions"] == ReadsVersions.__name__
    offered = {name for name in vars(ReadsVersions) if not name.startswith("_")}
    assert offered == {"describe", "get", "unlabelled"}
