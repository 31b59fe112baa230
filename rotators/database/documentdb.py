"""Amazon DocumentDB, and MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rotators.database.documentdb_engine import USER_EXISTS, PyMongoEngine, grant, kinds
from rotators.database.documentdb_errors import has_code
from rotators.database.documentdb_roles import ADMIN, Role, administrative, marks_itself
from rotators.database.engine import NameLimit, Session
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import ClonesUsers, Mark, Pair, User
from rotators.driver import Driver
from rotators.errors import (
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    UnexpectedError,
)

if TYPE_CHECKING:
    from rotators.database.login import Login

_MARK = "rotators"  # its key in a user's custom data
_LIMITS = "authenticationRestrictions"


class DocumentDB(PyMongoEngine, ClonesUsers):
    """Whatever is written about a user is one command, which says how the user is to be.

    So it happens whole or not at all, and may happen twice.
    """

    name = "DocumentDB"
    driver = Driver("pymongo", extra="documentdb")
    # The servers have none.
    username_limit = NameLimit(1024, "characters")

    @contextmanager
    def locked(self, admin: Session, username: str, /) -> Iterator[None]:  # noqa: ARG002 none
        """There is no lock that an admin of users could take. Two deliveries write the same."""
        yield

    def look(self, admin: Session, username: str) -> User | None:
        with self._as_admin(admin):
            user = self._user(admin, username)
            if user is None:
                return None
            infos: list[dict[str, Any]] = []

            def described(roles: list[Role]) -> list[dict[str, Any]]:
                infos.extend(asked := self._described(admin, roles))
                return asked

            found = administrative(Role.all_of(user["roles"]), admin.login.dbname, described)
        if (username, admin.login.dbname) == (admin.login.username, ADMIN):
            found.append("it is the admin itself")
        return User(username, tuple(found), _mark_of(user), not marks_itself(infos))

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        with self._as_admin(admin):
            if provisioned:
                self._set(admin, self._existing(admin, pair.target), password)
                return []
            base = self._existing(admin, pair.base)
            custom = self._mark(admin, base, mark)
            if pair.target == pair.alternate:
                self._make_alternate(admin, base, pair.alternate, custom, password)
                return []
            alternate = self._user(admin, pair.alternate) or {}
            self._set(admin, base, password)
        more = set(Role.all_of(alternate.get("roles"))) - set(Role.all_of(base["roles"]))
        return [
            f"{pair.alternate!r} has a role that {pair.base!r} has not: {role}"
            for role in sorted(more)
        ]

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:  # noqa: ARG002 both log in
        with self.session(other, session.deadline) as others:
            wanted = self._own_roles(others)
        lacking = sorted(wanted - self._own_roles(session))
        return [grant(session.login.dbname, session.login.username, role) for role in lacking]

    def _set(self, admin: Session, user: dict[str, Any], password: str) -> None:
        self._write(admin, "updateUser", user["user"], pwd=password, **kinds(user))

    def _whole_user(self, admin: Session, username: str) -> dict[str, Any] | None:
        """With where it may log in from, on a server that knows of such."""
        try:
            return self._user(admin, username, showAuthenticationRestrictions=True)
        except UnexpectedError:
            return self._user(admin, username)

    def _existing(self, admin: Session, username: str) -> dict[str, Any]:
        user = self._whole_user(admin, username)
        if user is None:
            raise MisconfiguredSecret(
                f"there is no user {username!r} in the database {admin.login.dbname!r}",
                "Make it, with the roles that it is to have.",
            )
        return user

    def _described(self, admin: Session, roles: list[Role]) -> list[dict[str, Any]]:
        asked = [role.said for role in roles]
        described: list[dict[str, Any]] = self._command(
            admin, "rolesInfo", asked, showPrivileges=True
        )["roles"]
        return described

    def _mark(self, admin: Session, user: dict[str, Any], mark: Mark) -> dict[str, Any] | None:
        """Puts the mark into the user's custom data, which is returned; None if there is no place.

        The server's word for it counts: it may not know custom data, or pass over it. Then a
        stored version that logs in is the proof.
        """
        custom = {**(user.get("customData") or {}), _MARK: mark.said()}
        if _mark_of(user) == mark:
            return custom
        try:
            self._command(admin, "updateUser", user["user"], customData=custom)
        except UnexpectedError:
            return None
        marked = self._user(admin, user["user"])
        return custom if marked is not None and _mark_of(marked) == mark else None

    def _make_alternate(
        self,
        admin: Session,
        base: dict[str, Any],
        name: str,
        custom: dict[str, Any] | None,
        password: str,
    ) -> None:
        roles = [role.said for role in Role.all_of(base["roles"])]
        wanted: dict[str, Any] = {"roles": roles, **kinds(base)}
        if custom is not None:
            wanted["customData"] = custom
        alternate = self._whole_user(admin, name)
        if any(user.get(_LIMITS) for user in (base, alternate or {})):
            wanted[_LIMITS] = base.get(_LIMITS) or []
        if alternate is None:
            try:
                self._write(admin, "createUser", name, pwd=password, **wanted)
            except RotationError as error:
                if not has_code(error, USER_EXISTS):
                    raise  # else another delivery was faster
            else:
                return
        self._write(admin, "updateUser", name, pwd=password, **wanted)

    @contextmanager
    def _as_admin(self, admin: Session) -> Iterator[None]:
        """Whatever is denied in here is the admin's to be granted."""
        try:
            yield
        except PermissionMissing as error:
            raise PermissionMissing(
                f"the admin {admin.login.username!r} may not do what it has to: {error.found}",
                "As root (on DocumentDB: the primary user):"
                f" {grant(ADMIN, admin.login.username, Role('userAdminAnyDatabase', ADMIN))}."
                " Then rotate again.",
            ) from None


def _mark_of(user: dict[str, Any]) -> Mark | None:
    return Mark.of((user.get("customData") or {}).get(_MARK))


class DocumentDBRotator(DatabaseRotator):
    """Rotates users of DocumentDB and MongoDB."""

    engine = DocumentDB
