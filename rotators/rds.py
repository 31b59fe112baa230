"""What the name of an RDS or Aurora host says about it, and what only the RDS API knows.

No engine is special here. A name proves little: what follows the first dot is the same for every
database of an account in a Region, and a custom endpoint does not name its cluster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Self

from rotators import aws
from rotators.aws_errors import NotFound, Service
from rotators.errors import MisconfiguredSecret

_RDS = Service("rds", "RDS", missing=("DBInstanceNotFound", "DBClusterNotFound"))


class Kind(Enum):
    """What a host name stands for, and how its second label begins."""

    INSTANCE = ""
    WRITER = "cluster-"
    READER = "cluster-ro-"
    CUSTOM = "cluster-custom-"
    PROXY = "proxy-"


# China has had both orders of Region and service. All suffixes that AWS's partitions have.
# DocumentDB's clusters are RDS's, by another name.
_REGION = r"[a-z]{2,9}(?:-[a-z]{2,9}){1,2}-[0-9]{1,2}"
_NAME = re.compile(
    r"(?=[^.]{1,63}\.)(?P<label>[a-z](?:-?[a-z0-9])*)"
    r"\.(?P<kind>(?:cluster-ro-|cluster-custom-|cluster-|proxy-)?)"
    rf"(?P<home>[a-z0-9]{{1,40}}\.(?:(?P<region>{_REGION})\.(?:rds|docdb)"
    rf"|(?:rds|docdb)\.(?P<region_at_end>{_REGION}))"
    r"\.(?:amazonaws\.(?:com|com\.cn|eu)|(?:c2s\.ic|sc2s\.sgov|csp\.hci\.ic)\.gov|cloud\.adc-e\.uk))"
)
_ARN = re.compile(
    r"arn:[a-z-]+:rds:(?P<region>[a-z0-9-]+):[0-9]+:(?:db|cluster):(?P<id>[a-z0-9-]+)"
)
_LONGEST_ARN = 256

# The tags that RDS puts (in camelCase) on an admin secret of its own, and what each is an ARN of.
_MANAGED = {"aws:rds:primarydbinstancearn": "Instance", "aws:rds:primarydbclusterarn": "Cluster"}

_OTHER_ADMIN = "Let masterarn name the secret of an admin of this database."


@dataclass(frozen=True, slots=True)
class Host:
    """A name that RDS gave, taken apart. ``home`` is the account's own domain in its Region."""

    name: str
    kind: Kind
    label: str
    home: str
    region: str

    @classmethod
    def parse(cls, host: str) -> Self | None:
        """None for every other name, spelling variants of RDS's included. Never raises."""
        if (found := _NAME.fullmatch(host)) is None:
            return None
        region = found["region"] or found["region_at_end"]
        return cls(host, Kind(found["kind"]), found["label"], found["home"], region)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a database listens, and its engine in RDS's own words."""

    host: str
    port: int
    engine: str


def writer_of(host: str) -> str:
    """The writer endpoint of the cluster whose reader endpoint this is; all else unchanged."""
    if (parsed := Host.parse(host)) is None or parsed.kind is not Kind.READER:
        return host
    return f"{parsed.label}.{Kind.WRITER.value}{parsed.home}"


def rds_client() -> Any:  # noqa: ANN401 boto3 makes its clients at run time
    """A new boto3 client of the function's Region."""
    return aws.client("rds")


# One for the life of the sandbox.
sandbox_client = cache(rds_client)


class Lookups:
    """Questions to the RDS API. They change nothing, and are repeatable.

    Every method raises AccessDenied or ServiceUnavailable where the API does not answer. The client
    is made when it is first needed, and once.
    """

    def __init__(self, client: Callable[[], Any] = sandbox_client) -> None:
        self._client = cache(client)

    def managed_endpoint(self, tags: Mapping[str, str]) -> Endpoint | None:
        """Where the database of an RDS-managed admin secret listens; None without RDS's tags.

        Raises MisconfiguredSecret where they lead to no database of this Region.
        """
        arns = {key.lower(): arn for key, arn in tags.items()}
        tag = next((tag for tag in _MANAGED if tag in arns), None)
        return None if tag is None else self._endpoint(_MANAGED[tag], arns[tag])

    def same_database(self, app_host: str, admin_host: str) -> bool:
        """Whether both reach the same users: equal names, two endpoints of one cluster, an instance
        and its cluster, or a read replica (the first) of an instance (the second).

        False for all else, RDS proxies among it. Asks only what names cannot prove.
        """
        one, other = (host.removesuffix(".").lower() for host in (app_host, admin_host))
        if writer_of(one) == writer_of(other):
            return True
        app, admin = Host.parse(one), Host.parse(other)
        if app is None or admin is None or Kind.PROXY in {app.kind, admin.kind}:
            return False
        instance = self._instance(app)
        if admin.kind is Kind.INSTANCE and _replicates(instance, app, admin):
            return True
        cluster = self._cluster(app, instance)
        return cluster is not None and cluster == self._cluster(admin, self._instance(admin))

    def _endpoint(self, what: str, arn: str) -> Endpoint:
        if len(arn) > _LONGEST_ARN:
            raise _wrong(f"is tagged with an ARN of {len(arn)} characters, {_LONGEST_ARN} at most")
        if (parsed := _ARN.fullmatch(arn)) is None:
            raise _wrong(f"is tagged with what is no ARN of a database: {arn!r}")
        with _RDS.errors(f"DescribeDB{what}s"):
            here = self._client().meta.region_name
        if parsed["region"] != here:
            cure = f"Rotate by a function in {parsed['region']}, next to the database."
            raise _wrong(f"is of {arn}, and this function runs in {here}", cure)
        if not (found := self._describe(what, arn)):
            raise _wrong(f"is of {arn}, and there is no such database")
        address, port = _address(found[0])
        if not address or not port:
            cure = "Wait until the database is available, then rotate again."
            raise _wrong(f"is of {arn}, which has no endpoint yet", cure)
        return Endpoint(address, port, found[0]["Engine"])

    def _instance(self, host: Host) -> Mapping[str, Any]:
        """The instance at ``host``, or an empty mapping: also where another has its identifier."""
        if host.kind is not Kind.INSTANCE:
            return {}
        found = self._describe("Instance", host.label)
        return next((one for one in found if host.name in _names(one)), {})

    def _cluster(self, host: Host, instance: Mapping[str, Any]) -> str | None:
        """The identifier of the cluster that ``host``, or the instance there, belongs to."""
        if host.kind is Kind.INSTANCE:
            return instance.get("DBClusterIdentifier")
        found = self._describe("Cluster", None if host.kind is Kind.CUSTOM else host.label)
        return next((one["DBClusterIdentifier"] for one in found if host.name in _names(one)), None)

    def _describe(self, what: str, identifier: str | None) -> list[dict[str, Any]]:
        """All pages of all databases, or of the one; none where RDS knows no such identifier."""
        which = {f"DB{what}Identifier": identifier} if identifier else {}
        try:
            with _RDS.errors(f"DescribeDB{what}s"):
                pages = self._client().get_paginator(f"describe_db_{what.lower()}s")
                return [one for page in pages.paginate(**which) for one in page[f"DB{what}s"]]
        except NotFound:
            return []


def _replicates(instance: Mapping[str, Any], app: Host, admin: Host) -> bool:
    source = instance.get("ReadReplicaSourceDBInstanceIdentifier", "")
    arn = _ARN.fullmatch(source)  # which stands there if the source is in another Region
    region, label = (arn["region"], arn["id"]) if arn else (app.region, source)
    # Only in its own Region is the account's domain known.
    ours = app.home == admin.home or region != app.region
    return ours and (region, label) == (admin.region, admin.label)


def _address(found: Mapping[str, Any]) -> tuple[str, int]:
    """Host and port of an instance or a cluster; empty and 0 as long as it has none."""
    endpoint = found.get("Endpoint", {})
    if isinstance(endpoint, str):
        endpoint = {"Address": endpoint, "Port": found.get("Port")}
    return endpoint.get("Address") or "", endpoint.get("Port") or 0


def _names(found: Mapping[str, Any]) -> set[str | None]:
    """Every host name of an instance or a cluster."""
    return {_address(found)[0], found.get("ReaderEndpoint"), *found.get("CustomEndpoints", ())}


def _wrong(found: str, cure: str = _OTHER_ADMIN) -> MisconfiguredSecret:
    return MisconfiguredSecret(f"the admin secret {found}", cure)
