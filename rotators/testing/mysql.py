"""A MySQL server of one's own, for demonstrations and tests.

    with MySQLServer(find_mysql()[0].root) as server:
        ...  # connect to server.host, server.port as server.user with server.password

Nothing is installed, and nothing outside the server's temporary directory is changed. Durability
is off: never for data that matters.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rotators.testing.mysql_family import Installation, MySQLFamilyServer
from rotators.testing.processes import ServerError

CURE = (
    "Get one: make servers, in a checkout on Debian; apt-get install mysql-server-core, where the "
    "release has it; or a container, as in tests/compose.yaml."
)


class MySQLServer(MySQLFamilyServer):
    __doc__ = MySQLFamilyServer.__doc__

    kind, name, cure = "mysql", "MySQL", CURE
    program = "usr/sbin/mysqld"
    no_tls = "--tls-version="

    @property
    def _init_file(self) -> Path:
        return self.directory / "init.sql"

    def _make_data(self) -> None:
        template = self.installation.root / "template"
        if template.is_dir():  # initialising takes seconds
            shutil.copytree(template, self._data)
        else:
            self._initialise()
        password = _literal(self.password)
        self._init_file.touch(0o600)
        self._init_file.write_text(
            f"ALTER USER root@localhost IDENTIFIED BY {password};\n"
            f"CREATE USER root@'127.0.0.1' IDENTIFIED BY {password};\n"
            "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _initialise(self) -> None:
        made = self._run(
            *self._runnable(), "--no-defaults", *self._place_options(), "--initialize-insecure"
        )
        if made.returncode:
            raise ServerError(f"MySQL’s --initialize failed. Look at what it says:\n{made.stdout}")

    def _options(self) -> Sequence[str]:
        # The server runs the file before it answers anybody: root never is without a password.
        first = [f"--init-file={self._init_file}"] if self._init_file.exists() else []
        return [
            "--disable-log-bin",
            "--innodb-redo-log-capacity=8M",
            "--mysqlx=OFF",
            "--secure-file-priv=NULL",
            *first,
        ]

    def _start(self) -> bool:
        started = super()._start()
        if started:
            self._init_file.unlink(missing_ok=True)
        return started


def find_mysql() -> list[Installation]:
    """What can be started here: what tests/get-servers.sh has fetched, then the machine's own."""
    return MySQLServer.find()


def _literal(text: str) -> str:
    """Text in SQL, whatever is in it."""
    quoted = text.replace("\\", r"\\").replace("'", "''")
    return f"'{quoted}'"
