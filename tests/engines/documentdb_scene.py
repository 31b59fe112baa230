"""A secret whose user takes turns with another, on a double of MongoDB, and what is to see."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from rotators.database.documentdb import DocumentDBRotator
from rotators.database.users import Mark
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.testing.crashes import Crash
from tests.engines.documentdb_target import MongoTarget
from tests.engines.scene import Scene as SharedScene

if TYPE_CHECKING:
    from rotators.errors import RotationError
    from tests.doubles.documentdb import Mongo


@dataclass
class Scene(SharedScene["Mongo", MongoTarget]):
    """A bench, and one secret whose user is the base."""

    def update(self, name: str, **fields: Any) -> None:
        self.server.command("updateUser", name, self.target.database, **fields)

    def info(self, name: str) -> dict[str, Any]:
        info = self.server.info(name, self.target.database)
        assert info is not None
        return info

    def mark(self, name: str) -> Mark | None:
        return Mark.of(self.info(name).get("customData", {}).get("rotators"))

    @property
    def converged(self) -> bool:
        """Whether both users may do the same."""
        return all(
            self._of(self.base, key) == self._of(self.alternate, key)
            for key in ("roles", "customData", "authenticationRestrictions", "mechanisms")
        )

    def _of(self, name: str, key: str) -> object:
        found = self.info(name).get(key)
        return sorted(map(repr, found)) if isinstance(found, list) else found

    def leaks(self, text: str) -> list[str]:
        return [password for password in self.bench.passwords() if password in text]

    @contextlib.contextmanager
    def crash_after(self, command: Callable[[], bool]) -> Iterator[None]:
        """The function dies after the first command of which ``command()`` is true."""
        engine = DocumentDBRotator.engine
        real = engine._command

        def dying(*args: Any, **fields: Any) -> Any:
            answer = real(*args, **fields)
            if command():
                raise Crash("after a command")
            return answer

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(engine, "_command", dying)
            yield

    @contextlib.contextmanager
    def nothing_changes(self, kind: type[RotationError], match: str) -> Iterator[None]:
        """What is inside ends with that error, a cure in it, and leaves no trace on the server."""
        before = self.server.fingerprint(self.target.database)
        with pytest.raises(kind, match=match) as caught:
            yield
        assert type(caught.value) is kind
        assert caught.value.cure
        assert not self.leaks(str(caught.value))
        assert self.server.fingerprint(self.target.database) == before


@contextlib.contextmanager
def bench_on(
    server: Mongo,
    strategy: StrategyName = StrategyName.SINGLE_USER,
    *,
    settings: Settings | None = None,
    **target: Any,
) -> Iterator[Bench]:
    """Rotates users of ``server``."""
    made = MongoTarget(server, strategy, **target)
    made.settings = settings or made.settings
    with Bench(DocumentDBRotator, made) as bench:
        yield bench


@contextlib.contextmanager
def scene_on(
    server: Mongo, strategy: StrategyName = StrategyName.ALTERNATING_USERS, **target: Any
) -> Iterator[Scene]:
    """One secret with an admin that may do what it has to."""
    with bench_on(server, strategy, with_admin=True, **target) as bench:
        assert isinstance(bench.target, MongoTarget)
        yield Scene(server, bench.target, bench, *bench.secret())
