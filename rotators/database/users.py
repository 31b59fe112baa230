"""Users of a database, as an admin sees them, and whose they are."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from rotators.database.engine import Engine, Session
from rotators.errors import MisconfiguredSecret

_MARK = re.compile(r" ?\[rotators (\{[^\[\]]*\})\]")


@dataclass(frozen=True, slots=True)
class Mark:
    """What the server itself says of a user: which secret it belongs to, as one of which pair.

    It is kept in the user's comment, after whatever people wrote there.
    """

    secret_arn: str
    users: tuple[str, str]

    @classmethod
    def read(cls, comment: str | None) -> Mark | None:
        """The mark in a comment, if there is one that can be read."""
        found = _MARK.search(comment or "")
        try:
            said = json.loads(found[1]) if found else {}
            secret, base, alternate = (said[key] for key in ("secret", "base", "alternate"))
            # Whoever may comment may have written anything: only text, and such that can be shown.
            "".join((secret, base, alternate)).encode()
        except (KeyError, TypeError, ValueError, RecursionError):
            return None
        return cls(secret, (base, alternate))

    def write(self, comment: str | None) -> str:
        """The comment with this mark in the place of any other."""
        base, alternate = self.users
        said = json.dumps({"secret": self.secret_arn, "base": base, "alternate": alternate})
        # A bracket in a name would end the mark early.
        said = said.replace("[", "\\u005b").replace("]", "\\u005d")
        return f"{_MARK.sub('', comment or '')} [rotators {said}]".strip()


@dataclass(frozen=True, slots=True)
class User:
    """A user that exists. ``privileges`` are those that no rotation may lend to anybody."""

    name: str
    privileges: tuple[str, ...] = ()
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two users that take turns, and which of them is to get the new password."""

    base: str
    alternate: str
    target: str

    @classmethod
    def following(cls, username: str, suffix: str, limit: int) -> Pair:
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
        if len(alternate.encode()) > limit:
            raise MisconfiguredSecret(
                f"no alternate can be named after {username!r}: with {suffix!r} its name would have"
                f" {len(alternate.encode())} bytes of at most {limit}",
                "Use a shorter user name.",
            )
        return cls(base, alternate, base if username == alternate else alternate)

    @property
    def users(self) -> tuple[str, str]:
        return (self.base, self.alternate)


class AdministersUsers(Engine):
    """The ability of an engine to act on a user in an admin's session."""

    @abstractmethod
    def locked(self, admin: Session, username: str) -> AbstractContextManager[None]:
        """What happens inside happens as a whole, and to one rotator of this user at a time.

        Nothing inside is looked up where users of the server could have planted it.
        """

    @abstractmethod
    def look(self, admin: Session, username: str) -> User | None:
        """The user, or None if there is none, within ``locked``."""


class ClonesUsers(AdministersUsers):
    """The ability to keep an alternate with the rights of a base user."""

    suffix: ClassVar[str] = "_clone"

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
    def compare(self, session: Session, pair: Pair) -> list[str]:
        """What the other user of the pair may and the session's user may not. Changes nothing."""
