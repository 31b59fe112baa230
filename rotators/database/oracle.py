"""Oracle Database 12.1 and later, Amazon RDS: by python-oracledb's thin mode, without a client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rotators.database.oracle_alternates import Alternates, as_admin
from rotators.database.oracle_errors import OLD_IS_WRONG, has_code
from rotators.database.oracle_names import name_of, service_of
from rotators.database.oracle_queries import of_oneself
from rotators.database.oracle_rights import Rights, rights_of
from rotators.database.oracle_rollover import Rollover
from rotators.database.oracle_session import OracleSessions
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import ClonesUsers, Mark, Pair, RetainsPassword, User
from rotators.driver import Driver
from rotators.errors import (
    LoginRefused,
    PermissionMissing,
    RotationError,
    ServerUnreachable,
    UnexpectedError,
    ValueRefused,
)

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login
    from rotators.secret import Secret
    from rotators.settings import Settings

# Before 23ai no server takes more.
_LONGEST_PASSWORD = 30


class Oracle(OracleSessions, ClonesUsers, RetainsPassword):
    """Oracle through python-oracledb."""

    name = "Oracle"
    driver = Driver("oracledb", extra="oracle")
    suffix = "_CLONE"

    def set_password(self, session: Session, username: str, password: str) -> None:
        if username != session.login.username:
            with as_admin(session):
                self._alternates(session).set_password(name_of(username), password)
            return
        if password == session.login.password and not self._rollover(session).in_progress:
            return  # its history would refuse it
        self._change_own(session, password)

    def look(self, admin: Session, username: str) -> User | None:
        with as_admin(admin):
            return self._alternates(admin).look(username, admin.login.username)

    @contextmanager
    def locked(self, session: Session, username: str) -> Iterator[None]:  # noqa: ARG002 no lock
        """Nothing: locks of one's own need EXECUTE on DBMS_LOCK, which few have.

        So every statement says what is to be, and may be repeated by another rotator at any time.
        """
        yield

    def provide(
        self, admin: Session, pair: Pair, mark: Mark, password: str, *, provisioned: bool
    ) -> list[str]:
        del mark  # the server has no place for one
        alternates = self._alternates(admin)
        with as_admin(admin):
            if provisioned or pair.target == pair.base:
                alternates.set_password(name_of(pair.target), password)
                return [] if provisioned else alternates.excess(pair)
            return alternates.make(pair, password)

    def compare(self, session: Session, pair: Pair, other: Login) -> list[str]:
        base = name_of(pair.base)
        with self.session(other, session.deadline) as others:
            wanted = self._own_rights(others, base)
        return self._own_rights(session, base).lacks(wanted)

    def _own_rights(self, session: Session, base: str) -> Rights:
        places = of_oneself(self._version(session))
        run = partial(self.execute, session)
        return rights_of(run, places, name_of(session.login.username), base)

    def may_retain(self, own: Session) -> bool:
        rollover = self._rollover(own)
        return not rollover.in_progress or rollover.may_alter_users

    def retain_password(self, by: Session, own: Session, password: str) -> None:
        rollover = self._rollover(own)
        rollover.require_allowed()
        if rollover.in_progress:
            if self._logs_in(own, password):
                return  # another delivery was faster
            # Which of the two passwords is the older one, and would be kept, cannot be known. After
            # this AWSCURRENT is both; and the period of the new one is a whole one.
            try:
                rollover.keep_only_own(self.change_own)
                self._rollover(by).end(name_of(own.login.username))
            except UnexpectedError as error:
                if not has_code(error, OLD_IS_WRONG):  # another delivery is at it, and mended below
                    raise
        self._change_own(own, password, keep=True)

    def discard_others(self, session: Session, username: str, password: str) -> str | None:  # noqa: ARG002 the newest
        rollover = self._rollover(session)
        name = name_of(username)
        try:
            if rollover.is_in_progress(name, own=username == session.login.username):
                rollover.end(name)
        except PermissionMissing as error:
            return (
                f"the password before this one still logs in, until the profile's"
                f" PASSWORD_ROLLOVER_TIME is over: {error.found}. {error.cure}"
            )
        return None

    def _change_own(self, session: Session, password: str, *, keep: bool = False) -> None:
        """As another delivery may do it at the same time, by the same old password."""
        try:
            self.change_own(session, password)
        except RotationError as error:
            if isinstance(error, ValueRefused) or not self._took_effect(session, password):
                raise _meant(error) from None
        if keep and not self._logs_in(session, session.login.password):
            # Another delivery ended the period in between.
            new = replace(session.login, password=password)
            with self.session(new, session.deadline) as renewed:
                self.change_own(renewed, session.login.password)

    def _took_effect(self, session: Session, password: str) -> bool:
        with suppress(RotationError):
            return self._logs_in(session, password)
        return False

    def _logs_in(self, session: Session, password: str) -> bool:
        login = replace(session.login, password=password)
        try:
            with self.session(login, session.deadline):
                return True
        except LoginRefused:
            return False

    def _alternates(self, admin: Session) -> Alternates:
        run = partial(self.execute, admin)
        return Alternates(run, self._rollover(admin), self._version(admin))

    def _rollover(self, session: Session) -> Rollover:
        return Rollover(partial(self.execute, session), session)


def _meant(error: RotationError) -> RotationError:
    if not has_code(error, OLD_IS_WRONG):
        return error
    return ServerUnreachable(
        "the password was changed by somebody else in this very moment",
        "Secrets Manager retries.",
    )


class OracleRotator(DatabaseRotator):
    """Rotates Oracle users."""

    engine = Oracle

    def __init__(self, settings: Settings) -> None:
        policy = settings.passwords
        shorter = replace(policy, length=min(policy.length, _LONGEST_PASSWORD))
        super().__init__(replace(settings, passwords=shorter))

    def _login(self, secret: Secret, label: str) -> Login:
        login = super()._login(secret, label)
        try:
            service_of(login)
            name_of(login.username)
        except RotationError as error:
            raise error.about(version=label) from None
        return login
