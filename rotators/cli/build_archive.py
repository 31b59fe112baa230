"""The form of a build: nothing in it depends on where, when or by whom it was made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# One moment, late enough for whoever zips the folder where it still is 1979 at the start of 1980.
_MOMENT, _SECONDS = (2000, 1, 1, 0, 0, 0), 946684800
_FILE, _EXECUTABLE, _FOLDER = 0o644, 0o755, 0o755
_BEST = 9


@dataclass(frozen=True)
class Archive:
    """A zip that was written."""

    path: Path
    kilobytes: int
    sha256: str


def settle(folder: Path) -> None:
    """Gives everything in ``folder`` one time and one mode, whatever the umask. Repeatable."""
    for path in (*sorted(folder.rglob("*"), reverse=True), folder):
        path.chmod(_FOLDER if path.is_dir() else _mode(path))
        os.utime(path, (_SECONDS, _SECONDS))


def size(folder: Path) -> float:
    """What Lambda counts against its 250 MB: the bytes of all files, in MB."""
    return sum(path.stat().st_size for path in _files(folder)) / 1_000_000


def pack(folder: Path, into: Path) -> Archive:
    """Writes the zip of ``folder``, which replaces what was there. Repeatable, to the byte."""
    partial = into.with_name(f".{into.name}.partial")
    with ZipFile(partial, "w", ZIP_DEFLATED, compresslevel=_BEST) as archive:
        for path in _files(folder):
            entry = ZipInfo(path.relative_to(folder).as_posix(), _MOMENT)
            entry.create_system = 3  # Unix, so that Lambda heeds the mode
            entry.external_attr = (0o100000 | _mode(path)) << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=_BEST)
    partial.replace(into)
    content = into.read_bytes()
    return Archive(into, round(len(content) / 1000), hashlib.sha256(content).hexdigest())


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _mode(path: Path) -> int:
    return _EXECUTABLE if ".so" in path.suffixes else _FILE
