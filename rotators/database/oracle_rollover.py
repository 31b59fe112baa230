"""Oracle's gradual rollover: for a time that the profile says, a user's old password logs in too.

Of three passwords the middle one ends: what the server keeps is the one before the period began,
and the newest. The period begins with the first change, and no other change makes it longer.
AWSCURRENT's predecessor ends with it, whether applications have the new password or not: so
PASSWORD_ROLLOVER_TIME has to be longer than they may take to fetch it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rotators.database.oracle_names import name_of, quoted
from rotators.errors import PermissionMissing, StrategyUnavailable, ValueRefused

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.oracle_rights import Run

_LIMIT = "SELECT limit FROM sys.user_password_limits WHERE resource_name = 'PASSWORD_ROLLOVER_TIME'"


class Rollover:
    """What the session's user sees, and may do, about it."""

    def __init__(self, run: Run, session: Session) -> None:
        self._run = run
        self._session = session

    @property
    def in_progress(self) -> bool:
        """Whether the session's own user is in it."""
        return self.is_in_progress(name_of(self._session.login.username), own=True)

    def is_in_progress(self, name: str, *, own: bool = False) -> bool:
        """Whether the user has two passwords now."""
        view = "user_users" if own else "dba_users"
        asked = f"SELECT account_status FROM sys.{view} WHERE username = :1"  # noqa: S608 our own names
        return any("ROLLOVER" in status for (status,) in self._run(asked, name))

    @property
    def may_alter_users(self) -> bool:
        return bool(self._run("SELECT 1 FROM sys.session_privs WHERE privilege = 'ALTER USER'"))

    def require_allowed(self) -> None:
        """Raises StrategyUnavailable unless the profile of the session's own user allows it."""
        rows = self._run(_LIMIT)
        if any(_is_time(limit) for (limit,) in rows):
            return
        user = quoted(name_of(self._session.login.username))
        found = (
            f"PASSWORD_ROLLOVER_TIME is {rows[0][0]}"
            if rows
            else "the server has no PASSWORD_ROLLOVER_TIME"
        )
        raise StrategyUnavailable(
            f"user {user} may not have two passwords: in its profile, {found}",
            "From Oracle 19.12 on, as an admin: CREATE PROFILE rotated LIMIT"
            f" PASSWORD_ROLLOVER_TIME 7; ALTER USER {user} PROFILE rotated. In so many days every"
            " application has to have the new password.",
        )

    def keep_only_own(self, change: Callable[[Session, str], None]) -> None:
        """Makes the password of the session the newer one, whichever of the two it is."""
        try:
            change(self._session, self._session.login.password)
        except ValueRefused as error:
            raise StrategyUnavailable(
                "the user's last rollover is not over, and nothing says which password a change"
                f" would end: AWSCURRENT cannot be set again ({error.found})",
                "Rotate after PASSWORD_ROLLOVER_TIME, or make it shorter than the time between"
                " rotations; or, if AWSCURRENT is the newest password, end it: ALTER USER … EXPIRE"
                " PASSWORD ROLLOVER PERIOD.",
            ) from None

    def end(self, name: str) -> None:
        """Ends every password of the user but its newest. Raises PermissionMissing."""
        try:
            self._run(f"ALTER USER {quoted(name)} EXPIRE PASSWORD ROLLOVER PERIOD")
        except PermissionMissing as error:
            raise PermissionMissing(
                f"{name!r} has two passwords, and this session may not end one: {error.found}",
                f"As an admin: ALTER USER {quoted(name)} EXPIRE PASSWORD ROLLOVER PERIOD. Or name"
                " an admin with ALTER USER as 'masterarn'.",
            ) from None


def _is_time(limit: object) -> bool:
    """Whether it is a number of days; -1, UNLIMITED and the like mean none."""
    try:
        return float(str(limit).replace(",", ".")) > 0
    except ValueError:
        return False
