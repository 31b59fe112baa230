"""Sessions of PyMongo, and what a user does in its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from rotators import tls
from rotators.database.documentdb_client import close, connect, options_for, within
from rotators.database.documentdb_errors import (
    has_code,
    login_failed,
    statement_failed,
    was_answered,
)
from rotators.database.documentdb_roles import ADMIN, Role
from rotators.database.engine import Engine, Session
from rotators.errors import (
    PermissionMissing,
    RotationError,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
)

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline
    from rotators.driver import Driver

USER_EXISTS = 51003
_NOT_FOUND = 59
_OWN = "changeOwnPassword"


class PyMongoEngine(Engine):
    """Commands take passwords as such: the servers take no verifiers, and hide them in their logs.

    A user is defined in one database: the secret's ``dbname``. An admin is defined in ``admin``.
    """

    driver: ClassVar[Driver]
    default_port = 27017
    default_dbname = ADMIN
    excluded_characters = "/@\"'\\"

    @contextmanager
    def session(self, login: Login, deadline: Deadline) -> Iterator[Session]:
        """One of the secret's own users; an admin's login goes to ``open`` itself."""
        session = self.open(login, deadline, login.dbname)
        try:
            yield session
        finally:
            self.close(session)

    def open(self, login: Login, deadline: Deadline, home: str = ADMIN) -> Session:
        """``home`` is the database that the login's user is defined in."""
        pymongo = self.driver.load()
        what = f"a login to {login.host}:{login.port}"
        trusted = str(tls.authorities(self.ca_bundle)) if login.tls else None
        options = options_for(login, home, trusted, deadline.remaining(what))
        try:
            return Session(connect(pymongo, options, deadline, what), login, deadline)
        except RotationError:
            raise
        except Exception as error:  # noqa: BLE001 whatever the driver makes of a strange server
            failure = login_failed(error)
        raise failure

    def close(self, session: Session) -> None:
        close(session.connection)

    def _command(self, session: Session, name: str, value: object, **fields: object) -> Any:  # noqa: ANN401 PyMongo's
        """One command on the database that the secret's users are defined in; its answer."""
        seconds = session.deadline.remaining(f"the command {name}")
        client, database = session.connection, session.login.dbname
        try:
            return within(seconds, lambda: client[database].command(name, value, **fields))
        except Exception as error:  # noqa: BLE001 as above
            failure = statement_failed(error)
        raise failure

    def set_password(self, session: Session, username: str, password: str) -> None:
        kinds = self._kinds_of(session, username)
        try:
            self._write(session, "updateUser", username, pwd=password, **kinds)
        except PermissionMissing as error:
            if username != session.login.username:
                raise
            raise _may_not_change_own(session.login, error) from None

    def _user(self, session: Session, username: str, **shown: bool) -> dict[str, Any] | None:
        """What the server tells of a user."""
        users = self._command(session, "usersInfo", username, **shown)["users"]
        return next((user for user in users if user["user"] == username), None)

    def _kinds_of(self, session: Session, username: str) -> dict[str, list[str]]:
        """As ``kinds``; empty on a server that does not tell."""
        try:
            return kinds(self._user(session, username) or {})
        except (PermissionMissing, UnexpectedError):
            return {}

    def verify(self, session: Session) -> None:
        self._own_roles(session)

    def _own_roles(self, session: Session) -> frozenset[Role]:
        """What the session's user may; raises UntrustedServer unless it is the login's."""
        status = self._command(session, "connectionStatus", 1)["authInfo"]
        names = [user["user"] for user in status["authenticatedUsers"]]
        if session.login.username not in names:
            raise UntrustedServer(
                f"the server lets {session.login.username!r} in as"
                f" {', '.join(map(repr, names)) or 'nobody'}, so the login proves nothing",
                "Look for a proxy, and for a server without authorization.",
            )
        return frozenset(Role.all_of(status["authenticatedUserRoles"]))

    def _write(self, session: Session, command: str, username: str, **fields: object) -> None:
        """Writes a user. Raises ValueRefused, and else as ``_command``."""
        try:
            self._command(session, command, username, **fields)
        except UnexpectedError as error:
            if has_code(error, USER_EXISTS, _NOT_FOUND) or not was_answered(error):
                raise
            # For no general reason, so the value did not please.
            raise ValueRefused(
                error.found,
                "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to what"
                " the server takes (DocumentDB: 8 to 100 characters).",
            ) from None


def kinds(user: Mapping[str, Any]) -> dict[str, list[str]]:
    """What goes along with a password, so that ``user``'s kinds of it are all that there are.

    Else the server makes all that it takes, and a user that was restricted to SHA-256 has SHA-1
    again. Of a user with both it is asked for none: it may take no longer what the user once got.
    """
    shown = list(user.get("mechanisms") or ())
    return {"mechanisms": shown} if len(shown) == 1 else {}


def grant(database: str, username: str, role: Role) -> str:
    """The statement that grants a role, for a person to run; JSON quotes as JavaScript does."""
    who, what = json.dumps(username), json.dumps(role.said)
    return f"db.getSiblingDB({json.dumps(database)}).grantRolesToUser({who}, [{what}])"


def _may_not_change_own(login: Login, error: PermissionMissing) -> PermissionMissing:
    return PermissionMissing(
        f"the user may not change its own password: {error.found}",
        f'As an admin: db.getSiblingDB("{ADMIN}").createRole({{role: "{_OWN}", privileges:'
        f' [{{resource: {{db: "", collection: ""}}, actions: ["{_OWN}"]}}], roles: []}});'
        f" {grant(login.dbname, login.username, Role(_OWN, ADMIN))}."
        " Or rotate by alternating-users, where an admin does it.",
    )
