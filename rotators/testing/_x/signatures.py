"""OAuth 1.0a signatures, verified by oauthlib; needs the extra ``twitter``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, RequestValidator, ResourceEndpoint
from oauthlib.oauth1.rfc5849 import signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotators.testing._x.apps import App
    from rotators.testing._x.messages import Request

_NOBODY = "nobody"

# It writes the text of a request that it refuses, bearer included, at DEBUG.
logging.getLogger(signature.__name__).setLevel(logging.INFO)


def signer(request: Request, origin: str, apps: Mapping[str, App], seen: set[str]) -> App | None:
    """The app whose consumer keys and owner's token signed this request; a nonce works once."""
    query = f"?{request.query}" if request.query else ""
    endpoint = ResourceEndpoint(_Keys(apps, seen))
    url, headers = f"{origin}{request.path}{query}", dict(request.headers)
    try:
        signed, found = endpoint.validate_protected_resource_request(
            url, request.method, request.body, headers
        )
    except ValueError:  # a header or a query that is not even one
        return None
    return apps[found.client_key] if signed else None


class _Keys(RequestValidator):
    """What oauthlib has to know of the apps.

    It goes on with a dummy where a key is unknown, so that refusals take the same time.
    """

    enforce_ssl = False  # the fake also speaks plain HTTP
    allowed_signature_methods = (SIGNATURE_HMAC_SHA1,)
    nonce_length = (8, 64)
    access_token_length = (20, 64)
    dummy_client = _NOBODY
    dummy_access_token = _NOBODY

    def __init__(self, apps: Mapping[str, App], seen: set[str]) -> None:
        super().__init__()
        self._apps = apps
        self._seen = seen

    @property
    def safe_characters(self) -> set[str]:
        return {*super().safe_characters, "-"}

    def validate_client_key(self, client_key: str, *_: object) -> bool:
        return client_key in self._apps

    def validate_access_token(self, client_key: str, token: str, *_: object) -> bool:
        return client_key in self._apps and self._apps[client_key].access_token == token

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, *_: object, **__: object
    ) -> bool:
        once = f"{client_key} {timestamp} {nonce}"
        fresh = once not in self._seen
        self._seen.add(once)
        return fresh

    def validate_realms(self, *_: object, **__: object) -> bool:
        return True

    def get_client_secret(self, client_key: str, *_: object) -> str:
        app = self._apps.get(client_key)
        return app.api_key_secret if app else _NOBODY

    def get_access_token_secret(self, client_key: str, *_: object) -> str:
        app = self._apps.get(client_key)
        return app.access_token_secret if app else _NOBODY
