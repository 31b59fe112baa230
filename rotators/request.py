"""The event that Secrets Manager sends, validated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rotators.errors import InvalidEvent

_ROTATION_TOKEN = re.compile(r"[a-zA-Z0-9-]{36,256}")


class Step(StrEnum):
    """The four steps of a rotation, in the order in which Secrets Manager calls them."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """One step of one rotation.

    ``version_id`` is the event's ClientRequestToken: the id of the version that is rotated in.
    ``rotation_token`` is passed on to PutSecretValue; it is sensitive and never shown. It is
    optional, because events older than 2025 and hand-made ones lack it.
    """

    step: Step
    secret_id: str
    version_id: str
    rotation_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_event(cls, event: object) -> RotationRequest:
        """Reads the event. Raises InvalidEvent for anything that Secrets Manager does not send."""
        if not isinstance(event, Mapping):
            raise InvalidEvent(
                f"the event is {_kind(event)}, not a JSON object",
                "Send Step, SecretId and ClientRequestToken, as in events/create_secret.json.",
            )
        secret_id = _text(event, "SecretId", 1, 2048)
        try:
            return cls(
                step=_step(event),
                secret_id=secret_id,
                version_id=_text(event, "ClientRequestToken", 32, 64),
                rotation_token=_rotation_token(event.get("RotationToken")),
            )
        except InvalidEvent as error:
            raise error.about(secret=secret_id) from None


def _text(event: Mapping[object, object], key: str, least: int, most: int) -> str:
    value = event.get(key)
    if isinstance(value, str) and least <= len(value) <= most:
        return value
    if isinstance(value, str):
        found = f"{key} has {len(value)} characters"
    else:
        found = f"{key} is {_kind(value)}"
    raise InvalidEvent(
        f"{found}; Secrets Manager sends text of {least} to {most} characters",
        "Send the event as Secrets Manager does; events/ has examples.",
    )


def _step(event: Mapping[object, object]) -> Step:
    value = event.get("Step")
    for step in Step:
        if value == step.value:
            return step
    shown = repr(value[:40]) if isinstance(value, str) else _kind(value)
    raise InvalidEvent(f"Step is {shown}", f"Send one of {', '.join(Step)}: case matters.")


def _rotation_token(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and _ROTATION_TOKEN.fullmatch(value):
        return value
    raise InvalidEvent(
        "RotationToken is not 36 to 256 letters, digits and hyphens (its value is not shown)",
        "Send it as Secrets Manager did, or leave it out of a hand-made event.",
    )


def _kind(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
