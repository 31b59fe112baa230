"""What a test plans for the requests to come, and reads of those that came."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from rotators.testing._x.messages import (
    BEARER_TOKEN,
    INVALIDATE_TOKEN,
    ME,
    REVOKE,
    USER_TOKEN,
    Answer,
    Call,
    Refused,
    Where,
)

Hook: TypeAlias = Callable[[Call], object]
_PATHS = (BEARER_TOKEN, INVALIDATE_TOKEN, USER_TOKEN, REVOKE, ME)


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one request: an answer instead of its effect, no answer, or a slow one."""

    instead: Answer | None = None
    dropped: bool = False
    slow: Where | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _Hooked:
    run: Hook
    left: int | None


_Hooks: TypeAlias = defaultdict[str, list[_Hooked]]


@dataclass(slots=True, eq=False)
class Plans:
    """Faults and hooks by path, and the calls. Its lock is never held while a hook runs."""

    calls: list[Call] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _before: _Hooks = field(default_factory=lambda: defaultdict(list))
    _after: _Hooks = field(default_factory=lambda: defaultdict(list))

    def add_fault(self, path: str, fault: Fault, times: int) -> None:
        with self._lock:
            self._faults[_known(path)].extend([fault] * times)

    def add_hook(self, path: str, hook: Hook, times: int | None, *, after: bool) -> None:
        with self._lock:
            (self._after if after else self._before)[_known(path)].append(_Hooked(hook, times))

    def arrived(self, call: Call) -> int:
        """Record the call; answers the number under which `answered` finds it again."""
        with self._lock:
            self.calls.append(call)
            return len(self.calls) - 1

    def answered(self, number: int, status: int) -> None:
        with self._lock:
            self.calls[number] = replace(self.calls[number], status=status)

    def fault(self, path: str) -> Fault:
        """The next fault of this path, which is thereby used up; mostly: none."""
        with self._lock:
            waiting = self._faults[path]
            return waiting.popleft() if waiting else Fault()

    def run_before(self, call: Call) -> None:
        self._run(self._before, call)

    def run_after(self, call: Call) -> None:
        self._run(self._after, call)

    def _run(self, planned: _Hooks, call: Call) -> None:
        with self._lock:
            due = [hook for hook in planned[call.path] if hook.left != 0]
            for hook in due:
                hook.left = None if hook.left is None else hook.left - 1
        for hook in due:
            try:
                hook.run(call)
            except Exception as error:
                # The text of an unexpected exception may hold a token, so only its type is told.
                body = {"title": f"{type(error).__name__} in a hook of {call.path}"}
                raise Refused(500, body) from error


def _known(path: str) -> str:
    if path not in _PATHS:
        raise ValueError(f"this X server has no path {path!r}; use one of: {', '.join(_PATHS)}")
    return path
