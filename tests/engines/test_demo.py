"""rotators demo, with real servers. tests/unit/cli/test_demo.py has what it says without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rotators.cli.demo_mysql import DemoMariaDB
from rotators.cli.demo_server import SERVERS, DemoServer, server_of
from rotators.cli.main import cli
from rotators.database.mysql import MySQL
from rotators.database.postgresql import PostgreSQL, PostgreSQLRotator
from tests.servers import skip_or_fail

CLAIMS = {"postgresql": 10, "mysql": 14, "mariadb": 14}
# Whether the old value and the new one log in: before, and after each step.
LOGINS = {
    "single-user": [(True, None), (True, False), (False, True), (False, True), (False, True)],
    "alternating-users": [(True, None), (True, False), (True, True), (True, True), (True, True)],
    "dual-password": [(True, None), (True, False), (True, True), (True, True), (True, True)],
}
# What is there as soon as the server has begun to start.
BEGUN = {
    "postgresql": "rotators-*/data/postmaster.pid",
    "mysql": "rotators-*/pid",
    "mariadb": "rotators-*/pid",
}

# A background job of a shell ignores SIGINT, and so do its children unless they say otherwise.
_WITH_INTERRUPTS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("rotators", run_name="__main__", alter_sys=True)
"""


def each_server() -> Iterator[Any]:
    """Every server of this machine, and every engine that has none."""
    for engine in SERVERS:
        found = server_of(engine).found()
        for server in found:
            yield pytest.param((engine, server), id=f"{engine}-{server.version}")
        if not found:
            yield pytest.param((engine, None), id=engine)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """One that the test names, of which there is a server here."""
    require(request.param)
    chosen: str = request.param
    return chosen


@pytest.fixture(params=each_server())
def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, DemoServer]:
    """Each that is here: the demo takes the first it finds."""
    engine, server = request.param
    require(engine)
    monkeypatch.setattr(type(server), "found", lambda: [server])
    return engine, server


def require(engine: str) -> None:
    kind = server_of(engine)
    if not kind.found():
        skip_or_fail(f"{kind.title} is not on this machine. {kind.cure}")


def test_every_claim_holds(server: tuple[str, DemoServer]) -> None:
    result = CliRunner().invoke(cli, ["demo", "--engine", server[0]])
    assert result.exit_code == 0, result.output
    assert "FAILED" not in result.stdout
    assert result.stdout.count("  ok ") == CLAIMS[server[0]]
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_json_is_one_document(server: tuple[str, DemoServer]) -> None:
    engine, known = server
    document = json.loads(CliRunner().invoke(cli, ["demo", "--engine", engine, "--json"]).stdout)
    assert document["ok"] is True
    assert document["server"] == {
        "engine": engine, "version": known.version, "origin": known.origin
    }  # fmt: skip
    assert [one["strategy"] for one in document["rotations"]] == list(known.strategies)
    for rotation in document["rotations"]:
        assert rotation["fingerprints"]["old"] != rotation["fingerprints"]["new"]
        assert _logins(rotation) == LOGINS[rotation["strategy"]]
    assert document["rotations"][1]["users"] == {"old": "shop", "new": "shop_clone"}


@pytest.mark.parametrize(
    ("engine", "strategy"),
    [("postgresql", "alternating-users"), ("mysql", "single-user"), ("mariadb", "dual-password")],
    indirect=["engine"],
)
def test_one_strategy_alone(engine: str, strategy: str) -> None:
    options = "--engine", engine, "--strategy", strategy
    document = json.loads(CliRunner().invoke(cli, ["demo", "--json", *options]).stdout)
    (rotation,) = document["rotations"]
    assert document["ok"] is True
    assert rotation["strategy"] == strategy


class TestAClaimThatDoesNotHold:
    """The demo looks: it does not just say so."""

    @pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
    def test_an_old_password_that_lives(self, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PostgreSQL, "set_password", lambda *_: None)
        monkeypatch.setattr(PostgreSQLRotator, "test", lambda *_: None)
        self.is_said(engine, "single-user", "the old password is refused")

    @pytest.mark.parametrize("engine", ["mysql"], indirect=True)
    def test_a_second_password_that_lives(
        self, engine: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MySQL, "discard_others", lambda *_: None)
        self.is_said(engine, "dual-password", "rotated once more")

    @pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
    def test_a_password_in_the_log(self, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(DemoMariaDB, "identified", "IDENTIFIED BY %s")
        monkeypatch.setattr(DemoMariaDB, "_given", lambda _, password: password)
        self.is_said(engine, "single-user", "the general log")

    @staticmethod
    def is_said(engine: str, strategy: str, claim: str) -> None:
        result = CliRunner().invoke(cli, ["demo", "--engine", engine, "--strategy", strategy])
        assert result.exit_code == 1, result.output
        assert f"FAILED {claim}" in result.stdout
        assert "Not as it should be" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", list(SERVERS), indirect=True)
def test_an_interrupted_demo_leaves_nothing(engine: str, number: signal.Signals) -> None:
    # Not pytest's own directory: where root runs the tests, the server's user cannot enter it.
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        directory.chmod(0o755)
        with subprocess.Popen(  # noqa: S603 this interpreter
            [sys.executable, "-c", _WITH_INTERRUPTS, "demo", "--engine", engine],
            env={**os.environ, "TMPDIR": temporary},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            _wait_for(directory, BEGUN[engine], running)
            running.send_signal(number)
            _, said = running.communicate(timeout=30)
        assert b"Interrupted" in said
        assert running.returncode == 130
        assert list(directory.iterdir()) == []
        assert not [line for line in _command_lines() if temporary.encode() in line]


def _logins(rotation: dict[str, Any]) -> list[tuple[bool, bool | None]]:
    return [(scene["old_logs_in"], scene["new_logs_in"]) for scene in rotation["scenes"]]


def _wait_for(directory: Path, pattern: str, running: subprocess.Popen[bytes]) -> None:
    while not list(directory.glob(pattern)):
        assert running.poll() is None
        time.sleep(0.01)


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield process.read_bytes()
