"""The service's own part in a rotation: it stages a version, calls the function, and judges the
end.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from rotators.testing._state.records import (
    CURRENT,
    EXISTS,
    PENDING,
    SecretRecord,
    ServiceError,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotators.testing._state.parameters import Parameters
    from rotators.testing._state.store import Store

    Invoke = Callable[[dict[str, str]], object]
    Handler = Callable[[dict[str, str], "LambdaContext"], object]

STEPS: Final = ("createSecret", "setSecret", "testSecret", "finishSecret")
TEST_STEP: Final = "testSecret"

INCOMPLETE = "A previous rotation isn't complete. That rotation will be reattempted."
NO_FUNCTION = (
    "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN "
    "configured and you "
    "didn't include such an ARN as a parameter in this call."
)
NOT_INVOKABLE = (
    "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy "
    "grants access to "
    "the principal secretsmanager.amazonaws.com."
)


class RotationIncompleteError(RuntimeError):
    """All four steps returned, but AWSCURRENT is not on the version that they made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaContext:
    """The second argument of a Lambda handler; its time runs down from `seconds`, starting now."""

    seconds: float = 30.0
    function_name: str = "rotator"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:rotator"
    memory_limit_in_mb: int = 256
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Never below 0, as in Lambda."""
        left = self.started + self.seconds - time.monotonic()
        return max(0, int(left * 1000))


@dataclass(slots=True)
class Rotations:
    """Stages versions and calls functions.

    `functions` maps the ARN of a function to its handler.
    """

    store: Store
    functions: dict[str, Handler] = field(default_factory=dict)

    def begin(self, secret_id: str, token: str, lambda_arn: str, *, test: bool = False) -> str:
        """Turn rotation on and stage the version that the function will fill. Answers the ARN.

        The version comes first and empty (API:DescribeSecret); for a test
        `Switches.test_only_value` decides. Raises `ServiceError`: InvalidRequestException while
        AWSPENDING is on a version other than AWSCURRENT's, ResourceExistsException for a token that
        is a version already.
        """
        store = self.store
        with store.lock:
            record = store.live(secret_id)
            if record.stuck:
                raise ServiceError("InvalidRequestException", INCOMPLETE)
            if token in record.versions:
                raise ServiceError("ResourceExistsException", EXISTS)
            current = record.versions.get(record.labels.get(CURRENT, ""))
            copied = test and store.switches.test_only_value == "copy"
            value = current.value if current is not None and copied else None
            record = record.with_version(Version(token, store.now(), value))
            record = record.with_label(PENDING, token)
            store.save(
                replace(record, rotating=token, lambda_arn=lambda_arn, rotation_enabled=True)
            )
            store.fresh.pop(record.arn, None)
            store.log("TestRotationStarted" if test else "RotationStarted", record.arn, token)
            return record.arn

    def event(self, arn: str, token: str, step: str) -> dict[str, str]:
        """The event of one step; PutSecretValue accepts its RotationToken for this version."""
        rotation_token = str(uuid.uuid4())
        with self.store.lock:
            record = self.store.find(arn)
            issued = record.rotation_tokens.get(token, frozenset()) | {rotation_token}
            tokens = {**record.rotation_tokens, token: issued}
            self.store.secrets[record.arn] = replace(record, rotation_tokens=tokens)
        return {
            "Step": step,
            "SecretId": record.arn,
            "ClientRequestToken": token,
            "RotationToken": rotation_token,
        }

    def run(self, arn: str, token: str, call: Invoke) -> None:
        """The four steps in order, without holding the lock.

        Stops where a step fails, and quietly where the rotation is cancelled or abandoned.
        Raises what the function raised, or `RotationIncompleteError`; both are logged as
        RotationFailed.
        """
        opened = self._open(arn, token)
        for step in STEPS:
            if opened and not self._open(arn, token):
                return
            self._call(arn, token, step, call, "RotationFailed")
        if opened and self._open(arn, token):
            self._judge(arn, token)

    def test(self, arn: str, token: str, call: Invoke) -> None:
        """testSecret alone; its version is removed afterwards (API:RotateSecret)."""
        try:
            self._call(arn, token, TEST_STEP, call, "TestRotationFailed")
            self.store.log("TestRotationSucceeded", arn, token)
        finally:
            with self.store.lock:
                record = self.store.lookup(arn)
                if record is not None:
                    self.store.save(replace(record.without_version(token), rotating=None))

    def _open(self, arn: str, token: str) -> bool:
        record = self.store.lookup(arn)
        return record is not None and record.rotating == token

    def _call(
        self,
        arn: str,
        token: str,
        step: str,
        call: Invoke,
        failure: str,
    ) -> None:
        try:
            call(self.event(arn, token, step))
        except BaseException:
            function = self.store.find(arn).lambda_arn
            message = f"Error when executing lambda {function} during {step} step"
            self.store.log(failure, arn, token, message)
            raise

    def _judge(self, arn: str, token: str) -> None:
        """Success: AWSCURRENT moved, AWSPENDING is with it or nowhere (API:RotateSecret)."""
        with self.store.lock:
            record = self.store.find(arn)
            if record.labels.get(CURRENT) == token and not record.stuck:
                self.store.save(replace(record, rotated=self.store.now()))
                self.store.log("RotationSucceeded", arn, token)
                return
            message = f"AWSCURRENT is not on version {token}"
            self.store.log("RotationFailed", arn, token, message)
        raise RotationIncompleteError(message)

    def rotate_secret(self, store: Store, parameters: Parameters) -> dict[str, object]:
        """Configure and begin; the function is called once the lock is free (API:RotateSecret)."""
        record = store.live(parameters.required("SecretId"))
        token = parameters.token()
        rules = parameters.rotation_rules()
        immediately = parameters.flag("RotateImmediately", default=True)
        lambda_arn = parameters.text("RotationLambdaARN", 0, 2048) or record.lambda_arn
        if lambda_arn is None:
            raise ServiceError("InvalidRequestException", NO_FUNCTION)
        if lambda_arn not in self.functions:
            raise ServiceError("AccessDeniedException", NOT_INVOKABLE)
        if record.stuck:
            raise ServiceError("InvalidRequestException", INCOMPLETE)
        if token not in record.versions:
            store.due.append(self._begun(record, token, lambda_arn, immediately=immediately))
        self._configure(record.arn, rules)
        return {"ARN": record.arn, "Name": record.name, "VersionId": token}

    def _begun(
        self, record: SecretRecord, token: str, lambda_arn: str, *, immediately: bool
    ) -> Callable[[], None]:
        self.begin(record.arn, token, lambda_arn, test=not immediately)
        play = self.run if immediately else self.test
        return partial(self._play, partial(play, record.arn, token), lambda_arn)

    def _configure(self, arn: str, rules: object) -> None:
        if isinstance(rules, dict):
            self.store.save(replace(self.store.find(arn), rotation_rules=rules))

    def _play(self, play: Callable[[Invoke], None], lambda_arn: str) -> None:
        # RotateSecret answers success all the same: it is asynchronous, and the event tells.
        with contextlib.suppress(BaseException):
            handler = self.functions[lambda_arn]
            play(lambda event: handler(event, LambdaContext(invoked_function_arn=lambda_arn)))

    def cancel_rotate_secret(self, store: Store, parameters: Parameters) -> dict[str, object]:
        """Turn rotation off and leave every label where it is (API:CancelRotateSecret)."""
        record = store.live(parameters.required("SecretId"))
        store.save(replace(record, rotation_enabled=False, rotating=None))
        answer: dict[str, object] = {"ARN": record.arn, "Name": record.name}
        return {**answer, "VersionId": record.rotating} if record.in_rotation else answer
