"""Each rule of the fake X, asked over HTTP: the name of a test is the rule."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import threading
import time
from base64 import b64encode
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import pytest
from oauthlib import oauth1

from rotators.testing._x.grants import Grants
from rotators.testing._x.messages import Answer as Said
from rotators.testing._x.wire import Delivery
from rotators.testing.twitter import Call, TwitterServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rotators.testing.certificates import Certificates
    from rotators.testing.twitter import App

FORM = "application/x-www-form-urlencoded;charset=UTF-8"
ASK = "grant_type=client_credentials"
UNVERIFIED = {
    "errors": [
        {
            "code": 99,
            "label": "authenticity_token_error",
            "message": "Unable to verify your credentials",
        }
    ]
}
SPENT = {
    "error": "invalid_request",
    "error_description": "Value passed for the token was invalid.",
}
NO_BASIC = {
    "error": "unauthorized_client",
    "error_description": "Missing valid authorization header",
}
SLOW = 0.4
APP_ONLY, INVALIDATE, USER = "/oauth2/token", "/oauth2/invalidate_token", "/2/oauth2/token"
REVOKE, ME = "/2/oauth2/revoke", "/2/users/me"

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
def x() -> Iterator[TwitterServer]:
    with TwitterServer() as x:
        yield x


@pytest.fixture
def app(x: TwitterServer) -> App:
    return x.new_app()


def connect(x: TwitterServer, timeout: float = 5) -> closing[http.client.HTTPConnection]:
    host = urlsplit(x.base_url)
    assert host.hostname is not None
    return closing(http.client.HTTPConnection(host.hostname, host.port, timeout=timeout))


def send(
    x: TwitterServer,
    method: str,
    path: str,
    body: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    with connect(x) as connection:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def by_keys(app: App, content_type: str = FORM) -> dict[str, str]:
    identified = basic(quote(app.api_key, safe=""), quote(app.api_key_secret, safe=""))
    return {"Authorization": identified, "Content-Type": content_type}


def ask(x: TwitterServer, app: App) -> Answer:
    return send(x, "POST", APP_ONLY, ASK, by_keys(app))


def invalidate(x: TwitterServer, app: App, token: str) -> Answer:
    """The token goes as it is: whoever wants it encoded does so."""
    return send(x, "POST", INVALIDATE, f"access_token={token}", by_keys(app))


def signed(x: TwitterServer, app: App, query: str, **other: str) -> tuple[str, dict[str, str]]:
    """The target and headers of an invalidation, signed with the app's keys or with others."""
    keys = {
        "client_key": app.api_key,
        "client_secret": app.api_key_secret,
        "resource_owner_key": app.access_token,
        "resource_owner_secret": app.access_token_secret,
    }
    path = f"{INVALIDATE}?{query}"
    _, headers, _ = oauth1.Client(**{**keys, **other}).sign(x.base_url + path, http_method="POST")
    return path, headers


def invalidate_signed(x: TwitterServer, app: App, token: str, **other: str) -> Answer:
    path, headers = signed(x, app, f"access_token={token}", **other)
    return send(x, "POST", path, headers=headers)


def form(x: TwitterServer, path: str, authorization: str | None, **fields: str) -> Answer:
    headers = {"Content-Type": FORM} | ({"Authorization": authorization} if authorization else {})
    return send(x, "POST", path, urlencode(fields), headers)


def client_basic(app: App) -> str:
    assert app.client_secret is not None
    return basic(app.client_id, app.client_secret)


def refresh(x: TwitterServer, app: App, token: str) -> Answer:
    grant = {"grant_type": "refresh_token", "refresh_token": token}
    if app.client_secret is None:
        return form(x, USER, None, client_id=app.client_id, **grant)
    return form(x, USER, client_basic(app), **grant)


def me(x: TwitterServer, token: str) -> Answer:
    return send(x, "GET", ME, headers={"Authorization": f"Bearer {token}"})


class TestBearerToken:
    def test_none_is_outstanding_before_the_first_request(self, x: TwitterServer, app: App) -> None:
        assert x.bearer(app) is None

    def test_answers_a_bearer_with_literal_escapes(self, x: TwitterServer, app: App) -> None:
        status, answer = ask(x, app)
        assert (status, answer["token_type"]) == (200, "bearer")
        assert "%2F" in answer["access_token"]
        assert "%3D" in answer["access_token"]

    def test_repeats_the_outstanding_bearer(self, x: TwitterServer, app: App) -> None:
        first = x.issue_bearer(app)
        assert ask(x, app)[1]["access_token"] == first == x.bearer(app) == x.issue_bearer(app)

    def test_bearers_of_two_apps_differ(self, x: TwitterServer, app: App) -> None:
        assert ask(x, app)[1]["access_token"] != ask(x, x.new_app())[1]["access_token"]

    @pytest.mark.parametrize("body", [f"{ASK}&scope=x", "grant_type=password", "", f"{ASK}\n"])
    def test_refuses_any_other_body(self, x: TwitterServer, app: App, body: str) -> None:
        assert send(x, "POST", APP_ONLY, body, by_keys(app)) == (403, UNVERIFIED)
        assert x.bearer(app) is None

    def test_refuses_any_other_content_type(self, x: TwitterServer, app: App) -> None:
        headers = by_keys(app, "application/json")
        assert send(x, "POST", APP_ONLY, ASK, headers) == (403, UNVERIFIED)

    def test_refuses_wrong_keys(self, x: TwitterServer, app: App) -> None:
        for headers in (
            {"Content-Type": FORM},
            by_keys(app) | {"Authorization": basic(app.api_key, "wrong")},
            by_keys(app) | {"Authorization": basic("wrong", quote(app.api_key_secret, safe=""))},
        ):
            assert send(x, "POST", APP_ONLY, ASK, headers) == (403, UNVERIFIED)

    def test_refuses_keys_that_are_not_percent_encoded(self, x: TwitterServer, app: App) -> None:
        plain = by_keys(app) | {"Authorization": basic(app.api_key, app.api_key_secret)}
        assert send(x, "POST", APP_ONLY, ASK, plain) == (403, UNVERIFIED)


class TestInvalidateByBasic:
    def test_ends_the_bearer_and_the_next_one_is_new(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        assert invalidate(x, app, bearer) == (200, {"access_token": bearer})
        assert (x.bearer(app), x.accepts(bearer)) == (None, False)
        assert ask(x, app)[1]["access_token"] != bearer

    def test_takes_the_decoded_bearer_encoded_once(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        assert invalidate(x, app, quote(unquote(bearer), safe=""))[0] == 200

    def test_refuses_a_bearer_that_is_encoded_twice(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        assert invalidate(x, app, quote(bearer, safe="")) == (403, UNVERIFIED)
        assert x.bearer(app) == bearer

    def test_refuses_wrong_revoked_and_foreign_bearers(self, x: TwitterServer, app: App) -> None:
        revoked, foreign = x.issue_bearer(app), x.issue_bearer(x.new_app())
        invalidate(x, app, revoked)
        assert invalidate(x, app, revoked) == (403, UNVERIFIED)
        bearer = x.issue_bearer(app)
        for wrong in ("wrong", "", revoked, foreign, f"{bearer}&more=1"):
            assert invalidate(x, app, wrong) == (403, UNVERIFIED)
        assert x.accepts(bearer)
        assert x.accepts(foreign)

    def test_refuses_wrong_keys_and_what_is_no_form(self, x: TwitterServer, app: App) -> None:
        body = f"access_token={x.issue_bearer(app)}"
        wrong = by_keys(app) | {"Authorization": basic(app.api_key, "wrong")}
        for headers in (wrong, by_keys(app, "text/plain"), {"Content-Type": FORM}):
            assert send(x, "POST", INVALIDATE, body, headers) == (403, UNVERIFIED)
        assert x.bearer(app) is not None

    def test_reads_no_query(self, x: TwitterServer, app: App) -> None:
        path = f"{INVALIDATE}?access_token={x.issue_bearer(app)}"
        assert send(x, "POST", path, headers=by_keys(app)) == (403, UNVERIFIED)

    def test_can_be_switched_off(self, x: TwitterServer, app: App) -> None:
        x.invalidate_by_basic = False
        bearer = x.issue_bearer(app)
        assert invalidate(x, app, bearer) == (403, UNVERIFIED)
        assert invalidate_signed(x, app, bearer)[0] == 200


class TestInvalidateByOAuth1:
    def test_ends_the_bearer(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        assert invalidate_signed(x, app, bearer) == (200, {"access_token": bearer})
        assert x.bearer(app) is None

    def test_refuses_a_bearer_that_is_encoded_twice(self, x: TwitterServer, app: App) -> None:
        assert invalidate_signed(x, app, quote(x.issue_bearer(app))) == (403, UNVERIFIED)

    @pytest.mark.parametrize(
        "part", ["client_key", "client_secret", "resource_owner_key", "resource_owner_secret"]
    )
    def test_refuses_a_signature_with_a_wrong_part(
        self, x: TwitterServer, app: App, part: str
    ) -> None:
        wrong = {part: "0123456789abcdef01234567"}
        assert invalidate_signed(x, app, x.issue_bearer(app), **wrong) == (403, UNVERIFIED)
        assert x.bearer(app) is not None

    def test_refuses_another_apps_owner(self, x: TwitterServer, app: App) -> None:
        other = x.new_app()
        owner = {
            "resource_owner_key": other.access_token,
            "resource_owner_secret": other.access_token_secret,
        }
        assert invalidate_signed(x, app, x.issue_bearer(app), **owner) == (403, UNVERIFIED)

    def test_refuses_another_query_than_the_signed_one(self, x: TwitterServer, app: App) -> None:
        _, headers = signed(x, app, "access_token=other")
        path = f"{INVALIDATE}?access_token={x.issue_bearer(app)}"
        assert send(x, "POST", path, headers=headers) == (403, UNVERIFIED)

    def test_refuses_another_signature_method(self, x: TwitterServer, app: App) -> None:
        method = {"signature_method": oauth1.SIGNATURE_PLAINTEXT}
        assert invalidate_signed(x, app, x.issue_bearer(app), **method) == (403, UNVERIFIED)

    def test_takes_a_signature_once(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        path, headers = signed(x, app, f"access_token={bearer}")
        assert send(x, "POST", path, headers=headers)[0] == 200
        x._service.apps._bearers[app.api_key] = (
            bearer  # so that nothing but the repetition is wrong
        )
        assert send(x, "POST", path, headers=headers) == (403, UNVERIFIED)
        assert invalidate_signed(x, app, bearer)[0] == 200

    @pytest.mark.parametrize("header", ["OAuth", "OAuth garbage", 'OAuth oauth_token="x"'])
    def test_refuses_what_is_no_signature(self, x: TwitterServer, app: App, header: str) -> None:
        path = f"{INVALIDATE}?access_token={x.issue_bearer(app)}"
        assert send(x, "POST", path, headers={"Authorization": header}) == (403, UNVERIFIED)

    def test_can_be_switched_off(self, x: TwitterServer, app: App) -> None:
        x.invalidate_by_oauth1 = False
        bearer = x.issue_bearer(app)
        assert invalidate_signed(x, app, bearer) == (403, UNVERIFIED)
        assert invalidate(x, app, bearer)[0] == 200

    def test_logs_nothing_of_what_it_refuses(
        self, x: TwitterServer, app: App, caplog: pytest.LogCaptureFixture
    ) -> None:
        bearer = x.issue_bearer(app)
        path, headers = signed(x, app, f"access_token={bearer}", client_secret="wrong")
        with caplog.at_level(logging.DEBUG):
            assert send(x, "POST", path, headers=headers)[0] == 403
        assert "[Failure]" in caplog.text
        assert unquote(bearer)[:30] not in caplog.text


class TestTooOften:
    def test_refuses_from_that_request_on(self, x: TwitterServer, app: App) -> None:
        x.too_often_after = 3
        bearer = ask(x, app)[1]["access_token"]
        assert ask(x, app)[0] == 200
        assert invalidate(x, app, bearer) == (403, UNVERIFIED)
        assert ask(x, app) == (403, UNVERIFIED)
        assert x.bearer(app) == bearer

    def test_counts_app_only_requests_alone(self, x: TwitterServer, app: App) -> None:
        x.too_often_after = 2
        pair = x.authorize(app)
        assert refresh(x, app, pair["refresh_token"])[0] == 200
        assert [ask(x, app)[0] for _ in range(2)] == [200, 403]
        assert refresh(x, app, "wrong")[0] == 400


class TestRefresh:
    @pytest.mark.parametrize("confidential", [True, False])
    def test_gives_a_new_pair(self, x: TwitterServer, confidential: bool) -> None:
        app = x.new_app(confidential=confidential)
        old = x.authorize(app, "users.read tweet.read offline.access")
        status, new = refresh(x, app, old["refresh_token"])
        assert status == 200
        assert (new["token_type"], new["expires_in"]) == ("bearer", 7200)
        assert set(new["scope"].split()) == {"users.read", "tweet.read", "offline.access"}
        assert x.accepts(new["access_token"])
        assert x.refreshes(new["refresh_token"])
        assert not x.refreshes(old["refresh_token"])
        assert new["refresh_token"] != old["refresh_token"]

    def test_consent_without_offline_access_gives_no_refresh_token(
        self, x: TwitterServer, app: App
    ) -> None:
        assert "refresh_token" not in x.authorize(app, "users.read tweet.read")

    def test_a_spent_token_ends_the_grant(self, x: TwitterServer, app: App) -> None:
        spent = x.authorize(app)["refresh_token"]
        new = refresh(x, app, spent)[1]
        assert refresh(x, app, spent) == (400, SPENT)
        assert not x.accepts(new["access_token"])
        assert not x.refreshes(new["refresh_token"])

    def test_a_spent_token_is_only_refused(self, x: TwitterServer, app: App) -> None:
        x.kills_family = False
        spent = x.authorize(app)["refresh_token"]
        new = refresh(x, app, spent)[1]
        assert refresh(x, app, spent) == (400, SPENT)
        assert x.accepts(new["access_token"])
        assert x.refreshes(new["refresh_token"])

    def test_another_grant_survives(self, x: TwitterServer, app: App) -> None:
        other, spent = x.authorize(app), x.authorize(app)["refresh_token"]
        refresh(x, app, spent)
        refresh(x, app, spent)
        assert x.refreshes(other["refresh_token"])

    def test_a_new_consent_may_end_the_apps_other_grants(self, x: TwitterServer, app: App) -> None:
        x.one_grant_per_app = True
        foreign, old, new = x.authorize(x.new_app()), x.authorize(app), x.authorize(app)
        assert not x.refreshes(old["refresh_token"])
        assert x.refreshes(new["refresh_token"])
        assert x.refreshes(foreign["refresh_token"])

    def test_an_unknown_or_foreign_token_has_no_effect(self, x: TwitterServer, app: App) -> None:
        foreign = x.authorize(x.new_app())["refresh_token"]
        assert refresh(x, app, "wrong") == (400, SPENT)
        assert refresh(x, app, foreign) == (400, SPENT)
        assert x.refreshes(foreign)

    def test_a_foreign_spent_token_ends_nothing(self, x: TwitterServer, app: App) -> None:
        other = x.new_app()
        spent = x.authorize(other)["refresh_token"]
        new = refresh(x, other, spent)[1]
        assert refresh(x, app, spent) == (400, SPENT)
        assert x.refreshes(new["refresh_token"])

    def test_the_answer_to_a_spent_token_can_be_switched(self, x: TwitterServer, app: App) -> None:
        x.spent_answer = (401, {"error": "invalid_grant"})
        assert refresh(x, app, "wrong") == (401, {"error": "invalid_grant"})

    @pytest.mark.parametrize("dies", [True, False])
    def test_the_old_access_token_dies_or_not(self, x: TwitterServer, app: App, dies: bool) -> None:
        x.access_dies_on_refresh = dies
        old = x.authorize(app)
        refresh(x, app, old["refresh_token"])
        assert x.accepts(old["access_token"]) is not dies

    def test_an_access_token_expires(self, x: TwitterServer, app: App) -> None:
        x.expires_in = 60
        pair = x.authorize(app)
        assert pair["expires_in"] == 60
        x.advance(timedelta(seconds=50))
        assert x.accepts(pair["access_token"])
        x.advance(timedelta(seconds=10))
        assert not x.accepts(pair["access_token"])
        assert x.refreshes(pair["refresh_token"])

    def test_a_refresh_token_may_expire(self, x: TwitterServer, app: App) -> None:
        x.refresh_expires_in = 60
        token = x.authorize(app)["refresh_token"]
        x.advance(timedelta(seconds=60))
        assert refresh(x, app, token) == (400, SPENT)

    def test_plays_no_other_grant(self, x: TwitterServer, app: App) -> None:
        token = x.authorize(app)["refresh_token"]
        fields = {"grant_type": "authorization_code", "refresh_token": token}
        assert form(x, USER, client_basic(app), **fields)[0] == 400
        assert x.refreshes(token)


class TestClients:
    """Who may refresh, and how it says who it is. A refusal spends nothing."""

    @pytest.fixture
    def public(self, x: TwitterServer) -> App:
        return x.new_app(confidential=False)

    @staticmethod
    def refused(x: TwitterServer, app: App, authorization: str | None, **fields: str) -> bool:
        token = x.authorize(app)["refresh_token"]
        fields |= {"grant_type": "refresh_token", "refresh_token": token}
        answer = form(x, USER, authorization, **fields)
        return answer == (401, NO_BASIC) and x.refreshes(token)

    def test_a_confidential_client_needs_basic(self, x: TwitterServer, app: App) -> None:
        assert self.refused(x, app, None, client_id=app.client_id)
        assert self.refused(x, app, None)
        assert self.refused(x, app, basic(app.client_id, "wrong"), client_id=app.client_id)
        assert self.refused(x, app, "Bearer wrong", client_id=app.client_id)

    def test_a_secret_in_the_body_is_refused(self, x: TwitterServer, app: App) -> None:
        secret = {"client_id": app.client_id, "client_secret": app.client_secret or ""}
        assert self.refused(x, app, None, **secret)
        assert self.refused(x, app, client_basic(app), **secret)

    def test_a_repeated_client_id_has_to_be_the_same(self, x: TwitterServer, app: App) -> None:
        assert self.refused(x, app, client_basic(app), client_id="other")
        assert not self.refused(x, app, client_basic(app), client_id=app.client_id)

    def test_a_public_client_needs_its_id(self, x: TwitterServer, public: App) -> None:
        assert public.client_secret is None
        assert self.refused(x, public, None)
        assert self.refused(x, public, None, client_id="wrong")

    def test_a_public_client_has_no_basic(self, x: TwitterServer, public: App) -> None:
        assert self.refused(x, public, basic(public.client_id, ""), client_id=public.client_id)
        assert self.refused(x, public, basic(public.client_id, "None"))

    def test_the_answer_can_be_switched(self, x: TwitterServer, app: App) -> None:
        x.no_basic_answer = (400, {"error": "invalid_client"})
        assert form(x, USER, None, grant_type="refresh_token") == (400, {"error": "invalid_client"})

    def test_what_is_no_form_says_nothing(self, x: TwitterServer, public: App) -> None:
        body = urlencode({"grant_type": "refresh_token", "client_id": public.client_id})
        answer = send(x, "POST", USER, body, {"Content-Type": "application/json"})
        assert answer == (401, NO_BASIC)


class TestRevoke:
    @pytest.mark.parametrize("confidential", [True, False])
    def test_ends_the_token_that_is_named(self, x: TwitterServer, confidential: bool) -> None:
        app = x.new_app(confidential=confidential)
        who = client_basic(app) if confidential else None
        more = {} if confidential else {"client_id": app.client_id}
        pair = x.authorize(app)
        assert form(x, REVOKE, who, token=pair["access_token"], **more)[0] == 200
        assert not x.accepts(pair["access_token"])
        assert x.refreshes(pair["refresh_token"])
        assert form(x, REVOKE, who, token=pair["refresh_token"], **more)[0] == 200
        assert refresh(x, app, pair["refresh_token"]) == (400, SPENT)

    def test_needs_the_apps_own_client(self, x: TwitterServer, app: App) -> None:
        token = x.authorize(app)["access_token"]
        assert form(x, REVOKE, None, token=token, client_id=app.client_id) == (401, NO_BASIC)
        form(x, REVOKE, client_basic(x.new_app()), token=token)
        assert x.accepts(token)


class TestMe:
    def test_lets_a_person_in(self, x: TwitterServer, app: App) -> None:
        status, answer = me(x, x.authorize(app)["access_token"])
        assert (status, set(answer["data"])) == (200, {"id", "name", "username"})

    @pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic wrong", ""])
    def test_refuses_what_is_no_token(self, x: TwitterServer, header: str) -> None:
        expected = {"errors": [{"message": "Invalid or expired token", "code": 89}]}
        assert send(x, "GET", ME, headers={"Authorization": header}) == (401, expected)

    def test_refuses_a_token_under_another_scheme(self, x: TwitterServer, app: App) -> None:
        token = x.authorize(app)["access_token"]
        assert send(x, "GET", ME, headers={"Authorization": f"Basic {token}"})[0] == 401

    def test_refuses_a_refresh_token(self, x: TwitterServer, app: App) -> None:
        assert me(x, x.authorize(app)["refresh_token"])[0] == 401

    def test_is_not_for_apps(self, x: TwitterServer, app: App) -> None:
        message = "Your credentials do not allow access to this resource"
        expected = {"errors": [{"message": message, "code": 220}]}
        assert me(x, x.issue_bearer(app)) == (403, expected)

    @pytest.mark.parametrize("scope", ["users.read offline.access", "tweet.read", ""])
    def test_needs_both_scopes(self, x: TwitterServer, app: App, scope: str) -> None:
        assert me(x, x.authorize(app, scope)["access_token"])[0] == 403

    def test_refuses_a_bearer_whose_escapes_were_decoded(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        assert x.accepts(bearer)
        assert me(x, unquote(bearer))[0] == 401

    def test_costs_credits_after_the_token_was_looked_at(self, x: TwitterServer, app: App) -> None:
        x.out_of_credits = True
        assert me(x, x.authorize(app)["access_token"])[0] == 402
        assert me(x, "wrong")[0] == 401
        assert ask(x, app)[0] == 200


class TestPlans:
    @pytest.mark.parametrize(
        ("path", "status", "body"),
        [
            (APP_ONLY, 403, UNVERIFIED),
            (INVALIDATE, 403, UNVERIFIED),
            (USER, 400, SPENT),
            (USER, 401, NO_BASIC),
            (USER, 429, {"title": "Too Many Requests", "status": 429}),
            (APP_ONLY, 503, {"title": "Service Unavailable", "status": 503}),
        ],
    )
    def test_a_planned_error_is_xs_own(
        self, x: TwitterServer, path: str, status: int, body: object
    ) -> None:
        x.fail_next(path, status)
        assert send(x, "POST", path) == (status, body)

    def test_a_planned_error_has_no_effect_and_passes(self, x: TwitterServer, app: App) -> None:
        token = x.authorize(app)["refresh_token"]
        x.fail_next(USER, 503, times=2)
        assert [refresh(x, app, token)[0] for _ in range(3)] == [503, 503, 200]

    def test_a_planned_body_may_be_a_page(self, x: TwitterServer) -> None:
        x.fail_next(ME, 502, "<html>")
        with connect(x) as connection:
            connection.request("GET", ME)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (502, b"<html>")
            assert answer.headers.get_content_type() == "text/html"

    def test_a_dropped_answer_leaves_the_effect(self, x: TwitterServer, app: App) -> None:
        token = x.authorize(app)["refresh_token"]
        x.drop_next_answer(USER)
        with pytest.raises(http.client.RemoteDisconnected):
            refresh(x, app, token)
        assert not x.refreshes(token)
        assert refresh(x, app, token) == (400, SPENT)

    def test_faults_queue_up(self, x: TwitterServer, app: App) -> None:
        x.fail_next(APP_ONLY, 500)
        x.drop_next_answer(APP_ONLY)
        assert ask(x, app)[0] == 500
        with pytest.raises(http.client.RemoteDisconnected):
            ask(x, app)
        assert ask(x, app)[0] == 200

    def test_calls_are_listed_without_their_query(self, x: TwitterServer, app: App) -> None:
        bearer = x.issue_bearer(app)
        invalidate_signed(x, app, bearer)
        me(x, bearer)
        x.drop_next_answer(APP_ONLY)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(x, app)
        expected = [Call("POST", INVALIDATE, 200), Call("GET", ME, 401), Call("POST", APP_ONLY)]
        assert x.calls == expected

    def test_hooks_run_around_the_effect(self, x: TwitterServer, app: App) -> None:
        seen: list[tuple[str | None, Call]] = []
        x.before(APP_ONLY, lambda call: seen.append((x.bearer(app), call)))
        x.after(APP_ONLY, lambda call: seen.append((x.bearer(app), call)), times=1)
        bearer = ask(x, app)[1]["access_token"]
        once = [(None, Call("POST", APP_ONLY)), (bearer, Call("POST", APP_ONLY, 200))]
        assert seen == once
        ask(x, app)
        assert seen == [*once, (bearer, Call("POST", APP_ONLY))]

    def test_no_hook_runs_after_a_refusal(self, x: TwitterServer) -> None:
        seen: list[Call] = []
        x.after(ME, seen.append)
        me(x, "wrong")
        x.fail_next(ME, 500)
        me(x, "wrong")
        assert seen == []

    def test_a_hook_may_plan_for_its_own_request(self, x: TwitterServer, app: App) -> None:
        x.before(APP_ONLY, lambda _: x.fail_next(APP_ONLY, 429), times=1)
        assert [ask(x, app)[0] for _ in range(2)] == [429, 200]

    def test_a_hook_that_fails_is_told_by_type(self, x: TwitterServer, app: App) -> None:
        def fail(_: Call) -> None:
            raise LookupError("a token")

        x.before(APP_ONLY, fail)
        assert ask(x, app) == (500, {"title": f"LookupError in a hook of {APP_ONLY}"})
        assert x.bearer(app) is None

    @pytest.mark.parametrize(
        "plan",
        [
            lambda x: x.fail_next("/oauth/token", 500),
            lambda x: x.drop_next_answer("/oauth/token"),
            lambda x: x.slow_next("/oauth/token", 1, where="body"),
            lambda x: x.before("/oauth/token", str),
            lambda x: x.after("/oauth/token", str),
        ],
    )
    def test_an_unknown_path_cannot_be_planned(
        self, x: TwitterServer, plan: Callable[[TwitterServer], None]
    ) -> None:
        with pytest.raises(ValueError, match=r"no path '/oauth/token'; use one of: /oauth2/"):
            plan(x)

    def test_an_unknown_request_is_not_found(self, x: TwitterServer) -> None:
        assert send(x, "GET", APP_ONLY)[0] == 404
        assert send(x, "POST", "/1.1/oauth/invalidate_token")[0] == 404


class TestSlow:
    """Waits of the client are shorter than the answer takes; what it takes is measured."""

    @pytest.mark.parametrize("where", ["before", "headers", "body"])
    def test_takes_as_long_as_was_planned(self, x: TwitterServer, where: Any) -> None:
        x.slow_next(ME, SLOW, where=where)
        with connect(x) as connection:
            start = time.monotonic()
            connection.request("GET", ME)
            assert json.loads(connection.getresponse().read())["errors"]
        assert time.monotonic() - start >= SLOW * 0.9

    @pytest.mark.parametrize("where", ["before", "headers", "body"])
    def test_slow_where_it_was_planned(self, where: Any) -> None:
        pieces = list(Delivery(Said(401, {"errors": []}), where, SLOW).pieces())
        head, end, body = b"".join(content for _, content in pieces).partition(b"\r\n\r\n")
        parts = {"before": head + end + body, "headers": head + end, "body": body}
        assert b"".join(content for silence, content in pieces if silence) == parts[where]
        assert sum(silence for silence, _ in pieces) == pytest.approx(SLOW)

    @pytest.mark.parametrize("where", ["headers", "body"])
    def test_drips_never_let_a_read_time_out(self, x: TwitterServer, where: Any) -> None:
        x.slow_next(ME, 3 * SLOW, where=where)
        start = time.monotonic()
        with connect(x, timeout=SLOW) as connection:
            connection.request("GET", ME)
            assert connection.getresponse().read()
        assert time.monotonic() - start >= 2 * SLOW

    def test_the_effect_comes_first(self, x: TwitterServer, app: App) -> None:
        x.slow_next(USER, 60, where="before")
        token = x.authorize(app)["refresh_token"]
        fields = {"grant_type": "refresh_token", "refresh_token": token}
        headers = {"Authorization": client_basic(app), "Content-Type": FORM}
        with connect(x, timeout=SLOW) as connection:
            connection.request("POST", USER, urlencode(fields), headers)
            with pytest.raises(TimeoutError):
                connection.getresponse()
        assert eventually(lambda: x.calls == [Call("POST", USER, 200)])
        assert not x.refreshes(token)

    def test_ends_when_the_client_hangs_up(self, x: TwitterServer) -> None:
        idle = threading.active_count()
        x.slow_next(ME, 60, where="before")
        with connect(x) as connection:
            connection.request("GET", ME)
            assert eventually(lambda: threading.active_count() > idle)
        assert eventually(lambda: threading.active_count() == idle)

    def test_ends_when_the_server_stops(self) -> None:
        with TwitterServer() as x, connect(x) as connection:
            x.slow_next(ME, 60, where="body")
            connection.request("GET", ME)
            answer = connection.getresponse()
            start = time.monotonic()
            x.__exit__(None, None, None)
            assert time.monotonic() - start < 5
            with pytest.raises(http.client.IncompleteRead):
                answer.read()


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


class TestServer:
    def test_speaks_http_1_1_and_closes(self, x: TwitterServer) -> None:
        with connect(x) as connection:
            connection.request("GET", ME)
            answer = connection.getresponse()
            content = answer.read()
        assert answer.version == 11
        assert answer.headers["Connection"] == "close"
        assert int(answer.headers["Content-Length"]) == len(content)

    def test_is_proven_by_its_authority_alone(self, certificates: Certificates) -> None:
        with TwitterServer(tls=certificates.server) as x:
            assert x.base_url.startswith("https://localhost:")
            assert self.status(x, certificates.ca) == 401
            with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
                self.status(x, certificates.unrelated_ca)
            assert [call.status for call in x.calls] == [401]

    def test_may_carry_the_wrong_name(self, certificates: Certificates) -> None:
        with TwitterServer(tls=certificates.wrong_name) as x:
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                self.status(x, certificates.ca)
            assert x.calls == []

    def test_verifies_signatures_over_tls(self, certificates: Certificates) -> None:
        with TwitterServer(tls=certificates.server) as x:
            app = x.new_app()
            path, headers = signed(x, app, f"access_token={x.issue_bearer(app)}")
            assert self.status(x, certificates.ca, "POST", path, headers) == 200

    def test_drops_and_dawdles_over_tls(self, certificates: Certificates) -> None:
        with TwitterServer(tls=certificates.server) as x:
            x.drop_next_answer(ME)
            x.slow_next(ME, SLOW, where="headers")
            with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError)):
                self.status(x, certificates.ca)
            start = time.monotonic()
            assert self.status(x, certificates.ca) == 401
            assert time.monotonic() - start >= SLOW

    def test_a_silent_client_holds_up_nobody(self, certificates: Certificates) -> None:
        with TwitterServer(tls=certificates.server) as x, connect(x) as silent:
            silent.connect()
            assert self.status(x, certificates.ca) == 401
            silent.close()

    def test_has_no_address_outside_its_block(self) -> None:
        with pytest.raises(RuntimeError, match="only inside its with block"):
            _ = TwitterServer().base_url

    def test_has_effects_one_by_one(
        self, x: TwitterServer, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def slowly(*given: Any) -> Any:
            time.sleep(0.05)
            return refreshed(*given)

        refreshed = Grants._refreshed
        monkeypatch.setattr(Grants, "_refreshed", slowly)
        token = x.authorize(app)["refresh_token"]
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(refresh(x, app, token)[0]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] + 7 * [400]

    def test_shows_no_value(self, x: TwitterServer, app: App) -> None:
        pair, bearer = x.authorize(app), x.issue_bearer(app)
        x.fail_next(ME, 500, {"token": bearer})
        x.drop_next_answer(APP_ONLY)
        values = [getattr(app, name) for name in app.__slots__]
        values += [bearer, pair["access_token"], pair["refresh_token"]]
        shown = f"{x!r} {app!r} {x.calls!r} {x._service!r} {x._service.grants._all!r} {x._plans!r}"
        assert [value for value in values if value in shown] == []

    @staticmethod
    def status(
        x: TwitterServer,
        authority: Any,
        method: str = "GET",
        path: str = ME,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        host = urlsplit(x.base_url)
        assert host.hostname is not None
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(
            host.hostname, host.port, timeout=5, context=context
        )
        with closing(connection):
            connection.request(method, path, headers=dict(headers or {}))
            return connection.getresponse().status
