"""rotators demo, without a server: what it says then. tests/engines/test_invoke.py has the rest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from rotators.cli.main import cli
from rotators.testing import postgresql
from rotators.testing.postgresql import Installation

if TYPE_CHECKING:
    import pytest


def test_without_postgresql_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "find_postgresql", list)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "apt-get install" in result.stderr


def test_a_server_that_does_not_start_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = Installation(tmp_path, "15.0", "machine")
    monkeypatch.setattr(postgresql, "find_postgresql", lambda: [gone])
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "does not run" in result.stderr


def test_without_a_library_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rotators.cli.stage", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert "rotators[demo]" in result.stderr


def test_what_cannot_be_shown_is_wrong_usage() -> None:
    assert CliRunner().invoke(cli, ["demo", "--engine", "oracle"]).exit_code == 2
    assert CliRunner().invoke(cli, ["demo", "--strategy", "dual-password"]).exit_code == 2
