"""How large the functions are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from rotators.cli.build_archive import pack, size
from rotators.cli.build_function import Recipe, build_function


def measured(recipes: Iterable[Recipe]) -> str:
    """A Markdown table: each is built, measured and thrown away."""
    head = ("| function | built for | unzipped, MB | zip, KB |", "|---|---|---|---|")
    return "\n".join((*head, *map(_row, recipes)))


def _row(recipe: Recipe) -> str:
    target = recipe.target
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, target.function)
        build_function(recipe, folder)
        unzipped, archive = size(folder), pack(folder, Path(scratch, "function.zip"))
    built_for = f"{target.architecture}, {target.python}"
    return f"| `{target.function}` | {built_for} | {unzipped:.1f} | {archive.kilobytes:,} |"
