"""What the APIs of AWS answer when they have no answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rotators.errors import AccessDenied, RotationError, ServiceUnavailable, UnexpectedError

_SERVER_ERROR, _UNAUTHORIZED = 500, (401, 403)
_TOO_MUCH = re.compile("Throttl|TooMany|LimitExceeded")


class NotFound(LookupError):
    """There is no such thing in AWS."""


@dataclass(frozen=True, slots=True)
class Service:
    """An API by its name and its title; errors that begin with ``missing`` mean NotFound."""

    name: str
    title: str
    missing: tuple[str, ...] = ()

    @contextmanager
    def errors(self, operation: str) -> Iterator[None]:
        """Translates what boto3 raises: NotFound, AccessDenied, ServiceUnavailable."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            yield
        except ClientError as error:
            raised = self._translated(operation, error.response)
        except BotoCoreError as error:
            raised = ServiceUnavailable(f"{operation} could not be sent: {error}", self._way)
        except (ResponseParserError, KeyError):  # KeyError: XML, but without the answer
            found = f"{operation} was answered by something that is not {self.title}"
            raised = ServiceUnavailable(found, self._way)
        else:
            return
        raise raised from None

    @property
    def _way(self) -> str:
        return (
            f"Secrets Manager will call again. If it stays so, the function lacks a way to the"
            f" {self.title} API (in a VPC: an interface VPC endpoint com.amazonaws.REGION."
            f"{self.name}, or a NAT; port 443), a Region or credentials."
        )

    def _translated(self, operation: str, response: Mapping[str, Any]) -> Exception:
        details = response.get("Error", {})
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code, message = details.get("Code", "no code"), str(details.get("Message"))
        if self.missing and code.startswith(self.missing):
            return NotFound(message)
        kind: type[RotationError] = UnexpectedError
        cure = "Report this as a defect, with the message."
        if status >= _SERVER_ERROR or not details or _TOO_MUCH.search(code):
            kind, cure = ServiceUnavailable, self._way
        elif status in _UNAUTHORIZED or code.startswith("AccessDenied"):
            kind = AccessDenied
            allow = f"Allow {self.name}:{operation} to the function's role"
            cure = f"{allow}, or give valid credentials."
        return kind(f"{operation} was refused: {code}: {message.rstrip('.')}", cure)
