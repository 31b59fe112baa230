"""The parameters of one request, checked as the service's model says (service-2.json of
2017-10-17).

Messages name the parameter and its limit, never what was given: it may be a secret value.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotators.testing._state.records import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 65_536
MOST_DAYS = 1_000
LEAST_RATE_HOURS = 4
MOST_RATE_HOURS = 999 * 24

_RATE = re.compile(r"rate\((\d+) (hour|day)s?\)")
# Minutes are 0 and the year is *: rotation windows start on the hour (UG:rotate-secrets_schedule).
_CRON = re.compile(r"cron\(0 \S+ \S+ \S+ \S+ \*\)")
_DURATION = re.compile(r"[1-9]\d?h")


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


@dataclass(frozen=True, slots=True)
class Parameters:
    """None for an absent parameter, InvalidParameterException for a bad one."""

    given: Mapping[str, object] = field(repr=False)

    def only(self, known: frozenset[str]) -> None:
        """Refuse what the simulator does not play, instead of leaving it out in silence."""
        unknown = sorted(self.given.keys() - known)
        if unknown:
            raise invalid(f"The simulator does not know the parameter {', '.join(unknown)}.")

    def text(
        self, name: str, least: int = 1, most: int = 2048, pattern: str = r"(?s).*"
    ) -> str | None:
        value = self.given.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(f"{name} must be a string.")
        if not least <= len(value) <= most:
            raise invalid(f"{name} must have {least} to {most} characters.")
        if not re.fullmatch(pattern, value):
            raise invalid(f"{name} must match the pattern {pattern}")
        return value

    def required(self, name: str, least: int = 1, most: int = 2048) -> str:
        value = self.text(name, least, most)
        if value is None:
            raise invalid(f"{name} is required.")
        return value

    def version_id(self, name: str) -> str | None:
        return self.text(name, 32, 64)

    def token(self) -> str:
        """ClientRequestToken, 32 to 64 characters. The SDK fills it in; the service demands it."""
        token = self.version_id("ClientRequestToken")
        if token is None:
            message = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
            raise ServiceError("InvalidRequestException", message)
        return token

    def rotation_token(self) -> str | None:
        return self.text("RotationToken", 36, 256, r"[a-zA-Z0-9\-]+")

    def number(self, name: str, least: int, most: int) -> int | None:
        value = self.given.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or not least <= value <= most:
            raise invalid(f"{name} must be a number from {least} to {most}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.given.get(name, default)
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false.")
        return value

    def texts(self, name: str, most: int, length: int) -> tuple[str, ...] | None:
        values = self.given.get(name)
        if values is None:
            return None
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            raise invalid(f"{name} must list 1 to {most} items.")
        if not all(isinstance(value, str) and 1 <= len(value) <= length for value in values):
            raise invalid(f"Each of {name} must have 1 to {length} characters.")
        return tuple(values)

    def value(self) -> str | bytes | None:
        """SecretString or SecretBinary, at most 65,536 bytes (UG:reference_limits)."""
        text, encoded = self.given.get("SecretString"), self.given.get("SecretBinary")
        if text is not None and encoded is not None:
            raise invalid("You can't specify both SecretString and SecretBinary.")
        if encoded is not None:
            return _within_limit("SecretBinary", _decoded(encoded))
        if text is None:
            return None
        if not isinstance(text, str):
            raise invalid("SecretString must be a string.")
        _within_limit("SecretString", text.encode())
        return text

    def tags(self) -> dict[str, str]:
        tags: dict[str, str] = {}
        listed = self.given.get("Tags") or []
        if not isinstance(listed, list):
            raise invalid("Tags must be a list.")
        for tag in listed:
            entry = Parameters(tag)
            tags[entry.required("Key", most=128)] = entry.text("Value", least=0, most=256) or ""
        return tags

    def rotation_rules(self) -> Mapping[str, object] | None:
        rules = self.given.get("RotationRules")
        if rules is None:
            return None
        if not isinstance(rules, dict):
            raise invalid("RotationRules must be a structure.")
        entry = Parameters(rules)
        entry.only(frozenset({"AutomaticallyAfterDays", "ScheduleExpression", "Duration"}))
        days = entry.number("AutomaticallyAfterDays", 1, MOST_DAYS)
        schedule = entry.text("ScheduleExpression", 1, 256)
        if (days is None) == (schedule is None):
            raise invalid(
                "RotationRules needs AutomaticallyAfterDays or ScheduleExpression, not both."
            )
        if schedule is not None and not _possible(schedule):
            raise invalid(
                "ScheduleExpression must be rate(4 hours) to rate(999 days), or cron(0 … *)."
            )
        if not _DURATION.fullmatch(entry.text("Duration", 2, 3) or "1h"):
            raise invalid("Duration must be hours, such as 3h.")
        return dict(rules)


def _possible(schedule: str) -> bool:
    rate = _RATE.fullmatch(schedule)
    if rate is None:
        return _CRON.fullmatch(schedule) is not None
    hours = int(rate[1]) * (24 if rate[2] == "day" else 1)
    return LEAST_RATE_HOURS <= hours <= MOST_RATE_HOURS


def _within_limit(name: str, value: bytes) -> bytes:
    if not 1 <= len(value) <= MOST_BYTES:
        raise invalid(f"{name} must have 1 to {MOST_BYTES} bytes.")
    return value


def _decoded(encoded: object) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=True)
    except binascii.Error:
        raise invalid("SecretBinary must be base64.") from None
