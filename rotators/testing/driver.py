"""Secrets Manager's part in a rotation, played step by step against a handler."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from rotators.testing._state.rotation import STEPS, LambdaContext, RotationIncompleteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotators.testing._state.rotation import Handler
    from rotators.testing.simulator import SecretsManagerSimulator

__all__ = ["STEPS", "LambdaContext", "RotationDriver", "RotationIncompleteError"]

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:rotator"


class RotationDriver:
    """Calls `handler(event, context)` as the service does, or as it does on a bad day.

    Every event carries the ARN of the secret and a RotationToken that the simulator accepts for the
    version. What the handler raises comes through, and is in `simulator.events` as well. Each
    invocation gets a `LambdaContext` that counts down from `seconds`. The driver is no client:
    nothing that it does appears in `simulator.calls`.
    """

    def __init__(
        self, simulator: SecretsManagerSimulator, handler: Handler, *, seconds: float = 30.0
    ) -> None:
        self._simulator = simulator
        self._handler = handler
        self._seconds = seconds
        self._rotations = simulator.rotations
        simulator.register_function(FUNCTION_ARN, handler)

    def start(self, secret_id: str, token: str | None = None) -> str:
        """Turn rotation on and stage the empty AWSPENDING version. Answers the token.

        Raises `ServiceError` InvalidRequestException while an earlier rotation is not complete.
        """
        token = token or str(uuid.uuid4())
        self._rotations.begin(secret_id, token, FUNCTION_ARN)
        return token

    def step(self, secret_id: str, token: str, step: str) -> None:
        """Deliver one event, whatever the state of the rotation."""
        self._invoke(self._rotations.event(secret_id, token, step))

    def rotate(self, secret_id: str, token: str | None = None) -> str:
        """A whole rotation. Answers the token.

        Raises what the first failing step raised, and `RotationIncompleteError` where all four
        returned but AWSCURRENT is not on the new version. A rotation that is cancelled or abandoned
        half-way ends quietly, as in AWS.
        """
        token = self.start(secret_id, token)
        self.retry(secret_id, token)
        return token

    def retry(self, secret_id: str, token: str) -> None:
        """All four steps from createSecret, with the same token: how the service retries."""
        self._rotations.run(self._simulator.secret(secret_id).arn, token, self._invoke)

    def replay(self, secret_id: str, token: str, step: str, deliveries: int = 2) -> None:
        """Deliver the very same event several times, one after the other."""
        event = self._rotations.event(secret_id, token, step)
        for _ in range(deliveries):
            self._invoke(event)

    def parallel(
        self, secret_id: str, token: str, step: str, deliveries: int = 2
    ) -> list[BaseException | None]:
        """Deliver the very same event several times at once.

        Answers what each delivery raised, None if nothing.
        """
        event = self._rotations.event(secret_id, token, step)
        gate = threading.Barrier(deliveries, timeout=30)

        def deliver() -> None:
            gate.wait()
            self._invoke(event)

        with ThreadPoolExecutor(max_workers=deliveries) as threads:
            running = [threads.submit(deliver) for _ in range(deliveries)]
        return [delivery.exception() for delivery in running]

    def test_only(self, secret_id: str, value: Literal["copy", "missing"] = "copy") -> str:
        """testSecret alone, as with RotateImmediately=false. Answers the token.

        The pending version is gone afterwards. Raises what the handler raised. Sets the simulator's
        `test_only_value`.
        """
        token = str(uuid.uuid4())
        self._simulator.test_only_value = value
        arn = self._rotations.begin(secret_id, token, FUNCTION_ARN, test=True)
        self._rotations.test(arn, token, self._invoke)
        return token

    def cancel(self, secret_id: str) -> None:
        """CancelRotateSecret: rotation is off, AWSPENDING stays where it is."""
        self._simulator.cancel_rotation(secret_id)

    def put_by_hand(self, secret_id: str, value: str | bytes | Mapping[str, object]) -> str:
        """A new AWSCURRENT by a person; an open rotation is abandoned.

        Answers the new version's id.
        """
        return self._simulator.put_by_hand(secret_id, value)

    def _invoke(self, event: Mapping[str, str]) -> None:
        context = LambdaContext(seconds=self._seconds, invoked_function_arn=FUNCTION_ARN)
        self._handler(dict(event), context)
