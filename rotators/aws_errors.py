"""What the APIs of AWS answer when they have no answer, in our words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rotators.errors import AccessDenied, RotationError, ServiceUnavailable, UnexpectedError

Meaning = tuple[type[RotationError], str]  # and the cure

_SERVER_ERROR, _UNAUTHORIZED = 500, (401, 403)
# By any of their names: every API has its own.
_TOO_MUCH = re.compile("Throttl|TooMany|LimitExceeded|PriorRequestNotComplete")
_CREDENTIALS = re.compile(
    "ExpiredToken|RequestExpired|InvalidClientTokenId|UnrecognizedClient|MissingAuthenticationToken"
    "|InvalidSignature|IncompleteSignature|SignatureDoesNotMatch|AuthFailure"
)
_LATER = (ServiceUnavailable, "Secrets Manager will call again.")
_DEFECT = (UnexpectedError, "Report this as a defect, with the message.")


class NotFound(LookupError):
    """There is no such thing in AWS."""


@dataclass(frozen=True, slots=True)
class Service:
    """An API by its name and its title; errors that begin with ``missing`` mean NotFound.

    ``means`` is what codes of its own mean, or of one operation's ("Operation: Code").
    """

    name: str
    title: str
    missing: tuple[str, ...] = ()
    means: Mapping[str, Meaning] = field(default_factory=dict)

    @contextmanager
    def errors(self, operation: str) -> Iterator[None]:
        """Translates what boto3 raises: NotFound, AccessDenied, ServiceUnavailable, ``means``."""
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
        kind, cure = self._meaning(operation, code, status)
        if not details:  # by whoever answers in the API's place
            kind, cure = ServiceUnavailable, self._way
        return kind(f"{operation} was refused: {code}: {message.rstrip('.')}", cure)

    def _meaning(self, operation: str, code: str, status: int) -> Meaning:
        if status >= _SERVER_ERROR or _TOO_MUCH.search(code):
            return _LATER
        for own in (f"{operation}: {code}", code):
            if own in self.means:
                return self.means[own]
        if _CREDENTIALS.search(code):
            return AccessDenied, "Give the function (or your shell) valid AWS credentials."
        if status in _UNAUTHORIZED or code.startswith("AccessDenied"):
            return AccessDenied, f"Allow {self.name}:{operation} to the function's role."
        return _DEFECT
