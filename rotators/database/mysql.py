"""MySQL 8.0.21 and later, Amazon RDS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rotators.database import mysql_limits
from rotators.database.engine import NameLimit, Session
from rotators.database.mysql_accounts import Account
from rotators.database.mysql_errors import NOT_THE_FIRST, WANTS_CURRENT, has_code
from rotators.database.mysql_family import MySQLFamily
from rotators.database.mysql_grants import Rights, roles_in, without_roles
from rotators.database.mysql_hashes import matches
from rotators.database.mysql_properties import POLICY_COLUMNS, Policy
from rotators.database.pymysql_engine import Sql
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import Mark
from rotators.driver import Driver
from rotators.errors import MisconfiguredSecret, PermissionMissing

if TYPE_CHECKING:
    from rotators.database.login import Login
    from rotators.deadline import Deadline

_OWN = "APPLICATION_PASSWORD_ADMIN"
_MARK = "$.metadata.rotators"
_PASSWORDS = "authentication_string, User_attributes->>'$.additional_password'"
_PLUGINS = frozenset({"caching_sha2_password", "sha256_password", "mysql_native_password"})


class MySQL(MySQLFamily):
    """MySQL through PyMySQL. Passwords go in clear, over TLS; its logs show none."""

    name = "MySQL"
    driver = Driver("pymysql", extra="mysql")
    username_limit = NameLimit(32, "characters")
    admin_needs = "CREATE USER, ROLE_ADMIN"

    def open(self, login: Login, deadline: Deadline) -> Session:
        session = super().open(login, deadline)
        said = session.connection.server_version
        try:
            if "MariaDB" in said:
                raise MisconfiguredSecret(
                    "the server is MariaDB", 'Store "engine": "mariadb" in the secret.'
                )
            mysql_limits.require_version(said)
        except BaseException:
            self.close(session)
            raise
        return session

    def require_patience(self, own: Session) -> None:
        ((said,),) = self.execute(own, "SHOW CREATE USER CURRENT_USER()")
        mysql_limits.require_patience(said, mysql_limits.OF_DUAL_PASSWORD)

    def set_password(self, session: Session, username: str, password: str) -> None:
        mysql_limits.require_storable(password)
        if username != session.login.username:
            account = self._existing(session, username)
            self.execute(session, "ALTER USER {} IDENTIFIED BY {}", account, password)
            return
        self._refuse_replica(session)
        self._set_own(session, password)

    def may_retain(self, own: Session) -> bool:
        return self._may(own, _OWN, "CREATE USER")

    def retain_password(self, by: Session, own: Session, password: str) -> None:
        mysql_limits.require_storable(password)
        if by is own:
            self._retain_own(own, password)
            return
        with self._as_admin(by):
            account = self._existing(by, own.login.username)
            # Whoever retains a password retains the first of two.
            retain = Sql("RETAIN CURRENT PASSWORD" if self._is_first(by, own, account) else "")
            self.execute(by, "ALTER USER {} IDENTIFIED BY {} {}", account, password, retain)

    def discard_others(self, session: Session, username: str, password: str) -> str | None:
        del password  # it was just set, so it is the first
        own = username == session.login.username
        try:
            account = self._own_account(session) if own else self._existing(session, username)
            self.execute(
                session, "ALTER USER {} DISCARD OLD PASSWORD", Sql("USER()") if own else account
            )
        except PermissionMissing as error:
            return (
                f"if {account} has an older second password, that still logs in: {error.found}."
                f" GRANT {_OWN} ON *.* TO {account}, or ALTER USER {account} DISCARD OLD PASSWORD"
            )
        return None

    def _make_alternate(
        self, admin: Session, base: Account, name: str, mark: Mark, password: str
    ) -> list[str]:
        mysql_limits.require_storable(password)
        self._require_patience(admin, base)
        properties = self._properties(admin, base)
        if properties.plugin not in _PLUGINS:
            raise MisconfiguredSecret(
                f"{base} logs in by {properties.plugin}, which takes no password", "Give it one."
            )
        plugin = Sql(properties.plugin)
        alternate = self._account(admin, name)
        if alternate is None:
            alternate = Account(name, base.host)
            # Nobody logs in before it has its rights; the password that it will have comes last.
            self.execute(
                admin,
                "CREATE USER {} IDENTIFIED WITH {} BY RANDOM PASSWORD ACCOUNT LOCK ATTRIBUTE {}",
                *(alternate, plugin, _attribute(mark)),
            )
        warnings = self._share(admin, base, alternate)
        self._mark_account(admin, base, mark)
        self.execute(admin, "ALTER USER {} DISCARD OLD PASSWORD", alternate)
        policy = Policy(*self._kept(admin, base, POLICY_COLUMNS))
        options = Sql(f"{properties.options()} {policy.options()}")
        self.execute(
            admin,
            "ALTER USER {} IDENTIFIED WITH {} BY {} {} ACCOUNT UNLOCK ATTRIBUTE {}",
            *(alternate, plugin, password, options, _attribute(mark)),
        )
        return warnings

    def _require_patience(self, admin: Session, account: Account) -> None:
        ((said,),) = self.execute(admin, "SHOW CREATE USER {}", account)
        mysql_limits.require_patience(said, mysql_limits.OF_ALTERNATING_USERS)

    def _renew(self, admin: Session, account: Account, password: str) -> None:
        self._require_patience(admin, account)
        # An earlier dual-password's second one outlives every change of the first.
        self.execute(admin, "ALTER USER {} DISCARD OLD PASSWORD", account)
        super()._renew(admin, account, password)

    def _take_roles(self, session: Session) -> None:
        self.execute(session, "SET ROLE ALL")

    def _rights(self, session: Session) -> Rights:
        # Those of the roles that are taken up are among them.
        return without_roles(super()._rights(session))

    def _mark_of(self, admin: Session, account: Account) -> tuple[Mark | None, bool]:
        asked = (
            "SELECT User_attributes->>{}, account_locked = 'Y' FROM mysql.user"
            " WHERE User = {} AND Host = {}"
        )
        ((said, locked),) = self.execute(admin, asked, _MARK, *account)
        # ALTER USER of one's own IDENTIFIED BY … ATTRIBUTE is allowed to everybody, ACCOUNT LOCK
        # is not: a locked one with a mark is an alternate that was not finished.
        return Mark.of(json.loads(said)) if said else None, bool(locked)

    def _mark_account(self, admin: Session, account: Account, mark: Mark) -> None:
        if self._mark_of(admin, account)[0] != mark:
            self.execute(admin, "ALTER USER {} ATTRIBUTE {}", account, _attribute(mark))

    def _share(self, admin: Session, base: Account, alternate: Account) -> list[str]:
        """The base becomes the alternate's only role, if it may be granted. Returns warnings."""
        had = self._grants_of(admin, alternate)
        roles = roles_in(had)
        if base not in roles:
            try:
                self.execute(admin, "GRANT {} TO {}", base, alternate)
            except PermissionMissing:
                warnings = self._copy_rights(admin, base, alternate)
                self._copy_default_roles(admin, base, alternate)
                return warnings
        self.execute(admin, "ALTER USER {} DEFAULT ROLE {}", alternate, base)
        if without_roles(had):
            self.execute(admin, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM {}", alternate)
        for role in roles:
            if role != base:
                self.execute(admin, "REVOKE {} FROM {}", role, alternate)
        return []

    def _copy_default_roles(self, admin: Session, base: Account, alternate: Account) -> None:
        asked = (
            "SELECT DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST FROM mysql.default_roles"
            " WHERE USER = {} AND HOST = {}"
        )
        roles = [str(Account(*row)) for row in self.execute(admin, asked, *base)]
        said = Sql(", ".join(roles) or "NONE")
        self.execute(admin, "ALTER USER {} DEFAULT ROLE {}", alternate, said)

    def _set_own(self, session: Session, password: str) -> None:
        # USER() is this session's account here, whatever host entry it is.
        try:
            self.execute(session, "ALTER USER USER() IDENTIFIED BY {}", password)
        except PermissionMissing as error:
            if not has_code(error, WANTS_CURRENT):
                raise
            self._replace(session, password, Sql(""))

    def _retain_own(self, own: Session, password: str) -> None:
        try:
            # REPLACE is compared with the first of two passwords, so AWSCURRENT is retained or
            # nothing is changed, whoever else is at it.
            self._replace(own, password, Sql("RETAIN CURRENT PASSWORD"))
        except PermissionMissing as error:
            account = self._own_account(own)
            if not has_code(error, NOT_THE_FIRST):
                raise PermissionMissing(
                    f"{account} may not keep its old password beside a new one: {error.found}",
                    f"GRANT {_OWN} ON *.* TO {account}; or add the admin's secret as 'masterarn'.",
                ) from None
            # It is the second, which a change without RETAIN leaves as it is.
            self._set_own(own, password)

    def _replace(self, own: Session, password: str, retain: Sql) -> None:
        """Says which password is to be replaced, as some accounts want it."""
        try:
            self.execute(
                own,
                "ALTER USER USER() IDENTIFIED BY {} REPLACE {} {}",
                *(password, own.login.password, retain),
            )
        except PermissionMissing as error:
            if retain or not has_code(error, NOT_THE_FIRST):
                raise
            account = self._own_account(own)
            raise PermissionMissing(
                f"{account} has to name its first password to change it, and the one that logs in"
                f" is its second: {error.found}",
                f"ALTER USER {account} PASSWORD REQUIRE CURRENT OPTIONAL, until this rotation has"
                " ended.",
            ) from None

    def _is_first(self, admin: Session, own: Session, account: Account) -> bool:
        """Whether the password of ``own`` is the first of two, or the only one."""
        first, second = self._kept(admin, account, _PASSWORDS)
        if second is None or matches(own.login.password, first):
            return True
        if matches(own.login.password, second):
            return False
        raise PermissionMissing(
            f"{account} has two passwords, and which of them AWSCURRENT is cannot be told",
            f"GRANT {_OWN} ON *.* TO {account}, which then keeps its password by itself.",
        )


def _attribute(mark: Mark) -> str:
    return json.dumps({"rotators": mark.said()})


class MySQLRotator(DatabaseRotator):
    """Rotates MySQL users."""

    engine = MySQL
