"""A user's pair of tokens: every answer that X gives to a refresh, and what it costs."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from rotators.deadline import Deadline
from rotators.errors import (
    AnswerLost,
    DeadlineExceeded,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ReauthorizationRequired,
    RotationError,
    ServerUnreachable,
    ServiceUnavailable,
)
from rotators.exchange import TAG, Mark
from rotators.issued.http import Provider
from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.testing.bench import Bench
from tests.engines.twitter_target import SCOPE, UserTarget

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from rotators.testing.certificates import Certificates
    from rotators.testing.simulator import Call
    from rotators.testing.twitter import App, TwitterServer
    from tests.unit.conftest import Output
    from tests.unit.issued.conftest import Sent

REFRESH, ME = "/2/oauth2/token", "/2/users/me"


@dataclass
class Scene:
    """A user's secret, and the version that is to be rotated in. The app's keys are apart."""

    x: TwitterServer
    bench: Bench
    app: App
    arn: str
    token: str
    old: dict[str, Any]

    @property
    def asked(self) -> list[tuple[str, int | None]]:
        return [(call.path, call.status) for call in self.x.calls]

    @property
    def mark(self) -> Mark | None:
        return Mark.read(self.bench.simulator.secret(self.arn).tags.get(TAG))

    @property
    def pending(self) -> dict[str, Any]:
        return self.bench.labelled(self.arn)["AWSPENDING"]

    def create(self) -> None:
        self.bench.driver.step(self.arn, self.token, Step.CREATE)

    def retry(self) -> None:
        self.bench.driver.retry(self.arn, self.token)

    def test(self) -> None:
        self.bench.driver.step(self.arn, self.token, Step.TEST)

    def fails(self, kind: type[RotationError], *, retry: bool = False) -> RotationError:
        """createSecret, or the whole rotation, ends so, and AWSCURRENT is as it was."""
        run = self.retry if retry else self.create
        with pytest.raises(kind) as caught:
            run()
        assert type(caught.value) is kind
        assert self.bench.current(self.arn) == self.old
        return caught.value

    def rotated(self) -> dict[str, Any]:
        """The rotation ends well, whatever was before. The new value."""
        self.retry()
        assert "AWSCURRENT" in self.bench.simulator.labels(self.arn)[self.token]
        new = self.bench.current(self.arn)
        assert self.x.accepts(new["access_token"])
        assert self.x.refreshes(new["refresh_token"])
        assert new["refresh_token"] != self.old["refresh_token"]
        assert self.mark is None
        return new

    def store(self, **fields: Any) -> None:
        """A person stores this, and rotates."""
        self.old = {**self.old, **fields}
        self.bench.driver.put_by_hand(self.arn, self.old)
        self.token = self.bench.driver.start(self.arn)

    def keys(self, **fields: Any) -> None:
        """A person stores these keys of the app. Nothing: without this key."""
        stored = {**(self.bench.target.admin or {}), **fields}
        kept = {key: value for key, value in stored.items() if value is not None}
        self.bench.simulator.put_by_hand(self.bench.admin_arn, kept)

    def test_only(self, **fields: Any) -> None:
        """testSecret alone, of this value."""
        self.bench.driver.cancel(self.arn)
        self.bench.client.update_secret_version_stage(
            SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=self.token
        )
        self.old = {**self.old, **fields}
        self.bench.driver.put_by_hand(self.arn, self.old)
        self.bench.driver.test_only(self.arn)


Build = Callable[..., Scene]


@pytest.fixture
def build(x: TwitterServer, certificates: Certificates) -> Iterator[Build]:
    with ExitStack() as stack:

        def build(*, confidential: bool = True, **fields: Any) -> Scene:
            target = UserTarget(x, certificates.ca, confidential=confidential)
            bench = stack.enter_context(Bench(TwitterOAuthRotator, target))
            arn, value = bench.secret(**fields)
            return Scene(x, bench, target.app, arn, bench.driver.start(arn), value)

        yield build


@pytest.fixture
def scene(build: Build) -> Scene:
    """A user of a confidential client."""
    return build()


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat(timespec="seconds")


# ── as it should be ──


def test_a_confidential_client_says_who_it_is_by_basic_alone(scene: Scene, sent: Sent) -> None:
    scene.rotated()
    assert scene.asked == [(REFRESH, 200), (ME, 200)]
    (_, body, headers), _ = sent
    basic = b64encode(f"{scene.app.client_id}:{scene.app.client_secret}".encode()).decode()
    assert headers["Authorization"] == f"Basic {basic}"
    assert parse_qs(body or "") == {
        "grant_type": ["refresh_token"],
        "refresh_token": [scene.old["refresh_token"]],
    }


def test_a_public_client_says_who_it_is_by_its_id(build: Build, sent: Sent) -> None:
    scene = build(confidential=False)
    scene.rotated()
    (_, body, headers), _ = sent
    assert "Authorization" not in headers
    assert parse_qs(body or "")["client_id"] == [scene.app.client_id]
    assert "client_secret" not in (body or "")


def test_scope_and_expiry_are_stored_beside_the_tokens(scene: Scene) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    new = scene.rotated()
    assert set(new) - set(scene.old) == {"token_type", "expires_at"}
    assert new["token_type"] == "bearer"
    assert set(new["scope"].split()) == set(SCOPE.split())
    lives = datetime.fromisoformat(new["expires_at"]) - began
    assert timedelta(seconds=7200) <= lives < timedelta(seconds=7230)


def test_the_keys_may_be_in_the_secret_itself(scene: Scene) -> None:
    scene.store(**(scene.bench.target.admin or {}), masterarn="")
    scene.rotated()


def test_a_path_that_the_apps_secret_names_is_asked(scene: Scene) -> None:
    scene.keys(token_path="/2/oauth2/elsewhere")
    assert "HTTP 404" in scene.fails(LoginRefused).found
    # Nobody but the holder of the keys says where they go.
    scene.keys()
    scene.store(token_path="/2/oauth2/elsewhere", base_url="https://localhost:1")
    scene.rotated()
    assert [path for path, _ in scene.asked].count("/2/oauth2/elsewhere") == 1


@pytest.mark.parametrize("key", ["access_token", "refresh_token", "client_id", "client_secret"])
@pytest.mark.parametrize("value", ["", 7])
def test_without_its_keys_nothing_is_spent(scene: Scene, key: str, value: object) -> None:
    if key.startswith("client"):
        scene.keys(**{key: value})
    else:
        scene.store(**{key: value})
    assert repr(key) in str(scene.fails(MisconfiguredSecret))
    assert scene.asked == []
    assert scene.mark is None


# ── what X says to a refresh, and what it costs ──


def test_a_spent_token_is_told_and_no_retry_asks_again(scene: Scene) -> None:
    scene.x.fail_next(REFRESH, 400)
    error = scene.fails(ReauthorizationRequired)
    assert "Value passed for the token was invalid" in error.found
    assert "authorise anew" in error.cure
    assert "put-secret-value" in error.cure
    for _ in range(3):
        scene.fails(ReauthorizationRequired, retry=True)
    assert scene.asked == [(REFRESH, 400)]
    issued = scene.x.authorize(scene.app, SCOPE)
    scene.store(access_token=issued["access_token"], refresh_token=issued["refresh_token"])
    scene.rotated()


def test_the_standards_word_for_it_counts_as_well(scene: Scene) -> None:
    scene.x.spent_answer = 400, {"error": "invalid_grant"}
    scene.store(refresh_token="spent long ago")
    scene.fails(ReauthorizationRequired)
    scene.fails(ReauthorizationRequired)
    assert scene.asked == [(REFRESH, 400)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": "unsupported_grant_type"}, "HTTP 400: unsupported_grant_type"),
        (
            {"error": "invalid_request", "error_description": "Missing parameter [client_id]."},
            "HTTP 400: invalid_request: Missing parameter [client_id]",
        ),
        ({}, "HTTP 400"),
    ],
)
def test_a_400_about_anything_else_costs_nothing(
    scene: Scene, body: dict[str, Any], told: str
) -> None:
    scene.x.fail_next(REFRESH, 400, body, times=3)
    for _ in range(3):
        error = scene.fails(MisconfiguredSecret)
        assert told in error.found
        assert scene.mark is None
    scene.rotated()


@pytest.mark.parametrize(
    ("status", "kind", "cure"),
    [
        (401, LoginRefused, "client_id and client_secret"),
        (402, PermissionMissing, "needs credits"),
        (403, LoginRefused, "client_id and client_secret"),
        (404, LoginRefused, "client_id and client_secret"),
        (429, ServiceUnavailable, "will call again"),
    ],
)
def test_a_refusal_spends_nothing_however_often(
    scene: Scene, status: int, kind: type[RotationError], cure: str
) -> None:
    scene.x.fail_next(REFRESH, status, times=4)
    for _ in range(4):
        error = scene.fails(kind)
        assert f"the refresh of the user's tokens was refused by X: HTTP {status}" in error.found
        assert cure in error.cure
        assert scene.mark is None
    assert scene.asked == [(REFRESH, status)] * 4
    scene.rotated()


def test_a_confidential_client_without_its_secret_is_refused_and_the_cure_helps(
    scene: Scene,
) -> None:
    scene.keys(client_secret=None)
    assert "has to have its client_secret" in scene.fails(LoginRefused).cure
    scene.keys()
    scene.rotated()


def test_a_wrong_client_secret_is_refused_and_the_right_one_helps(scene: Scene) -> None:
    scene.keys(client_secret="wrong")
    assert "HTTP 401: unauthorized_client" in scene.fails(LoginRefused).found
    scene.keys()
    scene.rotated()


def test_a_public_client_with_a_secret_is_refused(build: Build) -> None:
    scene = build(confidential=False)
    scene.keys(client_secret="of nobody")
    scene.fails(LoginRefused)
    scene.keys()
    scene.rotated()


def test_where_x_cannot_be_reached_nothing_is_spent(scene: Scene) -> None:
    scene.keys(base_url="https://localhost:1")
    for _ in range(3):
        scene.fails(ServerUnreachable)
        assert scene.mark is None
    scene.keys()
    scene.rotated()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_x_is_asked_again_however_often_it_fails(scene: Scene, status: int) -> None:
    """It did answer. Whether it had acted, it says at the next try."""
    scene.x.fail_next(REFRESH, status, times=4)
    for _ in range(4):
        error = scene.fails(ServiceUnavailable)
        assert f"HTTP {status}" in error.found
        assert scene.mark is None
    scene.rotated()
    assert [status for path, status in scene.asked if path == REFRESH] == [*[status] * 4, 200]


def test_a_failure_of_x_after_the_effect_is_told_at_the_next_try(scene: Scene) -> None:
    def failing(_: object) -> None:
        raise ValueError("after the effect")

    scene.x.after(REFRESH, failing, times=1)
    scene.fails(ServiceUnavailable)
    for _ in range(3):
        scene.fails(ReauthorizationRequired, retry=True)
    assert len(scene.x.calls) == 2


# ── answers that are lost ──


@pytest.mark.parametrize("lost", ["dropped", "no token", "a page", "another status"])
def test_an_answer_that_was_lost_after_its_effect_is_found_out_once(
    scene: Scene, lost: str
) -> None:
    if lost == "dropped":
        scene.x.drop_next_answer(REFRESH)
    else:
        # X has spent the token, and what it answers says nothing.
        grants = scene.x._service.grants
        grants.refresh(scene.app, scene.old["refresh_token"])
        body = "<html>" if lost == "a page" else {"token_type": "bearer"}
        scene.x.fail_next(REFRESH, 202 if lost == "another status" else 200, body)
    scene.fails(AnswerLost)
    scene.fails(ReauthorizationRequired)
    before = len(scene.x.calls)
    assert before == 2
    for _ in range(3):
        scene.fails(ReauthorizationRequired, retry=True)
    assert len(scene.x.calls) == before
    assert "AWSPENDING" not in scene.bench.labelled(scene.arn)


def test_two_lost_answers_are_enough_and_the_tags_cure_helps(scene: Scene) -> None:
    scene.x.fail_next(REFRESH, 200, {"token_type": "bearer"}, times=9)
    for _ in range(2):
        scene.fails(AnswerLost)
    error = scene.fails(ReauthorizationRequired)
    assert len(scene.x.calls) == 2
    assert f"remove the tag {TAG}" in error.cure
    scene.bench.client.untag_resource(SecretId=scene.arn, TagKeys=[TAG])
    scene.fails(AnswerLost)
    assert len(scene.x.calls) == 3


# ── what an answer may leave out ──


def answered(scene: Scene, **changes: Any) -> dict[str, Any]:
    """What is staged after X answers so. None: without this key."""
    usual = {
        "token_type": "bearer",
        "expires_in": 7200,
        "access_token": "new-access",
        "refresh_token": "new-refresh",
        "scope": SCOPE,
    }
    body = {key: value for key, value in {**usual, **changes}.items() if value is not None}
    scene.x.fail_next(REFRESH, 200, body)
    scene.create()
    return scene.pending


def warnings(log: Output) -> list[str]:
    return [line["message"] for line in log.lines() if line["level"] == "WARNING"]


@pytest.mark.parametrize("missing", [None, ""])
def test_an_answer_without_a_refresh_token_keeps_the_old_one(
    scene: Scene, missing: str | None
) -> None:
    pending = answered(scene, refresh_token=missing)
    assert pending["refresh_token"] == scene.old["refresh_token"]
    assert pending["access_token"] == "new-access"


def test_a_scope_that_is_narrower_is_stored_and_warned_about(scene: Scene, log: Output) -> None:
    assert answered(scene, scope="offline.access")["scope"] == "offline.access"
    assert warnings(log) == ["X no longer grants: tweet.read, users.read"]


@pytest.mark.parametrize("scope", [SCOPE, f"{SCOPE} like.read", None, ""])
def test_a_scope_that_is_not_narrower_is_not(scene: Scene, log: Output, scope: str | None) -> None:
    assert answered(scene, scope=scope)["scope"] == (scope or scene.old["scope"])
    assert warnings(log) == []


def test_a_secret_without_a_scope_gets_the_granted_one(build: Build, log: Output) -> None:
    scene = build(scope=None)
    assert answered(scene, scope="tweet.read")["scope"] == "tweet.read"
    assert warnings(log) == []


@pytest.mark.parametrize("seconds", [None, "7200", 7200.5, 10**20])
def test_an_expiry_that_is_no_number_is_left_out(scene: Scene, seconds: object) -> None:
    assert "expires_at" not in answered(scene, expires_in=seconds)


def test_the_expiry_of_the_old_token_is_not_the_new_ones(build: Build) -> None:
    scene = build(expires_at=ago(days=1))
    assert answered(scene, expires_in=None)["expires_at"] is None
    # So a new token that X takes not is no expired one.
    with pytest.raises(ReauthorizationRequired):
        scene.test()


def test_a_refresh_token_that_is_no_text_is_no_answer(scene: Scene) -> None:
    scene.x.fail_next(REFRESH, 200, {"access_token": "new-access", "refresh_token": 7})
    scene.fails(AnswerLost)


# ── testSecret ──


@pytest.mark.parametrize("status", [402, 403, 429])
def test_a_token_that_x_knows_is_good_whatever_it_may(
    scene: Scene, log: Output, status: int
) -> None:
    scene.x.fail_next(ME, status)
    scene.rotated()
    (warning,) = warnings(log)
    assert f"X knows the access token, and refused the request: HTTP {status}" in warning


def test_an_app_without_credits_rotates(scene: Scene, log: Output) -> None:
    scene.x.out_of_credits = True
    scene.rotated()
    assert "HTTP 402" in warnings(log)[0]


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_answer_that_does_not_say_whether_the_token_is_good_fails(
    scene: Scene, status: int
) -> None:
    scene.create()
    scene.x.fail_next(ME, status)
    with pytest.raises(ServiceUnavailable, match=f"did not say .* HTTP {status}"):
        scene.test()
    scene.rotated()


def test_a_dropped_answer_fails_and_the_next_test_is_good(scene: Scene) -> None:
    scene.create()
    scene.x.drop_next_answer(ME)
    with pytest.raises(AnswerLost):
        scene.test()
    scene.rotated()


def test_a_new_token_that_x_takes_not_fails(scene: Scene) -> None:
    scene.create()
    scene.x.fail_next(ME, 401)
    with pytest.raises(ReauthorizationRequired) as caught:
        scene.test()
    assert "89: Invalid or expired token" in caught.value.found
    assert scene.bench.current(scene.arn) == scene.old
    scene.rotated()


def test_a_test_alone_refreshes_nothing(scene: Scene) -> None:
    scene.test_only()
    assert scene.asked == [(ME, 200)]
    assert scene.x.refreshes(scene.old["refresh_token"])


@pytest.mark.parametrize("ended", [{"hours": 1}, {"seconds": 2}])
def test_a_test_alone_of_an_expired_token_is_a_warning_and_refreshes_nothing(
    scene: Scene, log: Output, ended: dict[str, float]
) -> None:
    scene.x.advance(timedelta(hours=3))
    ends = ago(**ended)
    scene.test_only(expires_at=ends)
    assert scene.asked == [(ME, 401)]
    assert warnings(log) == [f"the access token has expired, at {ends}"]
    assert scene.x.refreshes(scene.old["refresh_token"])
    scene.token = scene.bench.driver.start(scene.arn)
    scene.rotated()


def test_an_expiry_without_a_zone_is_utc(scene: Scene, log: Output) -> None:
    scene.x.advance(timedelta(hours=3))
    scene.test_only(expires_at=ago(minutes=1).removesuffix("+00:00"))
    assert len(warnings(log)) == 1
    with pytest.raises(ReauthorizationRequired):
        scene.bench.driver.test_only(
            scene.bench.secret(
                access_token="unknown", expires_at=ago(minutes=-1).removesuffix("+00:00")
            )[0]
        )


@pytest.mark.parametrize("expires_at", [None, "", "soon", 7200, ["2020-01-01"], "9999-01-01"])
def test_a_test_alone_of_a_token_that_should_be_good_fails(
    scene: Scene, expires_at: object
) -> None:
    scene.x.advance(timedelta(hours=3))
    with pytest.raises(ReauthorizationRequired, match="takes the access token no more"):
        scene.test_only(expires_at=expires_at)
    assert scene.asked == [(ME, 401)]


def test_two_at_once_of_which_one_reads_slowly_ask_once(scene: Scene) -> None:
    scene.bench.sleep = time.sleep
    asked, read = threading.Event(), []

    def dally(call: Call) -> None:
        if call.secret_id == scene.bench.admin_arn:
            read.append(call)
            if len(read) == 2:
                asked.wait(10)

    def answer(_: object) -> None:
        asked.set()
        time.sleep(1.5)  # the answer is on its way

    scene.bench.simulator.before("GetSecretValue", dally)
    scene.x.after(REFRESH, answer)
    scene.bench.driver.parallel(scene.arn, scene.token, Step.CREATE)
    assert [path for path, _ in scene.asked] == [REFRESH]
    assert scene.x.accepts(scene.pending["access_token"])


def test_a_token_with_a_line_break_is_misconfigured_and_no_defect(scene: Scene) -> None:
    with pytest.raises(MisconfiguredSecret, match="line break"):
        scene.test_only(access_token="pasted\n")
    assert scene.asked == []


def test_a_slow_connection_leaves_time_to_store_or_spends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = Provider._connected

    def slowly(self: Provider, method: str) -> HTTPConnection:
        # Several addresses of which none answers but the last.
        late = Deadline(self._deadline.at - 17, self._deadline.clock)
        monkeypatch.setattr(self, "_deadline", late)
        return connected(self, method)

    monkeypatch.setattr(Provider, "_connected", slowly)
    scene.bench.driver._seconds = 23.0
    scene.fails(DeadlineExceeded)
    assert scene.asked == []
    assert scene.x.refreshes(scene.old["refresh_token"])
    assert scene.mark is None


# ── what cannot be rotated ──


@pytest.mark.parametrize(
    ("credential", "found"),
    [
        ("oauth1-user", "an OAuth 1.0a access token is issued by its user's consent"),
        ("consumer-keys", "regenerated in the developer console alone"),
        ("client-secret", "OAuth 2.0 client secret is regenerated in the developer console"),
    ],
)
def test_what_x_issues_to_people_alone_is_told_with_what_can_be_rotated(
    scene: Scene, credential: str, found: str
) -> None:
    scene.store(credential=credential)
    error = scene.fails(MisconfiguredSecret)
    assert "'credential' cannot be rotated: " in error.found
    assert found in error.found
    assert "app-only-bearer and oauth2-user" in error.cure
    assert scene.asked == []


@pytest.mark.parametrize("credential", ["oauth2", "OAUTH2-USER", "x" * 500])
def test_a_credential_that_nobody_knows_is_told_with_those_that_are(
    scene: Scene, credential: str
) -> None:
    scene.store(credential=credential)
    error = scene.fails(MisconfiguredSecret)
    assert error.found == "the secret's 'credential' is none that is known"
    assert "Store one of: app-only-bearer and " in error.cure
    assert scene.asked == []


@pytest.mark.parametrize("credential", [None, "", 7, ["oauth2-user"]])
def test_a_credential_that_is_no_text_is_misconfigured(scene: Scene, credential: object) -> None:
    scene.store(credential=credential)
    assert "'credential'" in str(scene.fails(MisconfiguredSecret))
    assert scene.asked == []
