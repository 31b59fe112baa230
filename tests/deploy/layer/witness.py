"""Stands in front of the handler, in its process, and tells what it cost and what was loaded.

A layer of the functions under test: it comes after their own folder, so it replaces nothing.
"""

from __future__ import annotations

import sys
import time
from typing import Any

opened: list[str] = []


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        opened.append(str(args[0]))


sys.addaudithook(_audit)
before = frozenset(sys.modules)
_began = time.perf_counter()

from rotators import handler  # noqa: E402 it is the import that is measured

seconds = [time.perf_counter() - _began]


def lambda_handler(event: object, context: object) -> object:
    """``seconds``: the import's, then each step's. ``modules``: those loaded since, with files."""
    if event == "tell":
        loaded = {name: sys.modules[name] for name in sorted(sys.modules.keys() - before)}
        files = {name: getattr(module, "__file__", None) for name, module in loaded.items()}
        return {"seconds": seconds, "modules": files, "opened": opened}
    began = time.perf_counter()
    try:
        handler.lambda_handler(event, context)
    finally:
        seconds.append(time.perf_counter() - began)
    return None
