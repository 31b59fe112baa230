"""The secret in files: whatever happens, the password that the server has is on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rotators.cli.files import FilesError, FilesInUse, SecretFiles

OLD, NEW = json.dumps({"password": "old"}), json.dumps({"password": "new"})


@pytest.fixture
def files(tmp_path: Path) -> SecretFiles:
    (tmp_path / "secret.json").write_text(OLD)
    return SecretFiles(tmp_path / "secret.json")


def test_a_finished_rotation_replaces_the_file_and_keeps_the_value_before(
    files: SecretFiles,
) -> None:
    files.stage(NEW)
    files.promote(NEW)
    assert files.current() == NEW
    assert files.backup.read_text() == OLD
    assert not files.pending.exists()
    assert files.file.stat().st_mode & 0o777 == 0o600
    assert files.backup.stat().st_mode & 0o777 == 0o600


def test_the_value_before_is_the_previous_one(files: SecretFiles) -> None:
    assert files.previous() is None
    files.promote(NEW)
    assert files.previous() == OLD
    files.file.write_text(OLD)
    assert files.previous() is None


def test_a_previous_value_that_others_can_write_does_not_count(files: SecretFiles) -> None:
    files.promote(NEW)
    files.backup.chmod(0o666)
    assert files.previous() is None
    files.backup.chmod(0o600)
    files.backup.write_text("no JSON")
    assert files.previous() is None


def test_a_staged_value_is_for_its_owner_only_and_found_again(files: SecretFiles) -> None:
    assert files.staged() is None
    files.stage(NEW)
    assert files.pending.stat().st_mode & 0o777 == 0o600
    assert files.staged() == NEW


def test_a_death_between_replacing_and_tidying_up_costs_nothing(files: SecretFiles) -> None:
    files.stage(NEW)
    files.file.write_text(NEW)
    assert files.staged() is None
    assert not files.pending.exists()
    assert files.current() == NEW


def test_a_death_while_writing_leaves_the_file_as_it_was(
    files: SecretFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: int) -> None:
        raise KeyboardInterrupt

    files.stage(NEW)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(KeyboardInterrupt):
            files.promote(NEW)
    assert (files.current(), files.staged()) == (OLD, NEW)
    assert {path.name for path in files.file.parent.iterdir()} == {
        "secret.json", "secret.json.pending",
    }  # fmt: skip


def test_a_link_stays_a_link(files: SecretFiles, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(files.file)
    linked = SecretFiles(link)
    linked.stage(NEW)
    linked.promote(NEW)
    assert link.is_symlink()
    assert files.current() == NEW


def test_a_second_file_is_written_and_the_first_left_alone(
    files: SecretFiles, tmp_path: Path
) -> None:
    saving = SecretFiles(files.file, tmp_path / "new.json")
    saving.stage(NEW)
    assert saving.promote(NEW) == tmp_path / "new.json"
    assert (tmp_path / "new.json").read_text() == NEW
    assert files.current() == OLD
    assert not files.pending.exists()


def test_a_second_file_never_replaces_one(files: SecretFiles, tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(OLD)
    saving = SecretFiles(files.file, tmp_path / "new.json")
    with pytest.raises(FilesError, match="may hold a password that is in use"), saving.locked():
        pass


def test_a_second_file_needs_a_directory(files: SecretFiles, tmp_path: Path) -> None:
    saving = SecretFiles(files.file, tmp_path / "nowhere" / "new.json")
    with pytest.raises(FilesError, match="not a directory"), saving.locked():
        pass


def test_two_runs_exclude_each_other(files: SecretFiles) -> None:
    with files.locked():
        with pytest.raises(FilesInUse, match="Another run") as raised, files.locked():
            pass
        assert raised.value.exit_code == 3
    with files.locked():
        pass


def test_a_staged_value_that_somebody_else_could_have_written_is_refused(
    files: SecretFiles, tmp_path: Path
) -> None:
    files.stage(NEW)
    files.pending.chmod(0o666)
    with pytest.raises(FilesError, match="only its owner"):
        files.staged()
    files.pending.unlink()
    (tmp_path / "elsewhere").write_text(NEW)
    files.pending.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FilesError, match="only its owner"):
        files.staged()


def test_a_value_that_was_refused_is_set_aside(files: SecretFiles) -> None:
    assert not files.set_aside()
    files.stage(NEW)
    assert files.set_aside()
    assert files.refused.read_text() == NEW
    assert files.staged() is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"password": "not so'])
def test_what_is_no_secret_is_refused_and_never_shown(files: SecretFiles, content: bytes) -> None:
    files.file.write_bytes(content)
    with pytest.raises(FilesError, match=r"secret\.json") as raised:
        files.current()
    assert "not so" not in str(raised.value)
    assert raised.value.exit_code == 2
