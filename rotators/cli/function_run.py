"""A built function, its server and its secret, for one event."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from rotators.cli import function_log
from rotators.cli.build_function import Recipe, build_function
from rotators.cli.delivery import Plan
from rotators.cli.demo_server import SERVERS, server_of
from rotators.cli.demonstration import ACTS
from rotators.cli.function_delivery import Delivery
from rotators.cli.function_relay import Relay
from rotators.cli.function_sam import HOST, TASK_ROOT, DockerMissing, SamLocal, find_docker
from rotators.cli.report import Report
from rotators.cli.stage import stage
from rotators.errors import InvalidEvent, RotationError
from rotators.request import Step
from rotators.target import FILE, Target, this_architecture, this_python
from rotators.testing.processes import ServerError
from rotators.testing.runtime import FunctionError, LambdaFunction, RuntimeMissing

if TYPE_CHECKING:
    from rotators.cli.demo_server import DemoServer
    from rotators.cli.demonstration import Act
    from rotators.cli.function_delivery import Invocable
    from rotators.cli.function_sam import Docker
    from rotators.cli.stage import Stage
    from rotators.settings import StrategyName

# Long enough for any step, short enough to wait for.
_SECONDS = 30
_BUILT = Path("build")
# Of Lambda, where Docker has its image.
_LAMBDA_PYTHON = "3.13"
_CA = "ca-of-this-run.pem"


class Run:
    """One event for ``name``. ``docker`` None: where ``find_docker`` finds all that it takes."""

    def __init__(
        self,
        name: str,
        strategy: StrategyName,
        environment: Mapping[str, str],
        folder: Path | None,
        *,
        docker: bool | None,
    ) -> None:
        self.log = ""
        self._name = name
        self._strategy = strategy
        self._environment = environment
        self._folder = folder
        self._docker = _docker(wanted=docker)

    def deliver(self, event: object, *, test_only: bool) -> Report:
        """What came of it; the function's errors are in it. Raises ClickException for all else."""
        report = Report("Secrets Manager simulated")
        try:
            plan = Plan.of(event, play_earlier=not test_only)
            if test_only and plan.asked != {Step.TEST}:
                raise click.UsageError(
                    "--test-only needs a testSecret event: events/test_only.json."
                )
            server = self._server()
            report.where = f"{server.title} {server.version}, Secrets Manager simulated"
            folder, target = self._build(report)
            with (
                self._staged(server) as (act, endpoint),
                self._running(act.stage, endpoint, folder, target) as function,
            ):
                try:
                    Delivery(function, act, report).play(plan, test_only=test_only)
                finally:
                    self.log = function.log_text()
        except InvalidEvent as error:
            report.error = error
        except FunctionError as error:  # it could not even be started
            report.error = function_log.as_error(error)
        except KeyboardInterrupt:
            report.interrupted = True
        return report

    def _server(self) -> DemoServer:
        """One that can be started here. Raises UsageError."""
        kind = server_of(self._engine())
        if self._strategy not in kind.strategies:
            known = ", ".join(kind.strategies)
            raise click.UsageError(
                f"{kind.title} cannot be rotated by {str(self._strategy)!r}. Choose one of:"
                f" {known}."
            )
        found = kind.found()
        if not found:
            raise click.UsageError(f"There is no {kind.title} on this machine. {kind.cure}")
        return found[0]

    def _engine(self) -> str:
        engine = Recipe(Target(self._name, this_python(), this_architecture())).extra
        if engine not in SERVERS:
            raise click.UsageError(_NO_SERVER.format(name=self._name))
        return engine

    def _build(self, report: Report) -> tuple[Path, Target]:
        """The folder to run, and what it is for. Raises ClickException."""
        usual = _BUILT / self._name
        python = _LAMBDA_PYTHON if self._docker else this_python()
        wanted = Target(self._name, python, this_architecture())
        if self._folder is not None:
            folder, target = self._folder, _target(self._folder)
            if target is None:
                raise click.UsageError(f"{folder} is no build: it has no rotators/{FILE.name}.")
        elif (target := _target(usual)) == wanted:
            folder, target = usual, wanted
        else:
            folder, target = _BUILT / "local" / self._name, wanted
            build_function(Recipe(target), folder)
        way = "a container, by sam local invoke" if self._docker else "Lambda's runtime client"
        report.notes.append(
            f"The function is {folder} (Python {target.python}, {target.architecture}), in {way}."
        )
        return folder, target

    @contextmanager
    def _staged(self, server: DemoServer) -> Iterator[tuple[Act, str]]:
        """The server, with a user and its secret; the simulator's URL. Raises ClickException."""
        (kind,) = (act for act in ACTS if act.strategy == self._strategy)
        try:
            with stage(server) as built, self._within_reach(built) as endpoint:
                yield kind.on(built), endpoint
        except ServerError as error:
            raise click.ClickException(f"{server.title}: {error}") from None
        except server.failures as error:
            raise click.ClickException(f"The server did not answer as expected: {error}") from None

    @contextmanager
    def _within_reach(self, built: Stage) -> Iterator[str]:
        """Where the function finds the simulator; the secrets will say where it finds the server.

        Both listen on loopback addresses, which a container cannot reach.
        """
        url, (_, port) = built.simulator.endpoint_url, built.server.address
        if self._docker is None:
            yield url
            return
        gateway = self._docker.gateway
        with Relay(gateway, urlsplit(url).port or 0) as first, Relay(gateway, port) as second:
            built.server.address = HOST, second.port
            yield f"http://{HOST}:{first.port}"

    @contextmanager
    def _running(
        self, built: Stage, endpoint: str, folder: Path, target: Target
    ) -> Iterator[Invocable]:
        variables = {
            "SECRETS_MANAGER_ENDPOINT": endpoint,
            "ROTATION_STRATEGY": str(self._strategy),
            "ROTATION_CA_BUNDLE": f"{TASK_ROOT}/{_CA}" if self._docker else str(built.server.ca),
            **self._environment,
        }
        with ExitStack() as stack:
            if self._docker is None:
                function = LambdaFunction(folder, environment=variables, timeout=_SECONDS)
                try:
                    stack.enter_context(function)
                except RuntimeMissing as error:
                    raise click.UsageError(str(error)) from None
                yield function
                return
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotators-")))
            copy = shutil.copytree(folder, scratch / "function")
            shutil.copyfile(built.server.ca, copy / _CA)
            yield SamLocal(self._docker, copy, target, variables, scratch, timeout=_SECONDS)


def _docker(*, wanted: bool | None) -> Docker | None:
    """If the function is to run by it. Raises DockerMissing where it is insisted on."""
    if wanted is False:
        return None
    try:
        return find_docker(insisted=bool(wanted))
    except DockerMissing:
        if wanted:
            raise
        return None


def _target(folder: Path) -> Target | None:
    """What a build is for. Raises ClickException for one that cannot be read."""
    try:
        return Target.parse((folder / "rotators" / FILE.name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except RotationError as error:
        raise click.ClickException(str(error)) from None


_NO_SERVER = (
    "No server for {name} can be started on this machine. To run its code on a server of yours:"
    " rotators invoke EVENT.json --secret secret.json. The tests rotate on a double, with the built"
    " function: make test TESTS=tests/deploy/test_runtime.py."
)
