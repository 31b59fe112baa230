"""rotators engines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from rotators.cli.main import cli
from rotators.driver import Driver
from rotators.registry import BUILT_IN, Registry
from rotators.testing import memory

if TYPE_CHECKING:
    import pytest

PLUG_INS = Registry(
    {
        "memory": "rotators.testing.memory:MemoryRotator",
        "no-module": "nowhere:Rotator",
        "no-class": "json:Rotator",
        "no-rotator": "json:JSONDecoder",
    }
)


def test_every_engine_of_the_registry_is_listed() -> None:
    result = CliRunner().invoke(cli, ["engines"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert all(name in result.stdout for name in BUILT_IN)
    rows = json.loads(CliRunner().invoke(cli, ["engines", "--json"]).stdout)
    assert all(f" {row['extra']} " in result.stdout for row in rows)


def test_what_each_engine_offers() -> None:
    rows = json.loads(CliRunner().invoke(cli, ["engines", "--json"]).stdout)
    found = {row["engine"]: (row["driver"], row["extra"], row["strategies"]) for row in rows}
    two = ["single-user", "alternating-users"]
    three = [*two, "dual-password"]
    assert (
        found.items()
        >= {
            "postgres": ("psycopg", "rotators[postgresql]", two),
            "postgresql": ("psycopg", "rotators[postgresql]", two),
            "aurora-postgresql": ("psycopg", "rotators[postgresql]", two),
            "mysql": ("pymysql", "rotators[mysql]", three),
            "aurora-mysql": ("pymysql", "rotators[mysql]", three),
            "mariadb": ("pymysql", "rotators[mariadb]", three),
            "sqlserver": ("pymssql", "rotators[sqlserver]", two),
            "oracle": ("oracledb", "rotators[oracle]", three),
            "redshift": ("redshift_connector", "rotators[redshift]", two),
            "mongo": ("pymongo", "rotators[documentdb]", two),
        }.items()
    )


def test_a_plug_in_that_is_broken_is_shown_as_such() -> None:
    result = CliRunner().invoke(cli, ["engines"], obj=PLUG_INS)
    assert result.exit_code == 0
    assert "no-module is broken: ModuleNotFoundError: No module named 'nowhere'" in result.stdout
    assert "no-class is broken: AttributeError" in result.stdout
    assert "no-rotator is broken" in result.stdout


def test_json_says_all_of_it() -> None:
    rows = json.loads(CliRunner().invoke(cli, ["engines", "--json"], obj=PLUG_INS).stdout)
    found = {row["engine"]: row for row in rows}
    assert found["memory"] == {
        "engine": "memory",
        "rotator": "rotators.testing.memory:MemoryRotator",
        "driver": None,
        "installed": True,
        "extra": None,
        "strategies": ["single-user", "alternating-users", "dual-password"],
        "error": None,
    }
    assert found["no-module"]["error"].startswith("ModuleNotFoundError")


def test_a_driver_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.MemoryRotator, "driver", Driver("nowhere_db", extra="nowhere"))
    rows = json.loads(CliRunner().invoke(cli, ["engines", "--json"], obj=PLUG_INS).stdout)
    row = next(row for row in rows if row["engine"] == "memory")
    assert (row["driver"], row["installed"]) == ("nowhere_db", False)
    assert row["extra"] == "rotators[nowhere]"
