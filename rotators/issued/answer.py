"""What a provider said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rotators.errors import AnswerLost
from rotators.secret import PUBLIC_KEYS

# What providers explain a refusal by.
_WORDS = "error", "code", "error_description", "message", "detail"
_SHOWN = PUBLIC_KEYS.union(_WORDS, ("title", "type", "status", "label", "reason"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said; ``fields`` is empty where it was no JSON object."""

    status: int
    fields: Mapping[str, Any] = field(repr=False)
    # Before anything is cut short: the rest of a value would be known by nobody.
    scrub: Callable[[str], str] = field(default=str, repr=False, compare=False)

    def text(self, key: str) -> str:
        """The text under ``key``. Raises AnswerLost: an answer without it says nothing."""
        value = self.fields.get(key)
        if isinstance(value, str) and value:
            return value
        raise AnswerLost(
            f"the provider's answer (HTTP {self.status}) has no text {key!r}",
            "Secrets Manager will call again. If it stays so, the provider has changed its API.",
        )

    @property
    def said(self) -> str:
        """The provider's words about a refusal, for an error: status, code and sentence."""
        errors = self.fields.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else None
        details = first if isinstance(first, Mapping) else self.fields
        words = [self.scrub(str(details[key]))[:200] for key in _WORDS if details.get(key)]
        return ": ".join([f"HTTP {self.status}", *words]).rstrip(".")


def hidden(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of an answer must not be shown, at whatever depth it stands, under names of its own."""
    found: dict[str, Any] = {}
    # No recursion: JSON may nest deeper than Python calls.
    waiting: list[tuple[str, Any]] = list(fields.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        elif key not in _SHOWN:
            found[f"{key} {len(found)}"] = value
    return found
