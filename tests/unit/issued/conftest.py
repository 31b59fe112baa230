"""The fake X, without the pauses that the real one is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.issued import twitter_bearer
from rotators.testing.twitter import TwitterServer

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


@pytest.fixture
def x(certificates: Certificates) -> Iterator[TwitterServer]:
    with TwitterServer(tls=certificates.server) as x:
        yield x


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twitter_bearer, "PAUSE_SECONDS", 0.0)
