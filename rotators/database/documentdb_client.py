"""PyMongo's client as one session: one server, one login, and no wait without an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

_T = TypeVar("_T")

_CONNECT_SECONDS = 10
_CLOSE_SECONDS = 0.5


def connect(pymongo: ModuleType, options: Mapping[str, Any], deadline: Deadline, what: str) -> Any:  # noqa: ANN401 PyMongo's
    """A client that has logged in once. Raises what the driver raises, and TimeoutError."""
    seconds = deadline.remaining(what)
    first: SimpleQueue[Exception | None] = SimpleQueue()
    client = pymongo.MongoClient(**options, event_listeners=[_listener(first)])

    def log_in() -> None:
        # The driver would go on trying whatever the reason, until the time is up.
        failure = first.get(timeout=seconds)
        if failure is not None:
            raise failure
        client.admin.command("ping")

    try:
        within(seconds, log_in)
    except BaseException:
        close(client)
        raise
    return client


def close(client: Any) -> None:  # noqa: ANN401 PyMongo's
    """Ends it, and tells the server so if that is listening. Never raises."""
    with suppress(Exception):
        within(_CLOSE_SECONDS, client.close)


def within(seconds: float, call: Callable[[], _T]) -> _T:
    """What ``call`` returns or raises. When time is up TimeoutError, and it is left to itself.

    PyMongo bounds the wait for each packet, not for all of them; its ``timeoutMS`` would put a
    field into every command that not every server knows.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 it is raised below
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(seconds)


def options_for(login: Login, home: str, authorities: str | None, seconds: float) -> dict[str, Any]:
    """The client's. One host means that host: to look for others is not the secret's word."""
    milliseconds = max(1, int(seconds * 1000))
    trust: dict[str, Any] = {"tls": False}
    if authorities is not None:
        trust = {"tls": True, "tlsCAFile": authorities}
    return {
        "host": f"[{login.host}]" if ":" in login.host else login.host,
        "port": login.port,
        "username": login.username,
        "password": login.password,
        "authSource": home,
        "directConnection": True,
        "retryReads": False,
        "retryWrites": False,
        "maxPoolSize": 1,
        "appname": "rotators",
        # On Lambda the driver would put it off to the first command; its first talk is awaited.
        "connect": True,
        "serverMonitoringMode": "poll",
        # What a user's custom data holds is written back as it was.
        "datetime_conversion": "DATETIME_AUTO",
        "serverSelectionTimeoutMS": milliseconds,
        "socketTimeoutMS": milliseconds,
        # Half of what is left: a name may have two addresses.
        "connectTimeoutMS": min(_CONNECT_SECONDS * 1000, max(1, milliseconds // 2)),
        **trust,
    }


def _listener(first: SimpleQueue[Exception | None]) -> Any:  # noqa: ANN401 its base is PyMongo's
    """Hears how the first talk to the server ended."""
    from pymongo.monitoring import ServerHeartbeatListener

    class Listener(ServerHeartbeatListener):
        def started(self, event: object) -> None:
            pass

        def succeeded(self, event: object) -> None:
            del event
            first.put(None)

        def failed(self, event: Any) -> None:  # noqa: ANN401 PyMongo's
            first.put(event.reply)

    return Listener()
