"""Where two principals of SQL Server may have rights, and how those differ there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotators.database.sqlserver_catalog import SERVER, Database, DatabaseUser
from rotators.database.sqlserver_rights import Change, Right, Rights, changes, lacking
from rotators.database.sqlserver_statements import Sql, quoted
from rotators.errors import StrategyUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotators.database.sqlserver_catalog import Catalog, Principal

_NOTHING: Rights = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """Where both of a pair may have rights; ``database`` None is the server."""

    database: Database | None
    model: DatabaseUser | None
    clone: DatabaseUser | None

    @property
    def scope(self) -> Sql:
        return self.database.scope if self.database else SERVER

    @property
    def name(self) -> str:
        return self.database.name if self.database else "master"


class Places:
    """Pairs, as one session sees them. Changes nothing."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def require_copyable(self, base: Principal, alternate: Principal | None) -> None:
        """Raises where the alternate may not be made the base's equal, before anything has changed.

        StrategyUnavailable in a database that is read-only, ForbiddenTarget in one where that would
        run somebody else's code.
        """
        frozen: list[str] = []
        for place in self.of(base, alternate):
            database = place.database
            if database is None:
                continue
            if database.read_only:
                frozen += [f"in {place.name}: {statement}" for statement in self._due(place)]
            elif (triggers := self.catalog.triggers(database)) and self._due(place):
                raise database.refused(triggers)
        if frozen:
            raise StrategyUnavailable(
                f"the alternate of {base.name!r} differs from it in a read-only database:"
                f" {'; '.join(frozen)}",
                "Let the database be written (ALTER DATABASE … SET READ_WRITE) for one rotation,"
                " or run the statements then; or rotate by single-user.",
            )

    def _due(self, place: Place) -> list[str]:
        """What would have to be run in the place."""
        model, clone = place.model, place.clone
        wanted, there = self.rights(place)
        found = [self.describe(place.scope, change) for change in changes(wanted, there)]
        if model and not clone:
            found.insert(0, "CREATE USER … FOR LOGIN …")
        elif model and clone and model.schema not in ("", clone.schema):
            found.append(f"ALTER USER …{with_schema(model)}")
        return found

    def lacking(self, base: Principal, alternate: Principal) -> list[str]:
        """What only the alternate has, as an admin sees it."""
        return [
            self.missing(place.scope, place.name, right)
            for place in self.of(alternate, base)
            if place.model is not None
            for right in lacking(*self.rights(place))
        ]

    def missing(self, scope: Sql, where: str, right: Right) -> str:
        """The statement, for somebody who reads it, that would give the right."""
        (change,) = changes(frozenset({right}), _NOTHING)
        return f"in {where}: {self.describe(scope, change)}"

    def describe(self, scope: Sql, change: Change) -> str:
        right = change.right
        on = "" if change.whole else self.catalog.securable(scope, right) or unseen(right)
        return change.statement(on, "…", server=scope == SERVER)

    def of(self, one: Principal, other: Principal | None) -> Iterator[Place]:
        """Where at least one of them has a user, and the server."""
        both = [_itself(each) for each in (one, other) if each is not None]
        model, clone = both[0], both[1] if other else None
        if one.contained:
            yield Place(self.catalog.home_database(), model, clone)
            return
        yield Place(None, model, clone)
        for database in self.catalog.databases():
            users = self.catalog.users(database.scope, [each.login for each in both])
            if users:
                there = users.get(clone.login) if clone else None
                yield Place(database, users.get(model.login), there)

    def rights(self, place: Place) -> tuple[Rights, Rights]:
        """What each has of its own, and what is its own."""
        numbers = [user.id for user in (place.model, place.clone) if user]
        rights = self.catalog.held(place.scope, *numbers)
        return (
            rights[place.model.id] if place.model else _NOTHING,
            rights[place.clone.id] if place.clone else _NOTHING,
        )


def _itself(principal: Principal) -> DatabaseUser:
    """The principal, where it logs in."""
    return DatabaseUser(principal.id, principal.id, principal.name, "")


def with_schema(model: DatabaseUser) -> Sql:
    return Sql(f" WITH DEFAULT_SCHEMA = {quoted(model.schema)}" if model.schema else "")


def unseen(right: Right) -> str:
    return f"class {right.where}, number {right.major}"
