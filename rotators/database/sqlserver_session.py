"""Sessions of SQL Server through pymssql, and whose they are."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rotators import tls
from rotators.database.engine import Engine, NameLimit, Session
from rotators.database.sqlserver_driver import configured, listening
from rotators.database.sqlserver_errors import login_refused, statement_failed, unreachable
from rotators.database.sqlserver_probe import why
from rotators.database.sqlserver_statements import compose
from rotators.driver import Driver
from rotators.errors import UntrustedServer

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

_CONNECT_SECONDS = 10
_NO_CONNECTION = "20009"
_TIME_OUT = "20003"
_WHO = """
SELECT ORIGINAL_LOGIN(), USER_NAME(), SUSER_ID(), DATABASE_PRINCIPAL_ID(), (SELECT COUNT(*)
FROM sys.database_principals u
WHERE u.principal_id = DATABASE_PRINCIPAL_ID() AND u.authentication_type = 2)"""


class Who(NamedTuple):
    """Whose session it is to the server."""

    login: str
    user: str
    login_id: int | None
    user_id: int
    contained: int

    @property
    def name(self) -> str:
        return self.user if self.contained else self.login


class PyMSSQLEngine(Engine):
    """SQL Server, as pymssql talks to it. Statements are composed here, never by ``%``."""

    driver = Driver("pymssql", extra="sqlserver")
    default_port = 1433
    default_dbname = "master"
    username_limit = NameLimit(128, "characters")
    excluded_characters = "/@\"'\\"

    def open(self, login: Login, deadline: Deadline) -> Session:
        pymssql = self.driver.load()
        what = f"a login to {login.host}:{login.port}"
        ca = tls.authorities(self.ca_bundle) if login.tls else None
        with configured(ca, deadline, what), listening(pymssql) as messages:
            try:
                connection = pymssql.connect(**self._parameters(login, deadline, what))
            except pymssql.Error as error:
                said = str(error)
            else:
                return Session(connection, login, deadline)
        failure = login_refused(messages)
        if failure is None:
            passing = _NO_CONNECTION in said or _TIME_OUT in said or not login.tls
            reason = "it does not answer" if passing else "the driver does not say why"
            where = f"{login.host}:{login.port}: {reason}"
            failure = unreachable(where) if passing else why(login, self.ca_bundle, deadline, where)
        raise failure

    def close(self, session: Session) -> None:
        with suppress(Exception):
            session.connection.close()

    def verify(self, session: Session) -> None:
        self._who(session)

    def execute(self, session: Session, statement: str, *parts: object) -> list[tuple[Any, ...]]:
        """One statement that changes something, with names and values put in for ``{}``."""
        return self._read(session, statement, *parts)

    def _read(self, session: Session, statement: str, *parts: object) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        pymssql = self.driver.load()
        composed = compose(statement, *parts)
        connection = session.connection
        with listening(pymssql) as messages:
            try:
                # Whole seconds, and for all sessions of the process: the driver knows no less.
                seconds = max(1, int(session.deadline.remaining("a statement")))
                connection._conn.query_timeout = seconds  # noqa: SLF001 there is no other way
                with connection.cursor() as cursor:
                    cursor.execute(composed)
                    return list(cursor.fetchall()) if cursor.description else []
            except pymssql.Error:
                failure = statement_failed(messages, "the connection failed in a statement")
        raise failure

    def _who(self, session: Session) -> Who:
        """Raises UntrustedServer unless it is the login's."""
        (row,) = self._read(session, _WHO)
        who = Who(*row)
        # To most servers, names that differ in their capitals are one.
        if who.name.casefold() != session.login.username.rstrip(" ").casefold():
            raise UntrustedServer(
                f"the server lets {session.login.username!r} in as {who.name!r}, so the login"
                " proves nothing",
                "Look at what stands between the function and the server, and at logon triggers.",
            )
        return who

    def _parameters(self, login: Login, deadline: Deadline, what: str) -> dict[str, Any]:
        seconds = deadline.remaining(what)
        return {
            "server": login.host,
            "port": str(login.port),
            "database": login.dbname,
            "user": login.username,
            "password": login.password,
            "login_timeout": max(1, int(min(seconds, _CONNECT_SECONDS))),
            "timeout": max(1, int(seconds)),
            "appname": "rotators",
            "charset": "UTF-8",
            "tds_version": "7.4",
            "encryption": "require" if login.tls else "request",
            # A statement that waits for a lock ends before the connection does.
            "conn_properties": f"SET LOCK_TIMEOUT {max(1, int(seconds * 1000) - 1000)}",
            "autocommit": True,
        }
