"""One user with two passwords: the old one goes on to log in until the next rotation."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rotators.database.admin import admin_session, harmless_user
from rotators.database.strategies.base import IN_PLACE, Strategy
from rotators.database.users import RetainsPassword
from rotators.errors import LoginRefused, ValueRefused
from rotators.settings import StrategyName

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.database.login import Login
    from rotators.rotator import Rotation
    from rotators.secret import Secret


class DualPassword(Strategy):
    """AWSPENDING's password is set beside AWSCURRENT's. The one before those two ends."""

    name = StrategyName.DUAL_PASSWORD
    needs = RetainsPassword

    engine: RetainsPassword

    def successor(self, current: Login, secret: Secret) -> Mapping[str, str]:  # noqa: ARG002 none
        return {}

    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        current.require_same(pending, current.username)
        pending = current.with_password_of(pending)
        try:
            self._retain(rotation, current, pending)
        except ValueRefused as error:
            refused = error
        else:
            return
        self.judge(rotation, refused, pending, current)

    def _retain(self, rotation: Rotation, current: Login, pending: Login) -> None:
        with ExitStack() as stack:
            own = self._sign_in(stack, rotation, current, pending)
            if own is None:
                return
            self.engine.require_patience(own)
            by = self._performer(stack, rotation, own)
            with self.engine.locked(by, current.username):
                if by is not own:
                    harmless_user(rotation, by, current.username, self.engine)
                # Not before the lock: another delivery may have been faster.
                if self._logs_in(rotation, pending):
                    rotation.say(IN_PLACE)
                else:
                    self.engine.retain_password(by, own, pending.password)

    def _sign_in(
        self, stack: ExitStack, rotation: Rotation, current: Login, pending: Login
    ) -> Session | None:
        """AWSCURRENT's session: it proves which password to retain, and whose user it is.

        None if AWSCURRENT is refused and AWSPENDING is not: there is nothing left to do.
        """
        try:
            return stack.enter_context(self.engine.session(current, rotation.deadline))
        except LoginRefused as error:
            refused = error
        if self._logs_in(rotation, pending):
            rotation.say(f"{IN_PLACE}, and AWSCURRENT does not log in", warning=True)
            return None
        raise LoginRefused(
            f"AWSCURRENT does not log in, so the rotation is abandoned: {refused.found}",
            "Store the password that works as AWSCURRENT (put-secret-value), then rotate again. Or"
            f" rotate once with ROTATION_STRATEGY={StrategyName.SINGLE_USER} (of a stack: its"
            " Strategy, by which the role may list versions), which searches older versions for"
            " it.",
        )

    def _performer(self, stack: ExitStack, rotation: Rotation, own: Session) -> Session:
        """Who sets the password: the user itself if it may, or if there is no admin."""
        if not rotation.current.get("masterarn") or self.engine.may_retain(own):
            return own
        return stack.enter_context(admin_session(rotation, own.login, self.engine))
