"""MariaDB 10.4 and later, Amazon RDS."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.database.engine import NameLimit, Session
from rotators.database.mariadb_methods import ED25519, HASHED, NATIVE, Method, methods_in
from rotators.database.mysql_accounts import Account
from rotators.database.mysql_errors import (
    HASH_OF_ANOTHER_KIND,
    NO_SUCH_VALUE,
    OPERATION_FAILED,
    has_code,
    wants_cleartext,
)
from rotators.database.mysql_family import MySQLFamily
from rotators.database.mysql_grants import default_role_in
from rotators.database.mysql_properties import expiry
from rotators.database.pymysql_engine import Sql, let_in_as
from rotators.database.rotator import DatabaseRotator
from rotators.driver import Driver
from rotators.errors import (
    AccountLocked,
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    StrategyUnavailable,
    ValueRefused,
)

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.database.users import Mark
    from rotators.deadline import Deadline


# The user's name in CURRENT_USER(), which may have an @ itself.
_ME = (
    "LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - 1"
    " - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))"
)


class MariaDB(MySQLFamily):
    """MariaDB through PyMySQL. It gets hashes, never passwords: its logs show statements."""

    name = "MariaDB"
    driver = Driver("pymysql", extra="mariadb")
    username_limit = NameLimit(80, "characters")
    admin_needs = "CREATE USER"

    def open(self, login: Login, deadline: Deadline) -> Session:
        session = super().open(login, deadline)
        try:
            self._require_mariadb(session)
        except BaseException:
            self.close(session)
            raise
        return session

    def identify(self, session: Session) -> None:
        try:
            super().identify(session)
        except AccountLocked:
            # Before a new password, nothing but SET is allowed; this one, to nobody else.
            asked = f"SET sql_mode = IF(BINARY {_ME} = BINARY {{}}, '', 'somebody else')"
            try:
                self.execute(session, asked, session.login.username)
            except RotationError as error:
                if not has_code(error, NO_SUCH_VALUE):
                    raise
                raise let_in_as(session.login.username, "somebody else") from None

    def set_password(self, session: Session, username: str, password: str) -> None:
        if username == session.login.username:
            self._refuse_replica(session)
            self._set_own(session, password)
            return
        account = self._existing(session, username)
        self._write(session, account, self._renewed(session, account, password))

    def may_retain(self, own: Session) -> bool:
        return self._may(own, "CREATE USER", "ALL PRIVILEGES")

    def retain_password(self, by: Session, own: Session, password: str) -> None:
        if not self.may_retain(by):
            account = self._own_account(by)
            raise PermissionMissing(
                f"{account} may not give itself a second password",
                "Add the secret of an admin with CREATE USER as 'masterarn'.",
            )
        with self._as_admin(by):
            account = self._own_account(own)
            others = {m.plugin for m in self._methods(by, account)} - {NATIVE}
            if others:
                raise StrategyUnavailable(
                    f"{account} logs in by {', '.join(sorted(others))}, and only {NATIVE} can be"
                    " had twice",
                    f"ALTER USER {account} IDENTIFIED VIA {NATIVE} …, or choose another strategy.",
                )
            # In one statement, absolute, so it can be repeated.
            old = Method.by(NATIVE, own.login.password)
            self._write(by, account, [Method.by(NATIVE, password), old])

    def discard_others(self, session: Session, username: str, password: str) -> str | None:
        own = username == session.login.username
        account = self._own_account(session) if own else self._existing(session, username)
        try:
            methods = self._methods(session, account)
        except MisconfiguredSecret as error:
            return f"whether other passwords log in is not known: {error.found}. {error.cure}"
        alive = [
            method
            for method in methods
            if method.plugin in HASHED and method != Method.by(method.plugin, password)
        ]
        if not alive:
            return None
        try:
            self._write(session, account, self._renewed(session, account, password))
        except PermissionMissing as error:
            return (
                f"{account} has {len(alive)} more passwords, which still log in: {error.found}."
                " As an admin: SHOW CREATE USER, then ALTER USER … IDENTIFIED VIA the first only"
            )
        return None

    def _make_alternate(
        self, admin: Session, base: Account, name: str, mark: Mark, password: str
    ) -> list[str]:
        del mark  # the server has no place for one
        properties = self._properties(admin, base)
        methods = self._renewed(admin, base, password)
        options = [properties.options(), *self._more_options(admin, base)]
        alternate = self._account(admin, name)
        if alternate is None:
            alternate = Account(name, base.host)
            # The new password is what proves, after a crash, whose user this is; testSecret does
            # not let a version pass that has not all of its rights.
            self._write(admin, alternate, methods, *options, verb="CREATE")
        warnings = self._copy_rights(admin, base, alternate)
        self._write(admin, alternate, methods, *options, Sql("ACCOUNT UNLOCK"))
        self._copy_default_role(admin, base, alternate, password)
        return warnings

    def _copy_default_role(
        self, admin: Session, base: Account, alternate: Account, password: str
    ) -> None:
        """By the alternate itself: for others, one has to be allowed to write mysql's tables."""
        wanted, had = (default_role_in(self._grants_of(admin, one)) for one in (base, alternate))
        if wanted == had:
            return
        login = replace(admin.login, username=alternate.user, password=password, dbname="")
        with self.session(login, admin.deadline) as own:
            self.execute(own, "SET DEFAULT ROLE {}", Sql(wanted))

    def _take_roles(self, session: Session) -> None:
        """There is one role at a time, and SHOW GRANTS names all of them."""

    def _regrant(self, admin: Session, statement: str) -> None:
        if " ON PACKAGE " not in statement:
            super()._regrant(admin, statement)
            return
        # Only this mode has the words; SHOW GRANTS would quote by it.
        self.execute(admin, "SET sql_mode = 'ORACLE'")
        try:
            super()._regrant(admin, statement)
        finally:
            self.execute(admin, "SET sql_mode = ''")

    def _set_own(self, session: Session, password: str) -> None:
        try:
            self.execute(session, "SET PASSWORD = {}", Method.by(NATIVE, password).text)
        except ValueRefused as error:
            if not has_code(error, HASH_OF_ANOTHER_KIND):
                raise
            self.execute(session, "SET PASSWORD = {}", Method.by(ED25519, password).text)

    def _renewed(self, session: Session, account: Account, password: str) -> list[Method]:
        """The account's methods with one of its passwords, the new one, and what is no password."""
        methods = self._methods(session, account)
        plugin = next((m.plugin for m in methods if m.plugin in HASHED), None)
        if plugin is None:
            raise MisconfiguredSecret(
                f"{account} logs in by {' or '.join(m.plugin for m in methods)}, not by a password",
                f"Give it {NATIVE} or {ED25519}.",
            )
        kept = [method for method in methods if method.plugin not in HASHED]
        return [Method.by(plugin, password), *kept]

    def _methods(self, session: Session, account: Account) -> list[Method]:
        # There is a second row where the password was made to expire before its time.
        (said,), *_ = self.execute(session, "SHOW CREATE USER {}", account)
        return methods_in(said, account)

    def _write(
        self,
        session: Session,
        account: Account,
        methods: list[Method],
        *options: Sql,
        verb: str = "ALTER",
    ) -> None:
        chain = Sql(" OR ".join(map(str, methods)))
        said = Sql(" ".join(options))
        try:
            self.execute(
                session, f"{verb} USER {{}} IDENTIFIED VIA {{}} {{}}", account, chain, said
            )
        except RotationError as error:
            if has_code(error, OPERATION_FAILED) and self._is_strict(session):
                raise wants_cleartext(error.found) from None
            raise

    def _is_strict(self, session: Session) -> bool:
        ((strict,),) = self.execute(session, "SELECT @@strict_password_validation")
        return bool(strict)

    def _more_options(self, admin: Session, account: Account) -> list[Sql]:
        asked = (
            "SELECT JSON_VALUE(Priv, '$.max_statement_time'),"
            " JSON_VALUE(Priv, '$.password_lifetime')"
            " FROM mysql.global_priv WHERE User = {} AND Host = {}"
        )
        ((seconds, days),) = self.execute(admin, asked, *account)
        return [
            Sql(f"MAX_STATEMENT_TIME {seconds or 0}"),
            expiry(None if days is None else int(days)),
        ]

    def _require_mariadb(self, session: Session) -> None:
        """MySQL would take a hash for a password."""
        if "MariaDB" in session.connection.server_version:
            return
        with suppress(AccountLocked):
            ((version,),) = self.execute(session, "SELECT VERSION()")
            if "MariaDB" in version:
                return
        raise MisconfiguredSecret(
            "the server does not say that it is MariaDB", 'Store "engine": "mysql" in the secret.'
        )


class MariaDBRotator(DatabaseRotator):
    """Rotates MariaDB users."""

    engine = MariaDB
