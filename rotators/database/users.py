"""Users of a database, as an admin sees them, and whose they are."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rotators.database.engine import Engine, NameLimit, Session
from rotators.errors import MisconfiguredSecret
from rotators.rds import Lookups

if TYPE_CHECKING:
    from rotators.database.login import Login

_MARK = re.compile(r" ?\[rotators (\{[^\[\]]*\})\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """What the server itself says of a user: which secret it belongs to, as one of which pair.

    It is kept in the user's comment, after whatever people wrote there, or among its attributes.
    """

    secret_arn: str
    users: tuple[str, str]

    @classmethod
    def read(cls, comment: str | None) -> Mark | None:
        """The mark in a comment, if there is one that can be read."""
        found = _MARK.search(comment or "")
        try:
            return cls.of(json.loads(found[1])) if found else None
        except (ValueError, RecursionError):
            return None

    def write(self, comment: str | None) -> str:
        """The comment with this mark in the place of any other."""
        # A bracket in a name would end the mark early.
        said = json.dumps(self.said()).replace("[", "\\u005b").replace("]", "\\u005d")
        return f"{_MARK.sub('', comment or '')} [rotators {said}]".strip()

    @classmethod
    def of(cls, said: object) -> Mark | None:
        """The mark that ``said`` gave as JSON, if that is what it is."""
        if not isinstance(said, dict):
            return None
        try:
            secret, base, alternate = (said[key] for key in ("secret", "base", "alternate"))
            # Whoever may comment may have written anything: only text, and such that can be shown.
            "".join((secret, base, alternate)).encode()
        except (KeyError, TypeError, ValueError):
            return None
        return cls(secret, (base, alternate))

    def said(self) -> dict[str, str]:
        """The mark as JSON."""
        base, alternate = self.users
        return {"secret": self.secret_arn, "base": base, "alternate": alternate}


@dataclass(frozen=True, slots=True)
class User:
    """A user that exists. ``privileges`` are those that no rotation may lend to anybody.

    ``mark_proves`` is false where the user may have written the mark itself: it is then heeded
    where it forbids, and no proof where it allows.
    """

    name: str
    privileges: tuple[str, ...] = ()
    mark: Mark | None = None
    mark_proves: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """Two users that take turns, and which of them is to get the new password."""

    base: str
    alternate: str
    target: str

    @classmethod
    def following(cls, username: str, suffix: str, limit: NameLimit) -> Pair:
        """The pair of the user that is AWSCURRENT's; the other one is the target.

        Raises MisconfiguredSecret if there is no base, or the alternate's name would be too long.
        """
        base = username.removesuffix(suffix)
        alternate = base + suffix
        if not base:
            raise MisconfiguredSecret(
                f"no alternate can be named after {username!r}, which is nothing but the suffix",
                "Use another user name.",
            )
        excess = limit.excess(alternate)
        if excess:
            raise MisconfiguredSecret(
                f"no alternate can be named after {username!r}: with {suffix!r} its name would have"
                f" {excess}",
                "Use a shorter user name.",
            )
        return cls(base, alternate, base if username == alternate else alternate)

    @property
    def users(self) -> tuple[str, str]:
        return (self.base, self.alternate)


class AdministersUsers(Engine):
    """The ability of an engine to act on a user in an admin's session."""

    # False: users are the whole server's, and an admin may have no right in the secret's 'dbname'.
    admins_share_dbname: ClassVar[bool] = True
    # What knows where an admin secret leads that AWS manages by itself.
    lookups: ClassVar[type[Lookups]] = Lookups

    @abstractmethod
    def locked(self, admin: Session, username: str, /) -> AbstractContextManager[None]:
        """What happens inside happens to one rotator of this user at a time.

        It happens as a whole where the server has transactions for it. Nothing inside is looked up
        where users of the server could have planted it. The session may be the user's own.
        """

    @abstractmethod
    def look(self, admin: Session, username: str) -> User | None:
        """The user, or None if there is none, within ``locked``."""


class ClonesUsers(AdministersUsers):
    """The ability to keep an alternate with the rights of a base user."""

    suffix: ClassVar[str] = "_clone"

    def identify(self, session: Session) -> None:
        """Proves that the session is the user's own, for which its password may have expired.

        Raises AccountLocked where the server does not say before a new password is set.
        """
        self.verify(session)

    @abstractmethod
    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        """Makes the pair's target log in with ``password``, within ``locked``. Repeatable.

        The alternate is made if it is missing, and ends with exactly the base's rights; of the
        base nothing but the password changes. Both get the mark. ``provisioned``: nothing but the
        password of an existing user is touched. Returns warnings, each with its cure. Raises
        PermissionMissing with the grant that is lacking.
        """

    @abstractmethod
    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        """What the other user of the pair may and the session's user may not. Changes nothing.

        ``other`` is that user's login, for servers where only the user itself sees its rights.
        """


class RetainsPassword(AdministersUsers):
    """The ability to let a user's old password log in beside the new one."""

    def require_patience(self, own: Session) -> None:
        """Raises MisconfiguredSecret if the logins that are refused on the way would lock it.

        For servers that tell a user how many it may have refused. Costs no login.
        """

    @abstractmethod
    def may_retain(self, own: Session) -> bool:
        """Whether the user may do so by itself, in its own session; else an admin has to."""

    @abstractmethod
    def retain_password(self, by: Session, own: Session, password: str) -> None:
        """Makes ``password`` log in besides that of ``own``, within ``locked``. Not repeatable.

        ``own`` is the user's own session, opened by the password that has to keep working,
        whichever of the user's two it is; ``by`` is ``own`` itself, or an admin's session. Raises
        ValueRefused, PermissionMissing with the grant that is lacking, or StrategyUnavailable
        where this account cannot have two passwords.
        """

    @abstractmethod
    def discard_others(self, session: Session, username: str, password: str) -> str | None:
        """Ends every password of the user but ``password``, which was just set. Repeatable.

        ``session`` is the user's own, or an admin's. Returns what is left alive, with its cure, or
        None: it raises for no lack of rights.
        """
