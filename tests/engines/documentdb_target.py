"""MongoDB and DocumentDB as the contract's target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rotators.settings import Settings, StrategyName

if TYPE_CHECKING:
    from tests.doubles.documentdb import Mongo, User

# What both servers' admins of users have: no root, and nothing in the databases.
ADMIN = ("userAdminAnyDatabase",)


class MongoTarget:
    """A shared server; each secret has a user of its own, with roles in two databases."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self,
        server: Mongo,
        strategy: StrategyName = StrategyName.SINGLE_USER,
        *,
        database: str = "admin",
        with_admin: bool = False,
    ) -> None:
        self.server = server
        self.database = database
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        if with_admin or strategy is StrategyName.ALTERNATING_USERS:
            admin = server.create_user(roles=ADMIN)
            self.admin = server.secret(admin)

    def new_user(self, **fields: Any) -> User:
        own = self.server.own_password()
        roles = [{"role": "readWrite", "db": "app"}, {"role": "read", "db": "reports"}, own]
        return self.server.create_user(roles=roles, database=self.database, **fields)

    def new_secret(self) -> dict[str, Any]:
        return self.server.secret(self.new_user())

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        database = secret.get("dbname") or "admin"
        return self.server.can_log_in(secret["username"], secret["password"], database)
