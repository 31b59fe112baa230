"""MongoDB for the tests: a double that they start, or somebody's own server, by the environment.

MONGODB_TEST_DSN  mongodb://user:password@host:port/ of an administrator (role root)
MONGODB_TEST_CA   the authority's PEM file that the server is verified against; without it, the
                  server is used without TLS
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pymongo
import pytest
from pymongo.errors import OperationFailure

from rotators.testing.processes import LocalServer
from tests.servers import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotators.testing.certificates import Certificates, KeyPair

DSN = "MONGODB_TEST_DSN"
_PROGRAM = Path(__file__).with_name("documentdb_server.py")
_REFUSED = 18

Client = pymongo.MongoClient[dict[str, Any]]


class Double(LocalServer):
    """The double as a child process, whose log is one line of JSON for each command."""

    def __init__(self, *, tls: KeyPair | None = None) -> None:
        super().__init__()
        self.password = secrets.token_urlsafe(18)
        self._tls = tls

    def _prepare(self) -> None:
        """Nothing: it makes its data as it starts."""

    def _command(self) -> Sequence[Path | str]:
        pair = [self._tls.certificate, self._tls.key] if self._tls else []
        return [sys.executable, _PROGRAM, str(self.port), self.directory, *pair]

    def _popen(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603 - no shell; this very interpreter
                self._command(),
                cwd=self.directory,
                env={**self._env, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert process.stdin
        process.stdin.write(self.password.encode() + b"\n")
        process.stdin.close()
        return process

    def _ready(self, pid: int) -> bool:
        del pid
        return '"ready"' in self.log_text()


@dataclass(frozen=True)
class User:
    """A user that can log in."""

    name: str
    password: str = field(repr=False)
    database: str = "admin"


@dataclass(frozen=True)
class Mongo:
    """A running server, and what tests do with it beside the code under test."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    ca: Path | None
    root: Client = field(repr=False)
    server: Double | None = None
    made: list[User] = field(default_factory=list, repr=False)
    # How long the log was when the test began.
    since: list[int] = field(default_factory=lambda: [0], repr=False)

    def client(self, name: str, password: str, database: str = "admin") -> Client:
        """One that has to be closed."""
        return pymongo.MongoClient(
            **_where(self.host, self.port, self.ca),
            username=name,
            password=password,
            authSource=database,
        )

    def command(self, name: str, value: object = 1, database: str = "admin", **fields: Any) -> Any:
        """A command of the administrator's; its answer."""
        return self.root[database].command(name, value, **fields)

    def create_user(
        self,
        *,
        name: str | None = None,
        password: str | None = None,
        roles: Sequence[Any] = (),
        database: str = "admin",
        **fields: Any,
    ) -> User:
        user = User(
            name or f"app_{secrets.token_hex(6)}", password or secrets.token_urlsafe(18), database
        )
        given = {"pwd": user.password, "roles": list(roles), **fields}
        self.command("createUser", user.name, database, **given)
        self.made.append(user)
        return user

    def create_role(
        self, name: str, privileges: Sequence[Any] = (), roles: Sequence[Any] = ()
    ) -> dict[str, str]:
        """A role of admin's, as grants take it."""
        self.command("createRole", name, privileges=list(privileges), roles=list(roles))
        return {"role": name, "db": "admin"}

    def own_password(self) -> dict[str, str]:
        """A role of users that may change their own password."""
        role = {"role": "changesOwnPassword", "db": "admin"}
        if not self.command("rolesInfo", role)["roles"]:
            everywhere = {"resource": {"db": "", "collection": ""}}
            self.create_role(role["role"], [{**everywhere, "actions": ["changeOwnPassword"]}])
        return role

    def info(self, name: str, database: str = "admin") -> dict[str, Any] | None:
        """All that the server shows of a user."""
        asked = {"showAuthenticationRestrictions": True}
        try:
            users = self.command("usersInfo", name, database, **asked)["users"]
        except OperationFailure:
            users = self.command("usersInfo", name, database)["users"]
        return users[0] if users else None

    def roles(self, name: str, database: str = "admin") -> set[tuple[str, str]]:
        info = self.info(name, database)
        assert info is not None
        return {(role["role"], role["db"]) for role in info["roles"]}

    def fingerprint(self, *databases: str) -> list[Any]:
        """All users, with the credentials of their passwords."""
        found = []
        for database in ("admin", *databases):
            users = self.command("usersInfo", 1, database)["users"]
            named = [{"user": user["user"], "db": user["db"]} for user in users]
            shown = self.command("usersInfo", named, showCredentials=True)["users"]
            found += [sorted(map(repr, shown))]
        return found

    def can_log_in(self, name: str, password: str, database: str = "admin") -> bool:
        """False only for a refused password; everything else raises."""
        with self.client(name, password, database) as client:
            try:
                client.admin.command("ping")
            except OperationFailure as error:
                if error.code == _REFUSED:
                    return False
                raise
        return True

    def secret(self, user: User, **extra: object) -> dict[str, Any]:
        """The secret of a user, in AWS's format."""
        fields: dict[str, Any] = {
            "engine": "mongo",
            "host": self.host,
            "port": self.port,
            "username": user.name,
            "password": user.password,
        }
        where = {} if user.database == "admin" else {"dbname": user.database}
        plaintext = {"ssl": False} if self.ca is None else {}
        return {**fields, **where, **plaintext, **extra}

    @contextlib.contextmanager
    def tidied(self) -> Iterator[None]:
        """Drops, at the end, the users that were made by ``create_user``, and their alternates."""
        self.made.clear()
        if self.server is not None:
            self.since[:] = [len(self.server.log_text())]
        yield
        if self.server is not None:
            self.command("double", "mongodb", forget=True)
            return
        for user in self.made:
            for name in (user.name, f"{user.name}_clone"):
                with contextlib.suppress(OperationFailure):
                    self.command("dropUser", name, user.database)

    @contextlib.contextmanager
    def failing(self, command: str, code: int) -> Iterator[None]:
        """The command ends with that code for a while."""
        if self.server is None:
            pytest.skip(f"the server of {DSN} takes no fail points")
        data = {"failCommands": [command], "errorCode": code}
        self.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        try:
            yield
        finally:
            self.command("configureFailPoint", "failCommand", mode="off")

    @contextlib.contextmanager
    def persona(self, name: str, **more: Any) -> Iterator[None]:
        """Turns the double into another server for a while."""
        if self.server is None:
            pytest.skip(f"the server of {DSN} is what it is")
        self.command("double", name, **more)
        try:
            yield
        finally:
            self.command("double", "mongodb")

    def log_text(self) -> str:
        """What the double logged in this test; skips it where the server is somebody else's."""
        if self.server is None:
            pytest.skip(f"the log of {DSN}'s server cannot be read")
        return self.server.log_text()[self.since[0] :]

    def log(self) -> list[dict[str, Any]]:
        """Its lines."""
        lines = self.log_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def refused(self, name: str) -> int:
        """How often the server has refused a login of the user."""
        return sum(line.get("refused") == name for line in self.log())


def _where(host: str, port: int, ca: Path | None) -> dict[str, Any]:
    tls = {"tls": True, "tlsCAFile": str(ca)} if ca else {}
    return {
        "host": host,
        "port": port,
        "directConnection": True,
        "serverMonitoringMode": "poll",
        "serverSelectionTimeoutMS": 10_000,
        "retryWrites": False,
        **tls,
    }


@contextlib.contextmanager
def double(certificates: Certificates, *, tls: KeyPair | bool = True) -> Iterator[Mongo]:
    """Starts one. ``tls`` chooses its certificate: True the right one, False none."""
    right = certificates.server
    pair = (right if tls else None) if isinstance(tls, bool) else tls
    ca = None if pair is None else certificates.ca
    if find_spec("secantus") is None:
        skip_or_fail("SecantusDB is not installed. Install rotators[dev].")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Double(tls=pair))
        where = _where(server.host, server.port, ca)
        if pair not in (None, right):
            where["tlsAllowInvalidHostnames"] = True
        root: Client = pymongo.MongoClient(**where, username="root", password=server.password)
        stack.enter_context(root)
        yield Mongo(server.host, server.port, "root", server.password, ca, root, server)


@contextlib.contextmanager
def of_environment(environment: Mapping[str, str]) -> Iterator[Mongo]:
    """The server that the DSN names."""
    dsn = urlsplit(environment[DSN])
    host, port = dsn.hostname or "localhost", dsn.port or 27017
    user, password = unquote(dsn.username or "root"), unquote(dsn.password or "")
    ca = environment.get("MONGODB_TEST_CA")
    bundle = Path(ca) if ca else None
    root: Client = pymongo.MongoClient(
        **_where(host, port, bundle), username=user, password=password
    )
    with root:
        yield Mongo(host, port, user, password, bundle, root)


@contextlib.contextmanager
def shared(certificates: Certificates) -> Iterator[Mongo]:
    """The one that all tests of a module share."""
    named = bool(os.environ.get(DSN))
    with of_environment(os.environ) if named else double(certificates) as server:
        yield server
