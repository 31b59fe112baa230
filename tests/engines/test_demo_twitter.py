"""rotators demo --engine twitter: what it shows of the fake X, and that it looks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from rotators.cli.main import cli
from rotators.exchange import Exchange
from rotators.issued.twitter_bearer import AppOnlyBearer
from rotators.issued.twitter_user import UserPair
from rotators.testing.twitter import TwitterServer

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIMS = 17


def demo(*options: str) -> Result:
    return CliRunner().invoke(cli, ["demo", "--engine", "twitter", *options])


def test_every_claim_holds() -> None:
    result = demo()
    assert result.exit_code == 0, result.output
    assert "FAILED" not in result.stdout
    assert result.stdout.count("  ok ") == CLAIMS
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_it_says_first_that_this_is_not_x() -> None:
    first, second, *_ = demo().stdout.splitlines()
    assert first.startswith("A fake X (Twitter) on this machine")
    assert "Nothing is sent to X itself" in second


def test_json_is_one_document() -> None:
    document = json.loads(demo("--json").stdout)
    assert document["ok"] is True
    assert document["server"] == {"engine": "twitter", "origin": "fake"}
    bearer, pair, lost = document["rotations"]
    assert bearer["credential"] == "app-only-bearer"
    assert pair["credential"] == lost["credential"] == "oauth2-user"
    for rotation in (bearer, pair):
        assert rotation["fingerprints"]["old"] != rotation["fingerprints"]["new"]
        assert _accepted(rotation) == [(True, None), *[(False, True)] * 4]
    assert lost["fingerprints"]["old"] == lost["fingerprints"]["new"]
    assert _accepted(lost) == [(True, None), *[(False, None)] * 3]


def test_no_token_is_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    issued: list[str] = []
    issue_bearer, authorize = TwitterServer.issue_bearer, TwitterServer.authorize

    def bearer(*args: Any) -> str:
        issued.append(issue_bearer(*args))
        return issued[-1]

    def pair(*args: Any) -> dict[str, Any]:
        answer = authorize(*args)
        issued.extend([answer["access_token"], answer["refresh_token"]])
        return answer

    monkeypatch.setattr(TwitterServer, "issue_bearer", bearer)
    monkeypatch.setattr(TwitterServer, "authorize", pair)
    printed = demo().output + demo("--json").output
    assert len(issued) == 2 * (1 + 3 * 2)
    assert not [token for token in issued if token in printed]


def test_a_strategy_is_wrong_usage() -> None:
    result = demo("--strategy", "single-user")
    assert result.exit_code == 2
    assert "what X issues is rotated in one way" in result.stderr
    assert not result.stdout


class TestAClaimThatDoesNotHold:
    """The demo looks: it does not just say so."""

    def test_a_bearer_that_is_invalidated_at_every_try(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(AppOnlyBearer, "compare", lambda *_, **__: None)
        self.is_said("X was asked 4 times", "rotated again, an answer lost")

    def test_a_lost_answer_that_is_looped_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Exchange, "begin", lambda *_, **__: None)
        self.is_said("X was asked once more")

    def test_a_token_in_the_log(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def chatty(pair: UserPair) -> None:
            sys.stdout.write(f"{pair.value['access_token']}\n")

        monkeypatch.setattr(UserPair, "verify", chatty)
        self.is_said("X was asked twice", "the function logged")

    def test_an_old_token_that_lives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make = TwitterServer.__init__

        def lenient(x: TwitterServer, **options: Any) -> None:
            make(x, **options)
            x.access_dies_on_refresh = False

        monkeypatch.setattr(TwitterServer, "__init__", lenient)
        self.is_said("X refuses the old access token")

    def test_a_scope_that_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fields = UserPair._fields

        def narrowed(*args: Any) -> Mapping[str, Any]:
            return {**fields(*args), "scope": "tweet.read"}

        monkeypatch.setattr(UserPair, "_fields", narrowed)
        self.is_said("so is what X grants")

    @staticmethod
    def is_said(*claims: str) -> None:
        result = demo()
        assert result.exit_code == 1, result.output
        for claim in claims:
            assert f"FAILED {claim}" in result.stdout
        assert "Not as it should be" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    # A background job of a shell ignores SIGINT, and so do its children unless they say otherwise.
    code = (
        "import runpy, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        'runpy.run_module("rotators", run_name="__main__", alter_sys=True)\n'
    )
    with subprocess.Popen(  # noqa: S603 this interpreter
        [sys.executable, "-c", code, "demo", "--engine", "twitter"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        while not list(tmp_path.glob("rotators-demo-*/tls")):
            assert running.poll() is None
            time.sleep(0.005)
        running.send_signal(number)
        _, said = running.communicate(timeout=30)
    assert b"Interrupted" in said, said
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []


def _accepted(rotation: dict[str, Any]) -> list[tuple[bool, bool | None]]:
    return [(scene["old_logs_in"], scene["new_logs_in"]) for scene in rotation["scenes"]]
