"""Where the admin secrets of Redshift lead that Redshift manages by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rotators import aws
from rotators.aws_errors import NotFound, Service
from rotators.errors import MisconfiguredSecret
from rotators.rds import Endpoint, Lookups

ENGINE = "redshift"
_CLUSTER_TAG = "aws:redshift:primaryclusterarn"
_NAMESPACE_TAG = "aws:redshift-serverless:namespacearn"
_CLUSTER = re.compile(
    r"arn:[a-z-]+:redshift:(?P<region>[a-z0-9-]+):[0-9]+:cluster:(?P<id>[a-z0-9-]+)"
)
_NAMESPACE = re.compile(
    r"arn:[a-z-]+:redshift-serverless:(?P<region>[a-z0-9-]+):[0-9]+:namespace/(?P<id>[a-z0-9-]+)"
)
_LONGEST_ARN = 256
_OTHER_ADMIN = "Let masterarn name the secret of an admin of this database."

# The client of one service, made when it is first needed, once for the life of the sandbox.
sandbox_client = cache(aws.client)


class RedshiftLookups(Lookups):
    """Questions to Redshift's APIs. They change nothing, and are repeatable.

    Every method raises AccessDenied or ServiceUnavailable where the API does not answer.
    """

    def __init__(self, client: Callable[[str], Any] = sandbox_client) -> None:
        super().__init__()
        self._client_of = client

    def managed_endpoint(self, tags: Mapping[str, str]) -> Endpoint | None:
        """Where the database of a managed admin secret listens; None without Redshift's tags.

        Raises MisconfiguredSecret where they lead to no database of this Region.
        """
        arns = {key.lower(): arn for key, arn in tags.items()}
        if _CLUSTER_TAG in arns:
            return self._cluster_endpoint(arns[_CLUSTER_TAG])
        if _NAMESPACE_TAG in arns:
            return self._workgroup_endpoint(arns[_NAMESPACE_TAG])
        return None

    def _cluster_endpoint(self, arn: str) -> Endpoint:
        identifier = self._identifier(arn, _CLUSTER, "redshift", "DescribeClusters")
        try:
            found = self._all("redshift", "DescribeClusters", ClusterIdentifier=identifier)
        except NotFound:
            found = []
        if not found:
            raise _wrong(f"is of {arn}, and there is no such cluster")
        return _endpoint(arn, found[0])

    def _workgroup_endpoint(self, arn: str) -> Endpoint:
        service = "redshift-serverless"
        self._identifier(arn, _NAMESPACE, service, "ListNamespaces")
        namespaces = self._all(service, "ListNamespaces")
        name = next((one["namespaceName"] for one in namespaces if one["namespaceArn"] == arn), "")
        if not name:
            raise _wrong(f"is of {arn}, and there is no such namespace")
        groups = self._all(service, "ListWorkgroups")
        group = next((one for one in groups if one.get("namespaceName") == name), None)
        if group is None:
            raise _wrong(f"is of {arn}, and no workgroup has the namespace {name!r}")
        return _endpoint(arn, group)

    def _identifier(self, arn: str, shape: re.Pattern[str], service: str, operation: str) -> str:
        if len(arn) > _LONGEST_ARN:
            raise _wrong(f"is tagged with an ARN of {len(arn)} characters, {_LONGEST_ARN} at most")
        if (parsed := shape.fullmatch(arn)) is None:
            raise _wrong(f"is tagged with what is no ARN of Redshift's: {arn!r}")
        with _of(service).errors(operation):
            here = self._client_of(service).meta.region_name
        if parsed["region"] != here:
            cure = f"Rotate by a function in {parsed['region']}, next to the database."
            raise _wrong(f"is of {arn}, and this function runs in {here}", cure)
        return parsed["id"]

    def _all(self, service: str, operation: str, **which: str) -> list[dict[str, Any]]:
        """All pages."""
        method = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()
        field = {"DescribeClusters": "Clusters", "ListNamespaces": "namespaces"}
        key = field.get(operation, "workgroups")
        with _of(service).errors(operation):
            pages = self._client_of(service).get_paginator(method).paginate(**which)
            return [one for page in pages for one in page[key]]


def _endpoint(arn: str, found: Mapping[str, Any]) -> Endpoint:
    """Of a cluster, in whose answer keys begin with capitals, or of a workgroup."""
    endpoint = found.get("Endpoint") or found.get("endpoint") or {}
    address = endpoint.get("Address") or endpoint.get("address")
    port = endpoint.get("Port") or endpoint.get("port")
    if not address or not port:
        cure = "Wait until the database is available, then rotate again."
        raise _wrong(f"is of {arn}, which has no endpoint yet", cure)
    return Endpoint(address, port, ENGINE)


def _wrong(found: str, cure: str = _OTHER_ADMIN) -> MisconfiguredSecret:
    return MisconfiguredSecret(f"the admin secret {found}", cure)


def _of(service: str) -> Service:
    return Service(service, "Redshift", missing=("ClusterNotFound",))
