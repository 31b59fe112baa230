"""Input that would hurt a careless rotator, on a double of MongoDB."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rotators.errors import LoginRefused, MisconfiguredSecret
from rotators.settings import StrategyName
from tests.engines.documentdb_scene import bench_on
from tests.engines.test_postgresql_gaps import staged

if TYPE_CHECKING:
    from rotators.testing.bench import Bench
    from tests.doubles.documentdb import Mongo

pytest_plugins = ["tests.engines.documentdb_fixtures"]

NASTY = (
    """it's we"ird;-- back\\slash\\ per%cent %s %(x)s %40""",
    "comma, equals=3D=2C dollar $ne {brace: 1} a.b:c@d/e?f#g",
    "ünïcödé ключ 密码",
    "x" * 200,
    "mongodb://evil/x",
)


@pytest.fixture
def bench(mongo: Mongo) -> Iterator[Bench]:
    with bench_on(mongo) as bench:
        bench.engines.add("mongo")
        yield bench


@pytest.mark.parametrize("strategy", [StrategyName.SINGLE_USER, StrategyName.ALTERNATING_USERS])
def test_double_nasty_user_names(mongo: Mongo, strategy: StrategyName) -> None:
    with bench_on(mongo, strategy) as bench:
        for name in NASTY:
            user = mongo.create_user(name=f"{name} {strategy}", roles=[mongo.own_password()])
            arn, _ = bench.secret(username=user.name, password=user.password)
            for _ in range(2):
                bench.driver.rotate(arn)
            assert mongo.can_log_in(user.name, bench.current(arn)["password"]), name
            assert not mongo.can_log_in(user.name, user.password), name


def test_double_nasty_passwords(mongo: Mongo, bench: Bench) -> None:
    for password in (*NASTY, "\u00a0Ⅸ\u00ad!", "y" * 500, "a"):
        user = mongo.create_user(password=password, roles=[mongo.own_password()])
        arn, _ = bench.secret(username=user.name, password=password)
        token = bench.driver.start(arn)
        new = password[::-1] + "!"
        staged(bench, arn, token, password=new)
        bench.driver.retry(arn, token)
        assert mongo.can_log_in(user.name, new), password
        assert not mongo.can_log_in(user.name, password), password


@pytest.mark.parametrize("password", ["bell\a", "line\nbreak", "\ue000", "\u0221", "😀"])
def test_double_a_password_that_scram_does_not_allow(bench: Bench, password: str) -> None:
    """SASLprep refuses it in the driver, before anything is sent."""
    arn, old = bench.secret(password=password)
    with pytest.raises(LoginRefused) as caught:
        bench.driver.rotate(arn)
    assert password not in str(caught.value)
    assert old["password"] == password


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "localhost,evil.example"},
        {"host": "mongodb://localhost"},
        {"host": "localhost/x"},
        {"port": "65536"},
        {"username": "root\0x"},
        {"username": "x" * 1025},
        {"dbname": "a\0b"},
        {"ssl": "maybe"},
    ],
)
def test_double_a_bad_field_is_refused_before_anything_is_staged(
    bench: Bench, fields: dict[str, object]
) -> None:
    arn, old = bench.secret()
    bench.driver.put_by_hand(arn, {**old, **fields})
    token = bench.driver.start(arn)
    with pytest.raises(MisconfiguredSecret, match=next(iter(fields))):
        bench.driver.step(arn, token, "createSecret")
    assert bench.simulator.value(arn, version_id=token) is None
    assert bench.target.logs_in(old)


def test_double_names_of_roles_are_nobodys_business(mongo: Mongo) -> None:
    with bench_on(mongo, StrategyName.ALTERNATING_USERS) as bench:
        made = [mongo.create_role(f"{name} {uuid.uuid4().hex}") for name in NASTY]
        user = mongo.create_user(roles=made)
        arn, _ = bench.secret(username=user.name, password=user.password)
        bench.driver.rotate(arn)
        assert mongo.roles(f"{user.name}_clone") == mongo.roles(user.name)
