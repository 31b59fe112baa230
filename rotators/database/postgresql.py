"""PostgreSQL 11 and later, Amazon RDS and Aurora PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rotators import tls
from rotators.database.engine import Engine, Session, cut_off
from rotators.database.rotator import DatabaseRotator
from rotators.driver import Driver
from rotators.errors import (
    AccountLocked,
    LoginRefused,
    PermissionMissing,
    ReadOnlyServer,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    UntrustedServer,
    ValueRefused,
    VerifierRefused,
)

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

# libpq gives no SQLSTATE for a refused login, only the server's sentence, in the language of its
# lc_messages. These are PostgreSQL's own translations (postgres-15.mo).
_WRONG_PASSWORD = re.compile(
    "password authentication failed|Passwort-Authentifizierung .*fehlgeschlagen"
    "|autentificación password falló|authentification par mot de passe échouée"
    "|autenticazione con password fallita|パスワード認証に失敗"
    "|პაროლით ავთენტიფიკაცია|password 인증을 실패"
    "|не прошёл проверку подлинности|Lösenordsautentisering misslyckades"
    "|не пройшов автентифікацію за допомогою пароля|Password 认证失败"
)
_MAY_NOT_LOG_IN = re.compile(
    "is not permitted to log in|keine Berechtigung zum Einloggen|no se le permite conectarse"
    "|n'est pas autorisé à se connecter|non è consentito effettuare il login"
    "|ログインが許可されません|როლს შესვლის უფლება არ აქვს|접속을 허용하지 않음"
    "|вход запрещён|tillåts inte logga in|вхід не дозволений|不允许角色.*进行登录"
)
_NO_TRUST = re.compile("certificate|does not support SSL|SSL error: (?!.*(?i:eof))")
_SCRAM = "scram-sha-256"
# libpq's require_auth, by whether there is TLS. A server that asks for nothing would "prove" every
# password; without TLS, none is sent in clear.
_LESS = {True: "!none", False: "md5"}
_METHOD = "authentication method requirement"
_LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))"
_TIME_OUTS = (
    "SELECT pg_catalog.set_config('statement_timeout', %s, true),"
    " pg_catalog.set_config('lock_timeout', %s, true)"
)


class PostgreSQL(Engine):
    """PostgreSQL through psycopg 3."""

    name = "PostgreSQL"
    driver = Driver("psycopg", extra="postgresql")
    default_port = 5432
    default_dbname = "postgres"
    username_bytes = 63
    excluded_characters = ":/@\"'\\"

    def open(self, login: Login, deadline: Deadline) -> Session:
        psycopg = self.driver.load()
        # With SCRAM the server never sees the password. It asks for less only where it has to.
        refusal: RotationError | None = None
        for method in (_SCRAM, _LESS[login.tls]):
            try:
                connection = psycopg.connect(**self._parameters(login, deadline, method))
            except psycopg.Error as error:
                refusal = _refused(str(error))
                if _METHOD not in str(error):
                    break
            else:
                return Session(connection, login, deadline)
        assert refusal  # noqa: S101 for the type checker
        raise refusal

    def close(self, session: Session) -> None:
        session.connection.close()

    def set_password(self, session: Session, username: str, password: str) -> None:
        from psycopg import sql

        with self._transaction(session, username):
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
                raise _judged(error) from None

    def verify(self, session: Session) -> None:
        (user,) = self.execute(session, "SELECT session_user::text")
        if user != session.login.username:
            raise UnexpectedError(
                f"the server says that the session is user {user!r}'s",
                "Look at what stands between the function and the server (a pooler, a user map).",
            )

    def execute(self, session: Session, statement: Any, *values: str) -> Any:  # noqa: ANN401
        """One statement; the first row, if there is any."""
        psycopg = self.driver.load()
        try:
            with cut_off(session.connection.fileno(), session.deadline, "a statement"):
                cursor = session.connection.execute(statement, values or None)
                return cursor.fetchone() if cursor.description else None
        except psycopg.Error as error:
            failure = _failed(error)
        raise failure

    @contextmanager
    def _transaction(self, session: Session, username: str) -> Iterator[None]:
        """One transaction, bounded in time, of one rotator of this user at a time."""
        # Two rotators at once would end in "tuple concurrently updated". A role may be set to
        # default_transaction_read_only, and may start as another role.
        self.execute(session, "BEGIN READ WRITE")
        milliseconds = str(session.deadline.milliseconds("a statement"))
        self.execute(session, _TIME_OUTS, milliseconds, milliseconds)
        self.execute(session, "SET LOCAL ROLE NONE")
        self.execute(session, _LOCK, f"rotators:{username}")
        # Whatever fails inside ends the session, and with it the transaction.
        yield
        self.execute(session, "COMMIT")

    def _algorithm(self, session: Session) -> str:
        """How the new verifier is made: as the present one, if that is SCRAM's.

        An md5 hash would lock the user out where pg_hba.conf asks for scram-sha-256, whatever
        password_encryption says. Who logs in by md5 may have clients that know nothing better.
        """
        if session.connection.info.get_parameters().get("require_auth") == _SCRAM:
            return _SCRAM
        (algorithm,) = self.execute(session, "SHOW password_encryption")
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


def _refused(message: str) -> RotationError:
    """What a login ended with, by libpq's message. It holds no password."""
    said = message.strip().rsplit("failed: ", 1)[-1].strip()
    if _WRONG_PASSWORD.search(message):
        return LoginRefused(
            f"the server says: {said}",
            "Check the password, and VALID UNTIL of the role (PostgreSQL says the same for both).",
        )
    if _MAY_NOT_LOG_IN.search(message):
        return AccountLocked(f"the server says: {said}", "Allow it: ALTER ROLE … LOGIN.")
    if _METHOD in message:
        return UntrustedServer(
            f"the login would prove nothing, or show the password: {said}",
            "Let pg_hba.conf ask this user for scram-sha-256.",
        )
    if "pg_hba.conf" not in message and _NO_TRUST.search(message):
        return UntrustedServer(f"no verified TLS: {said}", tls.CURE)
    return ServerUnreachable(
        f"no session: {said}",
        "Check host, port and dbname of the secret, the network between the function and the"
        " server (subnets, security groups), and whether the server takes connections.",
    )


def _failed(error: Any) -> RotationError:  # noqa: ANN401 psycopg is not imported here
    """What a statement ended with, by SQLSTATE. The statement itself is never repeated."""
    state = error.sqlstate
    said = f"the server says: {error.diag.message_primary or 'nothing'} ({state})"
    if state is None or state[:2] in _PASSING or state == _INTERNAL:
        return ServerUnreachable(
            f"the session ended, or the server had to give up: {said}" if state else _CUT_OFF,
            "Secrets Manager retries. If it keeps failing, look for locks, load and the network.",
        )
    if state == _INSUFFICIENT_PRIVILEGE:
        return PermissionMissing(
            said, "A user may change its own password unless the server restricts that (on RDS:"
            " rds.restrict_password_commands; then GRANT rds_password TO the user).",
        )  # fmt: skip
    if state in _READ_ONLY:
        return ReadOnlyServer(said, "Store the writer's host in the secret: this is a standby.")
    return UnexpectedError(said, "Report this as a defect, with the SQLSTATE.")


_WANTS_CLEARTEXT = "not a plain text"  # credcheck's words; its SQLSTATE varies
_PASSING = frozenset({"08", "40", "53", "55", "57", "58"})
_INTERNAL = "XX000"  # "tuple concurrently updated", when another program alters the role
_INSUFFICIENT_PRIVILEGE = "42501"
# A read-only transaction; "cannot set transaction read-write mode during recovery".
_READ_ONLY = frozenset({"25006", "0A000"})
_CUT_OFF = "the server went silent or closed the session"


def _judged(error: RotationError) -> RotationError:
    """Why ALTER ROLE … PASSWORD was refused: if for no general reason, a policy did it."""
    if _WANTS_CLEARTEXT in error.found:
        return VerifierRefused(
            error.found,
            "A password-checking module wants cleartext, which is never sent. Allow verifiers:"
            " credcheck.encrypted_password_allowed = on.",
        )
    if not isinstance(error, UnexpectedError):
        return error
    return ValueRefused(
        error.found,
        "Match the password settings of the function (PASSWORD_LENGTH, EXCLUDE_…) to the"
        " server's policy.",
    )
