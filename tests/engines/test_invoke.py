"""rotators invoke against real servers: every sample event, a death half-way, every strategy."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.files import SecretFiles
from rotators.cli.main import cli
from rotators.database import postgresql as engine
from rotators.settings import StrategyName
from rotators.testing.crashes import CrashPoints
from tests.engines.mysql_target import MySQLTarget
from tests.engines.postgresql_target import PostgreSQLTarget

if TYPE_CHECKING:
    from tests.servers import PostgreSQL, Role
    from tests.servers_mysql import MySQL, User

EVENTS = Path(__file__).parents[2] / "events"
MASTERARN = "arn:aws:secretsmanager:eu-north-1:000000000000:secret:admin-XyZ123"

# What `rotators` does, until it is killed at a point of the engine.
KILLED = """
import sys
from collections.abc import Mapping
from rotators.cli.main import cli
from rotators.database import postgresql
from rotators.testing.crashes import CrashPoints, kill_this_process
points = CrashPoints(int(sys.argv.pop(1)), die=kill_this_process)
postgresql.PostgreSQLRotator = points.rotator(postgresql.PostgreSQLRotator)
cli()
"""


class Desk:
    """A user of the server, and its secret in a file."""

    def __init__(
        self, server: PostgreSQL | MySQL, directory: Path, role: Role | User | None = None
    ) -> None:
        self.server = server
        self.role = role or server.create_user()
        self.file = directory / "secret.json"
        self.files = SecretFiles(self.file)
        self.file.write_text(json.dumps(server.secret(self.role.name, self.role.password)))

    def give_admin(self, admin: Mapping[str, Any]) -> Path:
        """The file with the admin's value; the secret names it from now on."""
        value = json.loads(self.file.read_text())
        self.file.write_text(json.dumps({**value, "masterarn": MASTERARN}))
        file = self.file.with_name("admin.json")
        file.write_text(json.dumps(admin))
        return file

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
    trust(postgresql, monkeypatch)
    return Desk(postgresql, tmp_path)


@pytest.fixture
def mysql_desk(mysql_or_mariadb: MySQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    trust(mysql_or_mariadb, monkeypatch)
    return Desk(mysql_or_mariadb, tmp_path)


def trust(server: PostgreSQL | MySQL, monkeypatch: pytest.MonkeyPatch) -> None:
    if server.ca is not None:
        monkeypatch.setenv("ROTATION_CA_BUNDLE", str(server.ca))


def test_every_sample_event_is_tested() -> None:
    assert {path.name for path in EVENTS.glob("*.json")} == {
        "create_secret.json", "set_secret.json", "test_secret.json", "finish_secret.json",
        "rotation.json", "cross_account.json", "test_only.json", "bad_step.json",
    }  # fmt: skip


def test_the_four_steps_one_by_one(desk: Desk) -> None:
    play_one_by_one(desk)


def test_the_four_steps_on_mysql_and_mariadb(mysql_desk: Desk) -> None:
    play_one_by_one(mysql_desk)


def play_one_by_one(desk: Desk) -> None:
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
    desk: Desk, postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTATION_STRATEGY", "alternating-users")
    target = PostgreSQLTarget(postgresql, StrategyName.ALTERNATING_USERS)
    target.let_admin(desk.role.name)
    take_turns(desk, target.admin)


def take_turns(desk: Desk, admin: Mapping[str, Any] | None) -> None:
    assert admin is not None
    file = desk.give_admin(admin)
    before = file.read_bytes()
    assert desk.invoke("rotation.json").exit_code == 2
    for user in (f"{desk.role.name}_clone", desk.role.name, f"{desk.role.name}_clone"):
        old = json.loads(desk.file.read_text())
        result = desk.invoke("rotation.json", "--admin-secret", str(file))
        assert result.exit_code == 0, result.output
        new = json.loads(desk.file.read_text())
        assert new["username"] == user
        assert desk.server.can_log_in(user, new["password"])
        assert desk.server.can_log_in(old["username"], old["password"])
    assert file.read_bytes() == before


class TestMySQLAndMariaDB:
    """Beyond the four steps: ``--save``, and the strategies, each by an admin as well."""

    @pytest.fixture
    def scene(
        self,
        request: pytest.FixtureRequest,
        mysql_or_mariadb: MySQL,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> tuple[Desk, MySQLTarget]:
        """For one strategy: a user with rights of its own, and its secret in a file."""
        monkeypatch.setenv("ROTATION_STRATEGY", request.param)
        trust(mysql_or_mariadb, monkeypatch)
        target = MySQLTarget(mysql_or_mariadb, request.param)
        return Desk(mysql_or_mariadb, tmp_path, target.new_user()), target

    def test_the_new_value_goes_into_a_file_of_its_own(self, mysql_desk: Desk) -> None:
        new = mysql_desk.file.with_name("new.json")
        before = mysql_desk.file.read_bytes()
        result = mysql_desk.invoke("rotation.json", "--save", str(new))
        assert result.exit_code == 0, result.output
        assert mysql_desk.password(new) not in result.output
        assert mysql_desk.works(new)
        assert not mysql_desk.works()
        assert mysql_desk.file.read_bytes() == before

    @pytest.mark.parametrize("scene", [StrategyName.ALTERNATING_USERS], indirect=True)
    def test_two_users_in_turn_by_an_admin(self, scene: tuple[Desk, MySQLTarget]) -> None:
        desk, target = scene
        take_turns(desk, target.admin)

    @pytest.mark.parametrize("scene", [StrategyName.DUAL_PASSWORD], indirect=True)
    def test_two_passwords_at_once(self, scene: tuple[Desk, MySQLTarget]) -> None:
        """By the user itself on MySQL, by the admin on MariaDB."""
        desk, target = scene
        options: tuple[str, ...] = ()
        if target.admin is not None:
            desk.give_admin(target.admin)
            result = desk.invoke("rotation.json")
            assert result.exit_code == 1
            assert "--admin-secret" in result.stderr
            options = "--admin-secret", str(desk.give_admin(target.admin))
        older = None
        for _ in range(2):
            old = desk.password()
            result = desk.invoke("rotation.json", *options)
            assert result.exit_code == 0, result.output
            assert desk.works()
            assert desk.server.can_log_in(desk.role.name, old)
            assert older is None or not desk.server.can_log_in(desk.role.name, older)
            older = old
