"""createSecret: draws a value, or has a provider make one, and stages it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rotators.call import Call
from rotators.errors import (
    ReauthorizationRequired,
    RotationError,
    ValueNotReadable,
    VersionExists,
    VersionNotFound,
)
from rotators.exchange import Exchange

if TYPE_CHECKING:
    from rotators.secret import Secret

# What cannot be made again is offered again, after pauses that double.
STORE_AGAIN_AFTER_SECONDS = 0.2

NOTHING_TO_DO = "nothing to do"
STAGED_ELSEWHERE = "a value was staged by another delivery"


class Creation(Call):
    """The step that stages AWSPENDING."""

    def create(self) -> str:
        looked = self.deadline.clock()
        if not self._admitted():
            return NOTHING_TO_DO
        exchange = Exchange(
            self.versions,
            self.metadata,
            self.request.version_id,
            self.deadline,
            self.say,
            looked=looked,
            clock=self.dispatcher.clock,
            sleep=self.dispatcher.sleep,
        )
        try:
            self._rotator(self._parse(self._staged()))
        except VersionNotFound:
            return self._create(exchange)
        if exchange.tries:  # by whoever staged it, and died
            exchange.end()
        return "a value was staged already"

    def _create(self, exchange: Exchange) -> str:
        rotation = self._rotation(None, exchange)
        rotator = self._rotator(rotation.current)
        try:
            value = rotator.create(rotation)
        except RotationError as error:
            if self._made_elsewhere(exchange, error):
                return STAGED_ELSEWHERE
            exchange.fail(error)
            raise
        self.redactor.hide_secret(value)
        if not self._stage(value, exchange):
            return STAGED_ELSEWHERE
        if exchange.begun or exchange.tries:
            exchange.end()
        return "staged a new value"

    def _stage(self, value: Secret, exchange: Exchange) -> bool:
        """Whether the value is staged; another delivery's may be.

        What a provider has made, only this process knows: it is offered to the end.
        """
        request = self.request
        pauses = self._pauses() if exchange.begun else iter(())
        while True:
            try:
                self.versions.put_pending(
                    request.secret_id, request.version_id, value.to_json(), request.rotation_token
                )
            except VersionExists:
                if exchange.unrepeatable:
                    raise _made_twice() from None
                # Another delivery of this step was faster. Its value counts, once it can be read.
                self._staged_surely()
                return False
            except RotationError:
                pause = next(pauses, None)
                if pause is None:
                    if exchange.begun:
                        exchange.lose()
                    raise
                self.dispatcher.sleep(pause)
            else:
                return True

    def _pauses(self) -> Iterator[float]:
        pause = STORE_AGAIN_AFTER_SECONDS
        while pause < self.deadline.at - self.deadline.clock():
            yield pause
            pause *= 2

    def _made_elsewhere(self, exchange: Exchange, error: RotationError) -> bool:
        """Whether another delivery has been at the provider, and has staged its answer."""
        overtaken = isinstance(error, ValueNotReadable)
        if not (overtaken or exchange.begun or exchange.tries):
            return False
        try:
            self._staged_surely()
        except RotationError:
            return False
        return True


def _made_twice() -> ReauthorizationRequired:
    # The mark stays for the next try, which finds the staged value and takes the mark away.
    return ReauthorizationRequired(
        "the provider has made a value for this delivery of createSecret and one for another, whose"
        " is staged: this one's could not be stored beside it, and is lost",
        "The staged value counts: Secrets Manager goes on with it at the next call, and testSecret"
        " shows whether the provider takes it. If it does not, or the next rotation says that it is"
        " used up, a person has to authorise anew and store what the provider answers"
        " (put-secret-value).",
    )
