"""PostgreSQL as the contract's target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rotators.settings import Settings

if TYPE_CHECKING:
    from tests.servers import PostgreSQL


class PostgreSQLTarget:
    """A shared server; each secret has a user of its own."""

    def __init__(self, server: PostgreSQL) -> None:
        self.server = server
        self.settings = Settings(ca_bundle=server.ca)

    def new_secret(self) -> dict[str, Any]:
        role = self.server.create_user()
        return self.server.secret(role.name, role.password)

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.can_log_in(secret["username"], secret["password"])
