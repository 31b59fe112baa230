"""Lambda's runtime client, taken out of this installation by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_CLIENT = "awslambdaric"


class RuntimeMissing(RuntimeError):
    """What a function runs on, or the function, is not here. The text says what to do."""


def link_client(into: Path) -> None:
    """Fills a folder with the runtime client and what it needs, out of this installation.

    Raises RuntimeMissing.
    """
    for source in _client_files(_CLIENT):
        (into / source.name).symlink_to(source, target_is_directory=source.is_dir())


def _client_files(name: str) -> Iterator[Path]:
    """The modules and packages of a distribution, and of what it requires."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise RuntimeMissing(
            f"Lambda's runtime client needs {name}, which is not installed. Install rotators[dev]."
        ) from None
    tops = {file.parts[0] for file in found.files or ()}
    for top in sorted(tops - {"..", "__pycache__"}):
        yield Path(str(found.locate_file(top)))
    for requirement in found.requires or ():
        if "extra ==" not in requirement:
            yield from _client_files(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
