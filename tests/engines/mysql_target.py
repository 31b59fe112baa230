"""MySQL and MariaDB as the contract's target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rotators.database.mariadb import MariaDBRotator
from rotators.database.mysql import MySQLRotator
from rotators.settings import Settings, StrategyName

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator
    from tests.servers_mysql import Kind, MySQL, User

ROTATORS: Mapping[Kind, type[DatabaseRotator]] = {"mysql": MySQLRotator, "mariadb": MariaDBRotator}
# What both servers' admins pass on: no superusers, as on RDS.
LENT = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, EXECUTE"
_NEEDS = {"mysql": "CREATE USER, ROLE_ADMIN", "mariadb": "CREATE USER"}


class MySQLTarget:
    """A shared server; each secret has a user of its own, with rights in one database."""

    admin: Mapping[str, Any] | None = None

    def __init__(
        self,
        server: MySQL,
        strategy: StrategyName = StrategyName.SINGLE_USER,
        *,
        with_admin: bool | None = None,
    ) -> None:
        """``with_admin`` None: where the strategy cannot do without on this server."""
        self.server = server
        self.settings = Settings(ca_bundle=server.ca, strategy=strategy)
        self.database = server.create_database()
        server.execute(f"CREATE TABLE {self.database}.t (x INT, y INT)")
        if with_admin is None:
            with_admin = strategy is StrategyName.ALTERNATING_USERS or (
                strategy is StrategyName.DUAL_PASSWORD and server.kind == "mariadb"
            )
        if with_admin:
            user = self.new_admin()
            self.admin = server.secret(user.name, user.password)

    def new_admin(self) -> User:
        """An admin that may do what it has to, and no more."""
        user = self.server.create_user()
        account = f"`{user.name}`@`{user.host}`"
        self.server.execute(f"GRANT {_NEEDS[self.server.kind]} ON *.* TO {account}")
        self.server.execute(f"GRANT SELECT ON mysql.* TO {account}")
        self.server.execute(f"GRANT {LENT} ON {self.database}.* TO {account} WITH GRANT OPTION")
        return user

    def new_user(self, **options: Any) -> User:
        """A user with rights of every level that may be lent."""
        user = self.server.create_user(**options)
        account = f"`{user.name}`@`{user.host}`"
        self.server.execute(f"GRANT SELECT, INSERT (x) ON {self.database}.t TO {account}")
        if self.server.kind == "mysql" and self.admin is None:
            self.server.execute(f"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO {account}")
        return user

    def new_secret(self) -> dict[str, Any]:
        user = self.new_user()
        return self.server.secret(user.name, user.password)

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        return self.server.can_log_in(secret["username"], secret["password"])
