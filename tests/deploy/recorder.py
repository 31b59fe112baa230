"""What a rotation asks AWS for, as IAM sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient

from rotators import rds
from rotators.database import redshift_api
from tests.deploy.iam import Request, Values
from tests.deploy.stack import ACCOUNT, REGION

if TYPE_CHECKING:
    from rotators.testing.bench import Bench

Answers = Mapping[str, Mapping[str, Any]]

_ATTACHED = "secretsmanager:resource/AllowRotationLambdaArn"
_TAG_KEYS = "aws:TagKeys"
_CONTEXT = "kms:EncryptionContext:SecretARN"

# What Secrets Manager does with the caller's permissions on the secret's key.
_USES_OF_THE_KEY: Mapping[str, Values] = {
    "GetSecretValue": ("kms:Decrypt",),
    "PutSecretValue": ("kms:Decrypt", "kms:GenerateDataKey"),
}
# Which of its parameters says what an operation is on. One that is not here takes no resource.
_NAMED_BY: Mapping[str, tuple[str, str]] = {
    "DescribeDBInstances": ("DBInstanceIdentifier", "db"),
    "DescribeDBClusters": ("DBClusterIdentifier", "cluster"),
    "DescribeClusters": ("ClusterIdentifier", "cluster"),
}
# As in a function, where the clients of RDS and Redshift are made with what is in the environment.
_ENVIRONMENT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "simulated",
    "AWS_SECRET_ACCESS_KEY": "simulated",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}


def arn(service: str, path: str) -> str:
    """Of a resource of the stack's account and Region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{path}"


@dataclass(frozen=True)
class Call:
    """One request of a boto3 client. ``attached``: to a secret that the function rotates."""

    service: str
    operation: str
    resource: str
    attached: bool = False
    tag_keys: Values = ()

    def requests(self, function_arn: str, key_arn: str | None) -> Iterator[Request]:
        """What IAM is asked about it: for a secret under a key, about the key as well."""
        context = {_ATTACHED: (function_arn,)} if self.attached else {}
        tags = {_TAG_KEYS: self.tag_keys} if self.tag_keys else {}
        yield Request(f"{self.service}:{self.operation}", self.resource, {**context, **tags})
        if key_arn is not None and self.service == "secretsmanager":
            for action in _USES_OF_THE_KEY.get(self.operation, ()):
                yield Request(action, key_arn, {_CONTEXT: (self.resource,)})


@dataclass
class Recorder:
    """Every call that any boto3 client makes while it listens to a bench."""

    calls: list[Call] = field(default_factory=list)
    _bench: Bench | None = None

    @contextmanager
    def listening(self, bench: Bench) -> Iterator[None]:
        """Raises AssertionError where the simulator saw other calls than were recorded."""
        seen, before = len(bench.simulator.calls), len(self.calls)
        self._bench = bench
        try:
            yield
        finally:
            self._bench = None
        mine = [call.operation for call in self.calls[before:] if call.service == "secretsmanager"]
        assert mine == [call.operation for call in bench.simulator.calls[seen:]]

    def record(self, service: str, operation: str, given: Mapping[str, Any]) -> None:
        if self._bench is None:
            return
        if service != "secretsmanager":
            key, kind = _NAMED_BY.get(operation, ("", ""))
            resource = arn(service, f"{kind}:{given.get(key, '*')}") if key else "*"
            self.calls.append(Call(service, operation, resource))
            return
        secret = self._bench.simulator.secret(given["SecretId"])
        tags = given.get("TagKeys") or [tag["Key"] for tag in given.get("Tags", ())]
        attached = secret.lambda_arn is not None
        self.calls.append(Call(service, operation, secret.arn, attached, tuple(tags)))


@contextmanager
def recorder(answers: Answers) -> Iterator[Recorder]:
    """A recorder between boto3's clients and the network. ``answers`` are given in its place."""
    made, send = Recorder(), BaseClient._make_api_call

    def answer(client: Any, operation: str, given: dict[str, Any]) -> Any:
        made.record(client.meta.service_model.service_name, operation, given)
        return answers[operation] if operation in answers else send(client, operation, given)

    clients = (rds.sandbox_client, redshift_api.sandbox_client)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", answer)
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        for client in clients:
            client.cache_clear()
        yield made
    for client in clients:
        client.cache_clear()
