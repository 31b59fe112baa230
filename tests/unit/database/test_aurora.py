"""Aurora: every login goes to the writer, and a reader says that it is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from rotators.database.admin import admin_login
from rotators.database.aurora import AuroraMySQLRotator, AuroraPostgreSQLRotator
from rotators.database.engine import Engine, Session
from rotators.database.login import Login
from rotators.deadline import Deadline
from rotators.errors import (
    AccountLocked,
    MisconfiguredSecret,
    ReadOnlyServer,
    ServerUnreachable,
)
from rotators.rds import Lookups
from rotators.redaction import Redactor
from rotators.request import RotationRequest, Step
from rotators.rotator import Rotation
from rotators.settings import Settings, StrategyName
from rotators.testing.bench import Bench
from rotators.versions import SecretsManager

if TYPE_CHECKING:
    from rotators.database.rotator import DatabaseRotator

HOME = "abc123.eu-west-1.rds.amazonaws.com"
WRITER, READER = f"shop.cluster-{HOME}", f"shop.cluster-ro-{HOME}"
OTHERS = [f"shop-1.{HOME}", f"shop.cluster-custom-{HOME}", f"front.proxy-{HOME}", "db.example"]
CLUSTER_ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"
KINDS: dict[str, type[DatabaseRotator]] = {
    "aurora-postgresql": AuroraPostgreSQLRotator,
    "aurora-mysql": AuroraMySQLRotator,
}
ASKED = {
    "aurora-postgresql": "SELECT pg_catalog.pg_is_in_recovery()",
    "aurora-mysql": "SELECT @@innodb_read_only",
}


class Cluster:
    """What the engine below does: it opens and closes sessions, and asks one question."""

    def __init__(self, engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer: Any = 0
        self.hosts: list[str] = []
        self.asked: list[str] = []
        self.opened: list[object] = []
        self.closed: list[object] = []
        below: Any = engine.__mro__[2]
        monkeypatch.setattr(below, "open", lambda _, *given: self.open(*given))
        monkeypatch.setattr(engine, "execute", lambda _, *given: self.execute(*given))
        monkeypatch.setattr(
            engine, "close", lambda _, session: self.closed.append(session.connection)
        )

    def open(self, login: Login, deadline: Deadline) -> Session:
        self.hosts.append(login.host)
        self.opened.append(object())
        return Session(self.opened[-1], login, deadline)

    def execute(self, session: Session, statement: str) -> list[tuple[object]]:
        self.asked.append(statement)
        if isinstance(self.answer, Exception):
            raise self.answer
        return [(self.answer,)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(kind: str) -> Engine:
    return KINDS[kind].engine()


@pytest.fixture
def cluster(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(type(engine), monkeypatch)


@pytest.fixture
def login(kind: str) -> Login:
    return Login(kind, READER, 1, "shop", True, "app", "a password")


def test_the_reader_endpoint_leads_to_the_writer(
    engine: Engine, cluster: Cluster, login: Login, kind: str
) -> None:
    with engine.session(login, Deadline.after(30)) as session:
        assert cluster.hosts == [WRITER]
        assert cluster.asked == [ASKED[kind]]
        assert session.login is login
        assert cluster.closed == []
    assert cluster.closed == cluster.opened


@pytest.mark.parametrize("host", [WRITER, *OTHERS])
def test_every_other_host_stays_as_it_is(
    engine: Engine, cluster: Cluster, login: Login, host: str
) -> None:
    session = engine.open(replace(login, host=host), Deadline.after(30))
    assert cluster.hosts == [session.login.host] == [host]


@pytest.mark.parametrize("answer", [1, True])
def test_a_reader_is_left_and_said_to_be_one(
    engine: Engine, cluster: Cluster, login: Login, answer: object
) -> None:
    cluster.answer = answer
    with pytest.raises(ReadOnlyServer, match="is a reader of its cluster") as caught:
        engine.open(replace(login, host=OTHERS[0]), Deadline.after(30))
    assert OTHERS[0] in caught.value.found
    assert "writer endpoint" in caught.value.cure
    assert cluster.closed == cluster.opened


def test_a_session_of_an_expired_password_passes(
    engine: Engine, cluster: Cluster, login: Login
) -> None:
    cluster.answer = AccountLocked("expired", "Set a new one.")
    engine.open(login, Deadline.after(30))
    assert cluster.closed == []


def test_a_session_that_breaks_off_is_closed(
    engine: Engine, cluster: Cluster, login: Login
) -> None:
    cluster.answer = ServerUnreachable("it broke off", "Secrets Manager retries.")
    with pytest.raises(ServerUnreachable):
        engine.open(login, Deadline.after(30))
    assert cluster.closed == cluster.opened


# ── the admin's secret that RDS manages ──


class Target:
    settings = Settings(strategy=StrategyName.ALTERNATING_USERS)
    admin: Mapping[str, Any] | None = None

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def new_secret(self) -> dict[str, Any]:
        return {"engine": self.kind, "host": READER, "username": "app", "password": "x" * 9}

    def logs_in(self, secret: Mapping[str, Any]) -> bool:
        raise AssertionError("nobody logs in here")


Asking = Callable[[dict[str, Any]], Login]


@pytest.fixture
def admin_at(kind: str) -> Iterator[Asking]:
    """The admin's login, where the RDS API says this of the cluster."""
    session = boto3.session.Session("testing", "testing", region_name="eu-west-1")
    client = session.client("rds")
    with Bench(KINDS[kind], Target(kind)) as bench, Stubber(client) as stub:
        managed = bench.simulator.create_secret("m", {"username": "root", "password": "y" * 9})
        tags = [{"Key": "aws:rds:primaryDBClusterArn", "Value": CLUSTER_ARN}]
        bench.client.tag_resource(SecretId=managed, Tags=tags)
        arn, _ = bench.secret(masterarn=managed)
        rotation = Rotation(
            request=RotationRequest(Step.SET, arn, "v" * 32),
            deadline=Deadline.after(30),
            say=lambda *_, **__: None,
            redactor=Redactor(),
            versions=SecretsManager(bench.client),
        )

        def ask(said: dict[str, Any]) -> Login:
            asked = {"DBClusterIdentifier": CLUSTER_ARN}
            stub.add_response("describe_db_clusters", {"DBClusters": [said]}, asked)
            engine: Any = KINDS[kind].engine
            current = Login.of(rotation.current, engine)
            return admin_login(rotation, current, engine, Lookups(lambda: client))

        yield ask
    client.close()


@pytest.mark.parametrize("endpoint", [WRITER, READER])
def test_the_admin_of_a_cluster_logs_in_to_its_writer(
    kind: str, admin_at: Asking, endpoint: str
) -> None:
    admin = admin_at({"Engine": kind, "Endpoint": endpoint, "Port": 7777})
    assert (admin.host, admin.port, admin.engine) == (WRITER, 7777, kind)
    assert (admin.username, admin.password) == ("root", "y" * 9)


def test_a_cluster_that_is_being_made_is_waited_for(kind: str, admin_at: Asking) -> None:
    with pytest.raises(MisconfiguredSecret, match="no endpoint yet"):
        admin_at({"Engine": kind})
