"""What MySQL and MariaDB share: accounts, locks, rights."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.database.mysql_accounts import Account
from rotators.database.mysql_grants import lacking
from rotators.database.mysql_properties import Properties
from rotators.database.mysql_rights import KnowsRights
from rotators.database.pymysql_engine import Sql
from rotators.database.users import ClonesUsers, Mark, Pair, RetainsPassword, User
from rotators.errors import (
    AccountLocked,
    MisconfiguredSecret,
    PermissionMissing,
    ReadOnlyServer,
    ServerUnreachable,
)

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login

# Newer servers may say it in words.
_WRITABLE = (0, "OFF")


class MySQLFamily(KnowsRights, ClonesUsers, RetainsPassword):
    """Users, rights and passwords, as far as both servers say the same."""

    admins_share_dbname = False
    # What an admin needs besides the rights that it lends, as privileges on everything.
    admin_needs: ClassVar[str]

    @contextmanager
    def locked(self, session: Session, username: str) -> Iterator[None]:
        """One rotator of this user at a time; no transaction, as statements about users have none.

        Whatever fails inside ends the session, and with it the lock.
        """
        digest = hashlib.sha256(username.encode()).hexdigest()
        name = f"rotators:{digest[:40]}"
        seconds = max(1, int(session.deadline.remaining("the lock")) - 1)
        asked = f"SELECT @@GLOBAL.read_only, GET_LOCK({{}}, {seconds})"
        ((read_only, got),) = self.execute(session, asked, name)
        _require_writable(read_only)
        if got != 1:
            raise ServerUnreachable(
                f"another session holds the lock {name!r} of user {username!r}",
                f"Secrets Manager retries. SELECT IS_USED_LOCK('{name}') says which session.",
            )
        yield
        self.execute(session, "DO RELEASE_LOCK({})", name)

    def _refuse_replica(self, session: Session) -> None:
        with suppress(AccountLocked):  # an expired password may not even ask
            ((read_only,),) = self.execute(session, "SELECT @@GLOBAL.read_only")
            _require_writable(read_only)

    def look(self, admin: Session, username: str) -> User | None:
        with self._as_admin(admin):
            account = self._account(admin, username)
            if account is None:
                return None
            rights = self._all_rights(admin, account)
        found = sorted({right.privilege for right in rights if right.administrative})
        if account.user == self._own_account(admin).user:
            found.append("it is the admin itself")
        return User(username, tuple(found), *self._mark_of(admin, account))

    def _account(self, admin: Session, username: str) -> Account | None:
        """The user's one account. Raises MisconfiguredSecret if it has several hosts."""
        rows = self.execute(admin, "SELECT User, Host FROM mysql.user WHERE User = {}", username)
        # The server ignores blanks at the end.
        accounts = [Account(*row) for row in rows if row[0] == username]
        if len(accounts) > 1:
            raise MisconfiguredSecret(
                f"the user {username!r} has {len(accounts)} host entries, each with a password of"
                f" its own: {', '.join(map(str, accounts))}",
                "Leave one of them, or rotate by single-user without an admin, which changes the"
                " one that the function logs in by.",
            )
        return accounts[0] if accounts else None

    def _existing(self, admin: Session, username: str) -> Account:
        """As ``_account``; raises MisconfiguredSecret if there is none."""
        account = self._account(admin, username)
        if account is None:
            raise MisconfiguredSecret(
                f"there is no user {username!r}", "Make it, with the rights that it is to have."
            )
        return account

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        with self._as_admin(admin):
            if provisioned:
                self._renew(admin, self._existing(admin, pair.target), password)
                return []
            base = self._existing(admin, pair.base)
            if pair.target == pair.alternate:
                return self._make_alternate(admin, base, pair.alternate, mark, password)
            alternate = self._account(admin, pair.alternate)
            more = lacking(self._of(admin, alternate), self._of(admin, base)) if alternate else []
            self._mark_account(admin, base, mark)
            self._renew(admin, base, password)
        return [f"{pair.alternate!r} may what {pair.base!r} may not: {right}" for right in more]

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        if pair.target == pair.base:
            self._take_roles(session)
        had = self._rights(session)
        with self.session(other, session.deadline) as others:
            wanted = self._rights(others)
            gone = {right for right in wanted - had if self._is_gone(others, right)}
        return lacking(wanted - gone, had)

    def _kept(self, admin: Session, account: Account, columns: str) -> tuple[Any, ...]:
        """What mysql.user has of the account."""
        asked = "SELECT {} FROM mysql.user WHERE User = {} AND Host = {}"
        (row,) = self.execute(admin, asked, Sql(columns), *account)
        return row

    def _properties(self, admin: Session, account: Account) -> Properties:
        row = self._kept(admin, account, ", ".join(Properties._fields))
        texts: Any = (value.decode() if isinstance(value, bytes) else value for value in row)
        return Properties(*texts)

    @abstractmethod
    def _make_alternate(
        self, admin: Session, base: Account, name: str, mark: Mark, password: str
    ) -> list[str]:
        """Makes the alternate as ``provide`` says. Repeatable, whenever it broke off."""

    def _renew(self, admin: Session, account: Account, password: str) -> None:
        """Sets the password, and leaves the account no other."""
        self.set_password(admin, account.user, password)

    @abstractmethod
    def _take_roles(self, session: Session) -> None:
        """Takes up every role that the session's user may take up."""

    def _mark_of(
        self,
        admin: Session,  # noqa: ARG002 no place
        account: Account,  # noqa: ARG002
    ) -> tuple[Mark | None, bool]:
        """The account's mark, where the server has a place for one, and whether it proves."""
        return None, False

    def _mark_account(self, admin: Session, account: Account, mark: Mark) -> None:
        """Puts it there."""

    @contextmanager
    def _as_admin(self, admin: Session) -> Iterator[None]:
        """Whatever is denied in here is the admin's to be granted."""
        try:
            yield
        except PermissionMissing as error:
            who = self._own_account(admin)
            raise PermissionMissing(
                f"the admin {who} may not do what it has to: {error.found}",
                f"As root (on RDS: the master user): GRANT {self.admin_needs} ON *.* TO {who};"
                f" GRANT SELECT ON mysql.* TO {who}; and WITH GRANT OPTION what it is to pass on."
                " Then rotate again.",
            ) from None


def _require_writable(read_only: object) -> None:
    """Some users may write to a replica all the same, which then differs from its source."""
    if read_only not in _WRITABLE:
        raise ReadOnlyServer(
            "the server is a replica, or to be left as it is (read_only)",
            "Store the writer's host in the secret, and in its admin's.",
        )
