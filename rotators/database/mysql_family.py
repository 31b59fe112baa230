"""What MySQL and MariaDB share: accounts, locks, rights."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from rotators.database.mysql_accounts import Account
from rotators.database.mysql_grants import (
    Right,
    Rights,
    changes,
    lacking,
    rights_of,
    roles_in,
    without_default_role,
    without_roles,
)
from rotators.database.mysql_properties import Properties
from rotators.database.pymysql_engine import PyMySQLEngine, Sql
from rotators.database.users import ClonesUsers, Mark, Pair, RetainsPassword, User
from rotators.errors import (
    MisconfiguredSecret,
    PermissionMissing,
    ServerUnreachable,
    UnexpectedError,
)

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login

_ROUNDS = 3


class MySQLFamily(PyMySQLEngine, ClonesUsers, RetainsPassword):
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
        ((got,),) = self.execute(session, f"SELECT GET_LOCK({{}}, {seconds})", name)
        if got != 1:
            raise ServerUnreachable(
                f"another session holds the lock {name!r} of user {username!r}",
                f"Secrets Manager retries. SELECT IS_USED_LOCK('{name}') says which session.",
            )
        yield
        self.execute(session, "DO RELEASE_LOCK({})", name)

    def look(self, admin: Session, username: str) -> User | None:
        with self._as_admin(admin):
            account = self._account(admin, username)
            if account is None:
                return None
            rights = self._all_rights(admin, account)
        found = sorted({right.privilege for right in rights if right.administrative})
        if account.user == self._own_account(admin).user:
            found.append("it is the admin itself")
        return User(username, tuple(found), self._mark_of(admin, account))

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
                self._existing(admin, pair.target)
                self.set_password(admin, pair.target, password)
                return []
            base = self._existing(admin, pair.base)
            if pair.target == pair.alternate:
                self._make_alternate(admin, base, pair.alternate, mark, password)
                return []
            alternate = self._account(admin, pair.alternate)
            more = lacking(self._of(admin, alternate), self._of(admin, base)) if alternate else []
            self._mark_account(admin, base, mark)
            self.set_password(admin, pair.base, password)
        return [f"{pair.alternate!r} may what {pair.base!r} may not: {right}" for right in more]

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        with self.session(other, session.deadline) as others:
            wanted = self._rights(others)
        if pair.target == pair.base:
            self._take_roles(session)
        return lacking(wanted, self._rights(session))

    def _rights(self, session: Session) -> Rights:
        """What the session's own user may in it."""
        rows = self.execute(session, "SHOW GRANTS")
        return rights_of((row for (row,) in rows), self._own_account(session))

    def _copy_rights(self, admin: Session, base: Account, alternate: Account) -> None:
        """Ends with exactly the base's rights; the server's word for it counts."""
        wanted = without_default_role(self._grants_of(admin, base))
        for _ in range(_ROUNDS):
            had = without_default_role(self._grants_of(admin, alternate))
            statements = changes(wanted, had, alternate)
            if not statements:
                return
            for statement in statements:
                self.execute(admin, Sql(statement))
        raise UnexpectedError(
            f"{alternate} does not end with the rights of {base}: {'; '.join(statements)}",
            "Report this as a defect, with the rights.",
        )

    def _grants_of(self, admin: Session, account: Account) -> Rights:
        rows = self.execute(admin, "SHOW GRANTS FOR {}", account)
        return rights_of((row for (row,) in rows), account)

    def _may(self, session: Session, *privileges: str) -> bool:
        """Whether the session's user has one of these on everything."""
        return bool(self._rights(session) & {Right(name, "*.*") for name in privileges})

    def _properties(self, admin: Session, account: Account) -> Properties:
        columns = Sql(", ".join(Properties._fields))
        asked = "SELECT {} FROM mysql.user WHERE User = {} AND Host = {}"
        (row,) = self.execute(admin, asked, columns, *account)
        texts: Any = (value.decode() if isinstance(value, bytes) else value for value in row)
        return Properties(*texts)

    @abstractmethod
    def _make_alternate(
        self, admin: Session, base: Account, name: str, mark: Mark, password: str
    ) -> None:
        """Makes the alternate as ``provide`` says. Repeatable, whenever it broke off."""

    @abstractmethod
    def _take_roles(self, session: Session) -> None:
        """Takes up every role that the session's user may take up."""

    def _mark_of(self, admin: Session, account: Account) -> Mark | None:  # noqa: ARG002 no place
        """The account's mark, where the server has a place for one."""
        return None

    def _mark_account(self, admin: Session, account: Account, mark: Mark) -> None:
        """Puts it there."""

    def _of(self, admin: Session, account: Account) -> Rights:
        return without_roles(self._grants_of(admin, account))

    def _all_rights(self, admin: Session, account: Account) -> Rights:
        """The account's, and those of every role that it might take up."""
        found: dict[Account, Rights] = {}
        waiting = [account]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found[one] = self._grants_of(admin, one)
                waiting += roles_in(found[one])
        return frozenset().union(*found.values())

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
