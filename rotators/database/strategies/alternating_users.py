"""Two users that take turns: the one that applications use is never touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.database.admin import admin_session, require_harmless
from rotators.database.login import Login
from rotators.database.strategies.base import MOST_REFUSED, Strategy
from rotators.database.users import ClonesUsers, Mark, Pair
from rotators.errors import (
    AccessDenied,
    AccountLocked,
    ForbiddenTarget,
    LoginRefused,
    MisconfiguredSecret,
    PermissionMissing,
    ValueRefused,
)
from rotators.settings import StrategyName

if TYPE_CHECKING:
    from rotators.database.engine import Session
    from rotators.rotator import Rotation
    from rotators.secret import Secret


class AlternatingUsers(Strategy):
    """An admin gives the other user of the pair a new password; AWSCURRENT's keeps working."""

    name = StrategyName.ALTERNATING_USERS
    needs = ClonesUsers

    engine: ClonesUsers

    def successor(self, current: Login, secret: Secret) -> Mapping[str, str]:
        secret.text("masterarn")
        return {"username": self._pair(current).target}

    def apply(self, rotation: Rotation, current: Login, pending: Login) -> None:
        if pending == current:
            return  # another delivery has promoted it since the labels were looked at
        pair = self._pair(current)
        current.require_same(pending, pair.target)
        self._require_current(rotation, current)
        try:
            self._provide(rotation, pair, current, pending)
        except ValueRefused as error:
            refused = error
        else:
            return
        self.judge(rotation, refused, pending, current)

    def _provide(self, rotation: Rotation, pair: Pair, current: Login, pending: Login) -> None:
        mark = Mark(rotation.secret_arn, pair.users)
        with (
            admin_session(rotation, current, self.engine) as session,
            self.engine.locked(session, pair.base),
        ):
            self._require_ownership(rotation, session, pair, mark, current)
            warnings = self.engine.provide(
                session, pair, mark, pending.password, provisioned=self.settings.provisioned
            )
        for warning in warnings:
            rotation.say(warning, warning=True)

    def prove(self, rotation: Rotation, login: Login) -> None:
        current = Login.of(rotation.current, type(self.engine))
        if login.username == current.username:
            # An attach that only tests: there may be no alternate yet.
            super().prove(rotation, login)
            return
        pair = self._pair(current)
        current.require_same(login, pair.target)
        with self.session_to_test(rotation, login) as session:
            try:
                lacking = self._lacking(session, pair, current)
            except LoginRefused as error:
                raise _abandoned(error) from None
        if lacking:
            raise PermissionMissing(
                f"{login.username!r} may not do what {current.username!r} may: "
                + "; ".join(lacking),
                "Applications go on with AWSCURRENT. Run the statements, or revoke what the base"
                " user is not to have; Secrets Manager then retries.",
            )

    def _lacking(self, session: Session, pair: Pair, current: Login) -> list[str]:
        lacking = self.engine.compare(session, pair, current)
        if lacking and self.settings.provisioned:
            # Made by hand, they may be equals (members of one group) instead of base and clone.
            equals = Pair(pair.target, current.username, pair.target)
            lacking = lacking if self.engine.compare(session, equals, current) else []
        return lacking

    def _pair(self, current: Login) -> Pair:
        limit, most = self.engine.username_limit, self.settings.username_character_limit
        if most is not None and limit.unit == "characters":
            limit = replace(limit, most=min(most, limit.most))
        return Pair.following(current.username, self.engine.suffix, limit)

    def _require_current(self, rotation: Rotation, current: Login) -> None:
        """Whoever rewrites a secret has to know a password of the user it names."""
        try:
            with self.engine.session(current, rotation.deadline) as session:
                self.engine.identify(session)
        except LoginRefused as error:
            raise _abandoned(error) from None

    def _require_ownership(
        self, rotation: Rotation, admin: Session, pair: Pair, mark: Mark, current: Login
    ) -> None:
        """Raises ForbiddenTarget unless both users may be touched, and the target is ours."""
        base, alternate = (self.engine.look(admin, name) for name in pair.users)
        if base is None:
            raise MisconfiguredSecret(
                f"there is no user {pair.base!r}, whose alternate {pair.alternate!r} would be",
                "Store the base user's login as AWSCURRENT.",
            )
        for user in filter(None, (base, alternate)):
            require_harmless(user, mark.secret_arn)
        target = base if pair.target == pair.base else alternate
        if target is None:
            return  # it will be made, as the alternate of the user that just logged in
        if (target.mark == mark and target.mark_proves) or self.settings.admin_reset:
            return
        notes: list[str] = []
        named = replace(current, username=pair.target)
        if not self._was_ours(rotation, named, notes, marked=target.mark == mark):
            raise ForbiddenTarget(
                f"user {pair.target!r} exists, and nothing proves that it belongs to this secret:"
                " it has no mark of it, and no stored version logs in as it" + "".join(notes),
                "Rename one of the two, or drop it if nobody uses it. If it is this secret's, set"
                " ROTATION_ADMIN_RESET=true on the function for one rotation.",
            )

    def _was_ours(
        self, rotation: Rotation, target: Login, notes: list[str], *, marked: bool
    ) -> bool:
        """Whether a stored version of this secret logs in as that user now; it lends a password."""
        tried: set[str] = set()
        try:
            for login in self._stored(rotation):
                if not target.same_account(login) or login.password in tried:
                    continue
                tried.add(login.password)
                try:
                    named = target.with_password_of(login)
                    if self._lets_in(rotation, named, notes, marked=marked):
                        return True
                except LoginRefused:
                    if len(tried) == MOST_REFUSED:
                        break
        except AccessDenied as error:
            notes.append(f"; older versions were not searched: {error.found}")
        return False

    def _lets_in(self, rotation: Rotation, login: Login, notes: list[str], *, marked: bool) -> bool:
        """Whether the server lets in the very user of the login. Raises LoginRefused."""
        with self.engine.session(login, rotation.deadline) as session:
            try:
                self.engine.identify(session)
            except PermissionMissing:
                return True  # of an alternate half made, which has not been given its rights
            except AccountLocked as error:
                # Somebody's, whose password has expired: a mark says whose.
                if not marked:
                    notes.append(f"; {error.found}")
                return marked
        return True

    def _stored(self, rotation: Rotation) -> Iterator[Login]:
        yield from self.readable(rotation.previous)
        yield from self.readable(rotation.staged)
        yield from self.unlabelled(rotation)


def _abandoned(refused: LoginRefused) -> LoginRefused:
    return LoginRefused(
        f"AWSCURRENT does not log in, so the rotation is abandoned: {refused.found}",
        "Store the password that works as AWSCURRENT (put-secret-value), then rotate again.",
    )
