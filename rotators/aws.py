"""boto3 clients, every wait of which is bounded."""

from __future__ import annotations

from typing import Any

# Three attempts that nobody answers end within Lambda's usual 30 seconds.
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 2, 5, 3


def client(service: str, endpoint_url: str | None = None) -> Any:  # noqa: ANN401 made at run time
    """A new client of the function's Region. Raises botocore's errors where there is none."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    return boto3.session.Session().client(service, endpoint_url=endpoint_url, config=config)
