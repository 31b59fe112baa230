"""One call being served: what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.errors import RotationRejected, ValueNotReadable, VersionNotFound
from rotators.rotator import Rotation
from rotators.secret import Secret
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.dispatcher import Dispatcher
    from rotators.exchange import Exchange
    from rotators.redaction import Redactor
    from rotators.request import RotationRequest
    from rotators.rotator import Rotator, Say
    from rotators.versions import SecretMetadata, StoredValue

# A value just written may not be readable at once (aws/aws-sdk-js-v3 #7701).
READ_AGAIN_AFTER_SECONDS = (0.1, 0.3, 0.9)


def admit(metadata: SecretMetadata, version_id: str) -> bool:
    """Whether the version is being rotated in (True) or is AWSCURRENT already (False).

    Raises RotationRejected for every other version, and where rotation is off.
    """
    stages = metadata.stages.get(version_id, frozenset())
    if CURRENT in stages:
        return False
    if metadata.rotation_enabled is False:
        raise RotationRejected(
            "rotation is not enabled for this secret",
            "Enable it with rotate-secret. Leave an AWSPENDING label where it is: its value may"
            " be the one that works.",
        )
    if PENDING in stages:
        return True
    holder = metadata.holder(PENDING)
    now = f"AWSPENDING is on version {holder}" if holder else "no version is AWSPENDING"
    raise RotationRejected(
        f"version {version_id} is not being rotated in: its labels are"
        f" {sorted(stages) or 'none'}, and {now}",
        "Nothing was changed. This rotation was superseded or cancelled; start a new one.",
    )


class Call:
    """An event, and what a step of it asks Secrets Manager for."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        request: RotationRequest,
        deadline: Deadline,
        redactor: Redactor,
        say: Say,
    ) -> None:
        self.dispatcher = dispatcher
        self.versions = dispatcher.versions
        self.request = request
        self.deadline = deadline
        self.redactor = redactor
        self.say = say
        self.engine: str | None = None
        self.strategy: str | None = None
        self.arn = request.secret_id

    def _describe(self) -> SecretMetadata:
        self.deadline.remaining("DescribeSecret")
        self.metadata = self.versions.describe(self.request.secret_id)
        self.arn = self.metadata.arn
        return self.metadata

    def _admitted(self) -> bool:
        return admit(self._describe(), self.request.version_id)

    def _staged(self) -> StoredValue:
        self.deadline.remaining("GetSecretValue")
        return self.versions.get(
            self.request.secret_id, version_id=self.request.version_id, stage=PENDING
        )

    def _staged_surely(self) -> StoredValue | None:
        """The staged value, read again a few times; None if it has become AWSCURRENT meanwhile.

        Raises ValueNotReadable.
        """
        for pause in (*READ_AGAIN_AFTER_SECONDS, None):
            try:
                return self._staged()
            except VersionNotFound:
                if pause is not None:
                    self.dispatcher.sleep(pause)
        if not self._admitted():
            return None  # by another delivery of finishSecret
        raise ValueNotReadable(
            f"version {self.request.version_id} is AWSPENDING, but has no value",
            "createSecret has not stored one yet. Secrets Manager retries; if it does not,"
            " start the rotation again with rotate-secret.",
        )

    def _parse(self, stored: StoredValue) -> Secret:
        value = Secret.parse(stored.text)
        self.redactor.hide_secret(value)
        return value

    def _rotator(self, value: Secret) -> Rotator:
        engine = value.text("engine")
        rotator = self.dispatcher.registry.build(engine, self.dispatcher.settings)
        self.engine, self.strategy = engine, rotator.strategy
        return rotator

    def _rotation(self, pending: Secret | None, exchange: Exchange | None = None) -> Rotation:
        return Rotation(
            request=self.request,
            deadline=self.deadline,
            say=self.say,
            redactor=self.redactor,
            versions=self.versions,
            pending=pending,
            secret_arn=self.arn,
            exchange=exchange,
        )
