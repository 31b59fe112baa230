"""What every engine shares: sessions that are closed, and waits that end."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotators.database.engine import Engine, Session, cut_off
from rotators.database.login import Login
from rotators.deadline import Deadline
from rotators.errors import DeadlineExceeded, LoginRefused
from rotators.testing.memory import Memory, MemoryServer

LOGIN = Login("memory", "engine", 1, "memory", True, "app", "hunter2-hunter2")


class Closing(Memory):
    """Memory that counts what it closes."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[Session] = []

    def close(self, session: Session) -> None:
        self.closed.append(session)


@pytest.fixture
def server() -> Iterator[MemoryServer]:
    with MemoryServer("engine", {"app": "hunter2-hunter2"}) as server:
        yield server


def test_a_session_is_closed_at_its_end(server: MemoryServer) -> None:
    engine = Closing()
    with engine.session(LOGIN, Deadline.after(30)) as session:
        assert session.connection is server
        assert session.login is LOGIN
        assert engine.closed == []
    assert engine.closed == [session]


def test_a_session_is_closed_after_an_error_too(server: MemoryServer) -> None:
    engine = Closing()
    with pytest.raises(ZeroDivisionError), engine.session(LOGIN, Deadline.after(30)):
        raise ZeroDivisionError
    assert len(engine.closed) == 1


def test_a_login_that_failed_leaves_nothing_to_close(server: MemoryServer) -> None:
    engine = Closing()
    server.passwords.clear()
    with pytest.raises(LoginRefused), engine.session(LOGIN, Deadline.after(30)):
        pass
    assert engine.closed == []


def test_a_session_does_not_show_a_password(server: MemoryServer) -> None:
    with Memory().session(LOGIN, Deadline.after(30)) as session:
        assert "hunter2" not in repr(session)


def test_an_engine_needs_four_methods_and_keeps_the_bundle() -> None:
    assert Engine.__abstractmethods__ == {"open", "close", "set_password", "verify"}
    assert Memory().ca_bundle is None
    assert Memory(Path("/bundle.pem")).ca_bundle == Path("/bundle.pem")


# ── cut_off ──


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and the server's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 numbers, not paths


def test_a_silent_server_is_cut_off_when_time_is_up(
    line: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = line
    began = time.monotonic()
    with cut_off(ours.fileno(), Deadline(began + 0.1), "an answer"):
        assert ours.recv(1) == b""
    assert 0.05 < time.monotonic() - began < 5


def test_a_server_that_answers_in_time_is_left_alone(
    line: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = line
    with cut_off(ours.fileno(), Deadline(time.monotonic() + 1), "an answer"):
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
    time.sleep(1.1)
    theirs.sendall(b"y")
    assert ours.recv(1) == b"y"


def test_nothing_is_left_behind(line: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = line
    threads, files = threading.active_count(), open_files()
    with cut_off(ours.fileno(), Deadline.after(30), "an answer"):
        assert threading.active_count() == threads + 1
        # An interpreter that ends meanwhile does not wait for it.
        assert threading.enumerate()[-1].daemon
    with pytest.raises(KeyError), cut_off(ours.fileno(), Deadline.after(30), "an answer"):
        raise KeyError
    assert (threading.active_count(), open_files()) == (threads, files)


def test_a_connection_that_the_driver_closed_meanwhile_is_no_error(
    line: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = line
    with cut_off(ours.fileno(), Deadline(time.monotonic() + 0.05), "an answer"):
        ours.shutdown(socket.SHUT_RDWR)
        ours.close()
        theirs.close()
        time.sleep(0.15)


def test_a_number_that_belongs_to_another_connection_by_now_is_not_cut_off(
    line: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = line
    with cut_off(ours.fileno(), Deadline(time.monotonic() + 0.1), "an answer"):
        number = ours.fileno()
        ours.close()
        first, second = socket.socketpair()
        with first, second:
            assert number in {first.fileno(), second.fileno()}
            time.sleep(0.2)
            second.sendall(b"x")
            assert first.recv(1) == b"x"


def test_without_time_nothing_begins_and_nothing_is_left_open(
    line: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = line
    files = open_files()
    waiting = cut_off(ours.fileno(), Deadline.after(0), "an answer")
    with pytest.raises(DeadlineExceeded, match="used up before: an answer"), waiting:
        raise AssertionError("not reached")
    assert open_files() == files
    gc.collect()
