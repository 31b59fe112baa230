"""Which rotator class serves which engine. Classes are named as text and loaded on use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from rotators.errors import InvalidSetting, StrategyUnavailable, UnknownEngine

if TYPE_CHECKING:
    from rotators.rotator import Rotator
    from rotators.settings import Settings

# Other distributions offer a rotator as ``name = "module:Class"`` under this entry point group.
ENTRY_POINT_GROUP = "rotators"

# The values that a secret's "engine" may have. Aliases are AWS's own, and 'postgresql'.
BUILT_IN: Mapping[str, str] = {
    "postgres": "rotators.database.postgresql:PostgreSQLRotator",
    "postgresql": "rotators.database.postgresql:PostgreSQLRotator",
    "aurora-postgresql": "rotators.database.aurora:AuroraPostgreSQLRotator",
    "mysql": "rotators.database.mysql:MySQLRotator",
    "aurora-mysql": "rotators.database.aurora:AuroraMySQLRotator",
    "mariadb": "rotators.database.mariadb:MariaDBRotator",
    "sqlserver": "rotators.database.sqlserver:SQLServerRotator",
    "oracle": "rotators.database.oracle:OracleRotator",
    "redshift": "rotators.database.redshift:RedshiftRotator",
    "mongo": "rotators.database.documentdb:DocumentDBRotator",
    "twitter": "rotators.issued.twitter:TwitterOAuthRotator",
}


@dataclass(frozen=True, slots=True)
class Registry:
    """Engine names and the text paths of their classes. ``allowed`` None: every engine."""

    paths: Mapping[str, str] = field(default_factory=lambda: BUILT_IN)
    allowed: frozenset[str] | None = None

    def allowing(self, names: frozenset[str] | None) -> Registry:
        """The same registry, restricted to ``names``. Raises InvalidSetting for an unknown one."""
        for name in sorted(names or ()):
            if self._path(name) is None:
                raise InvalidSetting(
                    f"ROTATION_ENGINES names {name!r}, which is no engine here",
                    suggestion(name, self.names()),
                )
        return Registry(self.paths, names)

    def names(self) -> list[str]:
        """Every engine, those of other distributions included; each once."""
        return sorted({*self.paths, *(point.name for point in _entry_points())})

    def load(self, name: str) -> type[Rotator]:
        """The rotator class for ``name``. Repeatable.

        Entry points are looked up only on a miss, so no distribution can take the name of a
        built-in engine. Raises UnknownEngine; an import error of the class is not hidden.
        """
        if self.allowed is not None and name not in self.allowed:
            raise UnknownEngine(
                f"the engine {name!r} is not allowed here",
                "ROTATION_ENGINES of this function allows: " + ", ".join(sorted(self.allowed)),
            )
        path = self._path(name)
        if path is None:
            cure = f"Mend the secret's 'engine'. {suggestion(name, self.names())}"
            raise UnknownEngine(f"no rotator for the engine {name!r}", cure)
        module, _, attribute = path.partition(":")
        loaded: type[Rotator] = getattr(import_module(module), attribute)
        return loaded

    def build(self, name: str, settings: Settings) -> Rotator:
        """The rotator for ``name``. Raises as ``load``, and StrategyUnavailable, saying who can."""
        try:
            return self.load(name)(settings)
        except StrategyUnavailable as error:
            able = ", ".join(self.offering(settings.strategy or "")) or "no engine here"
            raise StrategyUnavailable(f"{error.found}: {able} can", error.cure) from None

    def offering(self, strategy: str) -> list[str]:
        """The engines here that can be rotated by it, those of other distributions aside."""
        registry = Registry(self.paths)
        return sorted(name for name in self.paths if strategy in registry.load(name).strategies)

    def _path(self, name: str) -> str | None:
        if name in self.paths:
            return self.paths[name]
        return next((point.value for point in _entry_points() if point.name == name), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to write instead of ``name``."""
    choices = list(known)
    close = difflib.get_close_matches(name.lower(), choices, n=1)
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{meant}Choose one of: {', '.join(choices)}."


def _entry_points() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)
