"""The alternate of a pair on Redshift: made in one transaction, and kept as the base is.

Redshift knows no SET ROLE between users, so what a user makes is its own. The alternate gets every
privilege on what the base owns. What the alternate owns is named, with the statement that hands it
over, and fails testSecret when it is the base's turn. Rights are those in the secret's database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING

from rotators.database.redshift_catalog import Catalog, Run
from rotators.database.redshift_errors import is_conflict
from rotators.database.redshift_rights import (
    FRESH,
    Rights,
    changes,
    lacking,
    unreached,
    unsayable,
)
from rotators.database.redshift_statements import alter_password, create_user, identifier
from rotators.errors import (
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    StrategyUnavailable,
)

if TYPE_CHECKING:
    from rotators.database.users import Pair

_ROUNDS = 8
PAUSE_SECONDS = 0.05


@dataclass
class Pairs:
    """Acts in an admin's session."""

    read: Run
    run: Run
    # Runs a statement that has a password's hash in it.
    run_hidden: Callable[[str, str], None]

    def converge(self, pair: Pair, hashed: str, is_ours: Callable[[], None]) -> list[str]:
        """Makes the alternate, if there is none, with exactly the base's rights. Repeatable.

        ``is_ours`` is called, to raise, where somebody has made it meanwhile.
        """
        done = False
        for attempt in range(_ROUNDS):
            catalog = Catalog.of(self.read, *pair.users)
            wanted, have = _both(catalog, pair)
            _require_sayable(pair, wanted, have or FRESH)
            inside, after = changes(wanted, have or FRESH, pair.alternate, pair.base)
            if done and not (inside or after):
                return [*_notes(catalog), *_owned(pair, have or FRESH)]
            try:
                self._apply(pair, "" if done else hashed, wanted, have, inside)
            except RotationError as error:
                if not is_conflict(error):
                    raise
                self.run("ROLLBACK")
                if have is None and pair.alternate in catalog.privileges():
                    is_ours()
                sleep(PAUSE_SECONDS * attempt)
                continue
            for statement in after:
                self.run(statement)
            done = True
            if have is not None and not (inside or after):
                return [*_notes(catalog), *_owned(pair, have)]
        raise PermissionMissing(
            f"{pair.alternate!r} does not end with the rights of {pair.base!r}; still to do:"
            f" {'; '.join([*inside, *after]) or 'somebody else is at work on it'}",
            "Somebody else than the owner may have granted or revoked them: run the statements as"
            " that user, then rotate again.",
        )

    def lacking(self, pair: Pair) -> list[str]:
        """What the alternate may, and the base may not."""
        base, alternate = _both(Catalog.of(self.read, *pair.users), pair)
        return beyond(pair, base, alternate) if alternate else []

    def _apply(
        self, pair: Pair, hashed: str, base: Rights, alternate: Rights | None, inside: list[str]
    ) -> None:
        """One transaction: nobody logs in before all of it is there."""
        self.run("BEGIN")
        if alternate is None:
            # The new password is what proves, after a crash, whose user this is.
            self.run_hidden(create_user(pair.alternate, hashed), hashed)
        for statement in inside:
            self.run(statement)
        if hashed:
            self.run_hidden(alter_password(pair.alternate, hashed, base.valid_until), hashed)
        self.run("COMMIT")


def _both(catalog: Catalog, pair: Pair) -> tuple[Rights, Rights | None]:
    found = catalog.rights()
    if pair.base not in found:
        raise missing(pair.base)
    return found[pair.base], found.get(pair.alternate)


def _require_sayable(pair: Pair, wanted: Rights, have: Rights) -> None:
    """Raises StrategyUnavailable, before any change."""
    unsaid = unsayable(wanted, have, *pair.users)
    if unsaid:
        raise StrategyUnavailable(
            f"{pair.base!r} and {pair.alternate!r} differ in what no known statement grants or"
            f" revokes: {', '.join(unsaid)}",
            "Give it to both by a role or a group instead; or prepare both users by hand and set"
            " ROTATION_PROVISIONED=true; or rotate by single-user.",
        )


def beyond(pair: Pair, base: Rights, alternate: Rights) -> list[str]:
    """What the alternate may and the base may not."""
    to_do = [f"{thing.to_owner(pair.base)};" for thing in unreached(wanted=alternate, have=base)]
    return [*lacking(alternate, base, *pair.users), *to_do]


def short_of(pair: Pair, alternate: Rights, base: Rights) -> list[str]:
    """What the base may and the alternate may not; what was made a moment ago aside."""
    things = [thing for thing in unreached(base, alternate) if thing not in base.unlisted]
    return [
        *lacking(base, alternate, *pair.users),
        *(f"ALL ON {one.kind} {one.name}" for one in things),
    ]


def missing(username: str) -> MisconfiguredSecret:
    return MisconfiguredSecret(
        f"there is no user {username!r}", "Make it, with the rights that it is to have."
    )


def _notes(catalog: Catalog) -> list[str]:
    if not catalog.missing:
        return []
    return [
        f"not compared, as the admin does not see it: {', '.join(sorted(catalog.missing))}. Let"
        " masterarn name a superuser, or see to it by hand"
    ]


def _owned(pair: Pair, alternate: Rights) -> list[str]:
    if not alternate.owned:
        return []
    run = "; ".join(thing.to_owner(pair.base) for thing in sorted(alternate.owned))
    return [
        f"{pair.alternate!r} owns what {pair.base!r} will not be able to use: {run}; and for what"
        f" it is still to make: ALTER DEFAULT PRIVILEGES FOR USER {identifier(pair.alternate)}"
        f" GRANT ALL ON TABLES TO {identifier(pair.base)};"
    ]
