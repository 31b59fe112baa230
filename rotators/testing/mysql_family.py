"""What the launchers of MySQL and MariaDB share."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from rotators.testing.installations import (
    InstalledServer,
    ServerMissing,
    shown_version,
    stranger_of,
)
from rotators.testing.processes import hand_over

if TYPE_CHECKING:
    from rotators.testing.certificates import KeyPair

SERVERS = "ROTATORS_SERVERS"  # names the directory that tests/get-servers.sh fills

_SETTINGS: Mapping[str, str] = {
    "bind-address": "127.0.0.1",
    "skip-name-resolve": "ON",  # accounts match by address: 'app'@'localhost' never does
    "max-connections": "150",
    "performance-schema": "OFF",
    "general-log": "ON",
    "innodb-buffer-pool-size": "16M",
    "innodb-doublewrite": "OFF",
    # To the operating system, not to the disk: data outlives the server, and that is enough.
    "innodb-flush-log-at-trx-commit": "2",
    "loose-innodb-flush-method": "nosync",
}


@dataclass(frozen=True)
class Installation:
    """Program files that were seen to run: ``usr/sbin`` and its like below ``root``."""

    root: Path
    version: str
    origin: Literal["fetched", "machine"]

    @property
    def version_info(self) -> tuple[int, ...]:
        """(9, 7, 4) of 9.7.4."""
        return tuple(map(int, self.version.split(".")))


class MySQLFamilyServer(InstalledServer):
    """A new, empty server with one administrator, ``root``, who logs in from 127.0.0.1.

    ``tls`` turns TLS on (clients may still come without it); without it the server has none.
    ``settings`` are options of the server, such as ``{"plugin-load-add": "…"}``; ``password`` is
    root's, by default a random one.

    Raises ServerMissing if ``root`` holds no such server; entering raises ServerError if it does
    not start.
    """

    user = "root"
    parts = ("usr/lib", "usr/sbin", "usr/share")
    kind: ClassVar[Literal["mysql", "mariadb"]]
    name: ClassVar[str]
    cure: ClassVar[str]
    no_tls: ClassVar[str]

    def __init__(
        self,
        root: Path,
        *,
        tls: KeyPair | None = None,
        settings: Mapping[str, str] | None = None,
        password: str | None = None,
    ) -> None:
        super().__init__(root.absolute())
        self.installation = self.at(root.absolute())
        self.password = password or secrets.token_urlsafe(18)
        self._tls = tls
        self._settings = {**_SETTINGS, **(settings or {})}

    @classmethod
    def at(cls, root: Path, origin: Literal["fetched", "machine"] = "machine") -> Installation:
        """Raises ServerMissing unless the server is below ``root``, runs, and is ours or root's."""
        program = root / cls.program
        if not program.is_file():
            raise ServerMissing(f"{program} does not exist. {cls.cure}")
        below = program.parents[: len(Path(cls.program).parts)]
        if stranger := stranger_of([program, *below, *_libraries(root)]):
            raise ServerMissing(
                f"{stranger} belongs to somebody else, or anybody may write it, so {program} is "
                f"not run. {cls.cure}"
            )
        shown = shown_version(*_runnable(root, program))
        if shown is None:
            raise ServerMissing(f"{program} does not run. {cls.cure}")
        version = re.search(r" Ver (\d+\.\d+\.\d+)", shown)
        if version is None or ("MariaDB" in shown) != (cls.kind == "mariadb"):
            raise ServerMissing(f"{program} is not {cls.name}’s. {cls.cure}")
        return Installation(root, version[1], origin)

    @classmethod
    def find(cls) -> list[Installation]:
        """What can be started here: what tests/get-servers.sh fetched, then the machine's own."""
        found = []
        for root, origin in _places(cls.kind):
            with contextlib.suppress(ServerMissing):
                found.append(cls.at(root, origin))
        return found

    @property
    def version_info(self) -> tuple[int, ...]:
        """Such as (9, 7, 4)."""
        return self.installation.version_info

    @property
    def general_log(self) -> Path:
        """Where the server writes every statement; gone when the server is left."""
        return self.directory / "general.log"

    def general_log_text(self) -> str:
        """Every statement so far, as the server logs it."""
        return self.general_log.read_text(errors="replace") if self.general_log.exists() else ""

    @abstractmethod
    def _make_data(self) -> None:
        """Makes the data directory; afterwards everything is handed over to the server's uid."""

    @abstractmethod
    def _options(self) -> Sequence[str]:
        """What only this server knows."""

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _place_options(self) -> list[str]:
        """Options of the server: where things are."""
        usr = self._root / "usr"
        share, plugins = usr / "share" / "mysql", usr / "lib" / "mysql" / "plugin"
        options = {
            "basedir": usr,
            "datadir": self._data,
            "tmpdir": self.directory,
            "lc-messages-dir": share if (share / "english").is_dir() else None,
            "character-sets-dir": share / "charsets" if (share / "charsets").is_dir() else None,
            "plugin-dir": plugins if plugins.is_dir() else None,
        }
        return [f"--{name}={path}" for name, path in options.items() if path is not None]

    def _prepare(self) -> None:
        self._make_reachable()
        if self._tls is not None:
            shutil.copyfile(self._tls.certificate, self.directory / "server.pem")
            (self.directory / "server.key").touch(0o600)
            shutil.copyfile(self._tls.key, self.directory / "server.key")
        self._make_data()
        hand_over(self.directory)

    def _runnable(self) -> Sequence[Path | str]:
        return _runnable(self._root, self._root / self.program)

    def _command(self) -> list[Path | str]:
        own = self.directory
        tls = [f"--ssl-cert={own / 'server.pem'}", f"--ssl-key={own / 'server.key'}"]
        return [
            *self._runnable(),
            "--no-defaults",
            *self._place_options(),
            "--socket=socket",  # below datadir: a socket's path may not exceed 107 bytes
            f"--pid-file={own / 'pid'}",
            f"--port={self.port}",
            f"--general-log-file={self.general_log}",
            *self._options(),
            *(tls if self._tls is not None else [self.no_tls]),
            *(f"--{name}={value}" for name, value in self._settings.items()),
        ]

    def _ready(self, pid: int) -> bool:
        # The pid: another server may have taken the port. The greeting: a bound port is not yet
        # a server that answers.
        try:
            if (self.directory / "pid").read_text().strip() != str(pid):
                return False
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return bool(probe.recv(1))
        except OSError:
            return False

    def _leave(self) -> None:
        self._end(signal.SIGKILL)  # an orderly stop takes MySQL seconds


def _places(kind: str) -> Iterator[tuple[Path, Literal["fetched", "machine"]]]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = os.environ.get(SERVERS) or cache / "rotators" / "servers"
    yield Path(directory).absolute() / kind, "fetched"
    yield Path("/"), "machine"


def _libraries(root: Path) -> list[Path]:
    """What a fetched server brings along: its libraries, and for some the loader of these."""
    if root == Path("/"):
        return []
    return [
        path
        for pattern in ("*-linux-gnu", "*-linux-gnu/ld-linux-*.so.*", "mysql/plugin")
        for path in (root / "usr" / "lib").glob(pattern)
    ]


def _runnable(root: Path, program: Path) -> list[Path | str]:
    libraries = [str(path) for path in _libraries(root) if path.name.endswith("-linux-gnu")]
    loaders = [path for path in _libraries(root) if path.name.startswith("ld-linux")]
    if loaders:
        return [loaders[0], "--library-path", ":".join(libraries), program]
    return (
        ["/usr/bin/env", f"LD_LIBRARY_PATH={':'.join(libraries)}", program]
        if libraries
        else [program]
    )
