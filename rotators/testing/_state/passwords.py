"""GetRandomPassword."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from rotators.testing._state.parameters import invalid

if TYPE_CHECKING:
    from rotators.testing._state.parameters import Parameters

MOST_CHARACTERS = 4096

_TYPES = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}


def random_password(parameters: Parameters) -> dict[str, object]:
    """32 characters, one of every included type unless told otherwise (API:GetRandomPassword).

    Raises InvalidParameterException where no character is left, or where the length has no room for
    one of each type. A type whose characters are all in ExcludeCharacters counts as excluded.
    """
    length = parameters.number("PasswordLength", 1, MOST_CHARACTERS)
    length = 32 if length is None else length
    excluded = parameters.text("ExcludeCharacters", 0, MOST_CHARACTERS) or ""
    kinds = [kind for name, kind in _TYPES.items() if not parameters.flag(name)]
    kinds += [" "] if parameters.flag("IncludeSpace") else []
    kinds = [
        "".join(character for character in kind if character not in excluded) for kind in kinds
    ]
    kinds = [kind for kind in kinds if kind]
    if not kinds:
        raise invalid("The password needs at least one character that is not excluded.")
    demanded = kinds if parameters.flag("RequireEachIncludedType", default=True) else []
    if length < len(demanded):
        raise invalid("Password length is too short based on the required types.")
    alphabet = "".join(kinds)
    characters = [secrets.choice(kind) for kind in demanded]
    characters += [secrets.choice(alphabet) for _ in range(length - len(demanded))]
    secrets.SystemRandom().shuffle(characters)
    return {"RandomPassword": "".join(characters)}
