"""A rotator on the bench: simulator, driver and dispatcher joined for one test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self

from rotators import handler
from rotators.dispatcher import Dispatcher
from rotators.registry import Registry
from rotators.testing.driver import RotationDriver
from rotators.testing.simulator import SecretsManagerSimulator
from rotators.versions import SecretsManager

if TYPE_CHECKING:
    from rotators.rotator import Rotator
    from rotators.settings import Settings
    from rotators.testing.crashes import CrashPoints

# The simulator takes any credentials; boto3 does not go without.
CREDENTIALS = {
    "aws_access_key_id": "simulated",
    "aws_secret_access_key": "simulated",
    "region_name": "us-east-1",
}


class Target(Protocol):
    """The server that a rotator is tested on."""

    settings: Settings
    # The admin's secret, for strategies that need one.
    admin: Mapping[str, Any] | None

    def new_secret(self) -> dict[str, Any]:
        """A new user of the server, as the value of a secret."""

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        """Whether the value logs in: False for a wrong password, an error for all else."""


class Bench:
    """Rotates secrets of ``target`` with ``rotator``, against a simulator of its own."""

    def __init__(self, rotator: type[Rotator], target: Target) -> None:
        self.rotator = rotator
        self.target = target
        self.simulator = SecretsManagerSimulator()
        self.driver = RotationDriver(self.simulator, self.handle)
        self.points: CrashPoints | None = None
        self.engines: set[str] = set()
        self.arns: list[str] = []
        # The simulator is consistent unless it is told not to be: nothing is to be waited for.
        self.sleep: Callable[[float], None] = lambda _: None
        self.admin_arn = ""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.simulator)
        self.client = simulator_client(self.simulator.endpoint_url)
        self._stack.callback(self.client.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def handle(self, event: object, context: object) -> None:
        """The Lambda function under test; it passes ``points``, if there are any."""
        handler.serve(event, context, self._dispatcher)

    def secret(self, **fields: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 JSON
        """A new secret for a new user: its ARN and its value."""
        admin = self.target.admin
        if admin is not None and not self.admin_arn:
            self.admin_arn = self.simulator.create_secret("admin", admin)
        masterarn = {} if admin is None else {"masterarn": self.admin_arn}
        value = {**self.target.new_secret(), **masterarn, **fields}
        self.engines.add(value["engine"])
        arn = self.simulator.create_secret(f"app/{len(self.arns)}", value)
        self.arns.append(arn)
        return arn, value

    def passwords(self) -> set[str]:
        """Every password that any version of any secret has."""
        texts = (
            self.simulator.value(arn, version_id=version)
            for arn in self.arns
            for version in self.simulator.secret(arn).versions
        )
        return {json.loads(text)["password"] for text in texts if text}

    def current(self, arn: str) -> dict[str, Any]:
        """AWSCURRENT's value."""
        return self.labelled(arn)["AWSCURRENT"]

    def labelled(self, arn: str) -> dict[str, dict[str, Any]]:
        """The value under each staging label that has one."""
        found = {}
        for version, labels in self.simulator.labels(arn).items():
            text = self.simulator.value(arn, version_id=version)
            if text is not None:
                found.update(dict.fromkeys(labels, json.loads(text)))
        return found

    def lawful(self, arn: str) -> bool:
        """The one law: some version that carries a staging label logs in."""
        return any(self.target.logs_in(value) for value in self.labelled(arn).values())

    def _dispatcher(self) -> Dispatcher:
        path = f"{self.rotator.__module__}:{self.rotator.__qualname__}"
        registry = Registry(dict.fromkeys(self.engines, path))
        versions = SecretsManager(self.client)
        dispatcher = Dispatcher(
            versions, registry, self.target.settings, sleep=self.sleep, clock=self.simulator.now
        )
        return self.points.dispatcher(dispatcher) if self.points else dispatcher


def simulator_client(endpoint_url: str) -> Any:  # noqa: ANN401 made at run time
    """A client without this machine's AWS settings and proxies, which are not for a simulator."""
    from botocore.config import Config

    return _session().create_client(
        "secretsmanager", endpoint_url=endpoint_url, config=Config(proxies={}), **CREDENTIALS
    )


@cache  # reading the API's description takes longer than a rotation
def _session() -> Any:  # noqa: ANN401 as above
    from botocore.session import Session

    return Session(session_vars={"profile": (None, None, None, None)})
