"""What a cold start costs, out of the build: the handler's import, then createSecret.

    python -m tests.deploy.cold_start [N]

builds every function for this machine and prints a Markdown table of N (10) new processes each.
They run in Lambda's runtime client, against the simulator: what Lambda's processor, which grows
with the memory, makes of it is not in it. The build has no .pyc, as in the zip.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotators.cli.build_function import FUNCTIONS, Recipe
from rotators.registry import BUILT_IN
from rotators.target import Target, this_architecture, this_python
from rotators.testing.driver import RotationDriver
from rotators.testing.runtime import LambdaFunction
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.testing.twitter import TwitterServer
from tests.deploy.builds import drivers_of, made
from tests.deploy.runtime_targets import LAYER, WITNESS

_DATA = "/botocore/data/"
# Of the package, what no function is for.
_TOOLS = ("rotators.cli", "rotators.testing", "rotators.__main__")
# MariaDB is of MySQL's family: what they share is named after the elder.
_FAMILY = {"MariaDBFunction": "rotators.database.mysql_"}
_DRIVERS = {module for name in FUNCTIONS for module in drivers_of(name).values()}


@dataclass(frozen=True)
class ColdStart:
    """One process: what took how long, and what it had loaded at the end."""

    import_seconds: float
    step_seconds: float
    modules: frozenset[str]
    services: frozenset[str]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ColdStart:
        """Out of what the witness has seen of an import and one step."""
        (imported, step) = told["seconds"]
        read = [name.partition(_DATA)[2] for name in told["opened"] if _DATA in name]
        services = frozenset(name.partition("/")[0] for name in read if "/" in name)
        return cls(imported, step, frozenset(told["modules"]), services)

    @property
    def seconds(self) -> float:
        """Both."""
        return self.import_seconds + self.step_seconds

    def foreign(self) -> set[str]:
        """What is neither the standard library nor this package, by its top-level names."""
        tops = {name.partition(".")[0] for name in self.modules}
        return {top for top in tops - sys.stdlib_module_names - {"rotators"} if top[:2] != "__"}

    def unneeded(self, function: str) -> set[str]:
        """What no createSecret needs: drivers, other services, other engines, tools."""
        drivers = _DRIVERS & self.foreign()
        services = {f"botocore/data/{name}" for name in self.services - {"secretsmanager"}}
        tools = {name for name in self.modules if name.startswith(_TOOLS)}
        others = {name for name in self.modules if _is_of_another_engine(name, function)}
        return drivers | services | tools | others


def _is_of_another_engine(module: str, function: str) -> bool:
    own = {BUILT_IN[engine].partition(":")[0] for engine in drivers_of(function)}
    others = {path.partition(":")[0] for path in BUILT_IN.values()} - own
    if module.startswith(_FAMILY.get(function, "nothing")):
        return False
    return any(module == other or module.startswith(f"{other}_") for other in others)


def cold_start(folder: Path, value: Mapping[str, object], *, step: bool = True) -> ColdStart:
    """A new process that imports the handler and serves one createSecret, or none."""
    with SecretsManagerSimulator() as simulator:
        environment = {"SECRETS_MANAGER_ENDPOINT": simulator.endpoint_url}
        with LambdaFunction(
            folder, handler=WITNESS, environment=environment, layers=[LAYER]
        ) as function:
            if step:
                driver = RotationDriver(simulator, function)
                arn = simulator.create_secret("app", value)
                driver.step(arn, driver.start(arn), "createSecret")
            told = function.invoke("tell")
    assert isinstance(told, dict)
    if not step:
        told["seconds"].append(0.0)
    return ColdStart.of(told)


def value_of(function: str, x: TwitterServer) -> dict[str, object]:
    """A secret that createSecret finds nothing wrong with. No server is asked but X."""
    engine = next(iter(drivers_of(function)))
    if function == "TwitterFunction":
        app = x.new_app()
        return {
            "engine": engine,
            "bearer_token": x.issue_bearer(app),
            "api_key": app.api_key,
            "api_key_secret": app.api_key_secret,
            "base_url": x.base_url,
            "ssl": False,
        }
    return {
        "engine": engine,
        "host": "db.example.com",
        "port": 1,
        "dbname": "app",
        "username": "app",
        "password": "none-of-anybody",
    }


def _table(number: int) -> Iterator[str]:
    yield f"Python {this_python()}, {this_architecture()}, {number} processes each, milliseconds."
    yield ""
    yield "| function | import | createSecret | both: median | p95 | loaded without need |"
    yield "|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as scratch, TwitterServer() as x:
        for function in FUNCTIONS:
            target = Target(function, this_python(), this_architecture())
            folder = made(Recipe(target), Path(scratch, function))
            starts = [cold_start(folder, value_of(function, x)) for _ in range(number)]
            imports, steps, both = (
                [getattr(start, name) * 1000 for start in starts]
                for name in ("import_seconds", "step_seconds", "seconds")
            )
            p95 = statistics.quantiles(both, n=20, method="inclusive")[-1]
            yield (
                f"| {function} | {statistics.median(imports):.0f} | {statistics.median(steps):.0f}"
                f" | {statistics.median(both):.0f} | {p95:.0f}"
                f" | {', '.join(sorted(starts[0].unneeded(function))) or 'nothing'} |"
            )


if __name__ == "__main__":
    for line in _table(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
