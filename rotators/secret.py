"""A secret's value: a JSON object, of which most is somebody else's business."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from rotators.errors import MisconfiguredSecret

# What may be shown of a secret: the keys that say where and who (facts of AWS's secret formats).
PUBLIC_KEYS = frozenset(
    {
        "engine", "host", "port", "username", "dbname", "ssl", "masterarn",
        "dbInstanceIdentifier", "dbClusterIdentifier", "namespaceName",
        "expires_at", "scope", "token_type",
    }
)  # fmt: skip

_CURE = "Store a JSON object as AWS documents it for this engine, such as {}.".format(
    '{"engine": "postgres", "host": "…", "username": "…", "password": "…"}'
)


class Secret(Mapping[str, Any]):
    """An immutable value. Keys keep their order, unknown ones included; nothing is ever shown."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = dict(fields)

    @classmethod
    def parse(cls, text: str | None) -> Secret:
        """Reads SecretString; None stands for a binary secret. Raises MisconfiguredSecret."""
        if text is None:
            raise MisconfiguredSecret("the secret's value is binary", _CURE)
        try:
            fields = json.loads(
                text, object_pairs_hook=_unique, parse_float=_exact, parse_constant=_exact
            )
            # A lone surrogate, escaped or not, could be read, but never be stored again.
            json.dumps(fields, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            fields = text
        if isinstance(fields, dict):
            _require_exact(fields)
            return cls(fields)
        found = "is not JSON" if fields is text else f"is JSON, but a {type(fields).__name__}"
        raise MisconfiguredSecret(f"the secret's value {found}, not an object", _CURE)

    def replace(self, **fields: object) -> Secret:
        """The same secret with some fields replaced where they stand."""
        return Secret({**self._fields, **fields})

    def text(self, key: str) -> str:
        """The text under ``key``. Raises MisconfiguredSecret if there is none."""
        value = self._fields.get(key)
        if isinstance(value, str) and value:
            return value
        found = "is missing" if value is None else "is empty" if value == "" else "is no text"
        raise MisconfiguredSecret(f"the secret's {key!r} {found}", f"Store {key!r} as text.")

    def to_json(self) -> str:
        """The value as Secrets Manager stores it."""
        return json.dumps(self._fields, ensure_ascii=False)

    def sensitive(self) -> Iterator[str]:
        """Every text in it that must not be shown: all but the values of PUBLIC_KEYS."""
        for key, value in self._fields.items():
            if key not in PUBLIC_KEYS:
                yield from (str(leaf) for leaf, _ in _leaves(value))

    def passwords(self) -> Iterator[str]:
        """Every text in it under a key that says "password", at any depth."""
        for leaf, named in _leaves(self._fields):
            if named and isinstance(leaf, str):
                yield leaf

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 JSON has no better type
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Secret({len(self._fields)} keys)"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    # Which of the two counts differs from reader to reader, so an application might see another
    # host or user than the one that is rotated.
    raise MisconfiguredSecret("the secret's value has a key twice", "Store every key once.")


def _exact(number: str) -> float:
    """The number; NaN for one that would be written back as another."""
    read = float(number)
    try:
        same = math.isfinite(read) and Decimal(repr(read)) == Decimal(number)
    except InvalidOperation:  # an exponent beyond all bounds
        same = False
    return read if same else math.nan


def _require_exact(fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        if any(leaf != leaf for leaf, _ in _leaves(value)):  # noqa: PLR0124 NaN alone is not itself
            raise MisconfiguredSecret(
                f"the secret's value has under {key!r} a number that cannot be stored again as it"
                " is: it has too many digits, or is none of JSON's",
                f"Store {key!r} as text, or with 15 digits at most.",
            )


def _leaves(value: object) -> Iterator[tuple[str | float, bool]]:
    """Texts and numbers, each with whether a key above it says "password"."""
    # No recursion: JSON may nest deeper than Python calls.
    waiting = [(value, False)]
    while waiting:
        item, named = waiting.pop()
        if isinstance(item, Mapping):
            waiting += [(one, named or "password" in key.lower()) for key, one in item.items()]
        elif isinstance(item, list):
            waiting += [(one, named) for one in item]
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            yield item, named
