"""What a test may switch, plan and read: the part of the simulator that AWS does not have."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotators.testing._state.records import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rotators.testing._state.store import Store

    Hook = Callable[["Call"], object]

_VERSION_FIELDS = ("ClientRequestToken", "VersionId", "MoveToVersionId", "RemoveFromVersionId")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived, also one that was refused. Never a value, never a RotationToken.

    `version_id` is the first of ClientRequestToken, VersionId, MoveToVersionId and
    RemoveFromVersionId; several VersionStages are joined by commas.
    """

    operation: str
    secret_id: str | None = None
    version_id: str | None = None
    stage: str | None = None

    @classmethod
    def of(cls, operation: str, given: Mapping[str, object]) -> Call:
        version_id = next((_text(given[key]) for key in _VERSION_FIELDS if key in given), None)
        stages = given.get("VersionStages")
        stage = (
            ",".join(map(str, stages)) if isinstance(stages, list) else given.get("VersionStage")
        )
        return cls(operation, _text(given.get("SecretId")), version_id, _text(stage))


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None


@dataclass(slots=True)
class _Planned:
    run: Hook
    left: int | None


@dataclass(slots=True)
class Controls:
    """Planned failures, refusals and hooks, keyed by operation."""

    store: Store
    calls: list[Call] = field(default_factory=list)
    _denied: set[tuple[str, str | None]] = field(default_factory=set)
    _failures: dict[str, list[ServiceError]] = field(default_factory=lambda: defaultdict(list))
    _dropped: Counter[str] = field(default_factory=Counter)
    _before: dict[str, list[_Planned]] = field(default_factory=lambda: defaultdict(list))
    _after: dict[str, list[_Planned]] = field(default_factory=lambda: defaultdict(list))

    def plan(self, operation: str, hook: Hook, times: int | None, *, after: bool) -> None:
        with self.store.lock:
            (self._after if after else self._before)[operation].append(_Planned(hook, times))

    def plan_failure(self, operation: str, error: ServiceError, times: int) -> None:
        with self.store.lock:
            self._failures[operation] += [error] * times

    def plan_drop(self, operation: str, times: int) -> None:
        with self.store.lock:
            self._dropped[operation] += times

    def deny(self, operation: str, secret_id: str | None, *, denied: bool) -> None:
        with self.store.lock:
            arn = None if secret_id is None else self.store.find(secret_id).arn
            change = self._denied.add if denied else self._denied.discard
            change((operation, arn))

    def arrived(self, call: Call) -> None:
        """Record the call, run the hooks before it, then refuse it if that was planned."""
        with self.store.lock:
            self.calls.append(call)
        self._run(self._before, call)
        with self.store.lock:
            failures = self._failures[call.operation]
            if failures:
                raise failures.pop(0)
            known = self.store.lookup(call.secret_id) if call.secret_id else None
            refusals = {(call.operation, None), (call.operation, known.arn if known else None)}
            if refusals & self._denied:
                message = f"Not authorized to perform: secretsmanager:{call.operation}"
                raise ServiceError("AccessDeniedException", message)

    def done(self, call: Call) -> None:
        self._run(self._after, call)

    def drops(self, operation: str) -> bool:
        with self.store.lock:
            planned = self._dropped[operation] > 0
            self._dropped[operation] -= planned
            return planned

    def _run(self, planned: dict[str, list[_Planned]], call: Call) -> None:
        """Run hooks without the lock, so that they may call the service themselves."""
        with self.store.lock:
            due = [hook for hook in planned[call.operation] if hook.left != 0]
            for hook in due:
                hook.left = None if hook.left is None else hook.left - 1
        for hook in due:
            try:
                hook.run(call)
            except ServiceError:
                raise
            except Exception as error:
                # The text of an unexpected exception may hold a value, so only its type is told.
                message = f"{type(error).__name__} in a hook of {call.operation}"
                raise ServiceError("SimulatorHookError", message) from error
