"""For each function, the server or double that its build rotates on, and a bench that runs it."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotators.cli.build_archive import pack
from rotators.cli.build_function import Recipe
from rotators.secret import Secret
from rotators.settings import StrategyName
from rotators.target import Target as BuildTarget
from rotators.target import this_architecture, this_python
from rotators.testing.bench import Bench, Target
from rotators.testing.memory import MemoryRotator
from rotators.testing.runtime import HANDLER, LambdaFunction
from rotators.testing.twitter import TwitterServer
from tests.deploy.builds import drivers_of, made
from tests.doubles import documentdb
from tests.engines.documentdb_target import MongoTarget
from tests.engines.mysql_target import MySQLTarget
from tests.engines.oracle_target import OracleTarget, serving
from tests.engines.postgresql_target import PostgreSQLTarget
from tests.engines.redshift_target import RedshiftTarget, redshift_server
from tests.engines.sqlserver_target import SQLServerTarget, any_server
from tests.engines.twitter_target import BearerTarget
from tests.servers import versions

if TYPE_CHECKING:
    import pytest

LAYER = Path(__file__).with_name("layer")
WITNESS = "witness.lambda_handler"
_SECONDS = 30.0

Made = Callable[["pytest.FixtureRequest", StrategyName], Iterator[Target]]


@dataclass
class Builds:
    """Unpacked zips, each made when it is first asked for."""

    directory: Path
    made: dict[BuildTarget, Path] = field(default_factory=dict)

    def host(self, function: str) -> Path:
        """The function for this machine and this Python."""
        return self.unpacked(BuildTarget(function, this_python(), this_architecture()))

    def unpacked(self, target: BuildTarget) -> Path:
        """Skips or fails the test where it cannot be built, for want of uv or the wheels."""
        if target not in self.made:
            place = self.directory / f"{target.function}-{target.python}-{target.architecture}"
            archive = pack(made(Recipe(target), place / "built"), place / "function.zip")
            with zipfile.ZipFile(archive.path) as zipped:
                zipped.extractall(place / "unpacked")
            self.made[target] = place / "unpacked"
        return self.made[target]


class BuiltBench(Bench):
    """A bench whose handler is a build, in processes of its own."""

    def __init__(
        self, folder: Path, target: Target, *, handler: str = HANDLER, **variables: str
    ) -> None:
        super().__init__(MemoryRotator, target)  # which never runs: see handle
        self._folder = folder
        self._handler = handler
        self._variables = variables

    def __enter__(self) -> BuiltBench:
        super().__enter__()
        settings = self.target.settings
        given = {
            "SECRETS_MANAGER_ENDPOINT": self.simulator.endpoint_url,
            "ROTATION_ENGINES": ",".join(drivers_of(function_in(self._folder))),
            "ROTATION_STRATEGY": settings.strategy,
            "ROTATION_CA_BUNDLE": str(settings.ca_bundle) if settings.ca_bundle else None,
        }
        environment = {name: str(value) for name, value in given.items() if value}
        self.function = self._stack.enter_context(
            LambdaFunction(
                self._folder,
                handler=self._handler,
                environment={**environment, **self._variables},
                timeout=_SECONDS,
                layers=[LAYER] if self._handler == WITNESS else [],
            )
        )
        return self

    def handle(self, event: object, context: object) -> None:
        del context
        self.function.invoke(event)

    def hidden(self) -> set[str]:
        """Every text of any version of any secret that nobody may be shown."""
        texts = (
            self.simulator.value(arn, version_id=version)
            for arn in self.arns
            for version in self.simulator.secret(arn).versions
        )
        return {value for text in texts if text for value in Secret.parse(text).sensitive()}

    def told(self) -> dict[str, Any]:
        """What the witness has seen; only where it is the handler."""
        told = self.function.invoke("tell")
        assert isinstance(told, dict)
        return told


class OwnedBearerTarget(BearerTarget):
    """Apps with their owner's tokens: X takes no invalidation but a signed one."""

    def new_secret(self) -> dict[str, Any]:
        self.x.invalidate_by_basic = False
        app = self.new_app()
        return {**self.bearer(app), **self.keys(app, owner=True)}


def function_in(folder: Path) -> str:
    """The logical id of what was built there."""
    return BuildTarget.parse((folder / "rotators/target.json").read_text()).function


def _postgresql(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    servers = request.getfixturevalue("postgresql_servers")
    yield PostgreSQLTarget(servers.get(versions()[-1]), strategy)


def _mysql(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    yield MySQLTarget(request.getfixturevalue("mysql"), strategy)


def _mariadb(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    yield MySQLTarget(request.getfixturevalue("mariadb"), strategy)


def _sqlserver(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    with any_server(request.getfixturevalue("certificates")) as server:
        yield SQLServerTarget(server, strategy)


def _oracle(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    with serving(request.getfixturevalue("certificates")) as server:
        yield OracleTarget(server, strategy, lean=True)


def _redshift(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    with redshift_server(request.getfixturevalue("private_postgresql")) as server:
        yield RedshiftTarget(server, strategy)


def _documentdb(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    with documentdb.shared(request.getfixturevalue("certificates")) as server, server.tidied():
        yield MongoTarget(server, strategy)


def _twitter(request: pytest.FixtureRequest, strategy: StrategyName) -> Iterator[Target]:
    del strategy  # it has none
    certificates = request.getfixturevalue("certificates")
    with TwitterServer(tls=certificates.server) as x:
        yield OwnedBearerTarget(x, certificates.ca)


TARGETS: dict[str, Made] = {
    "PostgreSQLFunction": _postgresql,
    "MySQLFunction": _mysql,
    "MariaDBFunction": _mariadb,
    "SQLServerFunction": _sqlserver,
    "OracleFunction": _oracle,
    "RedshiftFunction": _redshift,
    "DocumentDBFunction": _documentdb,
    "TwitterFunction": _twitter,
}


@contextlib.contextmanager
def target_of(
    function: str,
    request: pytest.FixtureRequest,
    strategy: StrategyName = StrategyName.SINGLE_USER,
) -> Iterator[Target]:
    """What the function rotates on; skips or fails the test where it is missing."""
    with contextlib.contextmanager(TARGETS[function])(request, strategy) as target:
        yield target
