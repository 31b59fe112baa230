"""Sessions of PyMySQL, for every server that it talks to."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from rotators import tls
from rotators.database.engine import Engine, Session, cut_off
from rotators.database.mysql_accounts import Account
from rotators.database.mysql_errors import (
    library_missing,
    login_failed,
    not_understood,
    statement_failed,
    unreachable,
)
from rotators.errors import AccountLocked, RotationError, ServerUnreachable, UntrustedServer

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline
    from rotators.driver import Driver

_CONNECT_SECONDS = 10
# Lets somebody in whose password has expired, to set a new one and for nothing else.
_EXPIRED_MAY_COME_IN = 1 << 22
# A server must not have what it is to prove that it knows.
_CLEARTEXT = ("mysql_clear_password", "dialog", "mysql_old_password")


class Sql(str):
    """A part of a statement that is SQL already."""

    __slots__ = ()


class PyMySQLEngine(Engine):
    """A server that PyMySQL talks to. Statements are composed here, never by ``%``."""

    driver: ClassVar[Driver]
    default_port = 3306
    default_dbname = ""
    excluded_characters = "/@\"'\\"

    def open(self, login: Login, deadline: Deadline) -> Session:
        pymysql = self.driver.load()
        what = f"a login to {login.host}:{login.port}"
        seconds = deadline.remaining(what)
        connection = pymysql.Connection(**self._parameters(login, seconds))
        # Sent below, as a session of an expired password may not even do this.
        connection.set_character_set = lambda *_: None
        try:
            # Half of what is left: a name may have two addresses.
            line = socket.create_connection(
                (login.host, login.port), min(_CONNECT_SECONDS, seconds / 2)
            )
        except (OSError, UnicodeError) as error:
            raise unreachable(str(error)) from None
        session = Session(connection, login, deadline)
        try:
            self._shake_hands(session, line, what)
            self._prepare(session)
            with suppress(AccountLocked):  # an expired password may not even ask
                self._own_account(session)
        except BaseException:
            self.close(session)
            line.close()
            raise
        return session

    def _shake_hands(self, session: Session, line: socket.socket, what: str) -> None:
        pymysql = self.driver.load()
        failure: RotationError
        try:
            with cut_off(line.fileno(), session.deadline, what):
                session.connection.connect(line)
                return
        except RotationError:
            raise
        except pymysql.MySQLError as error:
            failure = login_failed(error)
        except RuntimeError as error:
            failure = library_missing(error, self.driver.extra)
        except Exception as error:  # noqa: BLE001 PyMySQL believes whatever it is told
            failure = not_understood(error)
        raise failure

    def close(self, session: Session) -> None:
        with suppress(Exception):
            session.connection.close()

    def verify(self, session: Session) -> None:
        self._own_account(session)

    def _own_account(self, session: Session) -> Account:
        """Whose session it is to the server; raises UntrustedServer unless it is the login's."""
        ((said,),) = self.execute(session, "SELECT CURRENT_USER()")
        account = Account(*said.rpartition("@")[::2])
        if account.user != session.login.username:
            raise let_in_as(session.login.username, str(account))
        return account

    def execute(self, session: Session, statement: str, *parts: object) -> list[tuple[Any, ...]]:
        """One statement, with names and values put in for ``{}``; its rows."""
        pymysql = self.driver.load()
        connection = session.connection
        if parts:
            statement = statement.format(*(_part(connection, part) for part in parts))
        try:
            with (
                cut_off(_fileno(connection), session.deadline, "a statement"),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
                return list(cursor.fetchall())
        except RotationError:
            raise
        except pymysql.MySQLError as error:
            failure = statement_failed(error)
        except Exception as error:  # noqa: BLE001 PyMySQL believes whatever it is told
            failure = not_understood(error)
        raise failure

    def _prepare(self, session: Session) -> None:
        """Settings of this session, whatever the server's are."""
        seconds = int(session.deadline.remaining("a login"))
        with suppress(AccountLocked):
            # SHOW GRANTS quotes by two of them. A frozen function is to hold no lock for hours.
            self.execute(
                session,
                "SET NAMES utf8mb4, SESSION sql_mode = '', sql_quote_show_create = 1,"
                f" wait_timeout = {seconds + 5}",
            )

    def _parameters(self, login: Login, seconds: float) -> dict[str, Any]:
        trust: dict[str, Any] = {"ssl_disabled": True}
        if login.tls:
            trust = {"ssl": tls.context(self.ca_bundle)}
        return {
            "host": login.host,
            "port": login.port,
            "database": login.dbname or None,
            "user": login.username,
            # PyMySQL would make Latin-1 of a str.
            "password": login.password.encode(),
            "charset": "utf8mb4",
            "autocommit": None,
            "client_flag": _EXPIRED_MAY_COME_IN,
            "read_timeout": seconds,
            "write_timeout": seconds,
            "program_name": "rotators",
            "auth_plugin_map": dict.fromkeys(_CLEARTEXT, _Refusing),
            "defer_connect": True,
            **trust,
        }


class _Refusing:
    """A plug-in that tells no password to whoever asks for it."""

    def __init__(self, connection: object) -> None:
        del connection

    def authenticate(self, packet: object) -> NoReturn:
        from pymysql.err import OperationalError

        del packet
        raise OperationalError(2061, "the server asks for the password itself, in clear")


def let_in_as(username: str, whom: str) -> UntrustedServer:
    """What is wrong where a login is somebody else's session."""
    return UntrustedServer(
        f"the server lets {username!r} in as {whom}, so the login proves nothing",
        "Look for anonymous or proxied users, and for --skip-grant-tables.",
    )


def _fileno(connection: Any) -> int:  # noqa: ANN401 PyMySQL's
    line = connection._sock  # noqa: SLF001 there is no other way to it
    if line is None:
        raise ServerUnreachable("the session has ended", "Secrets Manager retries.")
    return int(line.fileno())


def _part(connection: Any, part: object) -> str:  # noqa: ANN401 PyMySQL's
    if isinstance(part, (Sql, Account)):
        return str(part)
    return str(connection.escape(part))
