"""The user changes its own password."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rotators.database.admin import helping_admin
from rotators.database.strategies.base import IN_PLACE, MOST_REFUSED, Strategy
from rotators.database.users import AdministersUsers, RetainsPassword
from rotators.errors import (
    AccessDenied,
    LoginRefused,
    PermanentError,
    PermissionMissing,
    RotationError,
    ValueRefused,
)
from rotators.settings import StrategyName

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login
    from rotators.rotator import Rotation
    from rotators.secret import Secret


_NOT_DISCARDED = (
    "the server refuses to set the new password again, so a second password that the user may have"
    " keeps logging in: rotate once more, or discard it by hand"
)


class SingleUser(Strategy):
    """The user changes its own password. Between set and finish AWSCURRENT does not log in."""

    name = StrategyName.SINGLE_USER

    def successor(self, current: Login, secret: Secret) -> Mapping[str, str]:  # noqa: ARG002 none
        return {}

    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        current.require_same(pending, current.username)
        pending = current.with_password_of(pending)
        with ExitStack() as stack:
            session = self._sign_in(stack, rotation, current, pending)
            in_place = session.login == pending
            if in_place:
                rotation.say(IN_PLACE)
                if not isinstance(self.engine, RetainsPassword):
                    return
            try:
                # Also where it is in place: it has to be the first of two before the other ends.
                self._set_password(rotation, session, pending)
            except ValueRefused as error:
                refused = error
            else:
                self._discard_others(rotation, session, pending)
                return
        if not in_place:
            # A password that was refused a moment ago is not tried again (MOST_REFUSED).
            works = current if session.login.password == current.password else None
            self.judge(rotation, refused, pending, works)
        if isinstance(self.engine, RetainsPassword):
            rotation.say(_NOT_DISCARDED, warning=True)

    def _set_password(self, rotation: Rotation, session: Session, pending: Login) -> None:
        """Whoever logged in sets it; where a user may not set its own, the admin."""
        username, password = pending.username, pending.password
        try:
            self.engine.set_password(session, username, password)
            return
        except PermissionMissing as error:
            denied = error
        engine, own = self.engine, session.login.username == username
        if not (own and rotation.current.get("masterarn") and isinstance(engine, AdministersUsers)):
            raise denied
        try:
            with helping_admin(rotation, pending, engine) as (admin, _):
                engine.set_password(admin, username, password)
        except ValueRefused:
            raise
        except PermanentError as error:
            found = f"{denied.found}; the admin could not help: {error.found}"
            raise PermissionMissing(found, denied.cure) from None
        rotation.say("the user may not set its own password: the admin has", warning=True)

    def _discard_others(self, rotation: Rotation, session: Session, pending: Login) -> None:
        """Ends what an earlier strategy let live, such as the password that leaked."""
        if not isinstance(self.engine, RetainsPassword):
            return
        alive = self.engine.discard_others(session, pending.username, pending.password)
        own = session.login.username == pending.username
        if alive and own and rotation.current.get("masterarn"):
            alive = self._discard_as_admin(rotation, self.engine, pending, alive)
        if alive:
            rotation.say(alive, warning=True)

    def _discard_as_admin(
        self, rotation: Rotation, engine: RetainsPassword, pending: Login, alive: str
    ) -> str | None:
        """What is alive after the admin has tried: its failure is none of the rotation's."""
        try:
            with helping_admin(rotation, pending, engine) as (admin, _):
                return engine.discard_others(admin, pending.username, pending.password)
        except RotationError as error:
            return f"{alive}; the admin could not help: {error.found}"

    def _sign_in(
        self, stack: ExitStack, rotation: Rotation, current: Login, pending: Login
    ) -> Session:
        """A session that may set the password: the user's own, by whichever it has now."""
        search = _Search(self, stack, rotation, current)
        session = (
            search.first("AWSCURRENT", [current])
            or search.first("AWSPENDING", [pending])
            or search.first("AWSPREVIOUS", self.readable(rotation.previous))
            or self._admin(search)
            or search.first("a version without label", self.unlabelled(rotation))
        )
        if session is not None:
            return session
        raise LoginRefused(
            f"the server refuses every stored password ({', '.join(search.tried)})"
            + "".join(f"; {note}" for note in search.notes),
            "Set the user's password on the server to AWSCURRENT's value, or store the password"
            " that works as AWSCURRENT (put-secret-value); then rotate again. A server may also"
            " answer so for an account that has expired."
            + ("" if current.tls else ' Or for a login without TLS: take "ssl": false away.'),
        )

    def _admin(self, search: _Search) -> Session | None:
        """The admin's session, where there is one that may reset this user."""
        rotation, current = search.rotation, search.current
        if not rotation.current.get("masterarn") or not isinstance(self.engine, AdministersUsers):
            return None
        try:
            session, user = search.stack.enter_context(
                helping_admin(rotation, current, self.engine)
            )
        except PermanentError as error:
            # A version without a label may help all the same.
            if isinstance(error, LoginRefused):
                search.tried.append("the admin's own")
            search.notes.append(f"the admin could not help: {error.found}")
            return None
        marked = user.mark is not None and user.mark_proves
        if marked or self.settings.admin_reset:
            rotation.say("the admin resets the password", warning=True, user=user.name)
            return session
        search.notes.append(
            "the admin may not reset it, because nothing proves that the user belongs to this"
            " secret: set ROTATION_ADMIN_RESET=true on the function to allow it"
        )
        return None


class _Search:
    """The search for a password that works. Each is tried once, and only so many."""

    def __init__(
        self, strategy: Strategy, stack: ExitStack, rotation: Rotation, current: Login
    ) -> None:
        self.engine = strategy.engine
        self.stack = stack
        self.rotation = rotation
        self.current = current
        self.tried: list[str] = []
        self.notes: list[str] = []
        self._passwords: set[str] = set()

    def first(self, label: str, logins: Iterable[Login]) -> Session | None:
        """The first session that one of the logins opens; each lends only its password."""
        try:
            for login in self._untried(logins):
                try:
                    session = self.engine.session(login, self.rotation.deadline)
                    return self.stack.enter_context(session)
                except LoginRefused:
                    self.tried.append(label)
                    self.rotation.say("a password was refused", warning=True, candidate=label)
        except AccessDenied as error:
            self.notes.append(f"older versions were not searched: {error.found}")
        return None

    def _untried(self, logins: Iterable[Login]) -> Iterator[Login]:
        if len(self.tried) == MOST_REFUSED:
            return
        for login in logins:
            if login.same_account(self.current) and login.password not in self._passwords:
                self._passwords.add(login.password)
                yield self.current.with_password_of(login)
            if len(self.tried) == MOST_REFUSED:
                return
