"""An application: it logs in with AWSCURRENT's value all the time, and never gives up."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import psycopg

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from tests.servers import PostgreSQL

_PAUSE = 0.002


@dataclass
class Client:
    """Reads AWSCURRENT, logs in, runs ``query``; then again, in a thread of its own."""

    bench: Bench
    server: PostgreSQL
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

    def settle(self) -> None:
        """Waits for the end of a round that began after this call."""
        with self._begun:
            goal = self._rounds + 2
            assert self._begun.wait_for(lambda: self._rounds >= goal, 30), "the client is stuck"

    def _run(self) -> None:
        while not self._stopping:
            value: dict[str, Any] = json.loads(self.bench.simulator.value(self.arn) or "")
            try:
                with self.server.connect(value["username"], value["password"]) as connection:
                    connection.execute(self.query)
            except psycopg.Error as error:
                self.failures.append(f"{value['username']}: {error}")
            else:
                self.served += 1
                self.users.add(value["username"])
            with self._begun:
                self._rounds += 1
                self._begun.notify_all()
            time.sleep(_PAUSE)
