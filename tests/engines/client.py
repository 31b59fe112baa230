"""An application: it logs in with AWSCURRENT's value all the time, and never gives up."""

from __future__ import annotations

import json
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import psycopg
import pymysql

if TYPE_CHECKING:
    from rotators.testing.bench import Bench

_PAUSE = 0.002
_REFUSED = ("password authentication failed", "Access denied for user")


class Server(Protocol):
    """Any server of the tests."""

    def connect(self, user: str, password: str) -> AbstractContextManager[Any]:
        """A connection, closed at the end."""


@dataclass
class Client:
    """Reads AWSCURRENT, logs in, runs ``query``; then again, in a thread of its own."""

    bench: Bench
    server: Server
    arn: str
    query: str = "SELECT 1"
    served: int = 0
    failures: list[str] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    _rounds: int = 0
    _begun: threading.Condition = field(default_factory=threading.Condition)
    _stopping: bool = False

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.settle()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join(30)

    @property
    def refused(self) -> list[str]:
        """Those of the failures that were a wrong password."""
        return [failure for failure in self.failures if any(said in failure for said in _REFUSED)]

    def settle(self) -> None:
        """Waits for the end of a round that began after this call."""
        with self._begun:
            goal = self._rounds + 2
            assert self._begun.wait_for(lambda: self._rounds >= goal, 30), "the client is stuck"

    def _run(self) -> None:
        while not self._stopping:
            value: dict[str, Any] = json.loads(self.bench.simulator.value(self.arn) or "")
            try:
                with (
                    self.server.connect(value["username"], value["password"]) as connection,
                    connection.cursor() as cursor,
                ):
                    cursor.execute(self.query)
            except (psycopg.Error, pymysql.MySQLError) as error:
                self.failures.append(f"{value['username']}: {error}")
            else:
                self.served += 1
                self.users.add(value["username"])
            with self._begun:
                self._rounds += 1
                self._begun.notify_all()
            time.sleep(_PAUSE)
