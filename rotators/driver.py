"""The client library of an engine: an extra, loaded when it is first used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from rotators.errors import DriverMissing


@dataclass(frozen=True, slots=True)
class Driver:
    """A module, and the extra of this distribution (or another) that installs it."""

    module: str
    extra: str
    distribution: str = "rotators"

    def installed(self) -> bool:
        """Whether it could be loaded, found out without loading it."""
        try:
            return find_spec(self.module) is not None
        except ModuleNotFoundError:  # the package that it would be in
            return False

    def require(self) -> None:
        """Raises DriverMissing unless it is installed."""
        if not self.installed():
            raise self._missing()

    def load(self) -> ModuleType:
        """The module. Raises DriverMissing; any other import error is the driver's own."""
        try:
            return import_module(self.module)
        except ModuleNotFoundError as error:
            if not f"{self.module}.".startswith(f"{error.name}."):
                raise
            raise self._missing() from None

    def _missing(self) -> DriverMissing:
        return DriverMissing(
            f"the driver {self.module!r} is not installed",
            f"Install {self.distribution}[{self.extra}], or build the function with that extra.",
        )
