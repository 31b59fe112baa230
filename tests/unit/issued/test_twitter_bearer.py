"""The app-only bearer: every answer that X gives, and whose bearer is rotated."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest

from rotators.errors import (
    AnswerLost,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    ServerUnreachable,
    ServiceUnavailable,
    UntrustedServer,
)
from rotators.exchange import TAG
from rotators.issued import twitter_bearer
from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.testing.bench import Bench
from rotators.testing.crashes import Crash, CrashPoints
from tests.engines.twitter_target import BearerTarget

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates
    from rotators.testing.twitter import App, TwitterServer
    from tests.unit.conftest import Output
    from tests.unit.issued.conftest import Sent

TOKEN, INVALIDATE = "/oauth2/token", "/oauth2/invalidate_token"
# One way of a refusal in one place. A status of X, and what it comes to.
REFUSALS = [
    (402, PermissionMissing, "needs credits"),
    (404, LoginRefused, "developer console"),
    (429, ServiceUnavailable, "will call again"),
    (500, ServiceUnavailable, "will call again"),
    (503, ServiceUnavailable, "will call again"),
]


class Target(BearerTarget):
    """One app; its keys are in a secret of their own if ``apart``."""

    def __init__(
        self, x: TwitterServer, certificates: Certificates, *, owner: bool, apart: bool
    ) -> None:
        super().__init__(x, certificates.ca)
        self.app = x.new_app()
        self.known = self.keys(self.app, owner=owner)
        self.admin = self.known if apart else None

    def new_secret(self) -> dict[str, Any]:
        return {**self.bearer(self.app), **({} if self.admin else self.known)}


@dataclass
class Scene:
    """A secret with its app's bearer, and the version that is to be rotated in."""

    x: TwitterServer
    bench: Bench
    app: App
    arn: str
    token: str
    old: str

    @property
    def asked(self) -> list[tuple[str, int | None]]:
        return [(call.path, call.status) for call in self.x.calls]

    @property
    def tags(self) -> Mapping[str, str]:
        return self.bench.simulator.secret(self.arn).tags

    def fails(self, kind: type[RotationError], step: Step = Step.CREATE) -> RotationError:
        """The step ends so, and leaves what is stored as it was."""
        before = self.bench.labelled(self.arn)
        with pytest.raises(kind) as caught:
            self.bench.driver.step(self.arn, self.token, step)
        assert type(caught.value) is kind
        assert self.bench.labelled(self.arn) == before
        return caught.value

    def rotated(self) -> None:
        """The rotation ends well, whatever was before."""
        self.bench.driver.retry(self.arn, self.token)
        assert "AWSCURRENT" in self.bench.simulator.labels(self.arn)[self.token]
        assert self.bench.current(self.arn)["bearer_token"] == self.x.bearer(self.app)
        assert self.x.bearer(self.app) != self.old
        assert TAG not in self.tags

    def store(self, **fields: Any) -> None:
        """A person stores this, and rotates."""
        self.bench.driver.put_by_hand(self.arn, {**self.bench.current(self.arn), **fields})
        self.token = self.bench.driver.start(self.arn)

    def invalidated(self) -> str:
        """Somebody replaces the bearer at X, without this secret. The new one."""
        app = self.x._service.apps
        app.invalidate(self.app, [("access_token", unquote(self.x.bearer(self.app) or ""))])
        return self.x.issue_bearer(self.app)

    def grant_reset(self) -> None:
        target = self.bench.target
        target.settings = replace(target.settings, admin_reset=True)


Build = Callable[..., Scene]


@pytest.fixture
def build(x: TwitterServer, certificates: Certificates) -> Iterator[Build]:
    with ExitStack() as stack:

        def build(*, owner: bool = False, apart: bool = False, **fields: Any) -> Scene:
            target = Target(x, certificates, owner=owner, apart=apart)
            bench = stack.enter_context(Bench(TwitterOAuthRotator, target))
            arn, _ = bench.secret(**fields)
            old = x.issue_bearer(target.app)
            return Scene(x, bench, target.app, arn, bench.driver.start(arn), old)

        yield build


@pytest.fixture
def scene(build: Build) -> Scene:
    """The keys are in the secret itself."""
    return build()


@pytest.fixture(params=["", "apart"])
def either(build: Build, request: pytest.FixtureRequest) -> Scene:
    """The keys are in the secret itself, then in another."""
    return build(apart=bool(request.param))


# ── as it should be ──


def test_a_rotation_compares_invalidates_reads_back_and_compares_again(
    either: Scene, sent: Sent
) -> None:
    either.rotated()
    assert either.asked == [(TOKEN, 200), (INVALIDATE, 200), (TOKEN, 200), (TOKEN, 200)]
    assert [body for _, body, _ in sent] == [
        "grant_type=client_credentials",
        f"access_token={either.old}",
        "grant_type=client_credentials",
        "grant_type=client_credentials",
    ]
    app = either.app
    keys = f"{quote(app.api_key, safe='')}:{quote(app.api_key_secret, safe='')}"
    assert {headers["Authorization"] for _, _, headers in sent} == {
        f"Basic {b64encode(keys.encode()).decode()}"
    }


@pytest.mark.parametrize("shape", [str, unquote], ids=["as X shows it", "decoded"])
@pytest.mark.parametrize("by", ["basic", "oauth1"])
def test_a_bearer_is_sent_in_one_encoding_however_it_is_stored(
    build: Build, sent: Sent, shape: Callable[[str], str], by: str
) -> None:
    scene = build(owner=True)
    scene.x.invalidate_by_basic = by == "basic"
    scene.store(bearer_token=shape(scene.old))
    assert "%2F" in scene.old
    assert "/" in unquote(scene.old)
    scene.rotated()
    invalidations = [(path, body) for path, body, _ in sent if path.startswith(INVALIDATE)]
    assert invalidations[0] == (INVALIDATE, f"access_token={scene.old}")
    assert (by == "oauth1") is (len(invalidations) == 2)
    if by == "oauth1":
        assert invalidations[1] == (f"{INVALIDATE}?access_token={scene.old}", "")
    assert not [1 for path, body, _ in sent if "%25" in f"{path}{body}"]
    assert (INVALIDATE, 200) in scene.asked


@pytest.mark.parametrize("shape", [str, unquote], ids=["as X shows it", "decoded"])
def test_an_attach_that_only_tests_compares_and_no_more(
    build: Build, shape: Callable[[str], str]
) -> None:
    for value in ("copy", "missing"):
        scene = build()
        scene.bench.client.update_secret_version_stage(
            SecretId=scene.arn, VersionStage="AWSPENDING", RemoveFromVersionId=scene.token
        )
        bearer = {**scene.bench.current(scene.arn), "bearer_token": shape(scene.old)}
        scene.bench.driver.put_by_hand(scene.arn, bearer)
        before = len(scene.x.calls)
        scene.bench.driver.test_only(scene.arn, "copy" if value == "copy" else "missing")
        assert scene.asked[before:] == [(TOKEN, 200)]
        assert scene.x.bearer(scene.app) == scene.old


# ── 403, which may mean anything ──


def test_a_403_is_asked_about_once_more(either: Scene) -> None:
    either.x.fail_next(TOKEN, 403)
    either.rotated()
    assert either.asked[:3] == [(TOKEN, 403), (TOKEN, 200), (INVALIDATE, 200)]


def test_before_it_asks_once_more_it_pauses(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(twitter_bearer, "PAUSE_SECONDS", 2.0)
    monkeypatch.setattr(time, "sleep", pauses.append)
    scene.x.fail_next(TOKEN, 403)
    scene.bench.driver.step(scene.arn, scene.token, Step.CREATE)
    assert pauses == [2.0]


def test_after_a_second_403_nothing_is_invalidated(either: Scene) -> None:
    either.x.fail_next(TOKEN, 403, times=2)
    error = either.fails(LoginRefused)
    assert either.asked == [(TOKEN, 403), (TOKEN, 403)]
    assert either.x.bearer(either.app) == either.old
    assert "HTTP 403: 99: Unable to verify your credentials" in error.found
    assert "wait some minutes before you change anything" in error.cure
    assert TAG not in either.tags
    either.rotated()


@pytest.mark.parametrize("key", ["api_key", "api_key_secret"])
def test_wrong_keys_invalidate_nothing(scene: Scene, key: str) -> None:
    scene.store(**{key: "wrong"})
    scene.fails(LoginRefused)
    assert scene.asked == [(TOKEN, 403)] * 2
    assert scene.x.bearer(scene.app) == scene.old


@pytest.mark.parametrize("key", ["api_key", "api_key_secret", "bearer_token"])
@pytest.mark.parametrize("value", [None, "", 7])
def test_without_its_keys_nothing_is_asked(scene: Scene, key: str, value: object) -> None:
    scene.store(**{key: value})
    assert repr(key) in str(scene.fails(MisconfiguredSecret))
    assert scene.asked == []


# ── other refusals, before anything is done ──


@pytest.mark.parametrize(("status", "kind", "cure"), REFUSALS)
def test_a_refusal_to_show_the_bearer(
    either: Scene, status: int, kind: type[RotationError], cure: str
) -> None:
    either.x.fail_next(TOKEN, status)
    error = either.fails(kind)
    assert either.asked == [(TOKEN, status)]
    assert f"the app's bearer was refused by X: HTTP {status}" in error.found
    assert cure in error.cure
    assert TAG not in either.tags
    assert either.x.bearer(either.app) == either.old
    either.rotated()


@pytest.mark.parametrize(("status", "kind", "cure"), REFUSALS)
def test_a_refusal_to_invalidate(
    either: Scene, status: int, kind: type[RotationError], cure: str
) -> None:
    either.x.fail_next(INVALIDATE, status)
    error = either.fails(kind)
    assert either.asked == [(TOKEN, 200), (INVALIDATE, status)]
    assert f"the invalidation of the bearer was refused by X: HTTP {status}" in error.found
    assert cure in error.cure
    assert either.x.bearer(either.app) == either.old
    either.rotated()


def test_a_server_that_is_not_x_is_told_no_key(scene: Scene, certificates: Certificates) -> None:
    target = scene.bench.target
    target.settings = replace(target.settings, ca_bundle=certificates.unrelated_ca)
    scene.fails(UntrustedServer)
    assert scene.asked == []


def test_where_nobody_listens_nothing_is_done(scene: Scene) -> None:
    scene.store(base_url="https://localhost:1")
    scene.fails(ServerUnreachable)
    assert TAG not in scene.tags


# ── the two ways of invalidating ──


def test_where_basic_is_refused_the_owner_signs(build: Build, sent: Sent) -> None:
    scene = build(owner=True)
    scene.x.invalidate_by_basic = False
    scene.rotated()
    assert scene.asked[:4] == [(TOKEN, 200), (INVALIDATE, 403), (INVALIDATE, 200), (TOKEN, 200)]
    authorization = [headers["Authorization"].split()[0] for _, _, headers in sent]
    assert authorization == ["Basic", "Basic", "OAuth", "Basic", "Basic"]


@pytest.mark.parametrize("status", [401, 403])
def test_the_owner_signs_where_basic_is_unknown(build: Build, status: int) -> None:
    scene = build(owner=True, apart=True)
    scene.x.fail_next(INVALIDATE, status)
    scene.rotated()
    assert scene.asked[1:3] == [(INVALIDATE, status), (INVALIDATE, 200)]


def test_where_basic_is_taken_nobody_signs(build: Build, sent: Sent) -> None:
    build(owner=True).rotated()
    assert [path for path, _, _ in sent].count(INVALIDATE) == 1
    assert not [1 for _, _, headers in sent if headers["Authorization"].startswith("OAuth")]


def test_where_both_are_refused_the_bearer_stays_and_the_cure_is_told(build: Build) -> None:
    scene = build(owner=True)
    scene.x.invalidate_by_basic = scene.x.invalidate_by_oauth1 = False
    error = scene.fails(ServiceUnavailable)
    assert scene.asked == [(TOKEN, 200), (INVALIDATE, 403), (INVALIDATE, 403), (TOKEN, 200)]
    assert error.found.count("HTTP 403: 99") == 2
    assert scene.x.bearer(scene.app) == scene.old
    scene.x.invalidate_by_oauth1 = True
    scene.rotated()


def test_without_the_owners_token_nobody_signs_and_the_cure_names_it(scene: Scene) -> None:
    scene.x.invalidate_by_basic = False
    error = scene.fails(ServiceUnavailable)
    assert scene.asked == [(TOKEN, 200), (INVALIDATE, 403), (TOKEN, 200)]
    assert "access_token and access_token_secret (OAuth 1.0a)" in error.cure


def test_an_owner_of_another_app_is_refused(build: Build) -> None:
    scene = build(owner=True)
    scene.x.invalidate_by_basic = False
    scene.store(access_token_secret="of another")
    scene.fails(ServiceUnavailable)
    assert scene.x.bearer(scene.app) == scene.old


@pytest.mark.parametrize("key", ["access_token", "access_token_secret"])
def test_half_an_owner_is_misconfigured(build: Build, key: str) -> None:
    scene = build(owner=True)
    scene.x.invalidate_by_basic = False
    scene.store(**{key: ""})
    assert repr(key) in str(scene.fails(MisconfiguredSecret))


def test_x_that_says_it_had_and_had_not_is_not_believed(either: Scene) -> None:
    either.x.fail_next(INVALIDATE, 200, {"access_token": either.old})
    error = either.fails(ServiceUnavailable)
    assert "X did not invalidate the bearer: it said that it had" in error.found
    either.rotated()


# ── what is lost in between is found again ──


@pytest.mark.parametrize("path", [TOKEN, INVALIDATE])
def test_a_dropped_answer_is_lost_and_the_next_try_heals(either: Scene, path: str) -> None:
    either.x.drop_next_answer(path)
    either.fails(AnswerLost)
    either.rotated()


def test_an_answer_without_a_bearer_is_lost(either: Scene) -> None:
    either.x.fail_next(TOKEN, 200, {"token_type": "bearer"})
    either.fails(AnswerLost)
    either.x.fail_next(TOKEN, 200, "<html>gateway</html>")
    either.fails(AnswerLost)
    either.rotated()


@pytest.mark.parametrize("status", [402, 403, 429, 503])
def test_a_refusal_after_the_invalidation_heals_as_well(either: Scene, status: int) -> None:
    """Where the keys are apart, nothing but the mark tells that the new bearer is this secret's."""
    times = 2 if status == 403 else 1
    either.x.after(INVALIDATE, lambda _: either.x.fail_next(TOKEN, status, times=times), times=1)
    with pytest.raises(RotationError):
        either.bench.driver.step(either.arn, either.token, Step.CREATE)
    either.rotated()
    assert [call for call in either.asked if call[0] == INVALIDATE] == [(INVALIDATE, 200)]


def test_a_crash_anywhere_heals_without_invalidating_again(either: Scene) -> None:
    """Also where the keys are apart, and only the mark tells whose the new bearer is."""
    at = 0
    while True:
        if at:
            either.old = either.x.bearer(either.app) or ""
            either.token = either.bench.driver.start(either.arn)
        before = len(either.x.calls)
        either.bench.points = CrashPoints(at)
        try:
            either.bench.driver.step(either.arn, either.token, Step.CREATE)
            break
        except Crash:
            either.bench.points = None
        either.rotated()
        invalidations = [call for call in either.asked[before:] if call == (INVALIDATE, 200)]
        assert len(invalidations) == 1, at
        at += 1
    assert at > 15


def test_a_bearer_that_x_has_replaced_is_stored_and_not_invalidated(
    scene: Scene, log: Output
) -> None:
    live = scene.invalidated()
    scene.rotated()
    assert scene.bench.current(scene.arn)["bearer_token"] == live
    assert INVALIDATE not in [path for path, _ in scene.asked]
    assert "X has replaced the bearer already: nothing is invalidated" in log.text


def test_a_bearer_that_is_not_the_apps_fails_the_test(either: Scene) -> None:
    either.bench.driver.step(either.arn, either.token, Step.CREATE)
    either.invalidated()
    assert "not the one that X has for the app" in str(either.fails(LoginRefused, Step.TEST))
    assert either.bench.current(either.arn)["bearer_token"] == either.old


# ── whose bearer it is: the keys may be somebody else's ──


def foreign(build: Build, **fields: Any) -> Scene:
    """A secret that names another's keys, and a bearer of its own."""
    return build(apart=True, bearer_token="AAAA%2Fof-another%3Dapp", **fields)


def assert_untouched(scene: Scene) -> None:
    error = scene.fails(ForbiddenTarget)
    assert scene.asked[-1] == (TOKEN, 200)
    assert INVALIDATE not in [path for path, _ in scene.asked]
    assert scene.x.bearer(scene.app) == scene.old
    assert scene.old not in str(error)
    values = [
        scene.bench.simulator.value(scene.arn, version_id=version) or ""
        for version in scene.bench.simulator.secret(scene.arn).versions
    ]
    assert not [value for value in values if scene.old in value]
    assert TAG not in scene.tags


def test_the_bearer_of_a_foreign_app_is_neither_stored_nor_invalidated(build: Build) -> None:
    scene = foreign(build)
    for _ in range(3):
        assert_untouched(scene)
    error = scene.fails(ForbiddenTarget)
    assert "none that this secret has held" in error.found
    assert "ROTATION_ADMIN_RESET=true" in error.cure


def test_nor_with_a_masterarn_that_a_person_puts_into_a_good_secret(
    build: Build, x: TwitterServer
) -> None:
    scene = foreign(build)
    mine = x.new_app()
    scene.store(bearer_token=x.issue_bearer(mine), api_key=mine.api_key, base_url=x.base_url)
    assert_untouched(scene)


@pytest.mark.parametrize("hidden", [False, True], ids=["listed", "not to be listed"])
def test_versions_that_held_other_bearers_prove_nothing(build: Build, hidden: bool) -> None:
    scene = foreign(build)
    for number in range(3):
        scene.store(bearer_token=f"AAAA%2F{number}")
    if hidden:
        scene.bench.simulator.deny("ListSecretVersionIds")
    assert_untouched(scene)


def test_an_administrator_may_say_that_it_is_this_secrets(build: Build) -> None:
    scene = foreign(build)
    scene.grant_reset()
    scene.bench.driver.retry(scene.arn, scene.token)
    # It was none of AWSCURRENT's, so it needed no invalidation.
    assert scene.bench.current(scene.arn)["bearer_token"] == scene.old
    assert INVALIDATE not in [path for path, _ in scene.asked]
    scene.token = scene.bench.driver.start(scene.arn)
    scene.rotated()


@pytest.mark.parametrize("later", [1, 3], ids=["AWSPREVIOUS", "without a label"])
@pytest.mark.parametrize("shape", [str, unquote], ids=["as X shows it", "decoded"])
def test_a_bearer_that_the_secret_has_held_is_its_own(
    build: Build, later: int, shape: Callable[[str], str]
) -> None:
    scene = build(apart=True)
    scene.store(bearer_token=shape(scene.old))
    for number in range(later):
        scene.store(bearer_token=f"AAAA%2F{number}")
    scene.bench.driver.retry(scene.arn, scene.token)
    assert scene.bench.current(scene.arn)["bearer_token"] == scene.old
    assert INVALIDATE not in [path for path, _ in scene.asked]


def test_an_unlabelled_bearer_proves_nothing_where_versions_may_not_be_listed(
    build: Build,
) -> None:
    scene = build(apart=True)
    for number in range(3):
        scene.store(bearer_token=f"AAAA%2F{number}")
    scene.bench.simulator.deny("ListSecretVersionIds")
    scene.fails(ForbiddenTarget)
    scene.bench.simulator.allow("ListSecretVersionIds")
    scene.bench.driver.retry(scene.arn, scene.token)
    assert scene.bench.current(scene.arn)["bearer_token"] == scene.old


@pytest.mark.parametrize("proof", ["", f" proof={'0' * 32}"])
def test_a_mark_that_anybody_could_write_proves_nothing(build: Build, proof: str) -> None:
    scene = foreign(build)
    labels = scene.bench.simulator.labels(scene.arn).items()
    version = next(version for version, held in labels if "AWSCURRENT" in held)
    mark = f"from={version} tries=1 until=0 by=0badcafe{proof}"
    scene.bench.client.tag_resource(SecretId=scene.arn, Tags=[{"Key": TAG, "Value": mark}])
    scene.fails(ForbiddenTarget)
    values = scene.bench.simulator.secret(scene.arn).versions.values()
    assert not [1 for version in values if scene.old in str(version.value)]


def test_the_mark_of_another_version_proves_nothing(build: Build) -> None:
    scene = foreign(build)
    version = "o" * 36
    tag = {"Key": TAG, "Value": f"from={version} tries=1 until=0 by=0badcafe"}
    scene.bench.client.tag_resource(SecretId=scene.arn, Tags=[tag])
    scene.fails(ForbiddenTarget)
    assert scene.x.bearer(scene.app) == scene.old
