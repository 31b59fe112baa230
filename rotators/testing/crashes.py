"""Crashes, before and after every Secrets Manager call and every effect of an engine or provider.

In this process, ``CrashPoints`` wraps the parts of a dispatcher. For a real death,
``python -m rotators.testing.crashes ENGINE`` serves events as the Lambda function does, each in a
process that kills itself at a given point.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import isroutine
from typing import TYPE_CHECKING, Any, NoReturn, cast

from rotators import handler
from rotators.database.rotator import DatabaseRotator
from rotators.dispatcher import Dispatcher
from rotators.issued.rotator import IssuedSecretRotator
from rotators.registry import Registry

if TYPE_CHECKING:
    from rotators.database.engine import Engine, Session
    from rotators.rotator import Rotator
    from rotators.versions import Versions

_CALLS = ("describe", "get", "put_pending", "move_stage", "unlabelled", "tag", "untag")


class Crash(BaseException):
    """The process ends here. No Exception: nothing may handle it."""


class CrashPoints:
    """Numbers every point that a rotation passes, in order, and crashes at one of them.

    ``seen`` lists the points passed, such as "before put_pending" or "after execute". ``watch`` is
    called at each, before a crash. An engine's methods are its public ones, a provider's are its
    requests.
    """

    def __init__(
        self,
        at: int | None = None,
        *,
        die: Callable[[], None] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> None:
        self.at = at
        self.seen: list[str] = []
        self._die = die
        self._watch = watch
        self._sessions = ExitStack()

    def dispatcher(self, dispatcher: Dispatcher) -> Dispatcher:
        """The same dispatcher, every effect of which is a point."""
        return Dispatcher(
            self._versions(dispatcher.versions),
            _Instrumented(dispatcher.registry.paths, dispatcher.registry.allowed, points=self),
            dispatcher.settings,
            dispatcher.sleep,
            dispatcher.clock,
        )

    def rotator(self, rotator: type[Rotator]) -> type[Rotator]:
        """A subclass whose engine's or provider's effects are points."""
        if issubclass(rotator, IssuedSecretRotator):
            provider = self._subclass(rotator.provider, {"post", "get_from"})
            return type(rotator.__name__, (rotator,), {"provider": provider})
        if not issubclass(rotator, DatabaseRotator):
            return rotator
        engine = rotator.engine
        names = {name for name in dir(engine) if isroutine(getattr(engine, name))}
        public = {name for name in names if not name.startswith("_")} - {"session", "open"}
        instrumented = self._subclass(engine, public, open=self._opening(engine))
        return type(rotator.__name__, (rotator,), {"engine": instrumented})

    def _subclass(self, kind: type, methods: set[str], **others: object) -> type:
        wrapped = {name: self._around(name, getattr(kind, name)) for name in methods}
        return type(kind.__name__, (kind,), {**wrapped, **others})

    def _opening(self, engine: type[Engine]) -> Callable[..., Session]:
        def opening(itself: Engine, *args: Any) -> Session:  # noqa: ANN401 as Engine.open
            with self._points("open"):
                session = engine.open(itself, *args)
                # A dead process has no sessions either.
                self._sessions.callback(engine.close, itself, session)
            return session

        return opening

    def _versions(self, versions: Versions) -> Versions:
        calls = {name: self._around(name, getattr(versions, name)) for name in _CALLS}
        return cast("Versions", _Namespace(calls))

    def _around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def around(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 whatever the call takes
            with self._points(name):
                return call(*args, **kwargs)

        return around

    @contextmanager
    def _points(self, name: str) -> Iterator[None]:
        self._pass(f"before {name}")
        yield
        self._pass(f"after {name}")

    def _pass(self, point: str) -> None:
        self.seen.append(point)
        if self._watch:
            self._watch(point)
        if len(self.seen) - 1 == self.at:
            if self._die:
                self._die()
            self._sessions.close()
            raise Crash(point)


class _Namespace:
    def __init__(self, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)


@dataclass(frozen=True, kw_only=True)
class _Instrumented(Registry):
    """A registry whose classes pass points."""

    points: CrashPoints

    def load(self, name: str) -> type[Rotator]:
        return self.points.rotator(Registry.load(self, name))


def kill_this_process() -> None:
    """SIGKILL: no finally, no with, no atexit."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serves the events on standard input, each in a process of its own that dies at its point.

    A line is ``{"at": N, "event": {…}}``; the answer to it is a line with the process's exit code,
    minus the number of the signal that ended it.
    """
    dispatcher = handler.dispatcher()
    driver = dispatcher.registry.load(sys.argv[1]).driver
    if driver is not None:
        driver.load()  # once, for all of them
    for line in sys.stdin:
        planned = json.loads(line)
        pid = os.fork()
        if not pid:
            _serve(planned["event"], CrashPoints(planned["at"], die=kill_this_process))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _serve(event: object, points: CrashPoints) -> NoReturn:
    """The child's whole life. Its log is not the answer, so it goes nowhere."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        handler.serve(event, None, lambda: points.dispatcher(handler.dispatcher()))
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
