"""Where admin secrets lead that Redshift manages: planned answers, and moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from rotators.database.redshift_api import RedshiftLookups
from rotators.errors import (
    AccessDenied,
    MisconfiguredSecret,
    RotationError,
    ServiceUnavailable,
    UnexpectedError,
)
from rotators.rds import Endpoint

REGION = "eu-west-1"
CLUSTER = f"arn:aws:redshift:{REGION}:123456789012:cluster:sales"
NAMESPACE = f"arn:aws:redshift-serverless:{REGION}:123456789012:namespace/1f2e-3d"
CLUSTER_TAG = "aws:redshift:primaryClusterArn"
NAMESPACE_TAG = "aws:redshift-serverless:namespaceArn"
HOST = f"sales.abc.{REGION}.redshift.amazonaws.com"


def client(service: str) -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id="none", aws_secret_access_key="none"
    )


@contextmanager
def lookups(service: str, *planned: Callable[[Stubber], None]) -> Iterator[RedshiftLookups]:
    made = client(service)
    with Stubber(made) as stub:
        for plan in planned:
            plan(stub)
        yield RedshiftLookups({service: made}.__getitem__)
        stub.assert_no_pending_responses()


def clusters(*found: dict[str, Any], identifier: str = "sales") -> Callable[[Stubber], None]:
    def plan(stub: Stubber) -> None:
        asked = {"ClusterIdentifier": identifier}
        stub.add_response("describe_clusters", {"Clusters": list(found)}, asked)

    return plan


def pages(operation: str, *answers: list[dict[str, Any]]) -> Callable[[Stubber], None]:
    def plan(stub: Stubber) -> None:
        key = operation.partition("_")[2]
        for number, page in enumerate(answers):
            last = number == len(answers) - 1
            answer = {key: page} | ({} if last else {"nextToken": f"t{number}"})
            stub.add_response(operation, answer, {"nextToken": f"t{number - 1}"} if number else {})

    return plan


def fails(operation: str, code: str, status: int = 400) -> Callable[[Stubber], None]:
    return lambda stub: stub.add_client_error(operation, code, "why", http_status_code=status)


def test_other_tags_are_not_redshifts() -> None:
    assert RedshiftLookups().managed_endpoint({}) is None
    assert RedshiftLookups().managed_endpoint({"aws:rds:primaryDBInstanceArn": "x"}) is None


def test_a_cluster_is_found() -> None:
    found = {"Endpoint": {"Address": HOST, "Port": 5440}}
    with lookups("redshift", clusters(found)) as asked:
        endpoint = asked.managed_endpoint({CLUSTER_TAG: CLUSTER})
    assert endpoint == Endpoint(HOST, 5440, "redshift")


def test_a_workgroup_is_found_on_whichever_page_it_is() -> None:
    """AWS's template looks at the first hundred."""
    namespaces = pages(
        "list_namespaces",
        [{"namespaceArn": f"{NAMESPACE}{n}", "namespaceName": "others"} for n in range(3)],
        [{"namespaceArn": NAMESPACE, "namespaceName": "mine"}],
    )
    workgroups = pages(
        "list_workgroups",
        [{"namespaceName": "others", "endpoint": {"address": "no", "port": 1}}],
        [{"namespaceName": "mine", "endpoint": {"address": HOST, "port": 5439}}],
    )
    with lookups("redshift-serverless", namespaces, workgroups) as asked:
        endpoint = asked.managed_endpoint({NAMESPACE_TAG: NAMESPACE})
    assert endpoint == Endpoint(HOST, 5439, "redshift")


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "sales",
        f"{CLUSTER}\n",
        f"{CLUSTER}{'x' * 256}",
        CLUSTER.replace(REGION, "us-east-1"),
        CLUSTER.replace(":cluster:", ":snapshot:"),
        NAMESPACE,
    ],
)
def test_an_arn_that_leads_nowhere_asks_nothing(arn: str) -> None:
    with lookups("redshift") as asked, pytest.raises(MisconfiguredSecret) as caught:
        asked.managed_endpoint({CLUSTER_TAG: arn})
    assert caught.value.cure


NOWHERE: dict[str, tuple[str, str, str, tuple[Callable[[Stubber], None], ...]]] = {
    "no cluster": ("redshift", CLUSTER_TAG, "no such cluster", (clusters(),)),
    "a cluster that is gone": (
        "redshift", CLUSTER_TAG, "no such cluster",
        (fails("describe_clusters", "ClusterNotFound", 404),),
    ),
    "a cluster that is being made": (
        "redshift", CLUSTER_TAG, "no endpoint yet", (clusters({"ClusterStatus": "creating"}),),
    ),
    "no namespace": (
        "redshift-serverless", NAMESPACE_TAG, "no such namespace", (pages("list_namespaces", []),),
    ),
    "no workgroup": (
        "redshift-serverless", NAMESPACE_TAG, "no workgroup",
        (pages("list_namespaces", [{"namespaceArn": NAMESPACE, "namespaceName": "mine"}]),
         pages("list_workgroups", [{"namespaceName": "others"}])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOWHERE)
def test_a_database_that_is_not_there_is_told(case: str) -> None:
    service, tag, said, planned = NOWHERE[case]
    arn = CLUSTER if tag == CLUSTER_TAG else NAMESPACE
    with (
        lookups(service, *planned) as asked,
        pytest.raises(MisconfiguredSecret, match=said) as caught,
    ):
        asked.managed_endpoint({tag: arn})
    assert caught.value.cure


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, AccessDenied),
        ("InvalidClientTokenId", 403, AccessDenied),
        ("Throttling", 400, ServiceUnavailable),
        ("InternalFailure", 500, ServiceUnavailable),
        ("InvalidTagFault", 400, UnexpectedError),
    ],
)
def test_what_the_api_refuses_is_typed(code: str, status: int, kind: type[RotationError]) -> None:
    with (
        lookups("redshift", fails("describe_clusters", code, status)) as asked,
        pytest.raises(kind) as caught,
    ):
        asked.managed_endpoint({CLUSTER_TAG: CLUSTER})
    assert "DescribeClusters" in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_permission_that_is_lacking_is_named() -> None:
    with (
        lookups("redshift-serverless", fails("list_namespaces", "AccessDeniedException", 400)) as a,
        pytest.raises(AccessDenied) as caught,
    ):
        a.managed_endpoint({NAMESPACE_TAG: NAMESPACE})
    assert "redshift-serverless:ListNamespaces" in caught.value.cure


def test_an_api_out_of_reach_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made = client("redshift")

    def unreachable(*_: object, **__: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://redshift")

    monkeypatch.setattr(made, "_make_api_call", unreachable)
    with pytest.raises(ServiceUnavailable, match="DescribeClusters could not be sent"):
        RedshiftLookups({"redshift": made}.__getitem__).managed_endpoint({CLUSTER_TAG: CLUSTER})


def test_no_answer_of_redshifts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made = client("redshift")
    monkeypatch.setattr(made, "_make_api_call", lambda *_, **__: {})
    with pytest.raises(ServiceUnavailable, match="not Redshift"):
        RedshiftLookups({"redshift": made}.__getitem__).managed_endpoint({CLUSTER_TAG: CLUSTER})
