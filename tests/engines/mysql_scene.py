"""A secret whose user takes turns with another, on a real MySQL or MariaDB, and what is to see."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from tests.engines.mysql_target import ROTATORS, MySQLTarget
from tests.engines.scene import Scene as SharedScene

if TYPE_CHECKING:
    from tests.servers_mysql import Kind, MySQL, User

_BOTH = ("db", "tables_priv", "columns_priv", "procs_priv", "proxies_priv")
# Everything that a server knows of its users.
STATE: Mapping[Kind, tuple[str, ...]] = {
    "mysql": (*_BOTH, "user", "default_roles", "role_edges", "global_grants"),
    "mariadb": (*_BOTH, "global_priv", "roles_mapping"),
}
_SECRET = re.compile(r" IDENTIFIED .*? USING '[^']*'| IDENTIFIED BY PASSWORD '[^']*'")


def fingerprint(server: MySQL) -> list[list[str]]:
    """All users of a server with their passwords, rights, roles and attributes."""
    with server.admin() as admin, admin.cursor() as cursor:
        found = []
        for table in STATE[server.kind]:
            cursor.execute(f"SELECT * FROM mysql.{table}")  # noqa: S608 our own names
            found.append(sorted(map(repr, cursor.fetchall())))
        return found


def hosts(server: MySQL, name: str) -> list[str]:
    """The host entries of a user; none if it does not exist."""
    rows = server.execute("SELECT Host FROM mysql.user WHERE User = %s", name)
    return sorted(row[0] for row in rows)


def refused(server: MySQL, name: str) -> int:
    """How often the server has refused a login of the user."""
    return server.general_log_text().count(f"Access denied for user '{name}'")


@contextlib.contextmanager
def globally(server: MySQL, name: str, value: object) -> Iterator[None]:
    """Another value of a server's variable, for a while."""
    ((before,),) = server.execute(f"SELECT @@GLOBAL.{name}")
    server.execute(f"SET GLOBAL {name} = %s", value)
    try:
        yield
    finally:
        server.execute(f"SET GLOBAL {name} = %s", before)


@contextlib.contextmanager
def bench_on(
    server: MySQL,
    strategy: StrategyName = StrategyName.SINGLE_USER,
    *,
    settings: Settings | None = None,
    kind: Kind | None = None,
    with_admin: bool | None = None,
) -> Iterator[Bench]:
    """Rotates users of ``server``, by the rotator for ``kind`` instead of the right one."""
    target = MySQLTarget(server, strategy, with_admin=with_admin)
    target.settings = settings or target.settings
    with Bench(ROTATORS[kind or server.kind], target) as bench:
        yield bench


@dataclass
class Scene(SharedScene["MySQL", MySQLTarget]):
    """A bench with an admin that is no superuser, and one secret whose user is the base."""

    def alter(self, statement: str, **names: str) -> None:
        """A statement of the server's administrator; ``{base}`` and its like are filled in."""
        known = {"base": self.base, "alternate": self.alternate, "admin": self.admin}
        self.server.execute(statement.format(db=self.target.database, **{**known, **names}))

    def lend(self, privileges: str, on: str, to: str = "{base}") -> None:
        """Grants them to a user, and lets the admin pass them on."""
        for who, option in ((to, ""), ("{admin}", " WITH GRANT OPTION")):
            self.alter(f"GRANT {privileges} ON {on} TO {who}{option}")

    def role(self, name: str) -> str:
        """A new role that the admin may grant."""
        role = f"{self.base}_{name}"
        self.server.execute(f"CREATE ROLE {role}")
        self.server.execute(f"GRANT {role} TO {self.admin} WITH ADMIN OPTION")
        return role

    def run(self, query: str) -> list[tuple[Any, ...]]:
        """What an application does with AWSCURRENT."""
        now = self.current
        with (
            self.server.connect(now["username"], now["password"]) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(query)
            return list(cursor.fetchall())

    def read(self, database: str, table: str) -> None:
        """What an application does with AWSCURRENT, if it may."""
        self.run(f"SELECT * FROM {database}.{table}")  # noqa: S608 our own names

    @property
    def shares(self) -> bool:
        """Whether the admin may give the alternate the base for its role."""
        return "ROLE_ADMIN" in str(self.server.execute(f"SHOW GRANTS FOR {self.admin}"))

    def account(self, name: str) -> str:
        (host,) = hosts(self.server, name)
        return f"`{name}`@`{host}`"

    def rights(self, name: str) -> set[str]:
        """What the server says that the user may do, as if its name were the base's.

        MySQL's alternate has the base for its role, or the same rights; what roles are granted
        matters only by what they bring.
        """
        account, using = self.account(name), ""
        if self.server.kind == "mysql":
            query = "SELECT from_user, from_host FROM mysql.role_edges WHERE to_user = %s"
            roles = [f"`{role}`@`{host}`" for role, host in self.server.execute(query, name)]
            using = f" USING {', '.join(roles)}" if roles else ""
        rows = [row for (row,) in self.server.execute(f"SHOW GRANTS FOR {account}{using}")]
        if self.server.kind == "mysql":
            rows = [row for row in rows if " ON " in row]
        return {_SECRET.sub("", row).replace(account, "me") for row in rows}

    def converged(self) -> bool:
        """Whether both users may do the same."""
        return self.rights(self.alternate) == self.rights(self.base)

    def properties(self, name: str) -> tuple[Any, ...]:
        columns = (
            "plugin, ssl_type, ssl_cipher, x509_issuer, x509_subject, max_questions, max_updates,"
            " max_connections, max_user_connections"
        )
        if self.server.kind == "mariadb":
            columns += ", max_statement_time"
        query = f"SELECT {columns} FROM mysql.user WHERE User = %s"  # noqa: S608 our own names
        (row,) = self.server.execute(query, name)
        return row

    def policy(self, name: str) -> tuple[Any, ...]:
        """What is asked of the account's passwords: their age and the like."""
        columns, table = "JSON_VALUE(Priv, '$.password_lifetime')", "global_priv"
        if self.server.kind == "mysql":
            columns, table = (
                "password_lifetime, Password_reuse_history, Password_reuse_time,"
                " Password_require_current, User_attributes->'$.Password_locking'",
                "user",
            )
        query = f"SELECT {columns} FROM mysql.{table} WHERE User = %s"  # noqa: S608 our own names
        (row,) = self.server.execute(query, name)
        return row

    def leaks(self, text: str) -> list[str]:
        """Passwords that are in the text, and the hashes that MariaDB keeps of them."""
        found = [password for password in self.bench.passwords() if password in text]
        return found + re.findall(r"\*[0-9A-F]{40}", text)


@contextlib.contextmanager
def scene_on(
    server: MySQL, strategy: StrategyName = StrategyName.ALTERNATING_USERS
) -> Iterator[Scene]:
    """One secret with an admin that may do what it has to."""
    with bench_on(server, strategy, with_admin=True) as bench:
        assert isinstance(bench.target, MySQLTarget)
        yield Scene(server, bench.target, bench, *bench.secret())


def other(scene: Scene, **options: Any) -> User:
    """An ordinary user of nobody's secret."""
    return scene.target.new_user(**options)


# ── servers between the function and the server, or in its place ──


@contextlib.contextmanager
def serving(talk: Any) -> Iterator[int]:
    """A port at which ``talk(connection)`` is what happens to whoever connects."""
    threads: list[threading.Thread] = []
    open_lines: list[socket.socket] = []

    def conduct(line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            talk(line)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                line = listening.accept()[0]
                open_lines.append(line)
                threads.append(threading.Thread(target=conduct, args=[line]))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for line in open_lines:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextlib.contextmanager
def wiretap(server: MySQL) -> Iterator[tuple[int, bytearray]]:
    """A port that leads to the server, and all that passes it."""
    heard = bytearray()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                heard.extend(data)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def talk(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as upstream:
            back = threading.Thread(target=pump, args=[upstream, client])
            back.start()
            pump(client, upstream)
            back.join()

    with serving(talk) as port:
        yield port, heard


_CAPABILITIES = 0x0008_A208  # plug-ins, protocol 4.1, a database; TLS is 0x800
SALT = b"12345678", b"123456789012"


def greeting(version: str, plugin: str, *, tls: bool) -> bytes:
    """The first packet of a server."""
    capabilities = _CAPABILITIES | (0x800 if tls else 0)
    body = b"".join(
        [
            b"\x0a", version.encode(), b"\0", (7).to_bytes(4, "little"), SALT[0], b"\0",
            (capabilities & 0xFFFF).to_bytes(2, "little"), b"\x2d", b"\x02\0",
            (capabilities >> 16).to_bytes(2, "little"), b"\x15", bytes(10), SALT[1], b"\0",
            plugin.encode(), b"\0",
        ]
    )  # fmt: skip
    return packet(0, body)


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body
