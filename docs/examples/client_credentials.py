"""A rotator of one's own: access tokens of a provider that speaks OAuth 2.0 client credentials.

The secret:  {"engine": "acme", "access_token": "…", "masterarn": "arn of the client's secret"}
The client's secret:  {"client_id": "…", "client_secret": "…", "base_url": "https://api.acme.example"}
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from rotators import Rotation, Secret
from rotators.errors import AnswerLost, LoginRefused
from rotators.issued.rotator import IssuedSecretRotator

PASSING = HTTPStatus.INTERNAL_SERVER_ERROR


class AcmeRotator(IssuedSecretRotator):
    def issued(self, current: Secret) -> frozenset[str]:
        return frozenset({"access_token"})

    def spends(self, current: Secret) -> bool:
        return False  # a token more does no harm: the client may ask again

    def obtain(self, rotation: Rotation) -> Mapping[str, Any]:
        client = self.admin(rotation, rotation.current)
        acme = self.connect(rotation, client, "https://api.acme.example")
        keys = client.text("client_id"), client.text("client_secret")
        answer = acme.post("/oauth/token", {"grant_type": "client_credentials"}, basic=keys)
        if answer.status >= PASSING:
            raise AnswerLost(f"Acme failed: {answer.said}", "Secrets Manager will call again.")
        if answer.status != HTTPStatus.OK:
            raise LoginRefused(f"Acme refused the client: {answer.said}", "Look at its secret.")
        return {"access_token": answer.text("access_token")}

    def verify(self, rotation: Rotation, value: Secret) -> None:
        acme = self.connect(rotation, self.admin(rotation, value), "https://api.acme.example")
        answer = acme.get_from("/me", bearer=value.text("access_token"))
        if answer.status != HTTPStatus.OK:
            raise LoginRefused(f"Acme refused the token: {answer.said}", "Rotate again.")
