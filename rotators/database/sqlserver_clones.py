"""An alternate with exactly the base's rights, in every database that the admin may change.

One statement after the other, each towards the same end, and all of them again after a crash. Not
one transaction: it would go through several databases, which not every server takes, and would
keep locks on principals that logins wait for. Only a login and its first user are made together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.database.sqlserver_places import Places, unseen, with_schema
from rotators.database.sqlserver_rights import changes
from rotators.database.sqlserver_sandbox import Sandbox
from rotators.database.sqlserver_statements import Sql, quoted
from rotators.errors import MisconfiguredSecret, PermissionMissing, UnexpectedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotators.database.sqlserver_catalog import Catalog, DatabaseUser, Principal, Run
    from rotators.database.sqlserver_places import Place
    from rotators.database.sqlserver_rights import Change, Right

_ROUNDS = 4
_BOTH = """SET XACT_ABORT ON; BEGIN TRANSACTION;
CREATE LOGIN {} WITH PASSWORD = {}{};
USE {}; {};
COMMIT; SET XACT_ABORT OFF"""


class Clones:
    """Pairs, in one session of an admin."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self.catalog = catalog
        self.run = run
        self.places = Places(catalog)
        self.sandbox = Sandbox(catalog, run)
        self.warnings: list[str] = []

    def make(
        self, base: Principal, alternate: Principal | None, name: str, password: str
    ) -> list[str]:
        """The alternate, by this password. Returns what could not be copied."""
        if alternate is not None:
            self._like(base, alternate, name)
        self.places.require_copyable(base, alternate)
        if alternate is None:
            self._create(base, name, password)
            self._copy(base, self._like(base, self.catalog.find(name), name))
            return self.warnings
        self._copy(base, alternate)
        changed = tuple(option for option in base.options if option not in alternate.options)
        self._set("ALTER", alternate, alternate.name, password, changed)
        return self.warnings

    def _create(self, base: Principal, name: str, password: str) -> None:
        """Able to log in to the secret's database at once: that is what proves whose it is.

        After a crash, the new password has to open a session there; testSecret does not let a
        version pass that has not all of its rights.
        """
        home = self.catalog.home_database()
        models = {} if base.contained else self.catalog.users(home.scope, (base.id,))
        if base.id not in models:
            self._set("CREATE", base, name, password, base.options)
            return
        self.sandbox.enter(home)
        user = self.sandbox.wrapped(*_create_user(name, models[base.id]))
        said = _said(base.options)
        self.run(_BOTH, quoted(name), password, said, quoted(home.name), user)

    def set_password(self, user: Principal, password: str) -> None:
        """As an admin, without the old one."""
        self._set("ALTER", user, user.name, password, ())

    def _set(
        self,
        verb: str,
        like: Principal,
        name: str,
        password: str,
        options: tuple[tuple[str, str], ...],
    ) -> None:
        change: Callable[..., object] = self.run
        if like.contained:
            self.sandbox.enter(self.catalog.home_database())
            change = self.sandbox.change
        kind = Sql(f"{verb} {'USER' if like.contained else 'LOGIN'}")
        change("{} {} WITH PASSWORD = {}{}", kind, quoted(name), password, _said(options))

    def _like(self, base: Principal, alternate: Principal | None, name: str) -> Principal:
        if alternate is not None and alternate.contained == base.contained:
            return alternate
        raise MisconfiguredSecret(
            f"{name!r} cannot be the alternate of {base.name!r}: one is a login, the other a"
            " contained user, or the admin may not see it",
            "Rename one of them, or GRANT ALTER ANY LOGIN TO the admin.",
        )

    def _copy(self, base: Principal, alternate: Principal) -> None:
        for place in self.places.of(base, alternate):
            if place.database and place.database.read_only:
                continue  # where both are equal already
            self._converge(self._with_user(place, alternate))

    def _with_user(self, place: Place, alternate: Principal) -> Place:
        model, clone = place.model, place.clone
        if model is None:
            return place
        if clone is None:
            self.sandbox.enter(place.database)
            self.sandbox.change(*_create_user(alternate.name, model))
            clone = self.catalog.users(place.scope, (alternate.id,))[alternate.id]
        elif model.schema not in ("", clone.schema):
            self.sandbox.enter(place.database)
            self.sandbox.change("ALTER USER {}{}", quoted(clone.name), with_schema(model))
        return replace(place, clone=clone)

    def _converge(self, place: Place) -> None:
        if place.clone is None:
            return
        # Not the login's name: a user may have one of its own.
        name = place.clone.name
        unnamed: set[Right] = set()
        for _ in range(_ROUNDS):
            left = [c for c in changes(*self.places.rights(place)) if c.right not in unnamed]
            if not left:
                return
            self.sandbox.enter(place.database)
            unnamed |= {c.right for c in left if not self._apply(place, c, name)}
        raise UnexpectedError(
            f"user {name!r} does not end with the base's rights in {place.name}: "
            + "; ".join(f"{change.verb} {change.right.name}" for change in left),
            "Give it those by hand (perhaps another principal granted them), then rotate again.",
        )

    def _apply(self, place: Place, change: Change, name: str) -> bool:
        on = "" if change.whole else self.catalog.securable(place.scope, change.right)
        if on is None:
            self.warnings.append(
                f"in {place.name}: {change.right.name} on {unseen(change.right)} could not be"
                f" copied to {name!r}: give both users of the pair the same"
            )
            return False
        statement = change.statement(on, name, server=place.database is None)
        try:
            self.sandbox.change("{}", statement)
        except PermissionMissing as error:
            found = f"{error.found}; in {place.name}: {statement}"
            raise PermissionMissing(found, error.cure) from None
        return True


def _create_user(name: str, model: DatabaseUser) -> tuple[str, Sql, Sql, Sql]:
    return "CREATE USER {} FOR LOGIN {}{}", quoted(name), quoted(name), with_schema(model)


def _said(options: tuple[tuple[str, str], ...]) -> Sql:
    return Sql("".join(f", {option} = {value}" for option, value in options))
