"""A secret kept in files, so that a local try locks nobody out of a real database.

FILE           AWSCURRENT's value
FILE.pending   AWSPENDING's value: on disk before a server can learn it, and until FILE has it
FILE.bak       what FILE held before: AWSPREVIOUS's value
FILE.refused   a value that AWSPENDING was taken from, because a server's policy refused it
FILE.exchange  that a provider was asked for a value, and has not been heard yet

Whatever interrupts a rotation, the password that the server has is in FILE or in FILE.pending, and
the next run goes on from there. What a provider issues is in FILE.pending once it is stored; until
then FILE.exchange says that it was asked. Each file is replaced as a whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rotators.cli.output import PASSING, USAGE
from rotators.errors import MisconfiguredSecret
from rotators.secret import Secret


class FilesError(click.ClickException):
    """A file cannot be used; the text says which, and what to do."""

    exit_code = USAGE


class FilesInUse(FilesError):
    """Another run works on the same files."""

    exit_code = PASSING


class SecretFiles:
    """The files of one secret. ``save`` None: a finished rotation replaces FILE itself."""

    def __init__(self, file: Path, save: Path | None = None) -> None:
        # A link stays a link: what it points to is replaced.
        self.file = file.resolve()
        self.save = save.resolve() if save else None
        self.pending = _beside(self.file, ".pending")
        self.backup = _beside(self.file, ".bak")
        self.refused = _beside(self.file, ".refused")
        self.exchange = _beside(self.file, ".exchange")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other runs out. Raises FilesInUse.

        Two rotations at once would each stage a value and overwrite the other's.
        """
        # The directory, because the file is replaced meanwhile.
        try:
            directory = os.open(self.file.parent, os.O_RDONLY)
        except OSError as error:
            raise FilesError(f"Cannot look into {self.file.parent}: {error.strerror}.") from None
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(directory)
            raise FilesInUse(
                f"Another run works on a secret in {self.file.parent}. Wait until it ends."
            ) from None
        try:
            self._require_room()
            yield
        finally:
            os.close(directory)

    def current(self) -> str:
        """AWSCURRENT's value, valid JSON. Raises FilesError."""
        return read_value(self.file)

    def previous(self) -> str | None:
        """AWSPREVIOUS's value, valid JSON, as far as an earlier run has left it."""
        try:
            self.require_own(self.backup)
            text = read_value(self.backup)
        except (OSError, FilesError):
            return None
        return None if json.loads(text) == json.loads(self.current()) else text

    def masterarn(self) -> str | None:
        """The ARN of the admin's secret, if AWSCURRENT's value names one."""
        named = Secret.parse(self.current()).get("masterarn")
        return named if isinstance(named, str) and named else None

    def staged(self) -> str | None:
        """The value that an earlier run has staged and not finished, if any. Raises FilesError."""
        if not os.path.lexists(self.pending):
            return None
        self.require_own(self.pending)
        text = read_value(self.pending)
        if json.loads(text) == json.loads(self.current()):
            # The earlier run died between replacing FILE and this.
            self.pending.unlink()
            return None
        return text

    def stage(self, text: str) -> None:
        """Stores AWSPENDING's value. Repeatable. Raises OSError."""
        self.write(self.pending, text)

    def promote(self, text: str) -> Path:
        """Stores AWSCURRENT's value and says where; the staged one is done with. Repeatable."""
        try:
            if self.save is None:
                self.write(self.backup, self.file.read_text(encoding="utf-8"))
            self.write(self.save or self.file, text)
        except OSError as error:
            raise FilesError(
                f"Cannot store the new value: {error}. The server has it by now; it is in"
                f" {self.pending}."
            ) from None
        self.pending.unlink(missing_ok=True)
        return self.save or self.file

    def set_aside(self) -> bool:
        """Takes a staged value, if any, out of the next run's way, without losing it."""
        if not self.pending.exists():
            return False
        self.pending.replace(self.refused)
        return True

    def unfinished(self) -> str | None:
        """What to know while a staged value, or the mark of an exchange, waits on disk."""
        if self.pending.exists():
            return (
                f"AWSPENDING's value is in {self.pending}: the server may have it already. The next"
                f" run with --secret {self.file} goes on from there. Remove it only if the password"
                f" in {self.file.name} still logs in, or, where a provider has issued the value, if"
                f" a person has renewed {self.file.name} since."
            )
        if self.exchange.exists():
            return (
                f"A provider was asked, and no answer of it is stored. {self.exchange} says so to"
                " the next run, as a tag on the secret does in an account. It counts for the value"
                f" in {self.file.name} now. Remove it only if you know that nobody was asked."
            )
        return None

    def require_own(self, path: Path) -> None:
        """Whoever could plant a value here would choose the server's next password.

        Raises FilesError.
        """
        status = path.lstat()
        owners = {os.geteuid(), self.file.stat().st_uid}
        writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in owners or writable:
            raise FilesError(
                f"{path} is not a file that only its owner, and {self.file.name}'s, can write."
                " Look at where it comes from, then mend its owner and mode, or move it away."
            )

    def write(self, path: Path, text: str) -> None:
        """Replaces a file as a whole; only the owner of FILE can read it. Raises OSError."""
        owner = self.file.stat()
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                if os.geteuid() == 0:
                    os.fchown(handle, owner.st_uid, owner.st_gid)
                out.write(text)
                out.flush()
                os.fsync(handle)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def _require_room(self) -> None:
        if self.save is None:
            return
        if os.path.lexists(self.save):
            raise FilesError(
                f"{self.save} exists, and may hold a password that is in use. Name another file,"
                f" or rotate that one: --secret {self.save}."
            )
        if not os.access(self.save.parent, os.W_OK):
            raise FilesError(f"{self.save.parent} is not a directory that can be written to.")


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def read_value(path: Path) -> str:
    """A secret's value, valid JSON. Raises FilesError."""
    try:
        text = path.read_text(encoding="utf-8")
        Secret.parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise FilesError(f"Cannot read {path}: {error.__class__.__name__}.") from None
    except MisconfiguredSecret as error:
        raise FilesError(f"{path}: {error}") from None
    return text


def _sync(directory: Path) -> None:
    """A rename survives a power cut only once the directory is on disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
