"""What documents say in their tables."""

from __future__ import annotations

import re
from pathlib import Path


def rows(document: Path, heading: str) -> list[list[str]]:
    """The cells of the tables of one section, below their heads."""
    _, _, after = f"\n{document.read_text()}".partition(f"\n{heading}\n")
    assert after, f"{document.name} has no section {heading!r}"
    section = re.split(rf"^#{{1,{heading.count('#')}}} ", after, flags=re.MULTILINE)[0]
    lines = [line.strip("|") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    rules = {number for number, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in rules | heads]


def quoted(text: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", text)
