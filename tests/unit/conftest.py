"""What unit tests share."""

from __future__ import annotations

import json
from typing import Any

import pytest


class Output:
    """What the function prints: log lines, and documents of metrics."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().out
        return self._text

    def lines(self) -> list[dict[str, Any]]:
        return [printed for printed in self._printed() if "_aws" not in printed]

    def metrics(self) -> list[dict[str, Any]]:
        return [printed for printed in self._printed() if "_aws" in printed]

    def _printed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Output:
    """The function's log, from here on."""
    return Output(capsys)
