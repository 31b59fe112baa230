"""Password policies, and passwords drawn by them.

The choices are those of GetRandomPassword. The draw is local: a call less, no ``Resource: "*"``
permission, and the operating system's generator either way.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

from rotators.errors import InvalidSetting

# API:GetRandomPassword. PasswordLength 1..4096, default 32; ExcludeCharacters up to 4096.
LENGTHS = range(1, 4097)
DEFAULT_LENGTH = 32
MOST_EXCLUDED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPolicy:
    """What a new password consists of. ``exclude_characters`` None: what the engine says."""

    length: int = DEFAULT_LENGTH
    exclude_characters: str | None = None
    exclude_numbers: bool = False
    exclude_punctuation: bool = False
    exclude_uppercase: bool = False
    exclude_lowercase: bool = False
    require_each_included_type: bool = True

    def __post_init__(self) -> None:
        """Raises InvalidSetting for a policy that no password can meet, with any engine."""
        self._types("")

    def generate(self, engine_excludes: str) -> str:
        """A new password. A type of which every character is excluded counts as not included."""
        types = self._types(engine_excludes)
        required = [secrets.choice(t) for t in types] if self.require_each_included_type else []
        alphabet = "".join(types)
        characters = required + [
            secrets.choice(alphabet) for _ in range(self.length - len(required))
        ]
        secrets.SystemRandom().shuffle(characters)
        return "".join(characters)

    def _types(self, engine_excludes: str) -> list[str]:
        excluded = self.exclude_characters
        without = set(engine_excludes if excluded is None else excluded)
        included = (
            (string.ascii_lowercase, self.exclude_lowercase),
            (string.ascii_uppercase, self.exclude_uppercase),
            (string.digits, self.exclude_numbers),
            (string.punctuation, self.exclude_punctuation),
        )
        kept = ("".join(c for c in t if c not in without) for t, out in included if not out)
        types = [characters for characters in kept if characters]
        if not types:
            raise InvalidSetting(
                "the password settings (EXCLUDE_…) exclude every character",
                "Leave at least one of lowercase, uppercase, numbers and punctuation.",
            )
        if self.require_each_included_type and self.length < len(types):
            raise InvalidSetting(
                f"PASSWORD_LENGTH is {self.length}, but {len(types)} types are required",
                "Ask for a longer password, or set REQUIRE_EACH_INCLUDED_TYPE=false.",
            )
        return types
