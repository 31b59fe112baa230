"""The contract of issued values on the fake X, and a real death at every point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.testing.exchanges import ExchangeContract
from rotators.testing.issued import IssuedContract
from rotators.testing.twitter import TwitterServer
from tests.engines.killed import Mortals, points_of
from tests.engines.twitter_target import BearerTarget, UserTarget

if TYPE_CHECKING:
    from pathlib import Path

    from rotators.testing.bench import Bench, Target
    from rotators.testing.certificates import Certificates


class OnTheFakeX(ExchangeContract):
    rotator = TwitterOAuthRotator

    @pytest.fixture
    def x(self, certificates: Certificates) -> Iterator[TwitterServer]:
        with TwitterServer(tls=certificates.server) as x:
            yield x

    def test_a_process_killed_at_any_point(self, bench: Bench) -> None:
        at = 0
        with Mortals(bench, "twitter") as mortals:
            while True:
                arn, old = bench.secret()
                token = bench.driver.start(arn)
                event = {"Step": Step.CREATE, "SecretId": arn, "ClientRequestToken": token}
                if mortals.serve(event, at) == 0:
                    break
                self.settle(bench, arn, old, token, f"killed at {at}")
                at += 1
        assert at == len(points_of(bench, Step.CREATE))


class TestBearer(OnTheFakeX, IssuedContract):
    requests = 4

    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        return BearerTarget(x, certificates.ca)


class OfOneApp(BearerTarget):
    """The app's keys are in a secret of their own, so nothing but the mark shows whose it is."""

    def __init__(self, x: TwitterServer, ca: Path | None) -> None:
        super().__init__(x, ca)
        self.app = self.new_app()
        self.admin = self.keys(self.app)

    def new_secret(self) -> dict[str, Any]:
        return self.bearer(self.app)


class TestBearerOfAnAppWhoseKeysAreApart(OnTheFakeX):
    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        return OfOneApp(x, certificates.ca)


class TestUserPair(OnTheFakeX, IssuedContract):
    spends = True
    calls = 17

    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        return UserTarget(x, certificates.ca)


class TestUserPairOfAPublicClientWhoseSpentTokensAreHarmless(TestUserPair):
    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        x.kills_family = False
        return UserTarget(x, certificates.ca, confidential=False)
