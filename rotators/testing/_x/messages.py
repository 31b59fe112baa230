"""What goes over the wire: requests, answers, and the error bodies that X is known for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import responses
from typing import Final, Literal, TypeAlias

# JSON, or a text that is sent as it is: a gateway's page, say.
Body: TypeAlias = Mapping[str, object] | str
Where: TypeAlias = Literal["before", "headers", "body"]

BEARER_TOKEN: Final = "/oauth2/token"  # noqa: S105 - a path
INVALIDATE_TOKEN: Final = "/oauth2/invalidate_token"  # noqa: S105 - a path
USER_TOKEN: Final = "/2/oauth2/token"  # noqa: S105 - a path
REVOKE: Final = "/2/oauth2/revoke"
ME: Final = "/2/users/me"
APP_ONLY: Final = frozenset({BEARER_TOKEN, INVALIDATE_TOKEN})


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived. Never a query, a header, a body or a token.

    `status` is None until the answer is made, and stays None where the connection was dropped.
    """

    method: str
    path: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request in full, so its repr says no more than a `Call`."""

    method: str
    path: str
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: str = field(repr=False)

    @property
    def is_form(self) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0]
        return kind.strip().lower() == "application/x-www-form-urlencoded"

    @property
    def authorization(self) -> tuple[str, str]:
        """The scheme in lower case, and the rest; two empty texts where there is no header."""
        scheme, _, rest = self.headers.get("authorization", "").partition(" ")
        return scheme.lower(), rest.strip()

    def is_basic(self, user: str, password: str) -> bool:
        """Whether this is HTTP Basic of exactly these two texts."""
        expected = b64encode(f"{user}:{password}".encode()).decode()
        return self.authorization == ("basic", expected)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what comes with it."""

    status: int
    body: Body = field(repr=False)


class Refused(Exception):
    """A request without effect, and its answer."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(f"HTTP {status}")
        self.answer = Answer(status, body)


def _listed(code: int, message: str, **more: str) -> Body:
    return {"errors": [{"code": code, **more, "message": message}]}


UNVERIFIED: Final = _listed(
    99, "Unable to verify your credentials", label="authenticity_token_error"
)
INVALID_TOKEN: Final = _listed(89, "Invalid or expired token")
NOT_ALLOWED: Final = _listed(220, "Your credentials do not allow access to this resource")
SPENT: Final[Mapping[str, object]] = {
    "error": "invalid_request",
    "error_description": "Value passed for the token was invalid.",
}
NO_BASIC: Final[Mapping[str, object]] = {
    "error": "unauthorized_client",
    "error_description": "Missing valid authorization header",
}


def titled(status: int) -> Body:
    """A body for errors whose own X does not document."""
    return {"title": responses.get(status, "Error"), "status": status}


def usual_body(path: str, status: int) -> Body:
    """What X says with this status on this path, as far as it is known."""
    if path in APP_ONLY:
        known: Mapping[int, Body] = {403: UNVERIFIED}
    elif path == ME:
        known = {401: INVALID_TOKEN, 403: NOT_ALLOWED}
    else:
        known = {400: SPENT, 401: NO_BASIC}
    return known.get(status, titled(status))
