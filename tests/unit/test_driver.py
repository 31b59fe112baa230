"""Loading an engine's client library."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rotators.driver import Driver
from rotators.errors import DriverMissing

ABSENT = Driver("absent_driver", extra="absent")


def test_a_driver_that_is_there_is_loaded() -> None:
    driver = Driver("json", extra="anything")
    assert driver.installed()
    driver.require()
    assert driver.load() is json


def test_finding_a_driver_does_not_load_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud_driver.py").write_text("raise RuntimeError('loaded')\n")
    monkeypatch.syspath_prepend(tmp_path)
    driver = Driver("loud_driver", extra="loud")
    assert driver.installed()
    driver.require()
    assert "loud_driver" not in sys.modules


def test_a_driver_that_is_not_there_says_how_to_get_it() -> None:
    assert not ABSENT.installed()
    for ask in (ABSENT.require, ABSENT.load):
        with pytest.raises(DriverMissing) as caught:
            ask()
        assert str(caught.value) == (
            "the driver 'absent_driver' is not installed. Install rotators[absent], or build the"
            " function with that extra."
        )
        assert caught.value.__cause__ is None


def test_a_driver_of_another_distribution_is_to_be_installed_from_there() -> None:
    driver = Driver("absent_driver", extra="db2", distribution="acme-rotators")
    with pytest.raises(DriverMissing, match=r"Install acme-rotators\[db2\],"):
        driver.require()


def test_a_driver_inside_a_package_that_is_not_there_is_missing_too() -> None:
    driver = Driver("absent_vendor.connector", extra="vendor")
    assert not driver.installed()
    for ask in (driver.require, driver.load):
        with pytest.raises(DriverMissing, match=r"'absent_vendor\.connector' is not installed"):
            ask()


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import something_that_is_not_there", ModuleNotFoundError),
        ("from json import nothing_of_the_kind", ImportError),
        ("raise OSError('libpq.so.5')", OSError),
    ],
)
def test_what_breaks_inside_a_driver_is_not_taken_for_a_missing_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, kind: type[Exception]
) -> None:
    (tmp_path / "broken_driver.py").write_text(source + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(kind) as caught:
        Driver("broken_driver", extra="broken").load()
    assert type(caught.value) is kind
