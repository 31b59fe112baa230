"""Amazon Redshift, provisioned clusters and serverless workgroups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any

from rotators.database.engine import NameLimit, Session, cut_off
from rotators.database.redshift_api import RedshiftLookups
from rotators.database.redshift_catalog import Catalog
from rotators.database.redshift_errors import (
    grants_lacking,
    is_conflict,
    password_refused,
    statement_failed,
)
from rotators.database.redshift_pairs import PAUSE_SECONDS, Pairs, beyond, missing, short_of
from rotators.database.redshift_policy import lawful, require_lawful
from rotators.database.redshift_statements import alter_password, verifier
from rotators.database.redshift_wire import STUMBLES, asked, connect
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import ClonesUsers, Mark, Pair, User
from rotators.driver import Driver
from rotators.errors import (
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
)

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.database.redshift_rights import Rights
    from rotators.deadline import Deadline
    from rotators.rotator import Rotation
    from rotators.secret import Secret
    from rotators.settings import Settings

_ROUNDS = 8
_SESSION = (
    # Where anybody may make what suits better than the server's own, this session would run it.
    "SET search_path TO pg_catalog",
    # Without it "App" would be app, another user.
    "SET enable_case_sensitive_identifier TO true",
)


class Redshift(ClonesUsers):
    """Redshift through redshift_connector. It gets hashes, never passwords.

    Users have no comment or attribute that a mark could be kept in: whose a user is, is proven by
    the password of a stored version.
    """

    name = "Redshift"
    driver = Driver("redshift_connector", extra="redshift")
    default_port = 5439
    default_dbname = "dev"
    username_limit = NameLimit(127)
    excluded_characters = "/@\"'\\:"
    lookups = RedshiftLookups

    def open(self, login: Login, deadline: Deadline) -> Session:
        connection = connect(self.driver, login, deadline, self.ca_bundle)
        connection.autocommit = True
        session = Session(connection, login, deadline)
        try:
            milliseconds = deadline.milliseconds("a statement")
            for statement in (*_SESSION, f"SET statement_timeout TO {milliseconds}"):
                self._execute(session, statement, ())
        except BaseException:
            self.close(session)
            raise
        return session

    def close(self, session: Session) -> None:
        with suppress(Exception):
            session.connection.close()

    def set_password(self, session: Session, username: str, password: str) -> None:
        if username == session.login.username:
            self.verify(session)
            method = session.connection.method
        else:
            method = self._method(session, username)
        hashed = verifier(method, username, password)
        statement = alter_password(username, hashed)
        for attempt in range(_ROUNDS):
            try:
                self.execute_hidden(session, statement, hashed)
            except RotationError as error:
                if is_conflict(error) and attempt < _ROUNDS - 1:
                    sleep(PAUSE_SECONDS * attempt)
                    continue
                raise self._for_admin(error, session, username) from None
            return

    def verify(self, session: Session) -> None:
        ((user,),) = self._read(session, "SELECT session_user")
        if user != session.login.username:
            raise MisconfiguredSecret(
                f"the server says that the session is user {user!r}'s",
                "Store the user's name as the server spells it, or look at what stands between"
                " the function and the server.",
            )

    @contextmanager
    def locked(self, admin: Session, username: str) -> Iterator[None]:  # noqa: ARG002 no lock
        """No lock: Redshift has none but on tables, of which no user has one that others see.

        So ``provide`` makes its changes in one transaction, and repeats it where another session
        was faster; ``set_password`` repeats one statement. Both end in the same state, whoever
        comes last: two deliveries set one password.
        """
        yield

    def look(self, admin: Session, username: str) -> User | None:
        privileges = Catalog.of(partial(self._read, admin), username).privileges().get(username)
        if privileges is None:
            return None
        if username == admin.login.username:
            privileges = (*privileges, "it is the admin itself")
        return User(username, privileges)

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        del mark  # the server has no place for one
        read = partial(self._read, admin)
        pairs = Pairs(read, partial(self.execute, admin), partial(self.execute_hidden, admin))
        if provisioned or pair.target == pair.base:
            if pair.target not in Catalog.of(read, pair.target).privileges():
                raise missing(pair.target)
            more = [] if provisioned else pairs.lacking(pair)
            self.set_password(admin, pair.target, password)
            return [f"{pair.alternate!r} has what {pair.base!r} lacks: {one}" for one in more]
        hashed = verifier(self._method(admin, pair.base), pair.alternate, password)
        is_ours = partial(self._require_ours, admin, pair.alternate, password)
        try:
            return pairs.converge(pair, hashed, is_ours)
        except RotationError as error:
            raise self._for_admin(error, admin, pair.alternate) from None

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        with self.session(other, session.deadline) as others:
            wanted = self._rights(others)
        have = self._rights(session)
        if pair.target == pair.base:
            return beyond(pair, have, wanted)
        return short_of(pair, have, wanted)

    def _rights(self, session: Session) -> Rights:
        """The session's own user's."""
        name = session.login.username
        found = Catalog.of(partial(self._read, session), name).rights()
        if name not in found:
            raise missing(name)
        return found[name]

    def execute(self, session: Session, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement that changes something; its rows."""
        return self._execute(session, statement, values)

    def execute_hidden(self, session: Session, statement: str, hashed: str) -> None:
        """The same with a hash in it, which no error repeats."""
        try:
            self._execute(session, statement, (), hashed)
        except RotationError as error:
            raise password_refused(error) from None

    def _read(self, session: Session, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._execute(session, statement, values)

    def _execute(
        self, session: Session, statement: str, values: tuple[object, ...], hidden: str = ""
    ) -> list[tuple[Any, ...]]:
        module = self.driver.load()
        connection = session.connection
        try:
            fileno = connection.fileno()
            if fileno < 0:
                raise OSError("closed")
            with cut_off(fileno, session.deadline, "a statement"):
                cursor = connection.cursor()
                cursor.execute(statement, values or None)
                return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        except (module.Error, *STUMBLES) as error:
            failure = statement_failed(error, hidden)
        raise failure

    def _method(self, session: Session, username: str) -> int:
        login = replace(session.login, username=username)
        return asked(self.driver, login, session.deadline, self.ca_bundle)

    def _require_ours(self, admin: Session, username: str, password: str) -> None:
        """Who has made the user meanwhile is another delivery, if AWSPENDING logs in."""
        login = replace(admin.login, username=username, password=password)
        try:
            with self.session(login, admin.deadline):
                return
        except LoginRefused:
            raise ForbiddenTarget(
                f"somebody else has just made a user {username!r}",
                "Rename one of the two, or drop it if nobody uses it; then rotate again.",
            ) from None

    def _for_admin(self, error: RotationError, session: Session, username: str) -> RotationError:
        admin = session.login.username
        if isinstance(error, PermissionMissing) and username != admin:
            return grants_lacking(error, admin)
        return error


class RedshiftRotator(DatabaseRotator):
    """Rotates Redshift users."""

    engine = Redshift

    def __init__(self, settings: Settings) -> None:
        super().__init__(replace(settings, passwords=lawful(settings.passwords)))

    def create(self, rotation: Rotation) -> Secret:
        require_lawful(self.settings.passwords)
        return super().create(rotation)
