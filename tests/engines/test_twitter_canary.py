"""No token, key, header or signature anywhere it does not belong, whatever a rotation ends with."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

import pytest

from rotators import errors, telemetry
from rotators.driver import Driver
from rotators.exchange import TAG
from rotators.issued import twitter_bearer
from rotators.issued.http import Provider
from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.settings import StrategyName
from rotators.testing._x.apps import Apps
from rotators.testing._x.grants import Grants
from rotators.testing.bench import Bench
from rotators.testing.twitter import TwitterServer
from tests.engines.canary import concrete_errors
from tests.engines.twitter_target import SCOPE, BearerTarget, UserTarget

if TYPE_CHECKING:
    from rotators.errors import RotationError
    from rotators.testing.certificates import Certificates
    from rotators.testing.twitter import App

TOKEN, INVALIDATE = "/oauth2/token", "/oauth2/invalidate_token"
REFRESH, ME = "/2/oauth2/token", "/2/users/me"

# Only a database, or what sets its passwords, ends a rotation so: canary.py.
OF_DATABASES = {
    errors.InvalidSetting,
    errors.AccountLocked,
    errors.ReadOnlyServer,
    errors.VerifierRefused,
    errors.ValueRefused,
    errors.ValueRejected,
}

SENSITIVE = (
    "bearer_token", "access_token", "refresh_token", "access_token_secret", "api_key",
    "api_key_secret", "client_id", "client_secret",
)  # fmt: skip

# So much of a secret in a row is a part of it, and no coincidence.
TELLING = 16


class OwnersTarget(BearerTarget):
    """One app, with its owner's token; its keys are in a secret of their own if ``apart``."""

    def __init__(self, x: TwitterServer, certificates: Certificates, *, apart: bool) -> None:
        super().__init__(x, certificates.ca)
        self.app = x.new_app()
        self.known = self.keys(self.app, owner=True)
        self.admin = self.known if apart else None

    def new_secret(self) -> dict[str, Any]:
        return {**self.bearer(self.app), **({} if self.admin else self.known)}


class Case:
    """A rotation of X's credentials, and everything secret in it."""

    bench: Bench
    app: App

    def __init__(
        self, x: TwitterServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.x = x
        self.certificates = certificates
        self.monkeypatch = monkeypatch
        self.stack = ExitStack()
        self.known: set[str] = set()
        self._listen()

    def bearer(self, *, apart: bool = False, **fields: Any) -> tuple[str, str]:
        """An app's secret, and the version that is to be rotated in."""
        return self._begin(OwnersTarget(self.x, self.certificates, apart=apart), **fields)

    def user(self, *, confidential: bool = True, **fields: Any) -> tuple[str, str]:
        """A user's secret, and the version that is to be rotated in."""
        return self._begin(
            UserTarget(self.x, self.certificates.ca, confidential=confidential), **fields
        )

    def holder(self, arn: str, label: str) -> str:
        labels = self.bench.simulator.labels(arn).items()
        return next(version for version, held in labels if label in held)

    def run(self, rotation: tuple[str, str]) -> None:
        self.bench.driver.retry(*rotation)

    def settings(self, **changes: Any) -> None:
        target = self.bench.target
        target.settings = replace(target.settings, **changes)

    def _begin(self, target: OwnersTarget | UserTarget, **fields: Any) -> tuple[str, str]:
        self.bench = self.stack.enter_context(Bench(TwitterOAuthRotator, target))
        self.app = target.app
        for key in SENSITIVE:
            self.know(getattr(self.app, key, None))
            self.know(fields.get(key))
        arn, _ = self.bench.secret(**fields)
        return arn, self.bench.driver.start(arn)

    # ── what is secret ──

    def _listen(self) -> None:
        """To all that X issues, and to all that is sent for authentication."""
        issue, issued, send = Apps.issue, Grants._issued, Provider._send

        def know_bearer(apps: Apps, app: App) -> str:
            bearer = issue(apps, app)
            self.know(bearer)
            return bearer

        def know_pair(grants: Grants, grant: Any) -> dict[str, Any]:
            answer = issued(grants, grant)
            self.know(answer["access_token"])
            self.know(answer["refresh_token"])
            return answer

        def know_request(
            provider: Provider,
            method: str,
            path: str,
            body: str | None,
            headers: Mapping[str, str],
            **others: bool,
        ) -> Any:
            self._know_header(headers.get("Authorization", ""))
            for key, value in parse_qsl(f"{path.partition('?')[2]}&{body or ''}"):
                if key in SENSITIVE:
                    self.know(value)
            return send(provider, method, path, body, headers, **others)

        self.monkeypatch.setattr(Apps, "issue", know_bearer)
        self.monkeypatch.setattr(Grants, "_issued", know_pair)
        self.monkeypatch.setattr(Provider, "_send", know_request)

    def _know_header(self, authorization: str) -> None:
        scheme, _, rest = authorization.partition(" ")
        self.know(rest)
        halves = b64decode(rest).decode().split(":") if scheme == "Basic" else ()
        for value in (*halves, *re.findall(r'oauth_signature="([^"]+)"', rest)):
            self.know(value)

    def know(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) >= TELLING:
            self.known.add(value)
        return value

    def leaks(self, text: str) -> list[str]:
        """Which secrets are in a text, whole or in part, whatever they are encoded in."""
        shown = set(parts(text))
        return [
            secret
            for secret in sorted(self.known)
            if any(part in shown for shape in shapes(secret) for part in parts(shape))
        ]

    def elsewhere(self) -> str:
        """All that others keep: tags, what Secrets Manager and X note."""
        simulator = self.bench.simulator
        arns = [*self.bench.arns, *([self.bench.admin_arn] if self.bench.admin_arn else [])]
        tags = [simulator.secret(arn).tags for arn in arns]
        return f"{tags} {simulator.calls} {simulator.events} {self.x.calls}"


def shapes(secret: str) -> set[str]:
    decoded, encoded = unquote(secret), quote(secret, safe="")
    return {secret, decoded, encoded, quote(encoded, safe=""), b64encode(secret.encode()).decode()}


def parts(text: str) -> Iterable[str]:
    """Whatever of a text is long enough to tell."""
    return (text[start : start + TELLING] for start in range(len(text) - TELLING + 1))


@pytest.fixture
def case(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr(twitter_bearer, "PAUSE_SECONDS", 0.0)
    with TwitterServer(tls=certificates.server) as x:
        case = Case(x, certificates, monkeypatch)
        with case.stack:
            yield case


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What a function logs whose Lambda was told to log all that there is."""
    levels = {"oauthlib": logging.NOTSET, "botocore": logging.INFO}  # as the handler sets it
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name in levels:
        logging.getLogger(name).setLevel(logging.NOTSET)


# ── how a rotation can end ──

Scenario = Callable[[Case], None]
SCENARIOS: dict[str, tuple[type[RotationError], Scenario]] = {}


def ends_with(kind: type[RotationError]) -> Callable[[Scenario], Scenario]:
    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[scenario.__name__] = kind, scenario
        return scenario

    return register


@ends_with(errors.InvalidEvent)
def a_bad_event(case: Case) -> None:
    arn, token = case.bearer()
    event = {"Step": "x", "SecretId": arn, "ClientRequestToken": token, "RotationToken": "r" * 40}
    case.bench.handle(event, None)


@ends_with(errors.RotationRejected)
def a_superseded_version(case: Case) -> None:
    arn, _ = case.bearer()
    case.bench.driver.step(arn, str(uuid.uuid4()), Step.CREATE)


@ends_with(errors.UnknownEngine)
def an_engine_that_is_none(case: Case) -> None:
    rotation = case.bearer(engine="twiter")
    case.bench.engines.clear()
    case.run(rotation)


@ends_with(errors.DriverMissing)
def no_library_to_sign_with(case: Case) -> None:
    missing = Driver("no_such_driver", extra="any")
    case.monkeypatch.setattr(TwitterOAuthRotator, "driver", missing)
    case.monkeypatch.setattr(twitter_bearer, "OAUTH", missing)
    case.x.invalidate_by_basic = False
    case.run(case.bearer())


@ends_with(errors.StrategyUnavailable)
def a_strategy(case: Case) -> None:
    rotation = case.bearer()
    case.settings(strategy=StrategyName.ALTERNATING_USERS)
    case.run(rotation)


@ends_with(errors.ForbiddenTarget)
def a_foreign_app(case: Case) -> None:
    case.run(case.bearer(apart=True, bearer_token=f"AAAA%2F{uuid.uuid4().hex}%3D"))


@ends_with(errors.ForbiddenTarget)
def a_pending_value_of_somebody_else(case: Case) -> None:
    arn, token = case.user()
    value = {**case.bench.current(arn), "note": case.know(uuid.uuid4().hex)}
    case.bench.client.put_secret_value(
        SecretId=arn,
        ClientRequestToken=token,
        SecretString=json.dumps(value),
        VersionStages=["AWSPENDING"],
    )
    case.run((arn, token))


@ends_with(errors.MisconfiguredSecret)
def a_credential_that_is_issued_by_hand(case: Case) -> None:
    case.run(case.user(credential="oauth1-user"))


@ends_with(errors.MisconfiguredSecret)
def a_token_in_the_wrong_place(case: Case) -> None:
    case.run(case.user(credential=case.know(uuid.uuid4().hex * 2)))


@ends_with(errors.MisconfiguredSecret)
def a_long_address_with_a_password_in_it(case: Case) -> None:
    password = case.know(uuid.uuid4().hex * 4)
    case.run(case.bearer(base_url=f"http://user:{password}@localhost"))


@ends_with(errors.MisconfiguredSecret)
def a_missing_key(case: Case) -> None:
    case.run(case.bearer(api_key_secret=None))


@ends_with(errors.MisconfiguredSecret)
def an_address_with_a_password_in_it(case: Case) -> None:
    case.run(case.bearer(base_url=f"http://user:{case.know(uuid.uuid4().hex)}@localhost"))


@ends_with(errors.MisconfiguredSecret)
def a_refresh_that_is_refused_for_another_reason(case: Case) -> None:
    case.x.fail_next(REFRESH, 400, {"error": "unsupported_grant_type"})
    case.run(case.user())


@ends_with(errors.LoginRefused)
def wrong_keys(case: Case) -> None:
    case.run(case.bearer(api_key_secret=uuid.uuid4().hex))


@ends_with(errors.LoginRefused)
def an_x_that_repeats_what_it_was_sent(case: Case) -> None:
    rotation = case.bearer()
    keys = f"{quote(case.app.api_key, safe='')}:{quote(case.app.api_key_secret, safe='')}"
    said = f"{keys} {b64encode(keys.encode()).decode()} {case.x.bearer(case.app)}"
    case.x.fail_next(TOKEN, 403, {"errors": [{"code": 99, "message": said[:190]}]}, times=2)
    case.run(rotation)


@ends_with(errors.LoginRefused)
def an_x_that_repeats_it_and_is_cut_short(case: Case) -> None:
    rotation = case.bearer()
    said = f"{'x' * 150} {case.x.bearer(case.app)}"
    case.x.fail_next(TOKEN, 403, {"errors": [{"code": 99, "message": said}]}, times=2)
    case.run(rotation)


@ends_with(errors.LoginRefused)
def a_bearer_that_is_replaced_before_the_test(case: Case) -> None:
    arn, token = case.bearer()
    case.bench.driver.step(arn, token, Step.CREATE)
    bearer = case.x.bearer(case.app) or ""
    case.x._service.apps.invalidate(case.app, [("access_token", unquote(bearer))])
    case.run((arn, token))


@ends_with(errors.LoginRefused)
def a_client_that_is_refused(case: Case) -> None:
    case.x.fail_next(REFRESH, 401)
    case.run(case.user())


@ends_with(errors.PermissionMissing)
def a_bearer_without_credits(case: Case) -> None:
    case.x.fail_next(TOKEN, 402)
    case.run(case.bearer())


@ends_with(errors.PermissionMissing)
def a_refresh_without_credits(case: Case) -> None:
    case.x.fail_next(REFRESH, 402)
    case.run(case.user(confidential=False))


@ends_with(errors.UntrustedServer)
def a_server_that_is_not_x(case: Case) -> None:
    rotation = case.user()
    case.settings(ca_bundle=case.certificates.unrelated_ca)
    case.run(rotation)


@ends_with(errors.AccessDenied)
def a_value_that_cannot_be_stored(case: Case) -> None:
    rotation = case.user()
    case.bench.simulator.deny("PutSecretValue")
    case.run(rotation)


@ends_with(errors.AccessDenied)
def a_mark_that_cannot_be_left(case: Case) -> None:
    rotation = case.bearer()
    case.bench.simulator.deny("TagResource")
    case.run(rotation)


@ends_with(errors.MisconfiguredSecret)
def a_token_that_no_header_takes(case: Case) -> None:
    # The library's own error would repeat the whole header.
    arn, token = case.user(access_token=f"{uuid.uuid4().hex}\n{uuid.uuid4().hex}")
    case.bench.client.update_secret_version_stage(
        SecretId=arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
    )
    case.bench.driver.test_only(arn)


@ends_with(errors.UnexpectedError)
def a_defect_that_shows_what_it_has(case: Case) -> None:
    def broken(provider: Provider, path: str, form: Any, **others: Any) -> Any:
        raise ZeroDivisionError(f"{form} {others}")

    rotation = case.user()
    case.monkeypatch.setattr(Provider, "post", broken)
    case.run(rotation)


@ends_with(errors.ReauthorizationRequired)
def a_spent_token(case: Case) -> None:
    case.run(case.user(refresh_token=uuid.uuid4().hex))


@ends_with(errors.ReauthorizationRequired)
def a_lost_answer_that_had_its_effect(case: Case) -> None:
    rotation = case.user()
    case.x.drop_next_answer(REFRESH)
    with pytest.raises(errors.AnswerLost):
        case.run(rotation)
    case.run(rotation)


@ends_with(errors.ReauthorizationRequired)
def too_many_tries(case: Case) -> None:
    rotation = case.user()
    case.x.fail_next(REFRESH, 200, {"token_type": "bearer"}, times=2)
    for _ in range(2):
        with pytest.raises(errors.AnswerLost):
            case.run(rotation)
    case.run(rotation)


@ends_with(errors.ReauthorizationRequired)
def a_new_token_that_x_takes_not(case: Case) -> None:
    case.x.fail_next(ME, 401)
    case.run(case.user())


@ends_with(errors.ServerUnreachable)
def nobody_listens(case: Case) -> None:
    case.run(case.bearer(base_url="https://localhost:1"))


@ends_with(errors.ServiceUnavailable)
def neither_way_of_invalidating(case: Case) -> None:
    case.x.invalidate_by_basic = case.x.invalidate_by_oauth1 = False
    case.run(case.bearer())


@ends_with(errors.ServiceUnavailable)
def too_many_requests(case: Case) -> None:
    case.x.fail_next(INVALIDATE, 429)
    case.run(case.bearer(apart=True))


@ends_with(errors.ServiceUnavailable)
def a_test_that_fails_in_x(case: Case) -> None:
    case.x.fail_next(ME, 503)
    case.run(case.user())


@ends_with(errors.AnswerLost)
def a_dropped_bearer(case: Case) -> None:
    case.x.drop_next_answer(TOKEN)
    case.run(case.bearer())


@ends_with(errors.AnswerLost)
def a_dropped_invalidation_by_basic(case: Case) -> None:
    case.x.drop_next_answer(INVALIDATE)
    case.run(case.bearer(apart=True))


@ends_with(errors.ServiceUnavailable)
def a_failure_of_x_in_a_refresh(case: Case) -> None:
    case.x.fail_next(REFRESH, 500)
    case.run(case.user())


@ends_with(errors.AnswerLost)
def tokens_in_an_answer_that_lacks_one(case: Case) -> None:
    issued = case.know(uuid.uuid4().hex)
    case.x.fail_next(REFRESH, 200, {"refresh_token": issued, "scope": issued})
    case.run(case.user())


@ends_with(errors.ValueNotReadable)
def a_value_that_is_not_staged(case: Case) -> None:
    arn, token = case.bearer()
    case.bench.driver.step(arn, token, Step.SET)


@ends_with(errors.ValueNotReadable)
def another_invocation_at_the_provider(case: Case) -> None:
    arn, token = case.user()
    version = case.holder(arn, "AWSCURRENT")
    soon = int(time.time()) + 600
    tag = {"Key": TAG, "Value": f"from={version} tries=1 until={soon} by=0badcafe"}
    case.bench.client.tag_resource(SecretId=arn, Tags=[tag])
    case.run((arn, token))


@ends_with(errors.DeadlineExceeded)
def no_time(case: Case) -> None:
    rotation = case.user()
    driver = type(case.bench.driver)(case.bench.simulator, case.bench.handle, seconds=10)
    driver.retry(*rotation)


def test_every_failure_has_a_scenario() -> None:
    assert {kind for kind, _ in SCENARIOS.values()} == concrete_errors() - OF_DATABASES


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_failure_shows_no_secret(
    case: Case, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    kind, scenario = SCENARIOS[name]
    with pytest.raises(kind) as caught:
        scenario(case)
    error = caught.value
    assert type(error) is kind
    assert error.__cause__ is None
    assert error.__context__ is None
    written = capfd.readouterr()
    assert error.reason in written.out
    assert "StepFailed" in written.out
    assert len(case.known) > 2
    for text in (
        f"{error} {error!r} {error.args} {error.who}",
        "".join(traceback.format_exception(error)),
        written.out,
        written.err,
        log.text,
        case.elsewhere(),
    ):
        assert case.leaks(text) == []


SUCCESSES: dict[str, Scenario] = {
    "by Basic": lambda case: case.run(case.bearer()),
    "by Basic, keys apart": lambda case: case.run(case.bearer(apart=True)),
    "a confidential client": lambda case: case.run(case.user()),
    "a public client": lambda case: case.run(case.user(confidential=False)),
    "a narrower scope": lambda case: case.run(case.user(scope=f"{SCOPE} like.read")),
}


def by_signature(case: Case) -> None:
    case.x.invalidate_by_basic = False
    case.run(case.bearer())


def of_a_decoded_bearer(case: Case) -> None:
    case.x.invalidate_by_basic = False
    arn, _ = case.bearer(apart=True)
    bearer = unquote(case.x.bearer(case.app) or "")
    case.bench.driver.put_by_hand(arn, {**case.bench.current(arn), "bearer_token": bearer})
    case.bench.driver.rotate(arn)


def without_credits(case: Case) -> None:
    case.x.out_of_credits = True
    case.run(case.user())


for each in (by_signature, of_a_decoded_bearer, without_credits):
    SUCCESSES[each.__name__] = each


@pytest.mark.parametrize("name", SUCCESSES)
def test_a_success_shows_no_secret(
    case: Case, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    SUCCESSES[name](case)
    (arn,) = case.bench.arns
    case.bench.driver.rotate(arn)
    written = capfd.readouterr()
    assert written.out.count("promoted") == 2
    assert "StepDuration" in written.out
    assert "DEBUG" in log.text
    for text in (written.out, written.err, log.text, case.elsewhere()):
        assert case.leaks(text) == []


@pytest.mark.parametrize("value", ["copy", "missing"])
def test_an_attach_that_only_tests_shows_no_secret(
    case: Case, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], value: str
) -> None:
    arn, token = case.user()
    case.bench.driver.retry(arn, token)
    case.bench.driver.test_only(arn, "copy" if value == "copy" else "missing")
    written = capfd.readouterr()
    for text in (written.out, written.err, log.text, case.elsewhere()):
        assert case.leaks(text) == []


# ── the search finds what it looks for ──


def test_the_search_finds_all_that_is_secret_where_a_careless_line_shows_it(
    case: Case, capfd: pytest.CaptureFixture[str]
) -> None:
    by_signature(case)
    capfd.readouterr()
    app, arn = case.app, case.bench.arns[0]
    old, new = (case.bench.labelled(arn)[f"AWS{label}"] for label in ("PREVIOUS", "CURRENT"))
    basic = f"{quote(app.api_key, safe='')}:{quote(app.api_key_secret, safe='')}"
    signatures = [known for known in case.known if re.fullmatch(r"[\w%]{27,40}%3D", known)]
    assert signatures
    careless = [
        old["bearer_token"], new["bearer_token"], unquote(new["bearer_token"]),
        quote(new["bearer_token"]), app.api_key, app.api_key_secret, app.access_token,
        str(app.access_token_secret), b64encode(basic.encode()).decode(),
        f"Authorization: Basic {b64encode(basic.encode()).decode()}", unquote(signatures[0]),
        new["bearer_token"][:30], new["bearer_token"][-20:],
    ]  # fmt: skip
    for value in careless:
        telemetry.logger().info(f"careless: {value}")
        assert case.leaks(capfd.readouterr().out), value
    telemetry.logger().info("careful")
    assert case.leaks(capfd.readouterr().out) == []


def test_the_search_finds_a_users_tokens_also_those_that_only_x_knows(case: Case) -> None:
    rotation = case.user()
    case.x.drop_next_answer(REFRESH)
    with pytest.raises(errors.AnswerLost):
        case.run(rotation)
    grant = case.x._service.grants._all[0]
    for token in (*grant.access, *grant.refresh, *grant.spent):
        assert case.leaks(f"careless: {token}") == [token]
    for key in (case.app.client_id, str(case.app.client_secret)):
        assert case.leaks(f"careless: {key}")


@pytest.mark.parametrize("where", ["tag", "error", "stderr", "library"])
def test_the_search_finds_it_wherever_it_looks(
    case: Case, log: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], where: str
) -> None:
    arn, _ = case.bearer()
    bearer = case.bench.current(arn)["bearer_token"]
    assert case.leaks(case.elsewhere()) == []
    if where == "tag":
        tag = {"Key": "careless", "Value": unquote(bearer)}
        case.bench.client.tag_resource(SecretId=arn, Tags=[tag])
        found = case.elsewhere()
    elif where == "error":
        found = repr(errors.LoginRefused(f"the bearer {bearer} was refused", "Rotate."))
    elif where == "stderr":
        sys.stderr.write(bearer)
        found = capfd.readouterr().err
    else:
        logging.getLogger("any.library").debug("it is %s", bearer)
        found = log.text
    assert case.leaks(found) == [bearer]
