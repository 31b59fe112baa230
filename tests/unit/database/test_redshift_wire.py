"""The line that the driver is given: nothing is sent over any other."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redshift_connector.core import Connection
from redshift_connector.error import InterfaceError

from rotators.database import redshift_wire
from rotators.database.login import Login
from rotators.database.redshift import Redshift

LOGIN = Login("redshift", "127.0.0.1", 1, "dev", tls=False, username="app", password="secret")


def test_a_driver_that_went_back_to_its_own_lines_would_reach_nobody() -> None:
    parameters = redshift_wire._parameters(LOGIN)
    assert not Path(parameters["unix_sock"]).exists()
    assert not {"host", "port"} & parameters.keys()


def test_the_driver_takes_the_line_that_it_is_given() -> None:
    near, far = socket.socketpair()
    with closing(redshift_wire._Line(near)) as line, far:
        far.shutdown(socket.SHUT_WR)
        guarded: Any = redshift_wire._guarded(Connection)
        with pytest.raises(InterfaceError, match="server socket closed"):
            guarded(line, **redshift_wire._parameters(LOGIN))
        said = far.recv(4096)
    assert b"user\0app\0" in said
    assert b"secret" not in said


def test_the_engine_names_its_driver() -> None:
    assert Redshift.driver.module == "redshift_connector"
    assert Redshift.driver.extra == "redshift"
