"""The clients of AWS's APIs: what they do where nobody answers."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse, HeadersDict

from rotators import aws, handler
from rotators.deadline import Deadline, serving
from rotators.dispatcher import Dispatcher
from rotators.errors import DeadlineExceeded, ServiceUnavailable
from rotators.redaction import Redactor
from rotators.registry import Registry
from rotators.request import RotationRequest, Step
from rotators.settings import Settings

if TYPE_CHECKING:
    from rotators.versions import SecretsManager

VERSION = "12345678-1234-1234-1234-123456789012"
REQUEST = RotationRequest(Step.CREATE, "app/db", VERSION, None)


@dataclass
class Silent:
    """A server that accepts and says nothing; and what time passes meanwhile, by its clock."""

    url: str
    versions: SecretsManager
    now: float = 0.0
    takes: float = 1.0
    attempts: list[str] = field(default_factory=list)

    def count(self, event_name: str, **_: object) -> None:
        self.attempts.append(event_name.rpartition(".")[2])
        self.now += self.takes

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(self.now + seconds, lambda: self.now)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    # An attempt counts as one of 10 seconds, and ends after a twentieth.
    monkeypatch.setattr(aws, "_CONNECT_SECONDS", 10.0)
    monkeypatch.setattr(aws, "_READ_SECONDS", 0.05)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        versions = handler.secrets_manager(Settings(endpoint_url=url))
        made = Silent(url, versions)
        client: Any = versions._client
        client.meta.events.register("before-send", made.count)
        yield made
        client.close()


def test_an_attempt_that_could_outlast_the_step_is_not_begun(silent: Silent) -> None:
    with serving(silent.deadline(10)), pytest.raises(DeadlineExceeded) as caught:
        silent.versions.describe("app/db")
    assert caught.value.found == "the function has 10.0 s left, too few for: DescribeSecret"
    assert silent.attempts == []


def test_what_became_of_the_last_attempt_is_told_when_there_is_no_time_for_another(
    silent: Silent,
) -> None:
    with serving(silent.deadline(11)), pytest.raises(ServiceUnavailable) as caught:
        silent.versions.describe("app/db")
    assert "Read timeout on endpoint" in caught.value.found
    assert silent.attempts == ["DescribeSecret"]


def test_there_are_more_attempts_while_there_is_time(silent: Silent) -> None:
    with serving(silent.deadline(12)), pytest.raises(ServiceUnavailable):
        silent.versions.describe("app/db")
    assert silent.attempts == ["DescribeSecret"] * 2


def answering(silent: Silent, status: int, body: bytes) -> None:
    """From here on every attempt is answered."""
    said = io.BytesIO(body)
    raw = SimpleNamespace(stream=lambda: iter([said.read()]))
    client: Any = silent.versions._client
    client.meta.events.register(
        "before-send", lambda **_: AWSResponse(silent.url, status, HeadersDict(), raw)
    )


def test_who_is_throttled_does_not_pause_when_there_is_no_time_for_another_attempt(
    silent: Silent,
) -> None:
    answering(silent, 400, b'{"__type": "ThrottlingException", "message": "Slow down."}')
    with serving(silent.deadline(2)), pytest.raises(ServiceUnavailable, match="Slow down"):
        silent.versions.put_pending("app/db", VERSION, "{}", None)
    assert silent.attempts == ["PutSecretValue"]


def test_an_answer_counts_although_there_is_no_time_for_another_attempt(silent: Silent) -> None:
    answering(silent, 200, b"{}")
    with serving(silent.deadline(1)):
        silent.versions.put_pending("app/db", VERSION, "{}", None)
    assert silent.attempts == ["PutSecretValue"]


def test_storing_a_value_is_tried_while_there_is_any_time(silent: Silent) -> None:
    with serving(silent.deadline(1)), pytest.raises(ServiceUnavailable):
        silent.versions.put_pending("app/db", VERSION, "{}", None)
    assert silent.attempts == ["PutSecretValue"]
    with serving(silent.deadline(0)), pytest.raises(DeadlineExceeded):
        silent.versions.put_pending("app/db", VERSION, "{}", None)
    assert silent.attempts == ["PutSecretValue"]


def test_a_step_ends_within_its_time_although_secrets_manager_is_silent(silent: Silent) -> None:
    dispatcher = Dispatcher(silent.versions, Registry(), Settings())
    deadline = silent.deadline(15)
    silent.takes = 10
    with pytest.raises(ServiceUnavailable) as caught:
        dispatcher.dispatch(REQUEST, deadline, Redactor(), lambda *_, **__: None)
    assert caught.value.who == {"secret": "app/db"}
    assert deadline.remaining("the report") == 5
    assert silent.attempts == ["DescribeSecret"]


def test_every_api_is_bounded_alike(silent: Silent) -> None:
    client = aws.client("rds", silent.url)
    with serving(silent.deadline(1)), pytest.raises(DeadlineExceeded, match="DescribeDBInstances"):
        client.describe_db_instances()
    client.close()
