"""The alternate of a user of Oracle's: made, and given exactly the base's rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rotators.database.oracle_errors import EXISTS_ALREADY, NO_SUCH_VIEW, has_code
from rotators.database.oracle_names import name_of, quoted
from rotators.database.oracle_queries import of_anybody
from rotators.database.oracle_rights import (
    Right,
    Rights,
    Run,
    administrative,
    beyond_grants,
    changes,
    rights_of,
)
from rotators.database.users import User
from rotators.errors import (
    MisconfiguredSecret,
    PermissionMissing,
    RotationError,
    StrategyUnavailable,
    UnexpectedError,
    ValueRefused,
)

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.oracle_rollover import Rollover
    from rotators.database.users import Pair

_ROUNDS = 4
_SHORT_NAME, _WIDE_NAMES = 30, (12, 2)
_ACCOUNT = (
    "SELECT account_status, profile, default_tablespace, temporary_tablespace, oracle_maintained"
    " FROM sys.dba_users WHERE username = :1"
)
_OBJECTS = "SELECT object_type, COUNT(*) FROM sys.dba_objects WHERE owner = :1 GROUP BY object_type"


class Account(NamedTuple):
    """A row of DBA_USERS."""

    status: str
    profile: str
    space: str
    temporary: str
    maintained: str

    @classmethod
    def read(cls, run: Run, name: str) -> Account | None:
        rows = run(_ACCOUNT, name)
        return cls(*rows[0]) if rows else None

    def clauses(self) -> str:
        return (
            f"DEFAULT TABLESPACE {quoted(self.space)} TEMPORARY TABLESPACE"
            f" {quoted(self.temporary)} PROFILE {quoted(self.profile)}"
        )


@contextmanager
def as_admin(admin: Session) -> Iterator[None]:
    """Whatever is denied in here is the admin's to be granted."""
    try:
        yield
    except PermissionMissing as error:
        who = quoted(name_of(admin.login.username))
        cure = f"GRANT CREATE USER, ALTER USER TO {who}"
        if has_code(error, NO_SUCH_VIEW):
            cure = f"GRANT SELECT_CATALOG_ROLE TO {who} (or SELECT ANY DICTIONARY)"
        more = f" Besides: {error.cure}" if error.cure.startswith("GRANT") else ""
        raise PermissionMissing(
            f"the admin {who} may not do what it has to: {error.found}",
            f"As SYS (on RDS: the master user): {cure}.{more} Then rotate again.",
        ) from None


class Alternates:
    """What an admin's session does to the users of a pair."""

    def __init__(self, run: Run, rollover: Rollover, version: tuple[int, ...]) -> None:
        self._run = run
        self._rollover = rollover
        self._version = version

    def look(self, username: str, admin: str) -> User | None:
        """As ClonesUsers.look."""
        name = name_of(username)
        account = Account.read(self._run, name)
        if account is None:
            return None
        found = administrative(self._run, name, self._version)
        if account.maintained == "Y":
            found.append("it is Oracle's own")
        if name == name_of(admin):
            found.append("it is the admin itself")
        return User(username, tuple(found))

    def set_password(self, name: str, password: str) -> None:
        """By ALTER USER; there is no other way without the old one. The old one ends.

        A lock stays: whoever made it has to end it.
        """
        self._run(f"ALTER USER {quoted(name)} IDENTIFIED BY {_password(password)}")
        if self._rollover.is_in_progress(name):
            self._rollover.end(name)

    def make(self, pair: Pair, password: str) -> list[str]:
        """The alternate, with the new password and exactly the base's rights."""
        base, name = name_of(pair.base), name_of(pair.alternate)
        self._require_short(name)
        said = _password(password)
        account = Account.read(self._run, base)
        if account is None:
            raise _missing(base)
        self._require_no_objects(base)
        alternate = Account.read(self._run, name)
        if alternate is None:
            # The new password is what proves, after a crash, whose user this is; testSecret does
            # not let a version pass that has not all of its rights.
            self._create(f"CREATE USER {quoted(name)} IDENTIFIED BY {said} {account.clauses()}")
        elif alternate.clauses() != account.clauses():
            self._run(f"ALTER USER {quoted(name)} {account.clauses()}")
        self._converge(base, name)
        if alternate is not None:
            self.set_password(name, password)
        return [
            f"{pair.alternate!r} does not get {what}" for what in beyond_grants(self._run, base)
        ]

    def excess(self, pair: Pair) -> list[str]:
        """Warnings of what the alternate may and the base may not."""
        base, name = name_of(pair.base), name_of(pair.alternate)
        if Account.read(self._run, name) is None:
            return []
        more = self._rights(base, base).lacks(self._rights(name, base))
        return [f"{pair.alternate!r} may what {pair.base!r} may not: {right}" for right in more]

    def _rights(self, name: str, base: str) -> Rights:
        return rights_of(self._run, of_anybody(self._version), name, base)

    def _create(self, statement: str) -> None:
        try:
            self._run(statement)
        except UnexpectedError as error:
            if not has_code(error, EXISTS_ALREADY):  # another delivery was faster
                raise

    def _converge(self, base: str, name: str) -> None:
        """The dictionary's word counts, not the statements' success."""
        wanted = self._rights(base, base)
        failed: list[tuple[RotationError, Right | None, str]] = []
        for _ in range(_ROUNDS):
            statements = list(changes(wanted, self._rights(name, base), name))
            if not statements:
                return
            failed = []
            for statement, right in statements:
                try:
                    self._run(statement)
                except (PermissionMissing, UnexpectedError) as error:
                    failed.append((error, right, statement))
        raise _not_alike(base, name, failed or [(_UNKNOWN, None, s) for s, _ in statements])

    def _require_short(self, name: str) -> None:
        if len(name.encode()) > _SHORT_NAME and self._version < _WIDE_NAMES:
            raise MisconfiguredSecret(
                f"the alternate's name {name!r} is longer than the {_SHORT_NAME} bytes that names"
                " may have before Oracle 12.2",
                "Use a shorter user name.",
            )

    def _require_no_objects(self, base: str) -> None:
        """Two users have two schemas: an alternate would not find what the base owns."""
        kinds = [f"{kind} ({count})" for kind, count in sorted(self._run(_OBJECTS, base))]
        if kinds:
            raise StrategyUnavailable(
                f"user {base!r} owns objects, which an alternate does not find in its own schema:"
                f" {', '.join(kinds)}",
                "Let applications log in as a user that owns nothing, with CURRENT_SCHEMA or full"
                " names; or rotate by dual-password or single-user; or, if both users were prepared"
                " by hand, set ROTATION_PROVISIONED=true.",
            )


_UNKNOWN = UnexpectedError("the dictionary does not show its effect", "Report this as a defect.")


def _not_alike(
    base: str, name: str, failed: list[tuple[RotationError, Right | None, str]]
) -> RotationError:
    said = "; ".join(f"{statement}: {error.found}" for error, _, statement in failed)
    lends = "; ".join(right.to_lend() for _, right, _ in failed if right is not None)
    denied = all(isinstance(error, PermissionMissing) for error, *_ in failed)
    return (PermissionMissing if denied else UnexpectedError)(
        f"{name!r} does not end with exactly the rights of {base!r}: {said}",
        (lends or "GRANT ALTER USER to the admin")
        + ". What SYS owns, only SYS can grant (on RDS: rdsadmin_util.grant_sys_object).",
    )


def _password(password: str) -> str:
    """Quoted. Some passwords cannot be; those are refused before anything changes."""
    if '"' in password or "\0" in password:
        raise ValueRefused(
            "a statement of Oracle's cannot hold a password with a double quote in it",
            'Exclude " by EXCLUDE_CHARACTERS.',
        )
    return f'"{password}"'


def _missing(name: str) -> MisconfiguredSecret:
    return MisconfiguredSecret(
        f"there is no user {name!r}", "Make it, with the rights that it is to have."
    )
