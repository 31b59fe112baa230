"""PostgreSQL as the contract's target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psycopg import sql

from rotators.settings import Settings, StrategyName

if TYPE_CHECKING:
    from tests.servers import PostgreSQL


class PostgreSQLTarget:
    """A shared server; each secret has a user of its own."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self, server: PostgreSQL, strategy: StrategyName = StrategyName.SINGLE_USER
    ) -> None:
        self.server = server
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        if strategy is StrategyName.ALTERNATING_USERS:
            # As on RDS: no superuser.
            role = server.create_user(options="CREATEROLE")
            self.admin = server.secret(role.name, role.password)

    def new_secret(self) -> dict[str, Any]:
        role = self.server.create_user()
        if self.admin is not None:
            self.let_admin(role.name)
        return self.server.secret(role.name, role.password)

    def let_admin(self, name: str) -> None:
        """Gives the admin what it has on the roles that it makes itself, from PostgreSQL 16 on."""
        assert self.admin is not None
        if self.server.major < 16:
            return
        names = map(sql.Identifier, (name, self.admin["username"]))
        grant = sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
        with self.server.admin() as admin:
            admin.execute(grant.format(*names))

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        with self.server.admin() as admin:
            asked = "SELECT FROM pg_roles WHERE rolname = %s"
            if admin.execute(asked, [secret["username"]]).fetchone() is None:
                return False
        return self.server.can_log_in(secret["username"], secret["password"])
