"""The four steps, each as the labels of its version admit it: see the dispatcher's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.call import admit
from rotators.creation import NOTHING_TO_DO, Creation
from rotators.errors import (
    RotationError,
    RotationRejected,
    ValueNotReadable,
    ValueRejected,
    VersionNotFound,
)
from rotators.request import Step
from rotators.versions import CURRENT, PENDING

if TYPE_CHECKING:
    from rotators.secret import Secret


class Steps(Creation):
    """All of them: ``play`` runs the event's."""

    def play(self) -> str:
        step = {
            Step.CREATE: self.create,
            Step.SET: self.set,
            Step.TEST: self.test,
            Step.FINISH: self.finish,
        }[self.request.step]
        return step()

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
