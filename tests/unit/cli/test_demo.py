"""rotators demo, without a server: what it says then. tests/engines/test_demo.py has the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.demo_server import SERVERS, server_of
from rotators.cli.main import cli
from rotators.cli.programme import PROGRAMMES
from rotators.testing import mysql_family, postgresql

INSTALLATIONS: dict[str, Callable[[Path], object]] = {
    "postgresql": lambda root: postgresql.Installation(root, "15.0", "machine"),
    "mysql": lambda root: mysql_family.Installation(root, "8.4.0", "machine"),
    "mariadb": lambda root: mysql_family.Installation(root, "11.4.0", "fetched"),
}


@pytest.fixture(params=list(SERVERS))
def engine(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def demo(*options: str) -> Result:
    return CliRunner().invoke(cli, ["demo", *options])


def test_every_server_has_a_programme() -> None:
    assert set(PROGRAMMES) == {*SERVERS, "twitter"}


def test_without_a_server_it_says_how_to_get_one(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = server_of(engine)
    monkeypatch.setattr(kind, "found", list)
    result = demo("--engine", engine)
    assert result.exit_code == 1
    assert f"There is no {kind.title} on this machine" in result.stderr
    assert "apt-get install" in result.stderr
    assert not result.stdout


def test_a_server_that_does_not_start_is_said(
    engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind: Any = server_of(engine)
    monkeypatch.setattr(kind, "found", lambda: [kind(INSTALLATIONS[engine](tmp_path))])
    result = demo("--engine", engine)
    assert result.exit_code == 1
    assert f"Error: {kind.title}: {tmp_path}" in result.stderr


@pytest.mark.parametrize(
    ("engine", "driver"),
    [("postgresql", "psycopg"), ("mysql", "pymysql"), ("mariadb", "pymysql")],
)
def test_without_a_library_it_names_the_extra(
    engine: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, SERVERS[engine].partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, driver, None)
    result = demo("--engine", engine)
    assert result.exit_code == 1
    assert f"The demo needs {driver}." in result.stderr
    assert "rotators[demo]" in result.stderr


def test_a_fake_needs_no_driver_of_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver in ("psycopg", "pymysql", "oauthlib"):
        monkeypatch.setitem(sys.modules, driver, None)
    result = demo("--engine", "twitter")
    assert result.exit_code == 0, result.output


def test_what_cannot_be_shown_is_wrong_usage() -> None:
    assert demo("--engine", "oracle").exit_code == 2
    assert demo("--strategy", "by-magic").exit_code == 2
    result = demo("--engine", "twitter", "--strategy", "single-user")
    assert result.exit_code == 2
    assert "--strategy is for users of databases" in result.stderr
    result = demo("--strategy", "dual-password")
    assert result.exit_code == 2
    assert "PostgreSQL cannot be rotated by 'dual-password'" in result.stderr
    assert "single-user, alternating-users." in result.stderr
