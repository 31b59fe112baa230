"""rotators invoke with X's credentials, against the fake X: what is issued once is not lost."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.files import SecretFiles
from rotators.cli.main import cli
from rotators.issued import twitter
from rotators.testing.crashes import CrashPoints
from rotators.testing.twitter import TwitterServer
from rotators.versions import SecretsManager
from tests.engines.twitter_target import BearerTarget, UserTarget

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates

EVENTS = Path(__file__).parents[2] / "events"
MASTERARN = "arn:aws:secretsmanager:eu-north-1:000000000000:secret:x-app-XyZ123"
USER_TOKEN, BEARER_TOKEN, ME = "/2/oauth2/token", "/oauth2/token", "/2/users/me"
# What may be printed.
SAID = {"engine", "credential", "scope", "base_url", "masterarn", "token_type", "expires_at"}

# What `rotators` does, until it is killed at a point of the provider.
KILLED = """
import sys
from rotators.cli.main import cli
from rotators.issued import twitter
from rotators.testing.crashes import CrashPoints, kill_this_process
points = CrashPoints(int(sys.argv.pop(1)), die=kill_this_process)
twitter.TwitterOAuthRotator = points.rotator(twitter.TwitterOAuthRotator)
cli()
"""


class Desk:
    """A credential of the fake X in a file, and its app's keys in another, or in the same."""

    def __init__(self, target: BearerTarget | UserTarget, directory: Path) -> None:
        self.target = target
        self.x = target.x
        self.file = directory / "secret.json"
        self.files = SecretFiles(self.file)
        self.options: tuple[str, ...] = ()
        value = target.new_secret()
        if target.admin is not None:
            value["masterarn"] = MASTERARN
            app = directory / "app.json"
            app.write_text(json.dumps(target.admin))
            self.options = "--admin-secret", str(app)
        self.old = value
        self.store(value)

    def store(self, value: Mapping[str, Any]) -> None:
        self.file.write_text(json.dumps(value))

    def stored(self, file: Path | None = None) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((file or self.file).read_text())
        return value

    def arguments(self, event: str, *options: str) -> list[str]:
        event_file = str(EVENTS / event)
        return ["invoke", event_file, "--secret", str(self.file), *self.options, *options]

    def invoke(self, event: str = "rotation.json", *options: str) -> Result:
        """What the command printed, the function's log included; no token or key is in it."""
        result = CliRunner().invoke(cli, self.arguments(event, "-v", *options))
        assert isinstance(result.exception, SystemExit | None), result.exception
        for value in self.secrets():
            assert value not in result.output
        return result

    def secrets(self) -> Iterator[str]:
        files = [path for path in self.file.parent.iterdir() if path != self.files.exchange]
        for value in [self.old, *map(self.stored, files)]:
            yield from (text for key, text in value.items() if key not in SAID)

    def asked(self, path: str) -> int:
        return sum(call.path == path for call in self.x.calls)

    def rotated(self) -> bool:
        """Whether X takes the new value and not the old one, and nothing is left over."""
        taken = self.target.logs_in(self.stored()) and not self.target.logs_in(self.old)
        return taken and {path.name for path in self.file.parent.iterdir()} <= {
            "secret.json", "secret.json.bak", "app.json"
        }  # fmt: skip

    def untouched(self) -> bool:
        return self.stored() == self.old and not self.files.pending.exists()


@pytest.fixture
def x(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwitterServer]:
    monkeypatch.setenv("ROTATION_CA_BUNDLE", str(certificates.ca))
    with TwitterServer(tls=certificates.server) as x:
        yield x


@pytest.fixture
def bearer(x: TwitterServer, tmp_path: Path) -> Desk:
    return Desk(BearerTarget(x, None), tmp_path)


@pytest.fixture
def pair(x: TwitterServer, tmp_path: Path) -> Desk:
    return Desk(UserTarget(x, None), tmp_path)


@pytest.fixture(params=["bearer", "pair"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """The one, then the other."""
    chosen: Desk = request.getfixturevalue(request.param)
    return chosen


def test_a_whole_rotation(desk: Desk) -> None:
    result = desk.invoke()
    assert result.exit_code == 0, result.output
    assert desk.rotated()
    assert desk.stored(desk.files.backup) == desk.old


def test_rotations_follow_each_other(desk: Desk) -> None:
    for _ in range(2):
        before = desk.stored()
        assert desk.invoke().exit_code == 0
        assert desk.rotated()
        assert not desk.target.logs_in(before)


def test_the_four_steps_one_by_one_ask_once(pair: Desk) -> None:
    assert pair.invoke("create_secret.json").exit_code == 0
    staged = pair.stored(pair.files.pending)
    assert pair.target.logs_in(staged)
    assert not pair.files.exchange.exists()
    for event in ("set_secret.json", "test_secret.json", "finish_secret.json"):
        assert pair.invoke(event).exit_code == 0
    assert pair.stored() == staged
    assert pair.rotated()
    assert pair.asked(USER_TOKEN) == 1


def test_an_attach_that_only_tests_asks_for_nothing_new(desk: Desk) -> None:
    result = desk.invoke("test_only.json", "--test-only")
    assert result.exit_code == 0, result.output
    assert desk.untouched()
    assert desk.target.logs_in(desk.old)
    assert {call.path for call in desk.x.calls} <= {BEARER_TOKEN, ME}


def test_without_the_apps_keys_it_says_what_is_missing(pair: Desk) -> None:
    pair.options = ()
    result = pair.invoke()
    assert result.exit_code == 1
    assert "--admin-secret" in result.stderr
    assert pair.untouched()
    assert not pair.x.calls


def test_the_new_value_in_a_file_of_its_own(pair: Desk) -> None:
    saved = pair.file.with_name("new.json")
    assert pair.invoke("rotation.json", "--save", str(saved)).exit_code == 0
    assert pair.target.logs_in(pair.stored(saved))
    assert pair.untouched()
    assert not pair.files.exchange.exists()


def test_the_examples_of_the_events_page_are_whole(desk: Desk) -> None:
    page = (EVENTS / "README.md").read_text()
    examples = [json.loads(text) for text in re.findall(r"```json\n(.+?)```", page, re.DOTALL)]
    app = desk.file.with_name("app.json")
    for file in (desk.file, app) if desk.options else (desk.file,):
        real = desk.stored(file)
        real.pop("scope", None)  # X says it; nobody need write it
        base_url = {"base_url": desk.x.base_url} if real.pop("base_url", None) else {}
        (example,) = (
            one for one in examples if set(one) - {"credential"} == set(real) - {"credential"}
        )
        file.write_text(json.dumps({**example, **real, **base_url}))
    result = desk.invoke()
    assert result.exit_code == 0, result.output
    assert desk.rotated()


class TestAnAnswerThatIsLost:
    def test_a_pair_is_asked_for_once_more_and_then_never(self, pair: Desk) -> None:
        pair.x.drop_next_answer(USER_TOKEN)
        ends = [(pair.invoke().exit_code, pair.asked(USER_TOKEN)) for _ in range(4)]
        assert ends == [(3, 1), (1, 2), (1, 2), (1, 2)]
        assert pair.untouched()

    def test_it_says_what_a_person_has_to_do_and_where_the_mark_is(self, pair: Desk) -> None:
        pair.x.drop_next_answer(USER_TOKEN, times=2)
        first = pair.invoke()
        assert "gave no whole answer" in first.stderr
        assert str(pair.files.exchange) in first.stderr
        pair.invoke()
        last = pair.invoke("rotation.json", "--json")
        document = json.loads(last.stdout)
        assert document["error"]["reason"] == "reauthorization-required"
        assert "authorise anew" in document["error"]["cure"]
        assert str(pair.files.exchange) in document["warning"]
        assert pair.asked(USER_TOKEN) == 2

    def test_a_layout_of_the_same_value_is_no_new_value(self, pair: Desk) -> None:
        pair.x.drop_next_answer(USER_TOKEN, times=2)
        for _ in range(2):
            pair.invoke()
        pair.file.write_text(json.dumps(dict(reversed(pair.old.items())), indent=4))
        assert pair.invoke().exit_code == 1
        assert pair.asked(USER_TOKEN) == 2

    def test_a_person_authorises_anew(self, pair: Desk) -> None:
        pair.x.drop_next_answer(USER_TOKEN)
        for _ in range(2):
            pair.invoke()
        pair.store({**pair.target.new_secret(), "masterarn": MASTERARN})
        assert pair.invoke().exit_code == 0
        assert pair.rotated()

    def test_a_request_that_x_never_acted_on_costs_nothing(self, pair: Desk) -> None:
        pair.x.fail_next(USER_TOKEN, 502, "Bad gateway")
        assert pair.invoke().exit_code == 3
        assert pair.invoke().exit_code == 0
        assert pair.rotated()
        assert pair.asked(USER_TOKEN) == 2

    @pytest.mark.parametrize("path", ["/oauth2/invalidate_token", BEARER_TOKEN])
    def test_a_bearer_is_found_again(self, bearer: Desk, path: str) -> None:
        bearer.x.drop_next_answer(path)
        assert bearer.invoke().exit_code == 3
        assert bearer.invoke().exit_code == 0
        assert bearer.rotated()
        assert bearer.asked("/oauth2/invalidate_token") == 1

    def test_an_attach_that_only_tests_leaves_the_mark_alone(self, pair: Desk) -> None:
        pair.x.drop_next_answer(USER_TOKEN, times=2)
        pair.invoke()
        before = pair.files.exchange.read_bytes()
        pair.invoke("test_only.json", "--test-only")
        assert pair.files.exchange.read_bytes() == before


class TestAnInterruption:
    """Where, then how the next run ends, and how often X is asked for a pair by then."""

    cases = pytest.mark.parametrize(
        ("point", "end", "asked"),
        [("before post", 0, 1), ("after post", 1, 2), ("before get_from", 0, 1)],
    )

    @cases
    def test_ctrl_c(
        self, pair: Desk, monkeypatch: pytest.MonkeyPatch, point: str, end: int, asked: int
    ) -> None:
        def interrupt(passed: str) -> None:
            if passed == point:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            points = CrashPoints(watch=interrupt)
            rotator = points.rotator(twitter.TwitterOAuthRotator)
            patch.setattr(twitter, "TwitterOAuthRotator", rotator)
            result = pair.invoke()
        assert result.exit_code == 130
        self.ends(pair, end, asked)

    @cases
    def test_a_sigkill(self, pair: Desk, point: str, end: int, asked: int) -> None:
        at = ["before post", "after post", "before get_from"].index(point)
        command = [sys.executable, "-c", KILLED, str(at), *pair.arguments("rotation.json")]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 our own code
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        self.ends(pair, end, asked)

    def test_a_death_between_storing_the_value_and_taking_the_mark_away(
        self, pair: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(SecretsManager, "untag", interrupt)
            assert pair.invoke().exit_code == 130
        assert pair.files.pending.exists()
        assert pair.files.exchange.exists()
        assert pair.invoke().exit_code == 0
        assert pair.rotated()
        assert pair.asked(USER_TOKEN) == 1

    @staticmethod
    def ends(pair: Desk, end: int, asked: int) -> None:
        assert pair.stored() == pair.old
        waits = pair.files.pending.exists(), pair.files.exchange.exists()
        assert waits in [(True, False), (False, True)]
        staged = pair.stored(pair.files.pending) if waits[0] else None
        result = pair.invoke()
        assert result.exit_code == end, result.output
        assert pair.asked(USER_TOKEN) == asked
        assert pair.rotated() if end == 0 else pair.untouched()
        assert staged is None or pair.stored() == staged
        # Whatever it came to, it is not looped over.
        if end:
            assert pair.invoke().exit_code == end
            assert pair.asked(USER_TOKEN) == asked


class TestADiskThatIsFull:
    def fill(self, monkeypatch: pytest.MonkeyPatch, ending: str, times: int = 99) -> None:
        """For files of this name; ``times`` writes fail."""
        write, left = SecretFiles.write, [times]

        def full(files: SecretFiles, path: Path, text: str) -> None:
            if path.name.endswith(ending) and left[0]:
                left[0] -= 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            write(files, path, text)

        monkeypatch.setattr(SecretFiles, "write", full)

    def test_nobody_is_asked_where_no_mark_can_be_left(
        self, pair: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fill(monkeypatch, ".exchange")
        result = pair.invoke()
        assert result.exit_code == 2
        assert "Cannot keep the tag" in result.stderr
        assert pair.untouched()
        assert not pair.asked(USER_TOKEN)

    def test_what_was_issued_is_offered_again(
        self, pair: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.fill(monkeypatch, ".pending", times=3)
        result = pair.invoke()
        assert result.exit_code == 0, result.output
        assert pair.rotated()

    def test_what_is_lost_is_said(self, pair: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            self.fill(patch, ".pending")
            result = pair.invoke()
        assert result.exit_code == 2
        assert "A provider has issued it" in result.stderr
        assert pair.untouched()
        assert [pair.invoke().exit_code for _ in range(2)] == [1, 1]
        assert pair.asked(USER_TOKEN) == 2


@pytest.mark.parametrize("content", ["{}", "[]", "half a li"])
def test_a_mark_that_no_run_has_left_is_not_believed(pair: Desk, content: str) -> None:
    pair.files.exchange.write_text(content)
    pair.files.exchange.chmod(0o600)
    assert_not_believed(pair, "not as a run has left it")


def test_a_mark_that_somebody_else_could_have_left_is_not_believed(bearer: Desk) -> None:
    bearer.x.drop_next_answer("/oauth2/invalidate_token")
    bearer.invoke()
    bearer.files.exchange.chmod(0o666)
    assert_not_believed(bearer, "only its owner")


def assert_not_believed(desk: Desk, found: str) -> None:
    before = len(desk.x.calls)
    result = desk.invoke()
    assert result.exit_code == 2
    assert found in result.stderr
    assert str(desk.files.exchange) in result.stderr
    assert len(desk.x.calls) == before
