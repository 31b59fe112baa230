"""What a provider said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rotators.errors import AnswerLost


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
        keys = "error", "code", "error_description", "message", "detail"
        words = [self.scrub(str(details[key]))[:200] for key in keys if details.get(key)]
        return ": ".join([f"HTTP {self.status}", *words]).rstrip(".")
