"""An alternate with exactly the base's rights, in every database that the admin may change.

One statement after the other, each towards the same end, and all of them again after a crash. Not
one transaction: it would go through several databases, which not every server takes, and would
keep locks on principals that logins wait for. Only a login and its first user are made together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.database.sqlserver_catalog import SERVER, scope_of
from rotators.database.sqlserver_rights import Change, Right, Rights, changes, lacking
from rotators.database.sqlserver_statements import Sql, quoted
from rotators.errors import MisconfiguredSecret, PermissionMissing, UnexpectedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rotators.database.sqlserver_catalog import Catalog, Database, DatabaseUser, Principal, Run

_ROUNDS = 4
_NOTHING: Rights = frozenset()
_BOTH = """SET XACT_ABORT ON; BEGIN TRANSACTION;
CREATE LOGIN {} WITH PASSWORD = {}{};
USE {}; CREATE USER {} FOR LOGIN {}{};
COMMIT; SET XACT_ABORT OFF"""


class Clones:
    """Pairs, in one session of an admin."""

    def __init__(self, catalog: Catalog, run: Run) -> None:
        self.catalog = catalog
        self.run = run
        self.warnings: list[str] = []

    def make(
        self, base: Principal, alternate: Principal | None, name: str, password: str
    ) -> list[str]:
        """The alternate, by this password. Returns what could not be copied."""
        if alternate is None:
            self._create(base, name, password)
            self._copy(base, self._like(base, self.catalog.find(name), name))
            return self.warnings
        self._copy(base, self._like(base, alternate, name))
        changed = tuple(option for option in base.options if option not in alternate.options)
        self._set("ALTER", alternate, alternate.name, password, changed)
        return self.warnings

    def _create(self, base: Principal, name: str, password: str) -> None:
        """Able to log in to the secret's database at once: that is what proves whose it is.

        After a crash, the new password has to open a session there; testSecret does not let a
        version pass that has not all of its rights.
        """
        home = self.catalog.home
        models = {} if base.contained else self.catalog.users(scope_of(home), (base.id,))
        if base.id not in models:
            self._set("CREATE", base, name, password, base.options)
            return
        self.run(
            _BOTH,
            *(quoted(name), password, _said(base.options), quoted(home)),
            *(quoted(name), quoted(name), _with_schema(models[base.id])),
        )

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
        if like.contained:
            self._in(self.catalog.home)
        kind = Sql(f"{verb} {'USER' if like.contained else 'LOGIN'}")
        self.run("{} {} WITH PASSWORD = {}{}", kind, quoted(name), password, _said(options))

    def _like(self, base: Principal, alternate: Principal | None, name: str) -> Principal:
        if alternate is not None and alternate.contained == base.contained:
            return alternate
        raise MisconfiguredSecret(
            f"{name!r} cannot be the alternate of {base.name!r}: one is a login, the other a"
            " contained user, or the admin may not see it",
            "Rename one of them, or GRANT ALTER ANY LOGIN TO the admin.",
        )

    def _copy(self, base: Principal, alternate: Principal) -> None:
        home = self.catalog.home
        if base.contained:
            self._converge(scope_of(home), home, base.id, alternate.id, alternate.name)
            return
        self._converge(SERVER, "master", base.id, alternate.id, alternate.name)
        for database in self.catalog.databases():
            users = self.catalog.users(database.scope, (base.id, alternate.id))
            model, clone = users.get(base.id), users.get(alternate.id)
            if model is not None:
                clone = self._user(database, model, clone, alternate)
            if clone is not None:
                number = model.id if model else None
                # Not the login's name: a user may have one of its own.
                self._converge(database.scope, database.name, number, clone.id, clone.name)

    def _user(
        self,
        database: Database,
        model: DatabaseUser,
        clone: DatabaseUser | None,
        alternate: Principal,
    ) -> DatabaseUser:
        schema = _with_schema(model)
        if clone is None:
            self._in(database.name)
            login = quoted(alternate.name)
            self.run("CREATE USER {} FOR LOGIN {}{}", login, login, schema)
            clone = self.catalog.users(database.scope, (alternate.id,))[alternate.id]
        elif schema and clone.schema != model.schema:
            self._in(database.name)
            self.run("ALTER USER {}{}", quoted(clone.name), schema)
        return clone

    def lacking(self, base: Principal, alternate: Principal) -> list[str]:
        """What only the alternate has, as an admin sees it."""
        return [
            self.describe(scope, where, right)
            for scope, where, wanted, there in self._both(alternate, base)
            for right in lacking(wanted, there)
        ]

    def describe(self, scope: Sql, where: str, right: Right) -> str:
        """The statement, for somebody who reads it, that would give the right."""
        (change,) = changes(frozenset({right}), _NOTHING)
        on = None if change.whole else self.catalog.securable(scope, right) or _unseen(right)
        server = scope == SERVER
        return f"in {where}: {change.statement(on or '', '…', server=server)}"

    def _both(self, one: Principal, other: Principal) -> Iterator[tuple[Sql, str, Rights, Rights]]:
        if one.contained:
            home = self.catalog.home
            rights = self.catalog.rights(scope_of(home), one.id, other.id)
            yield scope_of(home), home, rights[one.id], rights[other.id]
            return
        rights = self.catalog.rights(SERVER, one.id, other.id)
        yield SERVER, "master", rights[one.id], rights[other.id]
        for database in self.catalog.databases():
            users = self.catalog.users(database.scope, (one.id, other.id))
            if one.id in users:
                numbers = {login: user.id for login, user in users.items()}
                rights = self.catalog.rights(database.scope, *numbers.values())
                there = rights.get(numbers.get(other.id, 0), _NOTHING)
                yield database.scope, database.name, rights[numbers[one.id]], there

    def _converge(self, scope: Sql, where: str, model: int | None, clone: int, name: str) -> None:
        numbers = [number for number in (model, clone) if number is not None]
        unnamed: set[Right] = set()
        for _ in range(_ROUNDS):
            rights = self.catalog.rights(scope, *numbers)
            wanted = rights[model] if model is not None else _NOTHING
            left = [c for c in changes(wanted, rights[clone]) if c.right not in unnamed]
            if not left:
                return
            self._in(where)
            unnamed |= {c.right for c in left if not self._apply(scope, where, c, name)}
        raise UnexpectedError(
            f"user {name!r} does not end with the base's rights in {where}: "
            + "; ".join(f"{change.verb} {change.right.name}" for change in left),
            "Give it those by hand (perhaps another principal granted them), then rotate again.",
        )

    def _apply(self, scope: Sql, where: str, change: Change, name: str) -> bool:
        on = "" if change.whole else self.catalog.securable(scope, change.right)
        if on is None:
            self.warnings.append(
                f"in {where}: {change.right.name} on {_unseen(change.right)} could not be copied to"
                f" {name!r}: give both users of the pair the same"
            )
            return False
        statement = change.statement(on, name, server=scope == SERVER)
        try:
            self.run(statement)
        except PermissionMissing as error:
            raise PermissionMissing(f"{error.found}; in {where}: {statement}", error.cure) from None
        return True

    def _in(self, database: str) -> None:
        """Rights on a database can only be given in it, those on the server in master."""
        self.run("USE {}", quoted(database))


def _said(options: tuple[tuple[str, str], ...]) -> Sql:
    return Sql("".join(f", {option} = {value}" for option, value in options))


def _with_schema(model: DatabaseUser) -> Sql:
    return Sql(f" WITH DEFAULT_SCHEMA = {quoted(model.schema)}" if model.schema else "")


def _unseen(right: Right) -> str:
    return f"class {right.where}, number {right.major}"
