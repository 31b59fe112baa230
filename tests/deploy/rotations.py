"""Rotations of every engine, played for what they ask AWS for.

The databases are in memory, with what an engine asks of AWS in its place (its ``lookups``): which
statements it sends to its server is none of IAM's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rotators.database.redshift_api import RedshiftLookups
from rotators.database.rotator import DatabaseRotator
from rotators.database.users import AdministersUsers
from rotators.issued.twitter import TwitterOAuthRotator
from rotators.registry import Registry
from rotators.settings import StrategyName
from rotators.testing.bench import Bench
from rotators.testing.memory import Memory, MemoryRotator, MemoryServer
from rotators.testing.twitter import TwitterServer
from tests.deploy.recorder import Answers, Call, Recorder, arn, recorder
from tests.engines.test_memory import MemoryTarget
from tests.engines.twitter_target import BearerTarget, UserTarget

if TYPE_CHECKING:
    from rotators.testing.certificates import Certificates

_HOST = "database"

# Where RDS and Redshift say, by a tag, that a secret is theirs, and what they answer about it.
_NAMESPACE = arn("redshift-serverless", "namespace/1f2e-3d")
_BY_RDS: Mapping[str, str] = {
    "aws:rds:primaryDBInstanceArn": arn("rds", "db:orders"),
    "aws:rds:primaryDBClusterArn": arn("rds", "cluster:shop"),
}
_BY_REDSHIFT: Mapping[str, str] = {
    "aws:redshift:primaryClusterArn": arn("redshift", "cluster:sales"),
    "aws:redshift-serverless:namespaceArn": _NAMESPACE,
}
_ENDPOINT = {"Address": _HOST, "Port": 1}
_WORKGROUP = {"namespaceName": "n", "endpoint": {"address": _HOST, "port": 1}}
ANSWERS: Answers = {
    "DescribeDBInstances": {"DBInstances": [{"Endpoint": _ENDPOINT, "Engine": "memory"}]},
    "DescribeDBClusters": {"DBClusters": [{"Endpoint": _HOST, "Port": 1, "Engine": "memory"}]},
    "DescribeClusters": {"Clusters": [{"Endpoint": _ENDPOINT}]},
    "ListNamespaces": {"namespaces": [{"namespaceName": "n", "namespaceArn": _NAMESPACE}]},
    "ListWorkgroups": {"workgroups": [_WORKGROUP]},
}


def calls_of(
    engine: str, strategy: StrategyName | None, certificates: Certificates, *, admin: bool
) -> list[Call]:
    """All that rotations of this engine ask for; ``admin``: of secrets with masterarn, as well.

    Also where a value that works is only in a version without a label, and where RDS or Redshift
    manages the admin's secret.
    """
    with recorder(ANSWERS) as made:
        if strategy is None:
            _twitter(made, certificates, admin=admin)
        else:
            _database(made, engine, strategy, admin=admin)
    return made.calls


def _database(made: Recorder, engine: str, strategy: StrategyName, *, admin: bool) -> None:
    rotator = Registry().load(engine)
    assert issubclass(rotator, DatabaseRotator)
    assert issubclass(rotator.engine, AdministersUsers)
    of_redshift = issubclass(rotator.engine.lookups, RedshiftLookups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "lookups", rotator.engine.lookups)
        if strategy is not StrategyName.ALTERNATING_USERS:
            with _server(strategy) as target:
                _play(made, target, engine)
        for tag in (_BY_REDSHIFT if of_redshift else _BY_RDS).items() if admin else ():
            with _server(strategy, managed=True) as target:
                _play(made, target, engine, tag)


@contextmanager
def _server(strategy: StrategyName, *, managed: bool = False) -> Iterator[MemoryTarget]:
    with MemoryServer(_HOST, only_admins_retain=managed) as server:
        target = MemoryTarget(server, strategy)
        if managed:
            user = target.new_secret()
            server.admins.add(user["username"])
            target.admin = {key: user[key] for key in ("username", "password")}
        yield target


def _play(
    made: Recorder, target: MemoryTarget, engine: str, tag: tuple[str, str] | None = None
) -> None:
    with Bench(MemoryRotator, target) as bench:
        secret, _ = bench.secret(engine=engine)
        if tag is not None:
            tags = [{"Key": tag[0], "Value": tag[1]}]
            bench.client.tag_resource(SecretId=bench.admin_arn, Tags=tags)
        with made.listening(bench):
            bench.driver.test_only(secret)
            bench.driver.rotate(secret)
            if target.settings.strategy is not StrategyName.DUAL_PASSWORD:
                _unlabel(bench, target, secret)
                bench.driver.rotate(secret)


def _unlabel(bench: Bench, target: MemoryTarget, secret: str) -> None:
    """Lets the next rotation find what it needs only in a version without a label."""
    single = target.settings.strategy is StrategyName.SINGLE_USER
    changed = {"password": "another"} if single else {}
    value = {**bench.current(secret), **changed}
    target.server.marks.clear()
    for note in ("one", "two"):
        bench.driver.put_by_hand(secret, {**value, "note": note})


class _KeysApart(BearerTarget):
    """Secrets with the bearer of one app, whose keys are in a secret of their own."""

    def __init__(self, x: TwitterServer, certificates: Certificates) -> None:
        super().__init__(x, certificates.ca)
        self.admin = self.keys(self.new_app())

    def new_secret(self) -> dict[str, Any]:
        return self.bearer(self.apps[0])


def _twitter(made: Recorder, certificates: Certificates, *, admin: bool) -> None:
    with TwitterServer(tls=certificates.server) as x:
        _rotate(made, BearerTarget(x, certificates.ca))
        if admin:
            _rotate(made, UserTarget(x, certificates.ca))
            _rotate(made, _KeysApart(x, certificates), "one", "two")


def _rotate(made: Recorder, target: BearerTarget | UserTarget, *bearers: str) -> None:
    """``bearers`` take the place of AWSCURRENT's, one after the other."""
    with Bench(TwitterOAuthRotator, target) as bench:
        secret, value = bench.secret()
        for bearer in bearers:
            bench.driver.put_by_hand(secret, {**value, "bearer_token": bearer})
        with made.listening(bench):
            bench.driver.rotate(secret)
