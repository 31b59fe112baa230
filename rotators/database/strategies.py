"""Whose login acts on which user. No SQL, no engine's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rotators.database.login import Login
from rotators.errors import (
    AccessDenied,
    LoginRefused,
    MisconfiguredSecret,
    StrategyUnavailable,
    ValueRefused,
    ValueRejected,
)
from rotators.settings import StrategyName

if TYPE_CHECKING:
    from rotators.database.engine import Engine, Session
    from rotators.rotator import Rotation
    from rotators.secret import Secret

# Every refused login counts towards a lock-out (G13), so there are never more in one setSecret.
MOST_REFUSED = 4
# How many versions without a label are read in search of a password that works.
MOST_UNLABELLED = 8


class Strategy(ABC):
    """How one user's password is replaced by the next. Stateless."""

    name: ClassVar[StrategyName]
    needs: ClassVar[type] = object  # the ability that an engine must have

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @abstractmethod
    def successor(self, current: Login) -> Mapping[str, str]:
        """The fields, besides the password, in which AWSPENDING differs from AWSCURRENT."""

    @abstractmethod
    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        """Makes ``pending`` log in. Repeatable. Raises as Rotator.set."""

    def prove(self, rotation: Rotation, login: Login) -> None:
        """Proves that ``login`` works. Changes nothing."""
        try:
            with self.engine.session(login, rotation.deadline) as session:
                self.engine.verify(session)
        except LoginRefused as error:
            raise LoginRefused(
                f"the server refuses the password to be tested: {error.found}",
                "Secrets Manager starts the rotation again, which sets the password again. If it"
                " keeps failing, somebody else changes this user's password.",
            ) from None


class SingleUser(Strategy):
    """The user changes its own password. Between set and finish AWSCURRENT does not log in."""

    name = StrategyName.SINGLE_USER

    def successor(self, current: Login) -> Mapping[str, str]:  # noqa: ARG002 it has none
        return {}

    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        current.require_same(pending, current.username)
        with ExitStack() as stack:
            session = self._sign_in(stack, rotation, current, pending)
            if session.login.password == pending.password:
                rotation.say("the new password is in place already")
                return
            try:
                self.engine.set_password(session, pending.username, pending.password)
                return
            except ValueRefused as error:
                refused = error
        self._judge_refusal(rotation, current, pending, refused, session.login)

    def _sign_in(
        self, stack: ExitStack, rotation: Rotation, current: Login, pending: Login
    ) -> Session:
        """A session of the user, by whichever of the stored passwords it has now."""
        tried: list[str] = []
        skipped = ""
        try:
            for label, login in self._candidates(rotation, current, pending):
                try:
                    session = self.engine.session(login, rotation.deadline)
                    return stack.enter_context(session)
                except LoginRefused:
                    tried.append(label)
                    rotation.say("a password was refused", warning=True, candidate=label)
                if len(tried) == MOST_REFUSED:
                    break
        except AccessDenied as error:
            skipped = f"; older versions were not searched: {error.found}"
        raise LoginRefused(
            f"the server refuses every stored password ({', '.join(tried)}){skipped}",
            "Set the user's password on the server to AWSCURRENT's value, or store the password"
            " that works as AWSCURRENT (put-secret-value); then rotate again. A server may also"
            " answer so for an account that has expired.",
        )

    def _candidates(
        self, rotation: Rotation, current: Login, pending: Login
    ) -> Iterator[tuple[str, Login]]:
        """Logins to try, each password once. All are AWSCURRENT's but for the password."""
        tried = set()
        for label, login in self._stored(rotation, current, pending):
            if login.same_account(current) and login.password not in tried:
                tried.add(login.password)
                yield label, current.with_password_of(login)

    def _stored(
        self, rotation: Rotation, current: Login, pending: Login
    ) -> Iterator[tuple[str, Login]]:
        yield "AWSCURRENT", current
        yield "AWSPENDING", pending
        older = [rotation.previous] if rotation.previous is not None else []
        for value in older:
            yield from self._readable("AWSPREVIOUS", value)
        # Where a rotation died after setSecret and its label was cleared, the password that works
        # is in a version without one (G3).
        for value in islice(rotation.unlabelled(), MOST_UNLABELLED):
            yield from self._readable("a version without label", value)

    def _readable(self, label: str, value: Secret) -> Iterator[tuple[str, Login]]:
        try:
            yield label, Login.of(value, type(self.engine))
        except MisconfiguredSecret:
            return

    def _judge_refusal(
        self,
        rotation: Rotation,
        current: Login,
        pending: Login,
        refused: ValueRefused,
        signed_in: Login,
    ) -> None:
        """Rule: a refused value that is in place is success; one that is not may be given up.

        It may be in place: a password history refuses the value on a repeat.
        """
        if self._logs_in(rotation, current.with_password_of(pending)):
            rotation.say("the server refuses the new password, but it is in place already")
            return
        # A password that was refused a moment ago is not tried again (MOST_REFUSED).
        if signed_in.password == current.password and self._logs_in(rotation, current):
            raise ValueRejected(
                f"{refused.found}; it is not in place, and AWSCURRENT still logs in",
                f"{refused.cure} AWSPENDING was taken from this version, so the next rotation"
                " draws a new value.",
            )
        raise refused

    def _logs_in(self, rotation: Rotation, login: Login) -> bool:
        try:
            with self.engine.session(login, rotation.deadline):
                return True
        except LoginRefused:
            return False


STRATEGIES: Mapping[StrategyName, type[Strategy]] = {SingleUser.name: SingleUser}


def strategies_of(engine: type[Engine]) -> tuple[StrategyName, ...]:
    """The strategies that an engine's abilities allow."""
    known = STRATEGIES.items()
    return tuple(name for name, strategy in known if issubclass(engine, strategy.needs))


def strategy_for(name: StrategyName, engine: Engine) -> Strategy:
    """The strategy of that name. Raises StrategyUnavailable."""
    if name in strategies_of(type(engine)):
        return STRATEGIES[name](engine)
    raise StrategyUnavailable(
        f"{engine.name} cannot be rotated by {name.value!r} (ROTATION_STRATEGY)",
        f"Set ROTATION_STRATEGY to one of: {', '.join(strategies_of(type(engine)))}.",
    )
