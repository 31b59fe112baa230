"""PostgreSQL 11 and later, Amazon RDS and Aurora PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rotators import tls
from rotators.database.engine import NameLimit, Session, cut_off
from rotators.database.postgresql_errors import (
    METHOD,
    login_refused,
    password_refused,
    statement_failed,
)
from rotators.database.postgresql_roles import Roles, grants_lacking, missing
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import ClonesUsers, Mark, Pair, User
from rotators.driver import Driver
from rotators.errors import PermissionMissing, RotationError, UnexpectedError

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.database.postgresql_strays import Run
    from rotators.deadline import Deadline

_SCRAM = "scram-sha-256"
# libpq's require_auth, by whether there is TLS. A server that asks for nothing would "prove" every
# password; without TLS, none is sent in clear.
_LESS = {True: "!none", False: "md5"}
_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))"
# Where anybody may create an operator that suits better than PostgreSQL's own, this session would
# run it, with its user's rights (CVE-2018-1058).
_PATH = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"
_TIME_OUTS = (
    "SELECT pg_catalog.set_config('statement_timeout', %s, true),"
    " pg_catalog.set_config('lock_timeout', %s, true)"
)


class PostgreSQL(ClonesUsers):
    """PostgreSQL through psycopg 3."""

    name = "PostgreSQL"
    driver = Driver("psycopg", extra="postgresql")
    default_port = 5432
    default_dbname = "postgres"
    username_limit = NameLimit(63)
    excluded_characters = ":/@\"'\\"

    def open(self, login: Login, deadline: Deadline) -> Session:
        psycopg = self.driver.load()
        # With SCRAM the server never sees the password. It asks for less only where it has to.
        refusal: RotationError | None = None
        for method in (_SCRAM, _LESS[login.tls]):
            try:
                connection = psycopg.connect(**self._parameters(login, deadline, method))
            except psycopg.Error as error:
                refusal = login_refused(str(error))
                if METHOD not in str(error):
                    break
            else:
                return Session(connection, login, deadline)
        assert refusal  # noqa: S101 for the type checker
        raise refusal

    def close(self, session: Session) -> None:
        session.connection.close()

    def set_password(self, session: Session, username: str, password: str) -> None:
        try:
            with self.locked(session, username):
                self._alter_password(session, username, password)
        except PermissionMissing as error:
            admin = session.login.username
            raise error if username == admin else grants_lacking(error, [username], admin) from None

    def verify(self, session: Session) -> None:
        ((user,),) = self.execute(session, "SELECT session_user::text")
        if user != session.login.username:
            raise UnexpectedError(
                f"the server says that the session is user {user!r}'s",
                "Look at what stands between the function and the server (a pooler, a user map).",
            )

    def look(self, admin: Session, username: str) -> User | None:
        return self._roles(admin).look(username)

    @contextmanager
    def locked(self, admin: Session, username: str) -> Iterator[None]:
        """One transaction, bounded in time, of one rotator of this user at a time."""
        # Two rotators at once would end in "tuple concurrently updated". A role may be set to
        # default_transaction_read_only, and may start as another role.
        self.execute(admin, "BEGIN READ WRITE")
        milliseconds = str(admin.deadline.milliseconds("a statement"))
        self.execute(admin, _TIME_OUTS, milliseconds, milliseconds)
        self.execute(admin, _PATH)
        self.execute(admin, "SET LOCAL ROLE NONE")
        self.execute(admin, _LOCK, f"rotators:{username}")
        # Whatever fails inside ends the session, and with it the transaction.
        yield
        self.execute(admin, "COMMIT")

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        roles = self._roles(admin)
        if provisioned and roles.look(pair.target) is None:
            raise missing(pair.target)
        warnings: list[str] = []
        try:
            if not provisioned:
                alters = pair.target == pair.alternate
                warnings = roles.make_alternate(pair) if alters else roles.lacking(pair)
            self._alter_password(admin, pair.target, password)
            if not provisioned:
                roles.mark(pair, mark)
        except PermissionMissing as error:
            raise grants_lacking(error, pair.users, admin.login.username) from None
        return warnings

    def compare(
        self,
        session: Session,
        pair: Pair,
        other: Login,  # noqa: ARG002 everybody may read the catalogs
    ) -> list[str]:
        roles = self._roles(session)
        with self._reading(session):
            if pair.target == pair.base:
                return roles.strays.lacking(pair)
            if roles.starts_as_base(pair) or roles.inherits_for_now(pair):
                return []
        return [f"{pair.alternate!r} is no member of {pair.base!r}, or does not start as it"]

    def execute(
        self,
        session: Session,
        statement: Any,  # noqa: ANN401 what psycopg takes
        *values: object,
    ) -> list[tuple[Any, ...]]:
        """One statement; its rows."""
        psycopg = self.driver.load()
        try:
            with cut_off(session.connection.fileno(), session.deadline, "a statement"):
                cursor = session.connection.execute(statement, values or None)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg.Error as error:
            failure = statement_failed(error)
        raise failure

    def _roles(self, session: Session) -> Roles:
        major = session.connection.info.server_version // 10_000
        elsewhere = partial(self._elsewhere, session)
        return Roles(partial(self.execute, session), major, elsewhere)

    @contextmanager
    def _elsewhere(self, session: Session, database: str) -> Iterator[Run]:
        """The same login in another database, to look around."""
        login = replace(session.login, dbname=database)
        with self.session(login, session.deadline) as other, self._reading(other):
            yield partial(self.execute, other)

    @contextmanager
    def _reading(self, session: Session) -> Iterator[None]:
        """One transaction that changes nothing, not even for whom a pooler serves next."""
        self.execute(session, "BEGIN READ ONLY")
        self.execute(session, _PATH)
        yield
        self.execute(session, "COMMIT")

    def _alter_password(self, session: Session, username: str, password: str) -> None:
        from psycopg import sql

        algorithm = self._algorithm(session)
        verifier = session.connection.pgconn.encrypt_password(
            password.encode(), username.encode(), algorithm.encode()
        )
        # By name: CURRENT_USER would be another role in a session that starts as one.
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(username), sql.Literal(verifier.decode())
        )
        try:
            self.execute(session, statement)
        except RotationError as error:
            raise password_refused(error) from None

    def _algorithm(self, session: Session) -> str:
        """How the new verifier is made: as the present one, if that is SCRAM's.

        An md5 hash would lock the user out where pg_hba.conf asks for scram-sha-256, whatever
        password_encryption says. Who logs in by md5 may have clients that know nothing better.
        """
        if session.connection.info.get_parameters().get("require_auth") == _SCRAM:
            return _SCRAM
        ((algorithm,),) = self.execute(session, "SHOW password_encryption")
        return str(algorithm)

    def _parameters(self, login: Login, deadline: Deadline, method: str) -> dict[str, Any]:
        seconds = deadline.remaining(f"a login to {login.host}:{login.port}")
        trust = {"sslmode": "disable"}
        if login.tls:
            authorities = str(tls.authorities(self.ca_bundle))
            trust = {"sslmode": "verify-full", "sslrootcert": authorities}
        return {
            "host": login.host,
            "port": login.port,
            "dbname": login.dbname,
            "user": login.username,
            "password": login.password,
            "connect_timeout": int(max(2, min(seconds, _CONNECT_SECONDS))),
            "application_name": "rotators",
            "client_encoding": "UTF8",
            "gssencmode": "disable",
            "autocommit": True,
            "prepare_threshold": None,
            "require_auth": method,
            **trust,
        }


_CONNECT_SECONDS = 10


class PostgreSQLRotator(DatabaseRotator):
    """Rotates PostgreSQL users."""

    engine = PostgreSQL
