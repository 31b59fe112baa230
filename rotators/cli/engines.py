"""``rotators engines``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from rotators.cli.output import console, echo_json, pass_registry, table
from rotators.rotator import Rotator

if TYPE_CHECKING:
    from rotators.driver import Driver
    from rotators.registry import Registry


@dataclass(frozen=True)
class EngineRow:
    """What is known of an engine. ``error`` is set, and most else is not, for a broken plug-in."""

    engine: str
    rotator: str | None = None
    driver: str | None = None
    installed: bool | None = None
    extra: str | None = None
    strategies: tuple[str, ...] = ()
    error: str | None = None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@pass_registry
def engines(registry: Registry, *, as_json: bool) -> None:
    """Show what can be rotated here.

    One row for each value that a secret's "engine" may have, those of other installed
    distributions included: its driver, whether that is missing and which extra installs it, and
    the strategies it can be rotated by (ROTATION_STRATEGY). A plug-in that cannot be loaded is
    listed with its error. JSON names the class as well.

    \b
    Example:
      rotators engines --json | jq -r '.[] | select(.installed) | .engine'

    \b
    Exit codes:
      0  done     2  wrong usage
    """
    rows = [describe(registry, name) for name in registry.names()]
    if as_json:
        echo_json([asdict(row) for row in rows])
        return
    headers = "Engine", "Driver", "Extra", "Strategies"
    shown = table(*headers, wrapped=frozenset({"Strategies"}))
    broken = [row for row in rows if row.error]
    for row in rows:
        shown.add_row(*_cells(row))
    out = console()
    out.print(shown)
    for row in broken:
        out.print(f"\n{row.engine} is broken: {row.error}", soft_wrap=True)


def describe(registry: Registry, name: str) -> EngineRow:
    """One engine. Never raises: a plug-in may fail in any way."""
    try:
        loaded: object = registry.load(name)
        if not (isinstance(loaded, type) and issubclass(loaded, Rotator)):
            return EngineRow(name, error=f"{loaded!r} is not a subclass of rotators' Rotator")
        driver = loaded.driver
        return EngineRow(
            name,
            rotator=f"{loaded.__module__}:{loaded.__qualname__}",
            driver=driver.module if driver else None,
            installed=driver.installed() if driver else True,
            extra=_extra(driver),
            strategies=tuple(str(strategy) for strategy in loaded.strategies),
        )
    except Exception as error:  # noqa: BLE001 somebody else's code
        return EngineRow(name, error=f"{type(error).__name__}: {error}")


def _extra(driver: Driver | None) -> str | None:
    return f"{driver.distribution}[{driver.extra}]" if driver else None


def _cells(row: EngineRow) -> tuple[str, ...]:
    if row.error:
        return row.engine, "broken", "", ""
    driver = (row.driver or "none") + ("" if row.installed else "\n(missing)")
    return row.engine, driver, row.extra or "", "\n".join(row.strategies)
