"""The exact batches of one rotation, to compare with those that a real server gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rotators.database.sqlserver import SQLServerRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.golden import assert_as_golden
from tests.engines.sqlserver_target import SQLServerTarget, served

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


class Named(SQLServerTarget):
    """With the same names every time."""

    def new_login(self, kind: str = "app") -> tuple[str, str]:
        made, password = super().new_login(kind)
        logins, principals = self.server.model.logins, {}
        login = logins[kind] = logins.pop(made)
        login.name = kind
        database = self.server.model.databases[self.database]
        for name, principal in database.principals.items():
            principal.name = principal.name.replace(made, kind)
            principals[name.replace(made, kind)] = principal
        database.principals = principals
        return kind, password


@pytest.mark.parametrize(
    ("strategy", "rotation"),
    [
        (StrategyName.SINGLE_USER, 1),
        (StrategyName.ALTERNATING_USERS, 1),
        (StrategyName.ALTERNATING_USERS, 2),
    ],
)
def test_double_the_statements_of_a_rotation(
    certificates: Certificates, strategy: StrategyName, rotation: int
) -> None:
    with served(certificates) as server:
        target = Named(server, strategy)
        with Bench(SQLServerRotator, target) as bench:
            arn, _ = bench.secret()
            for _ in range(2 * rotation - 1):  # the alternate is made, or found
                server.model.asked.clear()
                bench.driver.rotate(arn)
            text = "\nGO\n".join(batch.strip() for batch in server.model.asked) + "\nGO\n"
            for password in sorted(bench.passwords()):
                text = text.replace(password, "<password>")
        text = re.sub("(LOCK_TIMEOUT|LockTimeout =) [0-9]+", r"\1 30000", text)
        text = text.replace(target.database, "appdb")
    again = "-again" if rotation == 2 else ""
    assert_as_golden(f"sqlserver-{strategy.value}{again}", text)
