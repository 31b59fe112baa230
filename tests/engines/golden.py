"""The exact statements of a rotation, in tests/golden: whoever has a real server can compare.

ROTATORS_WRITE_GOLDEN=1 writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

_DIRECTORY = Path(__file__).resolve().parent.parent / "golden"


def assert_as_golden(name: str, text: str) -> None:
    """Fails unless ``text``, from which values are taken out, is what the file holds."""
    file = _DIRECTORY / f"{name}.sql"
    if os.environ.get("ROTATORS_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()
