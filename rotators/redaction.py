"""Secret values of this invocation, kept out of every log record, warning and exception."""

from __future__ import annotations

import json
import logging
import re
import threading
import traceback
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from rotators.secret import Secret

REDACTED = "[redacted]"

# Shorter texts of unknown meaning ("on", "7", "app") would blank out half of every log line.
# Passwords are hidden at any length.
_LEAST = 6

# What logging puts on each record by itself; the rest is somebody's extra.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Redactor:
    """Replaces known secret values in text, and in whole log records.

    One per invocation. Values are found as they are and as the usual layers show them: quoted for
    SQL, escaped for JSON or ``repr`` (or one within the other), in a URL, in base64.
    """

    def __init__(self) -> None:
        self._shapes = {REDACTED}
        self._pattern = _pattern(self._shapes)

    def hide_secret(self, secret: Secret) -> None:
        """Hides what a secret's value holds, but for the keys that say where and who."""
        long = (text for text in secret.sensitive() if len(text) >= _LEAST)
        self.hide([*long, *secret.passwords()])

    def hide(self, values: Iterable[str]) -> None:
        """Hides these values from now on. Repeatable."""
        self._shapes |= {shape for value in values if value for shape in _shapes(value)}
        self._pattern = _pattern(self._shapes)

    def scrub(self, text: str) -> str:
        """``text`` without any hidden value."""
        return self._pattern.sub(REDACTED, text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass, scrubbed: message, arguments, extras and traceback."""
        extras = set(record.__dict__) - _STANDARD
        try:
            self._scrub(record, extras)
        except Exception:  # noqa: BLE001 whoever logs what cannot be shown fails no rotation
            for key in extras:
                del record.__dict__[key]
            record.msg, record.args = "a log line that cannot be shown", None
            record.exc_info = record.exc_text = record.stack_info = None
        return True

    def _scrub(self, record: logging.LogRecord, extras: Iterable[str]) -> None:
        record.msg, record.args = self._scrubbed(_message(record)), None
        for key in extras:
            record.__dict__[key] = self._scrubbed(record.__dict__[key])
        if record.exc_info:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info))
            record.exc_info = None
        record.exc_text = record.exc_text and self.scrub(record.exc_text)
        record.stack_info = record.stack_info and self.scrub(record.stack_info)

    def _scrubbed(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {self._scrubbed(k): self._scrubbed(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._scrubbed(item) for item in value]
        return self.scrub(str(value))


def _message(record: logging.LogRecord) -> object:
    try:
        # A structured message (Powertools logs dicts) keeps its structure.
        return record.getMessage() if record.args else record.msg
    except Exception:  # noqa: BLE001 the arguments are not those that the message takes
        return f"{record.msg} {record.args}"


# The redactors of the steps that run now: one, but where several share a process.
_running: list[Redactor] = []
_lock = threading.Lock()
_undone = ExitStack()


@contextmanager
def scrubbing(redactor: Redactor) -> Iterator[None]:
    """Every log record and warning of the process, whoever gives it, passes ``redactor`` meanwhile.

    Whichever logger or handler it is for, and however late that was made. What another step hides
    is hidden as well.
    """
    with _lock:
        if not _running:
            _replace(logging.Logger, "callHandlers", _handling)
            _replace(warnings, "showwarning", _warning)
        _running.append(redactor)
    try:
        yield
    finally:
        with _lock:
            _running.remove(redactor)
            if not _running:
                _undone.close()


def _replace(owner: object, name: str, around: Callable[[Any], Any]) -> None:
    plain = getattr(owner, name)
    ours = around(plain)
    setattr(owner, name, ours)

    def undo() -> None:
        if getattr(owner, name) is ours:  # else somebody has put another around it
            setattr(owner, name, plain)

    _undone.callback(undo)


def _handling(plain: Callable[..., None]) -> Callable[..., None]:
    def handle(itself: logging.Logger, record: logging.LogRecord) -> None:
        for redactor in tuple(_running):
            redactor.filter(record)
        plain(itself, record)

    return handle


def _warning(plain: Callable[..., None]) -> Callable[..., None]:
    def show(message: Warning | str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 as plain's
        text = str(message)
        for redactor in tuple(_running):
            text = redactor.scrub(text)
        plain(text, *args, **kwargs)

    return show


def _pattern(shapes: Iterable[str]) -> re.Pattern[str]:
    # The longest first: a value may contain another. The placeholder is one of the shapes, so
    # that a value within it ("e") never takes it apart.
    return re.compile("|".join(map(re.escape, sorted(shapes, key=len, reverse=True))))


def _shapes(value: str) -> Iterator[str]:
    texts = (value, value.replace("'", "''"))
    once = {shape for text in texts for shape in _escaped(text)}
    yield from once
    for shape in once:
        yield from _escaped(shape)  # JSON within JSON, the repr of either
    for text in texts:
        for show in (quote, quote_plus):
            for safe in ("", "/"):
                shown = show(text, safe=safe, errors="replace")
                yield from (shown, re.sub("%..", lambda code: code[0].lower(), shown))
    yield from _in_base64(value.encode(errors="surrogatepass"))


def _escaped(text: str) -> Iterator[str]:
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


def _repr_of_bytes(text: str) -> str:
    return repr(text.encode(errors="surrogatepass"))


def _in_base64(value: bytes) -> Iterator[str]:
    alone = b64encode(value).decode()
    shapes = [alone]
    if len(value) >= _LEAST:
        shapes.append(alone.rstrip("="))
        # Within something longer (user:password): the characters that are the value's alone.
        for before, shared in enumerate((0, 2, 3)):
            code = b64encode(bytes(before) + value).decode()
            shapes.append(code[shared : (before + len(value)) * 8 // 6])
    for shape in shapes:
        yield from (shape, shape.replace("+", "-").replace("/", "_"))
