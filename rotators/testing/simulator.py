"""A strict AWS Secrets Manager in memory, for tests of rotation functions.

It speaks AWS JSON 1.1 on a loopback port, so an unmodified boto3 talks to it, also from another
process. It follows the rules of the API reference and the User Guide that rotation depends on, and
refuses what it does not play. Only the standard library is needed.

    with SecretsManagerSimulator() as simulator:
        arn = simulator.create_secret("app/db", {"username": "app", "password": "…"})
        client = boto3.client("secretsmanager", endpoint_url=simulator.endpoint_url, …)
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from rotators.testing._state.controls import Call, Controls
from rotators.testing._state.operations import perform
from rotators.testing._state.records import CURRENT, SecretRecord, ServiceError
from rotators.testing._state.rotation import Rotations
from rotators.testing._state.store import ServiceEvent, Store, Switches
from rotators.testing._state.wire import Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType

    from rotators.testing._state.controls import Hook
    from rotators.testing._state.rotation import Handler

__all__ = ["Call", "SecretRecord", "SecretsManagerSimulator", "ServiceError", "ServiceEvent"]


class SecretsManagerSimulator(Switches):
    """Secrets Manager inside a `with` block, for any number of threads and processes.

    Switches, to be set at any time:

    - `rotation_token_required`: PutSecretValue for the version of a rotation needs a RotationToken
      that the service sent for it, as with an assumed role or a secret of another account.
    - `keep_pending_label`: AWSPENDING stays on the version that takes AWSCURRENT. Both ends exist
      in the wild.
    - `test_only_value`: with RotateImmediately=false the pending version is a "copy" of AWSCURRENT,
      or its value is "missing". AWS does not say which.
    - `rotate_in_background`: RotateSecret answers before it calls the function; leaving the context
      waits for it.

    To read: `calls` (every request over HTTP, in order), `events` (what the service would log),
    `labels`, `value`. Methods of this object are no requests: neither recorded, nor denied, nor
    failed. They raise `ServiceError`.
    """

    def __init__(self, *, region: str = "us-east-1", account: str = "123456789012") -> None:
        super().__init__()
        self._store = Store(self, region, account)
        self._controls = Controls(self._store)
        self._server: Server | None = None
        self._running: list[threading.Thread] = []
        self.rotations = Rotations(self._store)

    def __enter__(self) -> Self:
        self._server = Server(self._answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for thread in self._running:
            thread.join()
        if self._server is not None:
            self._server.stop()
        self._server = None

    @property
    def endpoint_url(self) -> str:
        """For `endpoint_url`, AWS_ENDPOINT_URL_SECRETS_MANAGER or SECRETS_MANAGER_ENDPOINT."""
        if self._server is None:
            raise RuntimeError("the simulator listens only inside its with block")
        return self._server.url

    # ── what a test reads ──

    @property
    def calls(self) -> list[Call]:
        return self._controls.calls

    @property
    def events(self) -> list[ServiceEvent]:
        return self._store.events

    def secret(self, secret_id: str) -> SecretRecord:
        """The secret as it is now: frozen, and its repr shows no value."""
        return self._store.find(secret_id)

    def labels(self, secret_id: str) -> dict[str, frozenset[str]]:
        """Version ids and their staging labels, without versions that have none."""
        return self.secret(secret_id).labelled()

    def value(
        self, secret_id: str, *, stage: str = CURRENT, version_id: str | None = None
    ) -> str | None:
        """A stored value, or None where there is no such version or it is empty.

        Binary values come in base64.
        """
        record = self.secret(secret_id)
        version = record.versions.get(version_id or record.labels.get(stage, ""))
        value = None if version is None else version.value
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    # ── what a test plans ──

    def create_secret(self, name: str, value: str | bytes | Mapping[str, object]) -> str:
        """A secret with a first version; a mapping is stored as JSON. Answers its ARN."""
        answer = self._perform("CreateSecret", {"Name": name, **_identified(value)})
        return str(answer["ARN"])

    def put_by_hand(self, secret_id: str, value: str | bytes | Mapping[str, object]) -> str:
        """PutSecretValue as a person does it: AWSCURRENT moves, an open rotation is abandoned.

        Answers the version.
        """
        answer = self._perform("PutSecretValue", {"SecretId": secret_id, **_identified(value)})
        return str(answer["VersionId"])

    def cancel_rotation(self, secret_id: str) -> None:
        """CancelRotateSecret: rotation is off, labels stay."""
        self._perform("CancelRotateSecret", {"SecretId": secret_id})

    def register_function(self, lambda_arn: str, handler: Handler) -> None:
        """Let RotateSecret call `handler(event, context)` for this ARN; it refuses other ARNs."""
        self.rotations.functions[lambda_arn] = handler

    def delay_reads(self, times: int) -> None:
        """Let the next reads of the version that was put last miss it, as a stale copy does."""
        self._store.stale_reads = times

    def deny(self, operation: str, secret: str | None = None) -> None:
        """Answer AccessDeniedException, for one secret or for all, until `allow` says the same."""
        self._controls.deny(operation, secret, denied=True)

    def allow(self, operation: str, secret: str | None = None) -> None:
        """Take back `deny`. Repeatable."""
        self._controls.deny(operation, secret, denied=False)

    def fail_next(self, operation: str, error_code: str, status: int = 400, times: int = 1) -> None:
        """Answer an error without any effect.

        The SDK repeats a 5xx or a throttled request by itself.
        """
        error = ServiceError(error_code, "Planned by the test.", status)
        self._controls.plan_failure(operation, error, times)

    def drop_next_answer(self, operation: str, times: int = 1) -> None:
        """Close the connection instead of answering; the effect stays.

        The SDK may repeat the request by itself.
        """
        self._controls.plan_drop(operation, times)

    def before(self, operation: str, hook: Hook, *, times: int | None = None) -> None:
        """Run `hook(call)` before each request (or the next `times`) has its effect.

        Hooks run without the lock, in the server's thread. A `ServiceError` that one raises becomes
        the answer.
        """
        self._controls.plan(operation, hook, times, after=False)

    def after(self, operation: str, hook: Hook, *, times: int | None = None) -> None:
        """As `before`, between the effect and the answer. Not run for a refused request."""
        self._controls.plan(operation, hook, times, after=True)

    def advance(self, by: timedelta) -> None:
        """Move the service's clock."""
        self._store.advanced += by.total_seconds()

    def now(self) -> float:
        """The service's clock, in seconds since 1970."""
        return self._store.now()

    # ── how a request is answered ──

    def _answer(
        self, operation: str, given: dict[str, object]
    ) -> tuple[int, dict[str, object]] | None:
        call = Call.of(operation, given)
        try:
            self._controls.arrived(call)
            reply = 200, self._perform(operation, given)
            self._controls.done(call)
        except ServiceError as error:
            reply = error.status, {"__type": error.code, "message": error.message}
        return None if self._controls.drops(operation) else reply

    def _perform(self, operation: str, given: dict[str, object]) -> dict[str, object]:
        answer, due = perform(self._store, self.rotations, operation, given)
        for job in due:
            self._start(job)
        return answer

    def _start(self, job: Callable[[], None]) -> None:
        if not self.rotate_in_background:
            job()
            return
        thread = threading.Thread(target=job)
        self._running.append(thread)
        thread.start()


def _identified(value: str | bytes | Mapping[str, object]) -> dict[str, object]:
    token = str(uuid.uuid4())
    if isinstance(value, bytes):
        return {"ClientRequestToken": token, "SecretBinary": base64.b64encode(value).decode()}
    text = json.dumps(dict(value)) if isinstance(value, Mapping) else value
    return {"ClientRequestToken": token, "SecretString": text}
