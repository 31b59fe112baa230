"""The way from a container to this machine's loopback addresses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from rotators.cli import function_relay
from rotators.cli.function_relay import Relay

# This machine's, and not the one that the listener has.
GATEWAY = "127.0.0.2"
SECONDS = 10
pytestmark = pytest.mark.allow_hosts(["127.0.0.1", GATEWAY])


class Echo(StreamRequestHandler):
    """Hears all that there is to hear, and says it twice."""

    def handle(self) -> None:
        heard = self.rfile.read()
        self.wfile.write(heard + heard)


class Silent(StreamRequestHandler):
    """Waits for the other end to hang up."""

    def handle(self) -> None:
        self.rfile.read()


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[int]:
    with ThreadingTCPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def connected(relay: Relay) -> socket.socket:
    return socket.create_connection((GATEWAY, relay.port), timeout=SECONDS)


def heard(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as file:
        return file.read()


@pytest.mark.parametrize("listener", [Echo], indirect=True)
def test_both_ends_hear_all_that_the_other_says(listener: int) -> None:
    said = b"x" * 1_000_000
    with Relay(GATEWAY, listener) as relay, connected(relay) as one, connected(relay) as other:
        for connection in (one, other):
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
        assert [heard(connection) for connection in (other, one)] == [said * 2] * 2


@pytest.mark.parametrize("listener", [Silent], indirect=True)
def test_it_listens_on_the_one_address_and_its_end_is_every_connections(listener: int) -> None:
    with Relay(GATEWAY, listener) as relay, connected(relay) as connection:
        assert relay.socket.getsockname()[0] == GATEWAY
        with Relay(GATEWAY, listener) as other:
            assert other.port != relay.port
        relay.__exit__()
        assert heard(connection) == b""
        with pytest.raises(ConnectionRefusedError):
            connected(relay)


@pytest.mark.parametrize("listener", [Silent], indirect=True)
def test_what_comes_beyond_its_places_is_closed(
    listener: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_relay, "_AT_ONCE", 1)
    with Relay(GATEWAY, listener) as relay, connected(relay), connected(relay) as second:
        assert heard(second) == b""


def test_where_nothing_listens_it_hangs_up_and_says_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Relay(GATEWAY, taken.getsockname()[1]) as relay, connected(relay) as connection:
            assert heard(connection) == b""
    assert capfd.readouterr() == ("", "")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        Relay("192.0.2.1", 1)
