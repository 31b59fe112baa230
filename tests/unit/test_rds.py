"""Names of RDS hosts, and the RDS API: against moto, planned answers, and servers on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from rotators import aws
from rotators.errors import (
    AccessDenied,
    MisconfiguredSecret,
    RotationError,
    ServiceUnavailable,
    UnexpectedError,
)
from rotators.rds import Endpoint, Host, Kind, Lookups, rds_client, writer_of

Client = Any  # boto3 makes its clients at run time

HOME = "abc123.eu-west-1.rds.amazonaws.com"
INSTANCE = f"orders.{HOME}"
WRITER, READER = f"shop.cluster-{HOME}", f"shop.cluster-ro-{HOME}"
CUSTOM, PROXY = f"reports.cluster-custom-{HOME}", f"front.proxy-{HOME}"
INSTANCE_TAG, CLUSTER_TAG = "aws:rds:primaryDBInstanceArn", "aws:rds:primaryDBClusterArn"
ARN = "arn:aws:rds:eu-west-1:123456789012:db:orders"
CLUSTER_ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:shop"

# ── names ──

PARTITIONS = [
    ("abc123.eu-west-1.rds.amazonaws.com", "eu-west-1"),
    ("abc123.ap-southeast-2.rds.amazonaws.com", "ap-southeast-2"),
    ("abc123.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
    ("abc123.rds.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("abc123.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
    ("abc123.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
    ("abc123.eusc-de-east-1.rds.amazonaws.eu", "eusc-de-east-1"),
    ("abc123.eu-west-1.docdb.amazonaws.com", "eu-west-1"),
    ("abc123.docdb.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("abc123.rds.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ("abc123.rds.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
    ("abc123.rds.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
    ("abc123.rds.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
]
# None of these is a name that RDS gives; many are nearly one.
STRANGERS = [
    "",
    ".",
    "..",
    "...........",
    "localhost",
    "db",
    "db.",
    "db.example.com",
    "cluster-ro-abc.example.com",
    "192.0.2.7",
    "::1",
    "[2001:db8::1]:5432",
    "orders.cluster-ro-",
    "cluster-ro-abc123.eu-west-1.rds.amazonaws.com",
    "eu-west-1.rds.amazonaws.com",
    "rds.eu-west-1.amazonaws.com",
    "rds.amazonaws.com",
    ".rds.amazonaws.com",
    f".cluster-ro-{HOME}",
    f"shop..cluster-ro-{HOME}",
    f"shop.cluster-ro-.{HOME}",
    f"shop.cluster-ro-{HOME}.",
    f"shop.cluster-ro-{HOME}..",
    f"shop.cluster-ro-{HOME}\n",
    f" shop.cluster-ro-{HOME}",
    f"shop.cluster-ro-{HOME}:5432",
    f"shop.cluster-ro-{HOME}/orders",
    f"shop.cluster-ro-{HOME}.example.com",
    f"shop.cluster-ro-{HOME}.cn.cn",
    f"a.shop.cluster-ro-{HOME}",
    f"shop.CLUSTER-RO-{HOME}",
    READER.upper(),
    READER.title(),
    READER.replace(".", "。"),
    READER.replace("shop", "läden"),
    READER.replace("shop", "xn--lden-koa"),
    READER.replace("shop", "shop\0"),
    READER.replace("shop", "-shop"),
    READER.replace("shop", "shop-"),
    READER.replace("shop", "9shop"),
    READER.replace("shop", "s" * 64),
    READER.replace("abc123", "abc-123"),
    READER.replace("abc123", "a" * 41),
    READER.replace("abc123", "abc１２３"),
    READER.replace("eu-west-1", "global"),
    READER.replace("eu-west-1", "eu-west-"),
    READER.replace("rds", "docdbs"),
    READER.replace(".rds.", "-rds."),
    READER.replace("amazonaws.com", "amazonaws.org"),
    READER.replace("amazonaws.com", "amazonaws-com"),
    READER.replace("cluster-ro-", "cluster-ro-cluster-ro-"),
    READER.replace("cluster-ro-", "shardgrp-"),
    READER.replace("cluster-ro-", "global-"),
    f"reader.endpoint.proxy-{HOME}",
    "a" * 100_000,
    "a-" * 100_000,
    "a." * 100_000,
    "a-a" * 100_000 + "." + HOME,
    "shop.cluster-ro-abc123." + "eu-" * 100_000 + "1.rds.amazonaws.com",
    "\ud800.rds.amazonaws.com",
]


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(("home", "region"), PARTITIONS)
def test_a_name_of_rds_is_taken_apart_in_every_partition(
    kind: Kind, home: str, region: str
) -> None:
    name = f"my-db-1.{kind.value}{home}"
    assert Host.parse(name) == Host(name, kind, "my-db-1", home, region)


@pytest.mark.parametrize("host", STRANGERS, ids=lambda host: ascii(host[:40]))
def test_any_other_name_is_no_name_of_rds_and_stays_as_it_is(host: str) -> None:
    assert Host.parse(host) is None
    assert writer_of(host) == host


def test_the_longest_label_is_one_of_63_characters() -> None:
    assert Host.parse(READER.replace("shop", "s" * 63)) is not None


@pytest.mark.parametrize("home", [home for home, _ in PARTITIONS])
def test_the_writer_of_a_reader_endpoint_is_named_like_its_cluster(home: str) -> None:
    assert writer_of(f"shop.cluster-ro-{home}") == f"shop.cluster-{home}"


@pytest.mark.parametrize("host", [INSTANCE, WRITER, CUSTOM, PROXY, "CLUSTER-RO-x", "db"])
def test_what_is_no_reader_endpoint_is_its_own_writer(host: str) -> None:
    assert writer_of(host) == host


def test_a_cluster_may_be_named_like_a_prefix() -> None:
    assert writer_of(f"cluster-ro-1.cluster-ro-{HOME}") == f"cluster-ro-1.cluster-{HOME}"


# ── what names alone decide ──


def unasked() -> Lookups:
    """Fails the test when the API is needed."""

    def make() -> Client:
        raise AssertionError("no call is needed for this")

    return Lookups(make)


SAME = [
    ("db", "db"),
    ("DB.example.com.", "db.Example.com"),
    ("192.0.2.7", "192.0.2.7"),
    (INSTANCE, INSTANCE.upper() + "."),
    (PROXY, PROXY),
    (CUSTOM, CUSTOM),
    (READER, WRITER),
    (READER.upper(), WRITER + "."),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_equal_names_and_a_clusters_two_endpoints_are_one_database_without_a_call(
    one: str, other: str
) -> None:
    assert unasked().same_database(one, other)
    assert unasked().same_database(other, one)


@pytest.mark.parametrize("named", [INSTANCE, WRITER, READER, CUSTOM, "on-premises", "192.0.2.9"])
def test_a_name_that_is_not_of_rds_is_another_database_without_a_call(named: str) -> None:
    for stranger in STRANGERS:
        if Host.parse(stranger.lower().removesuffix(".")) is None:
            assert not unasked().same_database(stranger, named)
            assert not unasked().same_database(named, stranger)


@pytest.mark.parametrize("named", [INSTANCE, WRITER, READER, CUSTOM, f"back.proxy-{HOME}"])
def test_a_proxy_is_another_database_without_a_call(named: str) -> None:
    assert not unasked().same_database(PROXY, named)
    assert not unasked().same_database(named, PROXY)


# ── the API: moto ──


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    """One for all, because it reads the service's model from disk. Nobody checks who it is."""
    return boto3.session.Session("testing", "testing", region_name="eu-west-1")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's credentials, and nothing of the machine's own configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


class Account:
    """moto's RDS in one Region, and what was asked of it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asked: list[str] = []
        client.meta.events.register(
            "before-call.rds", lambda model, **_: self.asked.append(model.name)
        )

    def lookups(self) -> Lookups:
        self.asked.clear()
        return Lookups(lambda: self.client)

    def same(self, app: str, admin: str) -> bool:
        return self.lookups().same_database(app, admin)

    def instance(self, name: str, **more: str) -> str:
        made = self.client.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.small",
            **{"Engine": "postgres", "MasterUsername": "u", "MasterUserPassword": "x" * 8, **more},
            **({} if "DBClusterIdentifier" in more else {"AllocatedStorage": 20}),
        )
        return str(made["DBInstance"]["Endpoint"]["Address"])

    def cluster(self, name: str, engine: str = "aurora-postgresql") -> tuple[str, str]:
        made = self.client.create_db_cluster(
            DBClusterIdentifier=name, Engine=engine, MasterUsername="u", MasterUserPassword="x" * 8
        )["DBCluster"]
        return str(made["Endpoint"]), str(made["ReaderEndpoint"])

    def member(self, name: str, cluster: str) -> str:
        return self.instance(name, Engine="aurora-postgresql", DBClusterIdentifier=cluster)

    def replica(self, name: str, source: str) -> str:
        made = self.client.create_db_instance_read_replica(
            DBInstanceIdentifier=name, SourceDBInstanceIdentifier=source
        )
        return str(made["DBInstance"]["Endpoint"]["Address"])


@pytest.fixture
def cloud(session: boto3.session.Session) -> Iterator[Callable[[str], Account]]:
    """moto's accounts, by Region."""
    with mock_aws():
        made: list[Account] = []

        def account(region: str) -> Account:
            made.append(Account(session.client("rds", region_name=region)))
            return made[-1]

        yield account
        for one in made:
            one.client.close()


@pytest.fixture
def account(cloud: Callable[[str], Account]) -> Account:
    return cloud("eu-west-1")


def test_clusters_of_different_accounts_are_different_though_named_alike(account: Account) -> None:
    writer, _ = account.cluster("shop")
    assert Host.parse(writer) is not None
    assert not account.same(READER, writer)
    assert not account.same(writer, READER)


def test_a_read_replica_has_the_admin_of_its_source(account: Account) -> None:
    source, other = account.instance("orders"), account.instance("other")
    replica = account.replica("orders-replica", "orders")
    assert account.same(replica, source)
    assert account.asked == ["DescribeDBInstances"]
    assert not account.same(replica, other)
    assert not account.same(other, source)


def test_a_source_does_not_have_the_admin_of_its_replica(account: Account) -> None:
    source = account.instance("orders")
    replica = account.replica("orders-replica", "orders")
    assert account.same(replica, source)
    assert not account.same(source, replica)


def test_a_replica_of_an_instance_named_alike_elsewhere_is_another_database(
    account: Account,
) -> None:
    source = account.instance("orders")
    replica = account.replica("orders-replica", "orders")
    assert not account.same(replica, source.replace("orders.", "orders.x"))
    assert not account.same(replica.replace("replica.", "replica.x"), source)
    assert not account.same(replica, source.replace("orders.", "orders.cluster-"))


def test_a_replica_may_be_in_another_region_than_its_source(
    cloud: Callable[[str], Account],
) -> None:
    home, abroad = cloud("eu-west-1"), cloud("us-east-1")
    source, third = home.instance("orders"), home.instance("third")
    arn = home.client.describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"][0]
    replica = abroad.replica("orders-abroad", arn["DBInstanceArn"])
    assert abroad.same(replica, source)
    assert not abroad.same(replica, third)
    assert not abroad.same(replica, source.replace("eu-west-1", "eu-west-2"))
    assert not home.same(replica, source), "the client sees only its own Region"


def test_an_instance_and_its_cluster_are_one_database_either_way_round(account: Account) -> None:
    writer, reader = account.cluster("shop")
    member = account.member("shop-1", "shop")
    for endpoint in (writer, reader):
        assert account.same(member, endpoint)
        assert account.asked == ["DescribeDBInstances", "DescribeDBClusters"]
        assert account.same(endpoint, member)


def test_two_instances_of_one_cluster_are_one_database(account: Account) -> None:
    account.cluster("shop")
    one, two = account.member("shop-1", "shop"), account.member("shop-2", "shop")
    assert account.same(one, two)
    assert account.same(two, one)


def test_instances_and_endpoints_of_different_clusters_are_different(account: Account) -> None:
    (shop, _), (depot, reader) = account.cluster("shop"), account.cluster("depot")
    member, other = account.member("shop-1", "shop"), account.member("depot-1", "depot")
    alone, another = account.instance("alone"), account.instance("another")
    for one, two in [
        (member, depot),
        (member, reader),
        (member, other),
        (member, alone),
        (shop, depot),
        (shop, reader),
        (shop, alone),
        (alone, another),
    ]:
        assert not account.same(one, two)
        assert not account.same(two, one)


def test_names_that_no_database_of_the_account_has_are_different(account: Account) -> None:
    for one in (INSTANCE, WRITER, READER, CUSTOM):
        for two in (f"absent.{HOME}", f"absent.cluster-{HOME}", f"absent.cluster-custom-{HOME}"):
            assert not account.same(one, two)
            assert not account.same(two, one)


def test_an_instance_of_another_account_is_not_taken_for_ours_of_the_same_identifier(
    account: Account,
) -> None:
    writer, _ = account.cluster("shop")
    member = account.member("shop-1", "shop")
    theirs = member.replace("shop-1.", "shop-1.x")
    assert not account.same(theirs, writer)
    assert not account.same(writer, theirs)
    assert not account.same(member, theirs)
    assert not account.same(member, writer.replace("cluster-", "cluster-x"))


def test_the_client_is_made_when_it_is_first_needed_and_once(account: Account) -> None:
    made: list[Client] = []

    def make() -> Client:
        made.append(account.client)
        return account.client

    lookups = Lookups(make)
    assert lookups.same_database(READER, WRITER)
    assert lookups.managed_endpoint({}) is None
    assert made == []
    for _ in range(2):
        lookups.same_database(INSTANCE, WRITER)
    assert len(made) == 1


# ── RDS-managed admin secrets ──


@pytest.mark.parametrize("key", [INSTANCE_TAG, INSTANCE_TAG.lower(), INSTANCE_TAG.upper()])
def test_the_tag_of_an_instance_leads_to_its_endpoint(account: Account, key: str) -> None:
    host = account.instance("orders", Engine="mysql")
    found = account.lookups().managed_endpoint({key: ARN, "aws:secretsmanager:owner": "rds"})
    assert found == Endpoint(host, 3306, "mysql")
    assert account.asked == ["DescribeDBInstances"]


def test_the_tag_of_a_cluster_leads_to_its_writer_endpoint(account: Account) -> None:
    writer, _ = account.cluster("shop")
    found = account.lookups().managed_endpoint({CLUSTER_TAG: CLUSTER_ARN})
    assert found == Endpoint(writer, 5432, "aurora-postgresql")
    assert account.asked == ["DescribeDBClusters"]


def test_the_database_of_the_arn_is_found_among_more_than_a_page_of_them(account: Account) -> None:
    for number in range(101):
        account.instance(f"crowd-{number}")
    host = account.instance("orders")
    found = account.lookups().managed_endpoint({INSTANCE_TAG: ARN})
    assert found == Endpoint(host, 5432, "postgres")


@pytest.mark.parametrize("tags", [{}, {"team": ARN}, {"rds:primarydbinstancearn": ARN}])
def test_a_secret_without_a_tag_of_rds_is_not_managed(
    account: Account, tags: dict[str, str]
) -> None:
    assert account.lookups().managed_endpoint(tags) is None
    assert account.asked == []


WRONG_ARNS = {
    "": "no ARN",
    "orders": "no ARN",
    "arn:aws:rds:eu-west-1:123456789012:snapshot:orders": "no ARN",
    "arn:aws:s3:::orders": "no ARN",
    f"{ARN}\n": "no ARN",
    ARN.ljust(257, "x"): "257 characters, 256 at most",
    ARN.replace("eu-west-1", "us-east-1"): "this function runs in eu-west-1",
}


@pytest.mark.parametrize(("arn", "found"), WRONG_ARNS.items(), ids=lambda text: ascii(text[:50]))
@pytest.mark.parametrize("tag", [INSTANCE_TAG, CLUSTER_TAG])
def test_a_tag_that_can_lead_nowhere_is_told_without_a_call(
    account: Account, tag: str, arn: str, found: str
) -> None:
    with pytest.raises(MisconfiguredSecret, match=found) as caught:
        account.lookups().managed_endpoint({tag: arn})
    assert "masterarn" in caught.value.cure or "us-east-1" in caught.value.cure
    assert account.asked == []


def test_an_arn_of_256_characters_is_short_enough(account: Account) -> None:
    with pytest.raises(MisconfiguredSecret, match="there is no such database"):
        account.lookups().managed_endpoint({INSTANCE_TAG: ARN.ljust(256, "x")})


def test_a_managed_secret_whose_database_is_gone_is_told_with_a_cure(account: Account) -> None:
    for tags in ({INSTANCE_TAG: ARN}, {CLUSTER_TAG: CLUSTER_ARN}):
        with pytest.raises(MisconfiguredSecret, match="there is no such database") as caught:
            account.lookups().managed_endpoint(tags)
        assert next(iter(tags.values())) in caught.value.found
        assert "masterarn" in caught.value.cure
        assert caught.value.__context__ is None


# ── the API: planned answers ──


@pytest.fixture
def stub(session: boto3.session.Session) -> Iterator[Stubber]:
    """A client that answers only what was planned."""
    client = session.client("rds")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    client.close()


def planned(stub: Stubber) -> Lookups:
    return Lookups(lambda: stub.client)


@pytest.mark.parametrize(
    "instance",
    [
        {},
        {"Endpoint": {}},
        {"Endpoint": {"Port": 5432}},
        {"Endpoint": {"Address": INSTANCE}},
        {"Endpoint": {"Address": INSTANCE, "Port": 0}},
    ],
)
def test_an_instance_without_an_endpoint_is_waited_for(
    stub: Stubber, instance: dict[str, Any]
) -> None:
    answer = {"DBInstances": [{"Engine": "postgres", **instance}]}
    stub.add_response("describe_db_instances", answer, {"DBInstanceIdentifier": ARN})
    with pytest.raises(MisconfiguredSecret, match="no endpoint yet") as caught:
        planned(stub).managed_endpoint({INSTANCE_TAG: ARN})
    assert "available" in caught.value.cure


@pytest.mark.parametrize("cluster", [{}, {"Port": 5432}, {"Endpoint": WRITER}])
def test_a_cluster_without_an_endpoint_is_waited_for(
    stub: Stubber, cluster: dict[str, Any]
) -> None:
    answer = {"DBClusters": [{"Engine": "aurora-mysql", **cluster}]}
    stub.add_response("describe_db_clusters", answer, {"DBClusterIdentifier": CLUSTER_ARN})
    with pytest.raises(MisconfiguredSecret, match="no endpoint yet"):
        planned(stub).managed_endpoint({CLUSTER_TAG: CLUSTER_ARN})


def test_an_instance_without_an_endpoint_is_no_host(stub: Stubber) -> None:
    stub.add_response("describe_db_instances", {"DBInstances": [{}]})
    assert not planned(stub).same_database(INSTANCE, WRITER)


def test_an_empty_answer_is_a_database_that_is_gone(stub: Stubber) -> None:
    stub.add_response("describe_db_instances", {"DBInstances": []})
    with pytest.raises(MisconfiguredSecret, match="there is no such database"):
        planned(stub).managed_endpoint({INSTANCE_TAG: ARN})


SHOP = {
    "DBClusterIdentifier": "shop",
    "Endpoint": WRITER,
    "ReaderEndpoint": READER,
    "CustomEndpoints": [f"other.cluster-custom-{HOME}", CUSTOM],
}


def plan_clusters(stub: Stubber) -> None:
    """Three pages of all clusters, of which the last has the custom endpoint's."""
    crowd: list[dict[str, Any]] = [
        {"DBClusterIdentifier": f"crowd-{number}"} for number in range(200)
    ]
    pages = [{"DBClusters": crowd[:100]}, {"DBClusters": crowd[100:]}, {"DBClusters": [SHOP]}]
    for number, page in enumerate(pages):
        asked: dict[str, str] = {"Marker": f"p{number}"} if number else {}
        more = {"Marker": f"p{number + 1}"} if page is not pages[-1] else {}
        stub.add_response("describe_db_clusters", {**page, **more}, asked)


def test_a_custom_endpoint_is_looked_for_in_all_pages_of_clusters(stub: Stubber) -> None:
    plan_clusters(stub)
    stub.add_response("describe_db_clusters", {"DBClusters": [SHOP]})
    assert planned(stub).same_database(CUSTOM, WRITER)


def test_the_admin_may_be_at_a_custom_endpoint(stub: Stubber) -> None:
    stub.add_response(
        "describe_db_clusters", {"DBClusters": [SHOP]}, {"DBClusterIdentifier": "shop"}
    )
    plan_clusters(stub)
    assert planned(stub).same_database(READER, CUSTOM)


def test_a_custom_endpoint_named_like_another_cluster_is_not_that_cluster(stub: Stubber) -> None:
    named_alike = f"shop.cluster-custom-{HOME}"
    depot = {"DBClusterIdentifier": "depot", "CustomEndpoints": [named_alike]}
    stub.add_response("describe_db_clusters", {"DBClusters": [SHOP, depot]}, {})
    stub.add_response("describe_db_clusters", {"DBClusters": [SHOP]})
    assert not planned(stub).same_database(named_alike, WRITER)


def test_a_custom_endpoint_of_no_cluster_is_another_database(stub: Stubber) -> None:
    stub.add_response("describe_db_clusters", {"DBClusters": [{**SHOP, "CustomEndpoints": []}]}, {})
    assert not planned(stub).same_database(CUSTOM, WRITER)


CALLS: dict[str, tuple[str, Callable[[Lookups], object]]] = {
    "DescribeDBInstances": (
        "describe_db_instances",
        lambda lookups: lookups.same_database(INSTANCE, WRITER),
    ),
    "DescribeDBClusters": (
        "describe_db_clusters",
        lambda lookups: lookups.same_database(WRITER, INSTANCE),
    ),
    "DescribeDBInstances of a tag": (
        "describe_db_instances",
        lambda lookups: lookups.managed_endpoint({INSTANCE_TAG: ARN}),
    ),
    "DescribeDBClusters of a tag": (
        "describe_db_clusters",
        lambda lookups: lookups.managed_endpoint({CLUSTER_TAG: CLUSTER_ARN}),
    ),
}
ERRORS: list[tuple[str, int, type[RotationError], str]] = [
    ("AccessDenied", 403, AccessDenied, "Allow rds:{}"),
    ("AccessDenied", 400, AccessDenied, "Allow rds:{}"),
    ("ExpiredToken", 403, AccessDenied, "valid AWS credentials"),
    ("InvalidClientTokenId", 403, AccessDenied, "valid AWS credentials"),
    ("SignatureDoesNotMatch", 403, AccessDenied, "valid AWS credentials"),
    ("AuthFailure", 401, AccessDenied, "valid AWS credentials"),
    ("Throttling", 400, ServiceUnavailable, "will call again"),
    ("ThrottlingException", 400, ServiceUnavailable, "will call again"),
    ("RequestLimitExceeded", 400, ServiceUnavailable, "will call again"),
    ("TooManyRequestsException", 429, ServiceUnavailable, "will call again"),
    ("InternalFailure", 500, ServiceUnavailable, "will call again"),
    ("ServiceUnavailable", 503, ServiceUnavailable, "will call again"),
    ("InvalidParameterValue", 400, UnexpectedError, "Report this"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", ERRORS, ids=lambda answer: f"{answer[0]} {answer[1]}")
def test_what_rds_answers_becomes_an_error_with_a_cure(
    stub: Stubber, call: str, answer: tuple[str, int, type[RotationError], str]
) -> None:
    code, status, kind, cure = answer
    operation = call.split(maxsplit=1)[0]
    stub.add_client_error(CALLS[call][0], code, "What it says.", status)
    with pytest.raises(RotationError) as caught:
        CALLS[call][1](planned(stub))
    assert type(caught.value) is kind
    assert caught.value.found == f"{operation} was refused: {code}: What it says"
    assert cure.format(operation) in caught.value.cure
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_what_is_no_error_of_boto3_comes_through() -> None:
    def make() -> Client:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Lookups(make).same_database(INSTANCE, WRITER)


def test_a_function_without_a_region_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for call in (name for _, name in CALLS.values()):
        with pytest.raises(ServiceUnavailable, match="You must specify a region") as caught:
            call(Lookups())
        assert "Region" in caught.value.cure


# ── the client of production, on loopback ──


class Answering(BaseHTTPRequestHandler):
    """Answers every request with what was planned, and counts them."""

    status, body = 200, b""
    requests = 0

    def do_POST(self) -> None:
        type(self).requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its parameter
        """Says nothing."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The production client, only less patient."""
    monkeypatch.setattr(aws, "_CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(aws, "_READ_SECONDS", 0.2)
    monkeypatch.setattr(aws, "_ATTEMPTS", 2)


def asked(monkeypatch: pytest.MonkeyPatch, port: int) -> RotationError:
    """The error that the production client ends with, at this port of loopback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", f"http://127.0.0.1:{port}")
    client = rds_client()
    try:
        with pytest.raises(RotationError) as caught:
            Lookups(lambda: client).same_database(INSTANCE, WRITER)
    finally:
        client.close()
    assert caught.value.__suppress_context__
    return caught.value


@pytest.fixture
def answering(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> Iterator[Callable[[int, bytes], RotationError]]:
    class Planned(Answering):
        pass

    with HTTPServer(("127.0.0.1", 0), Planned) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def answered(status: int, body: bytes) -> RotationError:
            Planned.status, Planned.body, Planned.requests = status, body, 0
            error = asked(monkeypatch, server.server_port)
            assert Planned.requests >= 1
            return error

        yield answered
        server.shutdown()
        thread.join()


def test_a_role_without_the_permission_is_told_which(
    answering: Callable[[int, bytes], RotationError],
) -> None:
    said = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    error = answering(403, b"<ErrorResponse>" + said + b"</ErrorResponse>")
    assert isinstance(error, AccessDenied)
    assert "rds:DescribeDBInstances" in error.cure


@pytest.mark.parametrize("status", [200, 302, 403, 404])
@pytest.mark.parametrize(
    "body", [b"", b"no", b"<html><body>hunter2</body></html>", b"\0\xff"], ids=ascii
)
def test_whoever_answers_in_place_of_rds_is_not_believed(
    answering: Callable[[int, bytes], RotationError], status: int, body: bytes
) -> None:
    error = answering(status, body)
    assert isinstance(error, ServiceUnavailable)
    assert "VPC endpoint" in error.cure
    assert "hunter2" not in str(error)


def test_a_silent_endpoint_is_given_up(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = asked(monkeypatch, silent.getsockname()[1])
    assert isinstance(error, ServiceUnavailable)
    assert "DescribeDBInstances could not be sent: Read timeout" in error.found
    assert "VPC endpoint" in error.cure


def test_an_endpoint_that_nobody_listens_on_is_told_with_the_way_there(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = asked(monkeypatch, free.getsockname()[1])
    assert isinstance(error, ServiceUnavailable)
    assert "Could not connect" in error.found
    assert "VPC endpoint" in error.cure


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    error = asked(monkeypatch, 1)
    assert isinstance(error, ServiceUnavailable)
    assert "Unable to locate credentials" in error.found


def test_the_client_of_production_ends_within_a_usual_invocation() -> None:
    client = rds_client()
    config = client.meta.config
    client.close()
    attempts = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    assert client.meta.region_name == "eu-west-1"
    # Between two attempts of standard mode: 1 second at most, then 2.
    assert attempts * max(config.connect_timeout, config.read_timeout) + 3 < 25
    assert attempts * config.connect_timeout < 10


def test_importing_it_loads_no_boto3() -> None:
    seen = "import rotators.rds, sys; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", seen], check=False).returncode == 0  # noqa: S603
