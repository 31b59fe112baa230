"""boto3 clients, every wait of which is bounded by the invocation's time."""

from __future__ import annotations

from typing import Any

from rotators.deadline import served

# Three attempts that nobody answers end within Lambda's usual 30 seconds.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 2, 5, 3

_FAILED = 300  # statuses of HTTP

# They store what cannot be made again, or settle what has become of it: worth more than a report.
_WHILE_THERE_IS_TIME = frozenset(
    {"PutSecretValue", "TagResource", "UntagResource", "UpdateSecretVersionStage"}
)


def client(service: str, endpoint_url: str | None = None) -> Any:  # noqa: ANN401 made at run time
    """A new client of the function's Region. Raises botocore's errors where there is none."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    return bounded(
        boto3.session.Session().client(service, endpoint_url=endpoint_url, config=config)
    )


def bounded(made: Any) -> Any:  # noqa: ANN401 as above
    """The client, which now begins no attempt that could outlast the step that is served.

    Writes are begun while there is any time. Else the call raises DeadlineExceeded, or what became
    of the attempt before.
    """
    made.meta.events.register("before-send", _require_time)
    made.meta.events.register("needs-retry", _end_without_time)
    return made


def _require_time(event_name: str, **_: object) -> None:
    operation = event_name.rpartition(".")[2]
    if (deadline := served()) is not None:
        deadline.remaining(operation, 0 if operation in _WHILE_THERE_IS_TIME else _longest())


def _end_without_time(
    event_name: str,
    response: tuple[Any, dict[str, Any]] | None,
    caught_exception: Exception | None,
    **_: object,
) -> None:
    """Ends the call with what became of its attempt, where there is no time for another.

    Nor for the pause before it: who is throttled may be told to wait as long as an attempt lasts.
    """
    deadline = served()
    if deadline is None or deadline.at - deadline.clock() > _longest():
        return
    if caught_exception is not None:
        raise caught_exception
    if response is not None and response[0].status_code >= _FAILED:
        from botocore.exceptions import ClientError

        raise ClientError(response[1], event_name.rpartition(".")[2])


def _longest() -> float:
    """Seconds that an attempt may last: a name's resolution and further addresses aside."""
    return _CONNECT_SECONDS + _READ_SECONDS
