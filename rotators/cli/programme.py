"""What ``rotators demo`` needs of whatever it shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Self

from rotators.cli.demo_server import SERVERS

if TYPE_CHECKING:
    from rotators.cli.demo_server import Finding
    from rotators.cli.watched import WatchedRotation

# Each needs the extra ``demo``: loaded for the one that is chosen.
PROGRAMMES: Mapping[str, str] = {
    **dict.fromkeys(SERVERS, "rotators.cli.demonstration:DatabaseProgramme"),
    "twitter": "rotators.cli.demo_twitter:TwitterProgramme",
}


@dataclass
class Programme(ABC):
    """The demonstration of one engine.

    ``opening`` is said before anything starts, ``server`` is what JSON says of it, ``searched``
    what the logs are searched for.
    """

    title: str
    opening: str
    server: Mapping[str, str]
    searched: str
    failures: type[Exception]  # what whatever is beside the function may raise

    @classmethod
    @abstractmethod
    def chosen(cls, engine: str, strategy: str | None) -> Self:
        """The programme for one of ``PROGRAMMES``.

        Raises UsageError if it has nothing to do with ``strategy``, ClickException where something
        is missing on this machine, ModuleNotFoundError without a library.
        """

    @abstractmethod
    def running(self) -> AbstractContextManager[None]:
        """Starts the servers, and leaves no trace at the end. Raises ServerError."""

    @abstractmethod
    def acts(self) -> Iterator[WatchedRotation]:
        """Made one by one, while it is running."""

    @abstractmethod
    def logs(self) -> Iterator[Finding]:
        """What is claimed of the logs of all acts."""


def programme_of(engine: str, strategy: str | None) -> Programme:
    """As ``Programme.chosen``."""
    module, _, name = PROGRAMMES[engine].partition(":")
    kind: type[Programme] = getattr(import_module(module), name)
    return kind.chosen(engine, strategy)
