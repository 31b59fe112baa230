"""The statements of one rotation, to the letter: for a person with a real Redshift to compare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.settings import StrategyName
from tests.engines.golden import assert_as_golden
from tests.engines.redshift_target import Server, bench_on, redshift_server

if TYPE_CHECKING:
    from tests.servers import PrivatePostgreSQL


@pytest.fixture(scope="module")
def server(private_postgresql: PrivatePostgreSQL) -> Iterator[Server]:
    with redshift_server(private_postgresql) as server:
        yield server


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_the_statements_are_those_of_the_golden_file(
    server: Server, strategy: StrategyName
) -> None:
    with bench_on(server, strategy) as bench:
        arn, old = bench.secret()
        base = old["username"]
        server.execute("CREATE TABLE IF NOT EXISTS public.orders (id int, total int)")
        server.execute(
            "CREATE OR REPLACE VIEW public.totals AS SELECT sum(total) FROM public.orders"
        )
        server.execute(f'GRANT SELECT, INSERT ON public.orders TO "{base}"')
        server.execute(f'GRANT SELECT ON public.totals TO "{base}" WITH GRANT OPTION')
        server.execute(f'ALTER USER "{base}" SET search_path TO "$user", public')
        server.execute(f'ALTER USER "{base}" CONNECTION LIMIT 7')
        begun = len(server.front.statements)
        bench.driver.rotate(arn)
        said = server.front.statements[begun:]
    lines = [f"-- as {user}\n{statement};" for user, statement in said]
    text = _without_values("\n".join(lines) + "\n", {base: "app", server.user: "admin"})
    assert_as_golden(f"redshift-{strategy}", text)


def _without_values(text: str, names: dict[str, str]) -> str:
    for name, instead in names.items():
        text = text.replace(name, instead)
    text = re.sub(r"'sha256\|[0-9a-f]{64}\|[0-9a-f]{32}'", "'sha256|DIGEST|SALT'", text)
    return re.sub(r"(statement_timeout TO )\d+", r"\1MILLISECONDS", text)
