"""pymssql, and what it takes to trust whom it talks to and to know what they said.

FreeTDS, which pymssql carries, verifies a server only where its configuration file says by which
authorities, and the file is named by an environment variable, FREETDSCONF, which belongs to the
whole process: it is set for the length of a connect, by one thread at a time, and put back.

After its first failed login, pymssql reports that login's number for every later failure, be it
another refusal or a dead network (``clr_err`` assigns to variables of its own). So the server's
messages are taken from DB-Library itself, whose handler is put before pymssql's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotators.database.sqlserver_errors import Message, unreachable
from rotators.errors import DriverMissing

if TYPE_CHECKING:
    from types import ModuleType

    from rotators.deadline import Deadline

_VARIABLE = "FREETDSCONF"
_ENCRYPTED = """[global]
tds version = 7.4
encryption = require
ca file = {ca}
check certificate hostname = yes
"""
# The password is not sent in clear even so, if the server can help it.
_PLAIN = """[global]
tds version = 7.4
encryption = request
"""
_environment = threading.Lock()
_heard = threading.local()
_directories: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


@contextmanager
def configured(ca: Path | None, deadline: Deadline, what: str) -> Iterator[None]:
    """FreeTDS trusts ``ca`` and nobody else, or, for None, asks nobody for anything."""
    if not _environment.acquire(timeout=deadline.remaining(what)):
        raise unreachable("another login of this process took all the time there was")
    try:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = str(_configuration(ca))
        try:
            yield
        finally:
            os.environ.pop(_VARIABLE)
            if before is not None:
                os.environ[_VARIABLE] = before
    finally:
        _environment.release()


@contextmanager
def listening(pymssql: ModuleType) -> Iterator[list[Message]]:
    """What the server says to this thread, in order."""
    _hear(pymssql.__name__)
    messages: list[Message] = []
    _heard.messages = messages
    try:
        yield messages
    finally:
        _heard.messages = None


@cache
def _configuration(ca: Path | None) -> Path:
    """The file, made once. The authorities are copied: a path could break FreeTDS's syntax."""
    directory = tempfile.TemporaryDirectory(prefix="rotators-", ignore_cleanup_errors=True)
    _directories.append(directory)
    file, copy = (Path(directory.name) / name for name in ("freetds.conf", "ca.pem"))
    file.touch(mode=0o600)
    if ca is not None:
        shutil.copyfile(ca, copy)
    file.write_text(_PLAIN if ca is None else _ENCRYPTED.format(ca=copy))
    return file


# DBPROCESS, number, state, severity, text, server, procedure, line
_HANDLER = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_int,
)


@cache
def _hear(driver: str) -> Any:  # noqa: ANN401 a C function, kept for as long as it may be called
    from importlib import import_module

    library = ctypes.CDLL(import_module(f"{driver}._mssql").__file__)
    try:
        install = library.dbmsghandle
    except AttributeError:
        raise DriverMissing(
            "this build of pymssql hides DB-Library, so that it cannot be known why a login fails",
            "Install the wheel of rotators[sqlserver].",
        ) from None
    install.restype = ctypes.c_void_p
    install.argtypes = [_HANDLER]
    following: list[Any] = []

    def handle(*said: Any) -> int:  # noqa: ANN401 as _HANDLER
        messages = getattr(_heard, "messages", None)
        if messages is not None:
            _, number, _, severity, text, *_ = said
            messages.append(Message(number, severity, (text or b"").decode(errors="replace")))
        return int(following[0](*said)) if following else 0

    handler = _HANDLER(handle)
    pymssqls = install(handler)
    if pymssqls:
        following.append(_HANDLER(pymssqls))
    return handler
