"""rotators invoke, on the engine in memory."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.files import SecretFiles
from rotators.cli.main import cli
from rotators.registry import Registry
from rotators.testing import memory
from rotators.testing._state.rotation import Rotations
from rotators.testing.crashes import Crash, CrashPoints
from rotators.testing.driver import FUNCTION_ARN
from rotators.testing.memory import MemoryRotator, MemoryServer
from rotators.testing.simulator import SecretsManagerSimulator

EVENTS = Path(__file__).parents[3] / "events"
REGISTRY = Registry({"memory": "rotators.testing.memory:MemoryRotator"})
OLD = "old-password-of-app"  # long enough to be found if it were printed


Write = Callable[[SecretFiles, Path, str], None]


class Desk:
    """A server with a user, and that user's secret in a file."""

    def __init__(self, server: MemoryServer, directory: Path) -> None:
        self.server = server
        self.file = directory / "secret.json"
        self.files = SecretFiles(self.file)
        server.passwords["app"] = OLD
        self.value: dict[str, Any] = {
            "engine": "memory", "host": server.host, "username": "app", "password": OLD,
            "note": "kept",
        }  # fmt: skip
        self.file.write_text(json.dumps(self.value))

    def invoke(self, event: str, *options: str) -> Result:
        return invoke(str(EVENTS / event), "--secret", str(self.file), *options)

    def stored(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.file.read_text())
        return value

    def works(self) -> bool:
        """Whether the value in FILE logs in."""
        return bool(self.server.passwords["app"] == self.stored()["password"])

    def lawful(self) -> bool:
        """Whether the password that the server has is on disk."""
        held = [path for path in (self.file, self.files.pending) if path.exists()]
        return self.server.passwords["app"] in [
            json.loads(path.read_text())["password"] for path in held
        ]


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    """What the command printed; neither a password nor a RotationToken may be in it."""
    result = CliRunner().invoke(cli, ["invoke", *arguments], obj=REGISTRY, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert OLD not in result.output
    assert json.loads((EVENTS / "rotation.json").read_text())["RotationToken"] not in result.output
    assert '"_aws"' not in result.output
    return result


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with MemoryServer("here") as server:
        yield Desk(server, tmp_path)


def test_an_event_without_step_rotates(desk: Desk) -> None:
    result = desk.invoke("rotation.json")
    assert result.exit_code == 0, result.output
    assert desk.works()
    assert desk.stored() == {**desk.value, "password": desk.stored()["password"]}
    assert desk.stored()["password"] != OLD
    assert desk.stored()["password"] not in result.output
    assert json.loads(desk.files.backup.read_text()) == desk.value
    assert not desk.files.pending.exists()
    assert all(step in result.output for step in ("createSecret", "finishSecret", "AWSPREVIOUS"))


def test_rotations_follow_each_other(desk: Desk) -> None:
    for _ in range(3):
        before = desk.stored()["password"]
        assert desk.invoke("rotation.json").exit_code == 0
        assert desk.works()
        assert desk.stored()["password"] != before


def test_four_events_are_one_rotation(desk: Desk) -> None:
    assert desk.invoke("create_secret.json").exit_code == 0
    staged = json.loads(desk.files.pending.read_text())["password"]
    assert desk.server.passwords["app"] == OLD
    assert desk.invoke("set_secret.json").exit_code == 0
    assert desk.server.passwords["app"] == staged
    assert desk.stored()["password"] == OLD
    result = desk.invoke("test_secret.json")
    assert "played first" in result.output
    assert "Remove it only if" in result.output
    assert desk.invoke("finish_secret.json").exit_code == 0
    assert desk.stored()["password"] == staged
    assert not desk.files.pending.exists()


def test_earlier_steps_are_played_first_and_said(desk: Desk) -> None:
    steps = json.loads(desk.invoke("test_secret.json", "--json").stdout)["steps"]
    assert [(step["step"], step["played_first"]) for step in steps] == [
        ("createSecret", True),
        ("setSecret", True),
        ("testSecret", False),
    ]


def test_json_is_one_document(desk: Desk) -> None:
    document = json.loads(desk.invoke("rotation.json", "--json").stdout)
    assert document["ok"] is True
    assert document["error"] is None
    assert [step["outcome"] for step in document["steps"]] == [
        "staged a new value",
        "made the value valid",
        "tested the value",
        "promoted the value to AWSCURRENT",
    ]
    assert sorted(document["labels"].values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]


def test_a_secret_of_another_account_is_played_by_its_own_arn(desk: Desk) -> None:
    assert desk.invoke("cross_account.json").exit_code == 0
    assert desk.files.pending.exists()


def test_a_plain_name_is_a_secret_id(desk: Desk) -> None:
    event = json.loads((EVENTS / "rotation.json").read_text()) | {"SecretId": "app/db"}
    result = invoke("-", "--secret", str(desk.file), stdin=json.dumps(event))
    assert result.exit_code == 0, result.output
    assert desk.works()


def test_an_attach_that_only_tests_changes_nothing(desk: Desk) -> None:
    result = desk.invoke("test_only.json", "--test-only")
    assert result.exit_code == 0, result.output
    assert "test-only" in result.output
    assert desk.stored() == desk.value
    assert desk.works()
    assert not desk.files.pending.exists()


def test_an_attach_that_only_tests_leaves_a_staged_value_alone(desk: Desk) -> None:
    desk.invoke("create_secret.json")
    staged = desk.files.pending.read_text()
    assert desk.invoke("test_only.json", "--test-only").exit_code == 0
    assert desk.files.pending.read_text() == staged


def test_a_bad_step_is_answered_with_the_choices(desk: Desk) -> None:
    result = desk.invoke("bad_step.json")
    assert result.exit_code == 1
    assert "createSecret, setSecret, testSecret, finishSecret" in result.stderr
    error = json.loads(desk.invoke("bad_step.json", "--json").stdout)["error"]
    assert (error["reason"], error["permanent"]) == ("invalid-event", True)
    assert set(error) == {"reason", "permanent", "who", "found", "cure"}


def test_a_passing_error_ends_with_3(desk: Desk) -> None:
    desk.file.write_text(json.dumps({**desk.value, "host": "elsewhere"}))
    result = desk.invoke("rotation.json")
    assert result.exit_code == 3
    assert "try again" in result.stderr
    assert desk.files.pending.exists()


def test_a_wrong_password_changes_nothing(desk: Desk) -> None:
    desk.server.passwords["app"] = "set by somebody"
    assert desk.invoke("rotation.json").exit_code == 1
    assert desk.server.passwords["app"] == "set by somebody"
    assert desk.stored() == desk.value


@pytest.mark.parametrize(
    ("variable", "value"), [("PASSWORD_LENGTH", "none"), ("ROTATION_ENGINES", "oracel")]
)
def test_the_settings_of_the_environment_are_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = desk.invoke("rotation.json")
    assert result.exit_code == 1
    assert variable in result.stderr


def test_this_machines_aws_settings_do_not_matter_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nonesuch")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert desk.invoke("rotation.json").exit_code == 0


def test_the_functions_log_is_shown_if_asked_for(desk: Desk) -> None:
    assert "promoted the value" not in desk.invoke("rotation.json", "--json").stderr
    result = desk.invoke("rotation.json", "-v")
    assert '"service":"rotators"' in result.stderr
    assert '"service"' not in result.stdout


def test_any_crash_leaves_the_password_on_disk_and_is_healed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[str] = []

    def watch(point: str) -> None:
        if not desk.lawful():
            broken.append(point)

    for at in range(40):
        points = CrashPoints(at, watch=watch)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "MemoryRotator", points.rotator(MemoryRotator))
            # A SIGKILL would not run it either.
            patch.setattr("rotators.cli.local.LocalSecret.keep", lambda _: None)
            try:
                assert desk.invoke("rotation.json").exit_code == 0
                break
            except Crash:
                assert desk.lawful(), points.seen
        assert desk.invoke("rotation.json").exit_code == 0
        assert desk.works()
        assert not desk.files.pending.exists()
    assert not broken
    assert at > 6


def test_a_death_before_the_new_value_is_saved_is_healed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: SecretFiles, text: str) -> Path:
        raise Crash(f"with {len(text)} characters in hand")

    with monkeypatch.context() as patch:
        patch.setattr(SecretFiles, "promote", die)
        with pytest.raises(Crash):
            desk.invoke("rotation.json")
    assert not desk.works()
    assert desk.lawful()
    result = desk.invoke("rotation.json")
    assert result.exit_code == 0
    assert "Went on with" in result.output
    assert desk.works()


def test_ctrl_c_says_where_the_password_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(point: str) -> None:
        if point == "after set_password":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        points = CrashPoints(watch=interrupt)
        patch.setattr(memory, "MemoryRotator", points.rotator(MemoryRotator))
        result = desk.invoke("rotation.json")
    assert result.exit_code == 130
    assert str(desk.files.pending) in result.stderr.replace("\n", "")
    assert not desk.works()
    assert desk.lawful()
    assert desk.invoke("rotation.json").exit_code == 0
    assert desk.works()


def test_nothing_changes_on_the_server_where_the_value_cannot_be_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: SecretFiles, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{len(text)} characters")

    monkeypatch.setattr(SecretFiles, "stage", full)
    result = desk.invoke("rotation.json")
    assert result.exit_code == 2
    assert "Nothing was changed on the server" in result.stderr
    assert desk.server.passwords["app"] == OLD


def test_a_new_value_that_cannot_be_saved_stays_where_it_was_staged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SecretFiles, "write", _only_pending(SecretFiles.write))
        result = desk.invoke("rotation.json")
    assert result.exit_code == 2
    assert "secret.json.pending" in result.stderr
    assert desk.lawful()
    assert desk.invoke("rotation.json").exit_code == 0
    assert desk.works()


def test_a_value_that_the_server_refuses_is_not_offered_again(desk: Desk) -> None:
    desk.server.accepts = lambda _: False
    assert desk.invoke("rotation.json").exit_code == 1
    assert desk.files.refused.exists()
    assert not desk.files.pending.exists()
    desk.server.accepts = lambda _: True
    assert desk.invoke("rotation.json").exit_code == 0
    assert desk.works()


def test_an_interruption_at_the_very_start_leaves_a_staged_value_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    desk.invoke("set_secret.json")
    with monkeypatch.context() as patch:
        patch.setattr(Rotations, "begin", interrupt)
        assert desk.invoke("rotation.json").exit_code == 130
    assert desk.lawful()


def test_a_staged_value_that_cannot_be_read_is_not_touched(desk: Desk) -> None:
    desk.files.pending.write_text("half a val")
    desk.files.pending.chmod(0o600)
    result = desk.invoke("rotation.json")
    assert result.exit_code == 2
    assert desk.files.pending.read_text() == "half a val"
    assert desk.works()


def test_a_second_file_gets_the_new_value(desk: Desk, tmp_path: Path) -> None:
    saved = tmp_path / "new.json"
    assert desk.invoke("rotation.json", "--save", str(saved)).exit_code == 0
    assert json.loads(saved.read_text())["password"] == desk.server.passwords["app"]
    assert desk.stored() == desk.value
    assert desk.invoke("rotation.json", "--save", str(saved)).exit_code == 2


@pytest.mark.parametrize(
    ("event", "options", "says"),
    [
        ("rotation.json", ["--secret-id", "x"], "exclude each other"),
        ("rotation.json", ["--test-only"], "needs a testSecret event"),
        ("README.md", [], "is not JSON"),
        ("nowhere.json", [], "nowhere.json"),
    ],
)
def test_wrong_usage_ends_with_2(desk: Desk, event: str, options: list[str], says: str) -> None:
    result = desk.invoke(event, *options)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize(
    "option",
    [["--save", "new.json"], ["--test-only"], ["--admin-secret", str(EVENTS / "rotation.json")]],
)
def test_some_options_need_a_file(option: list[str]) -> None:
    result = invoke(str(EVENTS / "test_only.json"), *option)
    assert result.exit_code == 2
    assert "need --secret" in result.stderr


@pytest.mark.parametrize("secret_id", ["arn:aws-cn:secretsmanager:x:1:secret:y", "no secret?"])
def test_a_secret_id_that_cannot_be_played_ends_with_2(desk: Desk, secret_id: str) -> None:
    event = json.loads((EVENTS / "rotation.json").read_text()) | {"SecretId": secret_id}
    result = invoke("-", "--secret", str(desk.file), stdin=json.dumps(event))
    assert result.exit_code == 2


def test_an_event_that_is_no_object_is_the_functions_to_refuse(desk: Desk) -> None:
    result = invoke("-", "--secret", str(desk.file), stdin="[]")
    assert result.exit_code == 1
    assert "not a JSON object" in result.stderr


MASTERARN = "arn:aws:secretsmanager:us-west-2:999999999999:secret:admin-AbCdEf"
ADMIN = "password-of-the-admin"


class TestWithAnAdmin:
    @pytest.fixture
    def admin(self, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The admin's secret, of another account and Region, in a file."""
        monkeypatch.setenv("ROTATION_STRATEGY", "alternating-users")
        desk.server.passwords["admin"] = ADMIN
        desk.server.admins.add("admin")
        desk.file.write_text(json.dumps({**desk.value, "masterarn": MASTERARN}))
        file = tmp_path / "admin.json"
        file.write_text(json.dumps({**desk.value, "username": "admin", "password": ADMIN}))
        return file

    def test_two_users_take_turns_and_the_admins_file_stays(self, desk: Desk, admin: Path) -> None:
        before = admin.read_bytes()
        for user in ("app_clone", "app", "app_clone"):
            result = desk.invoke("rotation.json", "--admin-secret", str(admin))
            assert result.exit_code == 0, result.output
            assert ADMIN not in result.output
            assert desk.stored()["username"] == user
            assert desk.server.passwords[user] == desk.stored()["password"]
        assert admin.read_bytes() == before
        assert {path.name for path in admin.parent.iterdir()} == {
            "secret.json", "secret.json.bak", "admin.json",
        }  # fmt: skip

    def test_users_are_marked_with_the_events_own_arn(self, desk: Desk, admin: Path) -> None:
        desk.invoke("rotation.json", "--admin-secret", str(admin))
        arn = json.loads((EVENTS / "rotation.json").read_text())["SecretId"]
        assert {mark.secret_arn for mark in desk.server.marks.values()} == {arn}

    def test_without_the_admins_secret_it_says_what_is_missing(
        self, desk: Desk, admin: Path
    ) -> None:
        before = desk.file.read_bytes()
        result = desk.invoke("rotation.json")
        assert result.exit_code == 2
        assert "--admin-secret ADMIN.json" in result.stderr
        assert MASTERARN in result.stderr.replace("\n", "")
        assert desk.file.read_bytes() == before

    def test_an_attach_that_only_tests_needs_none(self, desk: Desk, admin: Path) -> None:
        assert desk.invoke("test_only.json", "--test-only").exit_code == 0

    def test_an_admin_that_no_secret_names_is_wrong_usage(self, desk: Desk, admin: Path) -> None:
        desk.file.write_text(json.dumps(desk.value))
        result = desk.invoke("rotation.json", "--admin-secret", str(admin))
        assert result.exit_code == 2
        assert "'masterarn'" in result.stderr

    def test_a_name_is_not_enough_to_mark_users_with(self, desk: Desk, admin: Path) -> None:
        event = json.loads((EVENTS / "rotation.json").read_text()) | {"SecretId": "app/db"}
        arguments = "--secret", str(desk.file), "--admin-secret", str(admin)
        result = invoke("-", *arguments, stdin=json.dumps(event))
        assert result.exit_code == 2
        assert "whole ARN" in result.stderr

    def test_an_admins_secret_that_is_none_is_refused(self, desk: Desk, admin: Path) -> None:
        admin.write_text("[]")
        result = desk.invoke("rotation.json", "--admin-secret", str(admin))
        assert result.exit_code == 2
        assert "admin.json" in result.stderr.replace("\n", "")

    def test_a_rotation_that_dies_half_way_goes_on(
        self, desk: Desk, admin: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            points = CrashPoints(watch=_dies_after("provide"))
            patch.setattr(memory, "MemoryRotator", points.rotator(MemoryRotator))
            with pytest.raises(Crash):
                desk.invoke("rotation.json", "--admin-secret", str(admin))
        staged = json.loads(desk.files.pending.read_text())
        assert desk.invoke("rotation.json", "--admin-secret", str(admin)).exit_code == 0
        assert desk.stored() == staged


def _dies_after(name: str) -> Callable[[str], None]:
    def watch(point: str) -> None:
        if point == f"after {name}":
            raise Crash(point)

    return watch


class TestInAnAccount:
    @pytest.fixture
    def account(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManagerSimulator]:
        with SecretsManagerSimulator() as simulator:
            monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", simulator.endpoint_url)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
            monkeypatch.setenv("AWS_REGION", "us-east-1")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            yield simulator

    def test_the_steps_of_a_staged_version_are_played(
        self, account: SecretsManagerSimulator, desk: Desk
    ) -> None:
        account.create_secret("mine", desk.value)
        token = json.loads((EVENTS / "rotation.json").read_text())["ClientRequestToken"]
        account.rotations.begin("mine", token, FUNCTION_ARN)
        issued = account.rotations.event("mine", token, "createSecret")
        del issued["Step"], issued["SecretId"]
        event = json.dumps({**issued, "SecretId": "another"})
        result = invoke("-", "--secret-id", "mine", "--json", stdin=event)
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        assert "AWSCURRENT" in document["labels"][token]
        stored = json.loads(account.value("mine") or "")
        assert stored["password"] == desk.server.passwords["app"] != OLD

    def test_nothing_is_staged_for_the_function(
        self, account: SecretsManagerSimulator, desk: Desk
    ) -> None:
        account.create_secret("mine", desk.value)
        before = account.labels("mine")
        result = invoke(str(EVENTS / "rotation.json"), "--secret-id", "mine")
        assert result.exit_code == 1
        assert account.labels("mine") == before
        assert desk.server.passwords["app"] == OLD

    def test_the_events_own_secret_is_the_default(self, account: SecretsManagerSimulator) -> None:
        result = invoke(str(EVENTS / "test_secret.json"))
        assert result.exit_code == 1
        assert {call.secret_id for call in account.calls} == {
            json.loads((EVENTS / "test_secret.json").read_text())["SecretId"]
        }

    def test_without_a_region_it_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        result = invoke(str(EVENTS / "rotation.json"))
        assert result.exit_code == 2
        assert "Set AWS_DEFAULT_REGION" in result.stderr


def _only_pending(write: Write) -> Write:
    def written(files: SecretFiles, path: Path, text: str) -> None:
        if path != files.pending:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        write(files, path, text)

    return written
