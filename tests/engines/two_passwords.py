"""A secret of MySQL or MariaDB, and the passwords that its account has on the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from rotators.request import Step
from rotators.testing.bench import Bench
from rotators.testing.mariadb import native_verifier
from tests.engines.mysql_target import ROTATORS, MySQLTarget
from tests.engines.scene import Scene as SharedScene

if TYPE_CHECKING:
    from rotators.errors import RotationError
    from rotators.settings import StrategyName
    from tests.servers_mysql import MySQL

# Where all of an account is kept, its passwords included.
_ACCOUNTS = {"mysql": "mysql.user", "mariadb": "mysql.global_priv"}


@dataclass
class Scene(SharedScene["MySQL", MySQLTarget]):
    """A bench with one secret."""

    @property
    def user(self) -> str:
        return self.base

    def alter(self, sql: str, *args: object) -> None:
        """What the server's root does to the user."""
        self.server.execute(f"ALTER USER %s@%s {sql}", self.user, "%", *args)

    def begin(self, *steps: Step) -> str:
        return super().begin(Step.CREATE, *steps)

    def abandon(self) -> None:
        """A rotation that a person gives up after setSecret."""
        token = self.begin(Step.SET)
        self.bench.client.update_secret_version_stage(
            SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=token
        )

    def retry(self) -> None:
        """As Secrets Manager does, of the rotation that failed."""
        labels = self.bench.simulator.labels(self.arn)
        (token,) = (version for version, stages in labels.items() if "AWSPENDING" in stages)
        self.bench.driver.retry(self.arn, token)

    def by(self, strategy: StrategyName) -> None:
        """The function's strategy from now on."""
        self.target.settings = replace(self.target.settings, strategy=strategy)

    def give_second(self) -> dict[str, Any]:
        """A second password of the user, after AWSCURRENT's."""
        first, second = self.old["password"], f"{self.old['password']}2"
        if self.server.kind == "mysql":
            self.alter("IDENTIFIED BY %s", second)
            self.alter("IDENTIFIED BY %s RETAIN CURRENT PASSWORD", first)
        else:
            native = "mysql_native_password USING %s"
            hashes = map(native_verifier, (first, second))
            self.alter(f"IDENTIFIED VIA {native} OR {native}", *hashes)
        assert self.alive(self.old, {**self.old, "password": second}) == [True, True]
        return {**self.old, "password": second}

    def revoke(self, privilege: str) -> None:
        """Takes it from the user."""
        self.server.execute(f"REVOKE {privilege} ON *.* FROM `{self.user}`@`%`")

    def alive(self, *values: dict[str, Any]) -> list[bool]:
        """Which of the values log in."""
        return [self.target.logs_in(value) for value in values]

    def account(self) -> list[tuple[Any, ...]]:
        """All that the server knows of the user, rights aside."""
        table = _ACCOUNTS[self.server.kind]
        return self.server.execute(f"SELECT * FROM {table} WHERE user = %s", self.user)  # noqa: S608

    def fails(self, kind: type[RotationError]) -> RotationError:
        """What a rotation ends with. It changes nothing."""
        before = self.account()
        with pytest.raises(kind) as caught:
            self.rotate()
        assert type(caught.value) is kind
        assert self.account() == before
        assert self.current == self.old
        return caught.value


@contextmanager
def scene_on(
    server: MySQL, strategy: StrategyName, *, with_admin: bool | None = None
) -> Iterator[Scene]:
    """One secret; ``with_admin`` as in MySQLTarget."""
    target = MySQLTarget(server, strategy, with_admin=with_admin)
    with Bench(ROTATORS[server.kind], target) as bench:
        yield Scene(server, target, bench, *bench.secret())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the function warned of."""
    return [record.message for record in caplog.records if record.levelname == "WARNING"]
