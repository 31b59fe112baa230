"""A MariaDB server of one's own, for demonstrations and tests.

    with MariaDBServer(find_mariadb()[0].root) as server:
        ...  # connect to server.host, server.port as server.user with server.password

Nothing is installed, and nothing outside the server's temporary directory is changed. Durability
is off: never for data that matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from rotators.testing.mysql_family import Installation, MySQLFamilyServer
from rotators.testing.processes import ServerError, hand_over

CURE = (
    "Get one: make servers, in a checkout on Debian; apt-get install mariadb-server-core; or a "
    "container, as in tests/compose.yaml."
)

_SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
)
_SMALL = ("--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M")


def native_verifier(password: str) -> str:
    """What mysql_native_password stores of a password."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


class MariaDBServer(MySQLFamilyServer):
    __doc__ = MySQLFamilyServer.__doc__

    kind, name, cure = "mariadb", "MariaDB", CURE
    program = "usr/sbin/mariadbd"
    no_tls = "--skip-ssl"

    def _make_data(self) -> None:
        """As mariadb-install-db, which is a script that a server alone does not bring along."""
        share = self._root / "usr" / "share" / "mysql"
        statements = [
            "CREATE DATABASE mysql;",
            "USE mysql;",
            *((share / name).read_text() for name in _SYSTEM_TABLES),
            # The tables' data brings along root accounts without a password.
            "DELETE FROM global_priv WHERE user = 'root';",
            "DELETE FROM proxies_priv;",
            "FLUSH PRIVILEGES;",
            *(
                f"GRANT ALL ON *.* TO root@'{host}' IDENTIFIED BY PASSWORD "
                f"'{native_verifier(self.password)}' WITH GRANT OPTION;"
                for host in ("localhost", "127.0.0.1")
            ),
        ]
        for directory in (self._data, self._files):
            directory.mkdir()
            hand_over(directory)
        made = self._run(
            *self._runnable(), "--no-defaults", *self._place_options(), *_SMALL, "--bootstrap",
            text="\n".join(statements),
        )  # fmt: skip
        if made.returncode:
            raise ServerError(f"MariaDB’s bootstrap failed. Look at what it says:\n{made.stdout}")

    @property
    def _files(self) -> Path:
        return self.directory / "files"

    def _options(self) -> Sequence[str]:
        return [*_SMALL, f"--secure-file-priv={self._files}"]


def find_mariadb() -> list[Installation]:
    """What can be started here: what tests/get-servers.sh has fetched, then the machine's own."""
    return MariaDBServer.find()
