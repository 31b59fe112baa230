"""MySQL and MariaDB in a demonstration."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pymysql

from rotators.cli.demo_server import DemoServer, Finding
from rotators.database.mariadb import MariaDBRotator
from rotators.database.mysql import MySQLRotator
from rotators.testing import mariadb, mysql

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    from rotators.testing.certificates import KeyPair
    from rotators.testing.mysql_family import Installation, MySQLFamilyServer

_ACCESS_DENIED = 1045
_LENT = "SELECT, INSERT"


class _DemoMySQLFamily(DemoServer):
    """What is the same for both."""

    failures = pymysql.MySQLError
    dbname = "shop"
    _server: MySQLFamilyServer
    launcher: ClassVar[type[MySQLFamilyServer]]
    # What an admin needs on everything, and how the log shows a password that was changed.
    admin_needs: ClassVar[str]
    in_log: ClassVar[tuple[str, re.Pattern[str]]]
    # How the server is told of a password.
    identified: ClassVar[str] = "IDENTIFIED BY %s"

    def __init__(self, installation: Installation) -> None:
        self.version, self.origin = installation.version, installation.origin
        self._root = installation.root

    @classmethod
    def found(cls) -> Sequence[Self]:
        return [cls(installation) for installation in cls.launcher.find()]

    def create_user(self, name: str, password: str, maker: Mapping[str, Any]) -> None:
        self._execute(maker, f"CREATE USER %s@'%%' {self.identified}", name, self._given(password))
        self._execute(maker, f"GRANT {_LENT} ON {self.dbname}.* TO %s", name)

    def create_admin(self, name: str, password: str) -> None:
        root = self.superuser()
        self.create_user(name, password, root)
        self._execute(root, f"GRANT {self.admin_needs} ON *.* TO %s", name)
        self._execute(root, "GRANT SELECT ON mysql.* TO %s", name)
        self._execute(root, f"GRANT {_LENT} ON {self.dbname}.* TO %s WITH GRANT OPTION", name)

    def logs_in(self, value: Mapping[str, Any]) -> bool:
        try:
            with self._connect(value):
                return True
        except pymysql.OperationalError as error:
            if error.args[0] == _ACCESS_DENIED:
                return False
            raise

    def user_of(self, value: Mapping[str, Any]) -> str:
        ((account,),) = self._execute(value, "SELECT CURRENT_USER()")
        return str(account).rpartition("@")[0]

    def is_superuser(self, name: str) -> bool:
        asked = "SELECT Super_priv FROM mysql.user WHERE User = %s"
        return self._execute(self.superuser(), asked, name) != (("N",),)

    def logged(self) -> Finding:
        said = self._server.general_log_text()
        shown, pattern = self.in_log
        lines = len(said.splitlines())
        return Finding(
            f"the general log has every statement ({lines} lines): {shown}",
            pattern.search(said) is not None,
        )

    def log_text(self) -> str:
        return self._server.log_text() + self._server.general_log_text()

    def _launcher(self, tls: KeyPair) -> MySQLFamilyServer:
        return self.launcher(self._root, tls=tls)

    def _prepare(self) -> None:
        self._execute(self.superuser(), f"CREATE DATABASE {self.dbname}")

    def _connect(self, value: Mapping[str, Any]) -> Connection[Cursor]:
        return pymysql.connect(
            host=self._server.host,
            port=self._server.port,
            user=value["username"],
            password=value["password"].encode(),
            ssl=ssl.create_default_context(cafile=str(self.ca)),
            connect_timeout=10,
            autocommit=True,
        )

    def _execute(
        self, value: Mapping[str, Any], statement: str, *args: object
    ) -> tuple[tuple[Any, ...], ...]:
        with self._connect(value) as connection, connection.cursor() as cursor:
            cursor.execute(statement, args or None)
            return tuple(cursor.fetchall())

    def _grants(self, name: str) -> list[str]:
        """As the server says them, but for the line that every user has."""
        rows = self._execute(self.superuser(), "SHOW GRANTS FOR %s@'%%'", name)
        return [row for (row,) in rows if not row.startswith("GRANT USAGE ")]

    def _given(self, password: str) -> str:
        """What the server is told of a password."""
        return password


class DemoMySQL(_DemoMySQLFamily):
    """MySQL, which gets passwords over TLS, and keeps them out of its logs."""

    title, engine, cure = "MySQL", "mysql", mysql.CURE
    launcher = mysql.MySQLServer
    strategies = MySQLRotator.strategies
    retains_alone = True
    admin_needs = "CREATE USER, ROLE_ADMIN"
    in_log = "<secret>", re.compile(r"ALTER USER .* BY <secret>")

    def let_retain(self, name: str) -> None:
        self._execute(self.superuser(), "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO %s", name)

    def clone_is_base(self, base: str, clone: Mapping[str, Any]) -> Finding:
        name = clone["username"]
        return Finding(
            f"all that it may is what '{base}' may: its only grant is that role",
            self._grants(name) == [f"GRANT `{base}`@`%` TO `{name}`@`%`"],
        )


class DemoMariaDB(_DemoMySQLFamily):
    """MariaDB, which logs what it gets: it gets hashes."""

    title, engine, cure = "MariaDB", "mariadb", mariadb.CURE
    launcher = mariadb.MariaDBServer
    strategies = MariaDBRotator.strategies
    admin_needs = "CREATE USER"
    in_log = "hashes", re.compile(r"(SET PASSWORD|ALTER USER) .*'\*[0-9A-F]{40}'")
    identified = "IDENTIFIED BY PASSWORD %s"

    def clone_is_base(self, base: str, clone: Mapping[str, Any]) -> Finding:
        name = clone["username"]
        mine, bases = self._grants(name), self._grants(base)
        same = [row.replace(f"`{name}`", f"`{base}`") for row in mine] == bases != []
        return Finding(f"it may exactly what '{base}' may", same)

    def _given(self, password: str) -> str:
        return mariadb.native_verifier(password)
