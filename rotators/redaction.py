"""Secret values of this invocation, kept out of every log record and exception."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from rotators.secret import Secret

REDACTED = "[redacted]"

# Shorter texts of unknown meaning ("on", "7", "app") would blank out half of every log line.
# Passwords are hidden at any length.
_LEAST = 6

# What logging puts on each record by itself; the rest is somebody's extra.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Redactor(logging.Filter):
    """Replaces known secret values in text. As a filter, it does so in whole log records.

    One per invocation. Values are found as they are and as the usual layers show them: quoted for
    SQL, escaped for JSON, ``repr`` or a URL.
    """

    def __init__(self) -> None:
        super().__init__()
        self._shapes = {REDACTED}
        self._pattern = _pattern(self._shapes)

    def hide_secret(self, secret: Secret) -> None:
        """Hides what a secret's value holds, but for the keys that say where and who."""
        self.hide(text for text in secret.sensitive() if len(text) >= _LEAST)
        passwords = (secret[key] for key in secret if "password" in key.lower())
        self.hide(value for value in passwords if isinstance(value, str))

    def hide(self, values: Iterable[str]) -> None:
        """Hides these values from now on. Repeatable."""
        self._shapes |= {shape for value in values if value for shape in _shapes(value)}
        self._pattern = _pattern(self._shapes)

    def scrub(self, text: str) -> str:
        """``text`` without any hidden value."""
        return self._pattern.sub(REDACTED, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass, scrubbed: message, arguments, extras and traceback."""
        # A structured message (Powertools logs dicts) keeps its structure.
        record.msg = self._scrubbed(record.msg if not record.args else record.getMessage())
        record.args = None
        for key in set(record.__dict__) - _STANDARD:
            record.__dict__[key] = self._scrubbed(record.__dict__[key])
        if record.exc_info:
            record.exc_text = self.scrub("".join(traceback.format_exception(*record.exc_info)))
            record.exc_info = None
        return True

    def _scrubbed(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self._scrubbed(k): self._scrubbed(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._scrubbed(item) for item in value]
        return self.scrub(str(value))


def _pattern(shapes: Iterable[str]) -> re.Pattern[str]:
    # The longest first: a value may contain another. The placeholder is one of the shapes, so
    # that a value within it ("e") never takes it apart.
    return re.compile("|".join(map(re.escape, sorted(shapes, key=len, reverse=True))))


def _shapes(value: str) -> Iterator[str]:
    for text in (value, value.replace("'", "''")):
        slashed = text.replace("\\", "\\\\")
        yield from (text, slashed)
        yield slashed.replace("'", "\\'")
        yield slashed.replace("'", "\\'").replace('"', '\\"')
        yield text.replace("%", "%%")
        # Which quote repr escapes depends on the text around: as it is alone, and beside both.
        for show, start in ((repr, 1), (ascii, 1), (_repr_of_bytes, 2)):
            yield show(text)[start:-1]
            yield show(text + "'\"")[start:-4]
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield quote(text, safe="", errors="replace")
        yield quote_plus(text, errors="replace")


def _repr_of_bytes(text: str) -> str:
    return repr(text.encode(errors="surrogatepass"))
