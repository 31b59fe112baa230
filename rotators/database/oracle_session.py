"""Sessions of python-oracledb in its thin mode. No wait is longer than there is time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rotators import tls
from rotators.database.engine import Engine, Session
from rotators.database.oracle_errors import (
    EXPIRED,
    NO_CREATE_SESSION,
    NO_SUCH_SERVICE,
    code_of,
    has_code,
    login_failed,
    statement_failed,
    unreachable,
)
from rotators.database.oracle_names import NameLimitOfOracle, name_of, service_of
from rotators.errors import MisconfiguredSecret, RotationError

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline
    from rotators.driver import Driver

_CLOSING_SECONDS = 2


class _Loop(asyncio.SelectorEventLoop):
    """Knows its connections, so that they can be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.transports: list[asyncio.BaseTransport] = []
        self.set_exception_handler(lambda *_: None)

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 asyncio's
        made = await super().create_connection(*args, **kwargs)
        self.transports.append(made[0])
        return made

    def cut_off(self) -> None:
        for transport in self.transports:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()


class Line:
    """One connection. ``refusal``: the password is right, and the server opens no session.

    It is the driver's asynchronous one, because its other one waits for ever, after the TCP
    connection, for a listener that is silent.
    """

    def __init__(self) -> None:
        self.loop = _Loop()
        self.connection: Any = None
        self.refusal: RotationError | None = None

    def wait(self, doing: Callable[[], Awaitable[Any]], deadline: Deadline, what: str) -> Any:  # noqa: ANN401 the driver's
        """Its result. Raises ServerUnreachable when time is up, and the driver's errors."""
        seconds = deadline.remaining(what)
        task = self.loop.create_task(_awaited(doing))
        if self._done(task, seconds):
            return task.result()
        self.loop.cut_off()
        if not self._done(task, _CLOSING_SECONDS):
            task.cancel()
        raise unreachable(f"no answer within {seconds:.0f} s, during {what}")

    def end(self) -> None:
        """Logs off if that is quick."""
        if self.loop.is_closed():
            return
        if self.connection is not None:
            task = self.loop.create_task(_awaited(self.connection.close))
            with suppress(Exception):
                self._done(task, _CLOSING_SECONDS)
                task.cancel()
                task.exception()
        self.loop.cut_off()
        with suppress(Exception):
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def _done(self, task: asyncio.Task[Any], seconds: float) -> bool:
        self.loop.run_until_complete(asyncio.wait({task}, timeout=seconds))
        return task.done()


async def _awaited(doing: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 the driver's
    return await doing()


class OracleSessions(Engine):
    """Logs in, and runs statements. Names and values are quoted or bound, never pasted."""

    driver: ClassVar[Driver]
    default_port = 1521
    default_dbname = ""  # there is none: a secret has to name it
    username_limit = NameLimitOfOracle(128)
    excluded_characters = "/@\"'\\"

    def open(self, login: Login, deadline: Deadline) -> Session:
        service_of(login)
        line = Line()
        session = Session(line, login, deadline)
        try:
            self._log_in(session)
        except RotationError as error:
            if not has_code(error, EXPIRED, NO_CREATE_SESSION):
                line.end()
                raise
            # The server says so to nobody who does not know the password.
            line.refusal = error
        except BaseException:
            line.end()
            raise
        return session

    def close(self, session: Session) -> None:
        session.connection.end()

    def verify(self, session: Session) -> None:
        ((user,),) = self.execute(session, "SELECT USER FROM sys.dual")
        if user != name_of(session.login.username):
            raise MisconfiguredSecret(
                f"the server says that the session is user {user!r}'s",
                "Store the user's own name, without a proxy's.",
            )

    def execute(self, session: Session, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement; its rows."""
        connection = self._connection(session)

        async def doing() -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                await cursor.execute(statement, list(values))
                return list(await cursor.fetchall()) if cursor.description else []

        rows: list[tuple[Any, ...]] = self._wait(session, doing, "a statement")
        return rows

    def change_own(self, session: Session, password: str) -> None:
        """Through the protocol: the old password goes along, and neither is in a statement."""
        line: Line = session.connection
        if line.refusal is not None and has_code(line.refusal, EXPIRED):
            self._log_in(session, newpassword=password)
            line.refusal = None
            return
        old = session.login.password
        connection = self._connection(session)
        self._wait(session, lambda: connection.changepassword(old, password), "a new password")

    def _version(self, session: Session) -> tuple[int, ...]:
        return tuple(map(int, str(self._connection(session).version).split(".")))

    def _connection(self, session: Session) -> Any:  # noqa: ANN401 the driver's
        line: Line = session.connection
        if line.refusal is not None:
            # Anew, as the same object may be raised again.
            raise type(line.refusal)(line.refusal.found, line.refusal.cure)
        return line.connection

    def _wait(self, session: Session, doing: Callable[[], Awaitable[Any]], what: str) -> Any:  # noqa: ANN401 as above
        errors = self._errors()
        try:
            return session.connection.wait(doing, session.deadline, what)
        except errors as error:
            failure = statement_failed(error)
        raise failure

    def _log_in(self, session: Session, **more: str) -> None:
        """By service name; by SID where the listener knows no service of that name."""
        failure: RotationError | None = None
        errors = self._errors()
        for key in ("service_name", "sid"):
            try:
                self._connect(session, key, **more)
            except errors as error:
                failure = login_failed(error)
                if code_of(error) not in NO_SUCH_SERVICE:
                    break
            else:
                return
        assert failure  # noqa: S101 for the type checker
        raise failure

    def _connect(self, session: Session, key: str, **more: str) -> None:
        driver, login, line = self.driver.load(), session.login, session.connection
        what = f"a login to {login.host}:{login.port}"
        trust: dict[str, Any] = {"protocol": "tcp"}
        if login.tls:
            context = _context(tls.authorities(self.ca_bundle))
            trust = {"protocol": "tcps", "ssl_context": context, "ssl_server_dn_match": True}
        parameters = {
            "user": login.username,
            "password": login.password,
            "host": login.host,
            "port": login.port,
            key: login.dbname,
            "retry_count": 0,
            "program": "rotators",
            **trust,
            **more,
        }
        line.connection = line.wait(
            lambda: driver.connect_async(**parameters), session.deadline, what
        )

    def _errors(self) -> tuple[type[Exception], ...]:
        return (self.driver.load().Error, OSError)


@lru_cache(maxsize=4)
def _context(authorities: Path) -> ssl.SSLContext:
    """Of this driver's own: it takes the check of the host name from it, and makes that itself."""
    made = ssl.create_default_context(cafile=authorities)
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made
