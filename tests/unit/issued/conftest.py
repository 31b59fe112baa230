"""The fake X, without the pauses that the real one is given, and what is sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from rotators.issued import twitter_bearer
from rotators.issued.http import Provider
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


Sent = list[tuple[str, str | None, Mapping[str, str]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Path, body and headers of every request to X."""
    sent: Sent = []
    real = Provider._send

    def send(
        provider: Provider,
        method: str,
        path: str,
        body: str | None,
        headers: Mapping[str, str],
        **others: bool,
    ) -> Any:
        sent.append((path, body, headers))
        return real(provider, method, path, body, headers, **others)

    monkeypatch.setattr(Provider, "_send", send)
    return sent
