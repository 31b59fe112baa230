"""The four steps, each as the labels of its version admit it: see the dispatcher's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.errors import (
    RotationError,
    RotationRejected,
    ValueNotReadable,
    ValueRejected,
    VersionExists,
    VersionNotFound,
)
from rotators.request import Step
from rotators.rotator import Rotation
from rotators.secret import Secret
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.deadline import Deadline
    from rotators.dispatcher import Dispatcher
    from rotators.redaction import Redactor
    from rotators.request import RotationRequest
    from rotators.rotator import Rotator, Say
    from rotators.versions import SecretMetadata, StoredValue

# A value just written may not be readable at once (aws/aws-sdk-js-v3 #7701).
READ_AGAIN_AFTER_SECONDS = (0.1, 0.3, 0.9)

NOTHING_TO_DO = "nothing to do"


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


class Steps:
    """One call being served: ``play`` runs its step."""

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

    def play(self) -> str:
        step = {
            Step.CREATE: self.create,
            Step.SET: self.set,
            Step.TEST: self.test,
            Step.FINISH: self.finish,
        }[self.request.step]
        return step()

    def create(self) -> str:
        if not self._admitted():
            return NOTHING_TO_DO
        try:
            self._rotator(self._parse(self._staged()))
        except VersionNotFound:
            pass
        else:
            return "a value was staged already"
        rotation = self._rotation(None)
        value = self._rotator(rotation.current).create(rotation)
        self.redactor.hide_secret(value)
        request = self.request
        try:
            self.versions.put_pending(
                request.secret_id, request.version_id, value.to_json(), request.rotation_token
            )
        except VersionExists:
            # Another delivery of this step was faster. Its value counts, once it can be read.
            self._staged_surely()
            return "a value was staged by another delivery"
        return "staged a new value"

    def set(self) -> str:
        if not self._admitted():
            return NOTHING_TO_DO
        stored = self._staged_surely()
        if stored is None:
            return NOTHING_TO_DO
        pending = self._parse(stored)
        try:
            self._rotator(pending).set(self._rotation(pending))
        except ValueRejected:
            # The rotator proved that the value is not in place. While it stays AWSPENDING, every
            # retry would offer it again; the next rotation is to draw another.
            self._give_up()
            raise
        return "made the value valid"

    def _give_up(self) -> None:
        version = self.request.version_id
        try:
            self.versions.move_stage(self.request.secret_id, PENDING, remove_from=version)
        except RotationError:
            # Another delivery was faster, or the answer was lost.
            if PENDING in self._describe().stages.get(version, frozenset()):
                raise

    def test(self) -> str:
        try:
            stored = self._staged()
        except VersionNotFound:
            if not self._admitted():
                return NOTHING_TO_DO
            return self._test_again()
        if CURRENT in stored.stages:
            return NOTHING_TO_DO
        return self._test(self._parse(stored))

    def _test_again(self) -> str:
        try:
            stored = self._staged_surely()
        except ValueNotReadable:
            self.say("test-only: no value is staged, so AWSCURRENT's is tested")
            rotation = self._rotation(None)
            self._rotator(rotation.current).test(rotation)
            return "tested AWSCURRENT's value (test-only)"
        return NOTHING_TO_DO if stored is None else self._test(self._parse(stored))

    def _test(self, pending: Secret) -> str:
        self._rotator(pending).test(self._rotation(pending))
        return "tested the value"

    def finish(self) -> str:
        metadata = self._describe()
        version = self.request.version_id
        try:
            stored = self._staged_surely() if admit(metadata, version) else None
        except ValueNotReadable as error:
            raise RotationRejected(error.found, error.cure) from None
        if stored is None:
            value = self._rotation(None).current
            self._rotator(value).finish(self._rotation(value))
            return "finished again"
        pending = self._parse(stored)
        rotator = self._rotator(pending)
        self._promote(metadata.holder(CURRENT))
        rotator.finish(self._rotation(pending))
        return "promoted the value to AWSCURRENT"

    def _promote(self, current: str | None) -> None:
        version = self.request.version_id
        try:
            # AWSPENDING is left alone: Secrets Manager reads a separate removal as a failure
            # (UG:rotate-secrets_lambda-functions).
            self.versions.move_stage(
                self.request.secret_id, CURRENT, to=version, remove_from=current
            )
        except RotationError:
            # Refused, or the answer was lost: by now it may be what it should be.
            if CURRENT not in self._describe().stages.get(version, frozenset()):
                raise

    def _describe(self) -> SecretMetadata:
        self.deadline.remaining("DescribeSecret")
        metadata = self.versions.describe(self.request.secret_id)
        self.arn = metadata.arn
        return metadata

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

    def _rotation(self, pending: Secret | None) -> Rotation:
        return Rotation(
            request=self.request,
            deadline=self.deadline,
            say=self.say,
            redactor=self.redactor,
            versions=self.versions,
            pending=pending,
            secret_arn=self.arn,
        )
