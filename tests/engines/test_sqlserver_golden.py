"""The exact batches of one rotation, to compare with those that a real server gets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.database.sqlserver import SQLServerRotator
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from tests.engines.golden import assert_as_golden
from tests.engines.sqlserver_target import Server, SQLServerTarget, any_server, the_double

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates


class Named(SQLServerTarget):
    """With the same names every time."""

    def new_login(self, kind: str = "app") -> tuple[str, str]:
        made, password = super().new_login(kind)
        double = the_double(self.server)
        database = double.databases[self.database]
        if made in double.logins:
            double.logins[kind] = double.logins.pop(made)
            double.logins[kind].name = kind
        for name in [name for name in database.principals if made in name]:
            principal = database.principals.pop(name)
            principal.name = principal.name.replace(made, kind)
            if principal.password is not None:
                principal.sid = f"c{kind}"
            database.principals[name.replace(made, kind)] = principal
        return kind, password


@pytest.fixture
def server(certificates: Certificates) -> Iterator[Server]:
    with any_server(certificates) as server:
        the_double(server)
        yield server


def batches(target: Named, bench: Bench, arn: str) -> str:
    """Those of one rotation, without passwords and times."""
    asked = the_double(target.server).asked
    asked.clear()
    bench.driver.rotate(arn)
    text = "\nGO\n".join(batch.strip() for batch in asked) + "\nGO\n"
    for password in sorted(bench.passwords()):
        text = text.replace(password, "<password>")
    text = re.sub("(LOCK_TIMEOUT|LockTimeout =) [0-9]+", r"\1 30000", text)
    return text.replace(target.database, "appdb")


@pytest.mark.parametrize(
    ("strategy", "rotation"),
    [
        (StrategyName.SINGLE_USER, 1),
        (StrategyName.ALTERNATING_USERS, 1),
        (StrategyName.ALTERNATING_USERS, 2),
    ],
)
def test_double_the_statements_of_a_rotation(
    server: Server, strategy: StrategyName, rotation: int
) -> None:
    target = Named(server, strategy)
    with Bench(SQLServerRotator, target) as bench:
        arn, _ = bench.secret()
        for _ in range(2 * rotation - 1):  # the alternate is made, or found
            text = batches(target, bench, arn)
    again = "-again" if rotation == 2 else ""
    assert_as_golden(f"sqlserver-{strategy.value}{again}", text)


def test_double_the_statements_for_a_contained_user(server: Server) -> None:
    target = Named(server, StrategyName.ALTERNATING_USERS, contained=True)
    with Bench(SQLServerRotator, target) as bench:
        arn, _ = bench.secret()
        target.do("ALTER USER [app] WITH DEFAULT_SCHEMA = [dbo], DEFAULT_LANGUAGE = [Deutsch]")
        assert_as_golden("sqlserver-contained-users", batches(target, bench, arn))


def test_double_the_statements_for_what_has_changed(server: Server) -> None:
    """Of the base, since its alternate was made; in two databases."""
    target = Named(server, StrategyName.ALTERNATING_USERS)
    with Bench(SQLServerRotator, target) as bench:
        arn, _ = bench.secret()
        target.do("CREATE DATABASE [otherdb]")
        for one in ("admin", "app"):
            target.do(f"CREATE USER [{one}] FOR LOGIN [{one}]", "otherdb")
        target.do("ALTER ROLE [db_owner] ADD MEMBER [admin]", "otherdb")
        for _ in range(2):
            bench.driver.rotate(arn)
        target.do("CREATE SCHEMA [s]")
        target.do("ALTER USER [app_user] WITH DEFAULT_SCHEMA = [s]")
        target.do("ALTER ROLE [readers] DROP MEMBER [app_user]")
        target.do("ALTER ROLE [db_datareader] ADD MEMBER [app]", "otherdb")
        assert_as_golden("sqlserver-alternating-users-changed", batches(target, bench, arn))
