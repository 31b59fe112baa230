"""Microsoft SQL Server, as it is and on Amazon RDS: logins, and contained databases' users."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rotators.database.rotator import DatabaseRotator
from rotators.database.sqlserver_catalog import SERVER, Catalog, Principal, scope_of
from rotators.database.sqlserver_clones import Clones
from rotators.database.sqlserver_places import Places
from rotators.database.sqlserver_rights import (
    Rights,
    administrative_in_database,
    administrative_on_server,
    lacking,
)
from rotators.database.sqlserver_session import PyMSSQLEngine
from rotators.database.sqlserver_statements import Sql, quoted
from rotators.database.users import ClonesUsers, Mark, Pair, User
from rotators.errors import (
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ServerUnreachable,
)

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login

_LOCK = """DECLARE @got int;
EXEC @got = sp_getapplock @Resource = {}, @LockMode = N'Exclusive', @LockOwner = N'Session',
@LockTimeout = {}; SELECT @got"""
# Where a right is: as the catalogs name it, and as people do.
Place = tuple[Sql, str]


class SQLServer(PyMSSQLEngine, ClonesUsers):
    """SQL Server through pymssql.

    The server takes no verifier (HASHED is not for logins with CHECK_POLICY), so the password is
    in the statement; the server leaves it out of its traces, and TLS hides it on the way.
    """

    name = "SQL Server"

    def set_password(self, session: Session, username: str, password: str) -> None:
        if username == session.login.username:
            self._set_own(session, password)
            return
        with self._as_admin(session):
            catalog = self._catalog(session)
            self._clones(session).set_password(self._existing(catalog, username), password)

    @contextmanager
    def locked(self, session: Session, username: str) -> Iterator[None]:
        """One rotator of this user at a time, until the session ends; no transaction.

        The lock is in master, which every login may use, so that secrets that name different
        databases meet; a contained user's is in its own database.
        """
        with suppress(PermissionMissing):
            self.execute(session, "USE {}", quoted("master"))
        digest = hashlib.sha256(username.casefold().encode()).hexdigest()
        milliseconds = max(1, session.deadline.milliseconds("the lock") - 1000)
        ((got,),) = self.execute(session, _LOCK, f"rotators:{digest[:40]}", milliseconds)
        if got < 0:
            raise ServerUnreachable(
                f"another session holds the lock of user {username!r} (sp_getapplock: {got})",
                "Secrets Manager retries. sys.dm_tran_locks (APPLICATION) says which session.",
            )
        yield

    def look(self, admin: Session, username: str) -> User | None:
        catalog = self._catalog(admin)
        with self._as_admin(admin):
            user = catalog.find(username)
            if user is None:
                return None
            found = self._administrative(catalog, user)
        if user.owner:
            found.add("it owns the server, or the database")
        if user.own or username.casefold() == admin.login.username.casefold():
            found.add("it is the admin itself")
        return User(username, tuple(sorted(found)))

    def provide(
        self,
        admin: Session,
        pair: Pair,
        mark: Mark,  # noqa: ARG002 the server has no place for one
        password: str,
        *,
        provisioned: bool,
    ) -> list[str]:
        catalog = self._catalog(admin)
        clones = self._clones(admin)
        with self._as_admin(admin):
            if provisioned:
                clones.set_password(self._existing(catalog, pair.target), password)
                return []
            base, alternate = self._existing(catalog, pair.base), catalog.find(pair.alternate)
            if pair.target == pair.alternate:
                return clones.make(base, alternate, pair.alternate, password)
            more = clones.places.lacking(base, alternate) if alternate else []
            clones.set_password(base, password)
        return [f"{pair.alternate!r} may what {pair.base!r} may not: {right}" for right in more]

    def compare(
        self,
        session: Session,
        pair: Pair,  # noqa: ARG002 each session sees its own rights
        other: Login,
    ) -> list[str]:
        mine = self._own_rights(session)
        with self.session(other, session.deadline) as others:
            places = Places(self._catalog(others))
            return [
                places.missing(*place, right)
                for place, rights in self._own_rights(others).items()
                for right in lacking(rights, mine.get(place, frozenset()))
            ]

    def _set_own(self, session: Session, password: str) -> None:
        who = self._who(session)
        kind = Sql("USER" if who.contained else "LOGIN")
        # The one that logged in, whichever version it is from: AWSCURRENT's may not be in force.
        old = session.login.password
        statement = "ALTER {} {} WITH PASSWORD = {} OLD_PASSWORD = {}"
        try:
            self.execute(session, statement, kind, quoted(who.name), password, old)
        except PermissionMissing:
            # So the server refuses an old password that another delivery has just replaced.
            if not self._logs_in(replace(session.login, password=password), session):
                raise

    def _logs_in(self, login: Login, beside: Session) -> bool:
        with suppress(LoginRefused), self.session(login, beside.deadline):
            return True
        return False

    def _administrative(self, catalog: Catalog, user: Principal) -> set[str]:
        if user.contained:
            home = catalog.home_database()
            numbers = {home: user.id} if home.leads_outside else {}
            found: set[str] = set()
        else:
            _require_sight(catalog)
            found = administrative_on_server(catalog.all_rights(SERVER, user.id))
            numbers = {
                database: there.id
                for database in catalog.databases()
                if database.leads_outside
                for there in catalog.users(database.scope, (user.id,)).values()
            }
        for database, number in numbers.items():
            rights = catalog.all_rights(database.scope, number)
            found |= administrative_in_database(rights, database.name)
        return found

    def _own_rights(self, session: Session) -> dict[Place, Rights]:
        """What the session's user has, as it sees it itself."""
        catalog = self._catalog(session)
        who = self._who(session)
        if who.contained or who.login_id is None:
            own = [(scope_of(catalog.home), catalog.home, who.user_id)]
        else:
            own = [(SERVER, "master", who.login_id)]
            own += [
                (database.scope, database.name, user.id)
                for database in catalog.databases()
                for user in catalog.users(database.scope, (who.login_id,)).values()
            ]
        return {(scope, name): catalog.held(scope, number)[number] for scope, name, number in own}

    def _catalog(self, session: Session) -> Catalog:
        return Catalog(partial(self._read, session), session.login.dbname)

    def _clones(self, session: Session) -> Clones:
        return Clones(self._catalog(session), partial(self.execute, session))

    def _existing(self, catalog: Catalog, username: str) -> Principal:
        user = catalog.find(username)
        if user is None:
            raise MisconfiguredSecret(
                f"there is no user {username!r}, or the admin may not see it",
                "Make it, with the rights that it is to have; as a sysadmin: GRANT ALTER ANY LOGIN"
                " TO the admin.",
            )
        return user

    @contextmanager
    def _as_admin(self, admin: Session) -> Iterator[None]:
        """Whatever is denied in here is the admin's to be granted."""
        try:
            yield
        except PermissionMissing as error:
            who = quoted(admin.login.username)
            raise PermissionMissing(
                f"the admin {admin.login.username!r} may not do what it has to: {error.found}",
                f"As a sysadmin (on RDS: the master user), in master: GRANT ALTER ANY LOGIN, VIEW"
                f" ANY DEFINITION TO {who}; in each database of the user's: ALTER ROLE [db_owner]"
                f" ADD MEMBER {who}, and a login that exists as its owner (ALTER AUTHORIZATION ON"
                " DATABASE::…); WITH GRANT OPTION what it is to pass on of the server's. Then"
                " rotate again.",
            ) from None


def _require_sight(catalog: Catalog) -> None:
    """Raises PermissionMissing unless all memberships and databases are to be seen.

    Else nothing tells an administrator from a user.
    """
    if permissions := catalog.blind_without():
        raise PermissionMissing(
            f"it does not see everybody's rights without {', '.join(permissions)}, to be granted in"
            " master",
            "Grant it that.",
        )


class SQLServerRotator(DatabaseRotator):
    """Rotates SQL Server logins, and users of contained databases."""

    engine = SQLServer
