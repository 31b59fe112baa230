"""Rights of accounts of MySQL and MariaDB: read from the server, and copied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.database.mysql_errors import NOT_THERE, has_code
from rotators.database.mysql_grants import (
    Right,
    Rights,
    changes,
    rights_of,
    roles_in,
    without_default_role,
    without_roles,
)
from rotators.database.pymysql_engine import PyMySQLEngine, Sql
from rotators.errors import PermanentError, RotationError, UnexpectedError

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.mysql_accounts import Account

# What is not there any more may use up one.
_ROUNDS = 4


class KnowsRights(PyMySQLEngine):
    """What both servers say by SHOW GRANTS, and take by GRANT and REVOKE."""

    def _rights(self, session: Session) -> Rights:
        """What the session's own user may in it."""
        rows = self.execute(session, "SHOW GRANTS")
        return rights_of((row for (row,) in rows), self._own_account(session))

    def _is_gone(self, session: Session, right: Right) -> bool:
        """Whether what the right is on is surely not there any more; the session's user has it."""
        if right.question is None:
            return False
        try:
            rows = self.execute(session, right.question)
        except PermanentError as error:
            return has_code(error, *NOT_THERE)
        return right.column not in {None, *(row[0].lower() for row in rows)}

    def _copy_rights(self, admin: Session, base: Account, alternate: Account) -> list[str]:
        """Ends with exactly the base's rights; the server's word for it counts.

        Save those on what is not there any more, which nobody can be granted: they are returned
        as warnings.
        """
        wanted = without_default_role(self._grants_of(admin, base))
        gone: Rights = frozenset()
        for _ in range(_ROUNDS):
            had = without_default_role(self._grants_of(admin, alternate))
            statements = changes(wanted - gone, had, alternate)
            if not statements:
                revoked = changes(frozenset(), gone, base)
                return [f"{base} has rights on what is not there any more: {r}" for r in revoked]
            gone |= self._change(admin, wanted - gone, had, alternate)
        raise UnexpectedError(
            f"{alternate} does not end with the rights of {base}: {'; '.join(statements)}",
            "Report this as a defect, with the rights.",
        )

    def _change(self, admin: Session, wanted: Rights, had: Rights, account: Account) -> Rights:
        """A step from ``had`` to ``wanted``. Returns the rights that nobody can be granted."""
        try:
            for statement in changes(wanted, had, account):
                self._regrant(admin, statement)
        except RotationError as error:
            missing = {right for right in wanted - had if right.question}
            if not missing or not has_code(error, *NOT_THERE):
                raise
            if len(missing) == 1:
                return frozenset(missing)
            each = (self._change(admin, had | {right}, had, account) for right in missing)
            return frozenset().union(*each)
        return frozenset()

    def _regrant(self, admin: Session, statement: str) -> None:
        self.execute(admin, Sql(statement))

    def _grants_of(self, admin: Session, account: Account) -> Rights:
        rows = self.execute(admin, "SHOW GRANTS FOR {}", account)
        return rights_of((row for (row,) in rows), account)

    def _may(self, session: Session, *privileges: str) -> bool:
        """Whether the session's user has one of these on everything."""
        return bool(self._rights(session) & {Right(name, "*.*") for name in privileges})

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
