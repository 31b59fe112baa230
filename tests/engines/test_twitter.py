"""The contract of issued values on the fake X, and a real death at every point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.issued.twitter import TwitterOAuthRotator
from rotators.request import Step
from rotators.testing.issued import IssuedContract
from rotators.testing.twitter import TwitterServer
from tests.engines.killed import Mortals, points_of
from tests.engines.twitter_target import BearerTarget, UserTarget

if TYPE_CHECKING:
    from rotators.testing.bench import Bench, Target
    from rotators.testing.certificates import Certificates


class TwitterContract(IssuedContract):
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


class TestBearer(TwitterContract):
    requests = 4

    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        return BearerTarget(x, certificates.ca)


class TestUserPair(TwitterContract):
    spends = True
    calls = 16

    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        return UserTarget(x, certificates.ca)


class TestUserPairOfAPublicClientWhoseSpentTokensAreHarmless(TestUserPair):
    @pytest.fixture
    def target(self, x: TwitterServer, certificates: Certificates) -> Target:
        x.kills_family = False
        return UserTarget(x, certificates.ca, confidential=False)
