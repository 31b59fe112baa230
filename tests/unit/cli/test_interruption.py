"""What ends a command from outside."""

from __future__ import annotations

import os
import signal

import pytest

from rotators.cli.interruption import stopping_on_sigterm


def test_sigterm_is_an_interruption_inside_and_only_there() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopping_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
