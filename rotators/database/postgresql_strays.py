"""What the alternate of a PostgreSQL pair has of its own, and the statements that give it away.

Pairs that AWS's functions made have it: their alternates start as themselves, so they own what they
make. Nothing here changes anything; a person runs the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rotators.database.postgresql_catalog import DEPENDS, MEMBERSHIPS, strays
from rotators.database.postgresql_statements import text
from rotators.errors import RotationError

if TYPE_CHECKING:
    from rotators.database.users import Pair

# Runs one statement, with values or none, and returns its rows.
Run = Callable[..., list[tuple[Any, ...]]]
# The same login's session in another database.
Elsewhere = Callable[[str], AbstractContextManager[Run]]
# Who may run all of the statements.
WHO = "as a superuser (on RDS: an rds_superuser that is a member of both)"


@dataclass(frozen=True)
class Found:
    """What is to be done in one database: what a person has to see to, then statements.

    ``lacking`` is False if the base has all of it, and it is only to be taken from the alternate.
    """

    database: str
    see: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    lacking: bool = False

    def __str__(self) -> str:
        notes = "".join(f" by hand, first: {note};" for note in self.see)
        script = "; ".join(["BEGIN", *self.run, "COMMIT"])
        return f"in database {self.database!r}, {WHO}:{notes} {script};"


@dataclass(frozen=True)
class Strays:
    """Looks for them, from one session and, where it has to, its like in other databases."""

    run: Run
    elsewhere: Elsewhere
    major: int

    def any(self, pair: Pair) -> bool:
        """Whether the alternate has anything, in whichever database, or not long ago had."""
        return bool(self.run(DEPENDS, pair.alternate) or self._memberships(pair))

    def all(self, pair: Pair) -> list[str]:
        """What there is to do until the alternate has nothing, one text for each database."""
        return [str(found) for found in self._found(pair)]

    def lacking(self, pair: Pair) -> list[str]:
        """The same, of the databases only where the base lacks something that the alternate has."""
        return [
            str(found) for found in self._found(pair) if isinstance(found, str) or found.lacking
        ]

    def _found(self, pair: Pair) -> Iterator[Found | str]:
        depends = self.run(DEPENDS, pair.alternate)
        memberships = self._memberships(pair)
        if not (depends or memberships):
            return
        ((here,),) = self.run("SELECT pg_catalog.current_database()::text")
        found = self._look(here, self.run, pair, memberships)
        if found.see or found.run:
            yield found
        for database, allowed, owned, granted in depends:
            if database not in (None, here):
                what = f"owns {owned} objects and is granted {granted} in database {database!r}"
                yield from self._look_elsewhere(database, what, pair, allowed=allowed)

    def _look_elsewhere(
        self, database: str, what: str, pair: Pair, *, allowed: bool
    ) -> Iterator[Found | str]:
        reason = "this user may not connect there"
        if allowed:
            try:
                with self.elsewhere(database) as run:
                    found = self._look(database, run, pair, [])
            except RotationError as error:
                reason = error.found
            else:
                if found.see or found.run:
                    yield found
                return
        yield (
            f"{pair.alternate!r} {what}, which could not be looked into: {reason}. There,"
            f" {WHO}: GRANT to {pair.base!r} what only {pair.alternate!r} is granted (psql shows"
            rf" it: \dp, \ddp, \dn+, \df+, \dT+), then"
            f" {text('REASSIGN OWNED BY {} TO {}', pair.alternate, pair.base)};"
            f" {text('DROP OWNED BY {}', pair.alternate)};"
        )

    def _look(self, database: str, run: Run, pair: Pair, first: list[str]) -> Found:
        rows = run(strays(self.major), pair.alternate, pair.base)
        see = tuple(said for kind, said in rows if kind == "see")
        statements = (*first, *(said for kind, said in rows if kind != "see"))
        lacking = bool(first) or any(kind != "drop" for kind, _ in rows)
        return Found(database, see, statements, lacking)

    def _memberships(self, pair: Pair) -> list[str]:
        return [said for (said,) in self.run(MEMBERSHIPS, pair.alternate, pair.base)]
