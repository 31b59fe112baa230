"""Secrets Manager, as far as a rotation needs it: a Protocol and its boto3 implementation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from rotators.aws_errors import Service
from rotators.errors import (
    AccessDenied,
    MisconfiguredSecret,
    RotationRejected,
    VersionExists,
    VersionNotFound,
)

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"


@dataclass(frozen=True, slots=True)
class SecretMetadata:
    """DescribeSecret. ``stages`` maps the id of each version that has labels to its labels."""

    arn: str
    rotation_enabled: bool | None
    stages: Mapping[str, frozenset[str]]
    tags: Mapping[str, str] = field(default_factory=dict)

    def holder(self, stage: str) -> str | None:
        """The id of the version that carries ``stage``."""
        return next((version for version, held in self.stages.items() if stage in held), None)


@dataclass(frozen=True, slots=True)
class StoredValue:
    """GetSecretValue. ``text`` is None for a binary value."""

    version_id: str
    stages: frozenset[str]
    text: str | None = field(repr=False)


class ReadsVersions(Protocol):
    """The versions of secrets, to be read. Each method is one call, and repeatable.

    Every method raises AccessDenied, ServiceUnavailable or, for a secret that does not exist or
    is to be deleted, RotationRejected.
    """

    def describe(self, secret_id: str) -> SecretMetadata:
        """The secret's labels and tags."""

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        """One value. Raises VersionNotFound; a version without a value counts as not there."""

    def unlabelled(self, secret_id: str) -> list[str]:
        """Ids of the versions that carry no label, newest first."""


class Versions(ReadsVersions, Protocol):
    """The versions of secrets, to be written as well: by the dispatcher, and by nobody else.

    Each method raises as those that read.
    """

    def put_pending(
        self, secret_id: str, version_id: str, text: str, rotation_token: str | None
    ) -> None:
        """Stores AWSPENDING. Raises VersionExists if the version has another value already."""

    def move_stage(
        self, secret_id: str, stage: str, *, to: str | None = None, remove_from: str | None = None
    ) -> None:
        """Moves or removes a label. Raises RotationRejected if it is not where it was said."""

    def tag(self, secret_id: str, key: str, value: str) -> None:
        """Puts a tag on the secret, in the place of one with this key. Never a secret value."""

    def untag(self, secret_id: str, key: str) -> None:
        """Takes a tag from the secret, if it is there."""


class SecretsManager:
    """Versions through a boto3 client."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 boto3 makes its clients at run time
        self._client = client

    def describe(self, secret_id: str) -> SecretMetadata:
        with _errors("DescribeSecret"):
            answer = self._client.describe_secret(SecretId=secret_id)
        stages = answer.get("VersionIdsToStages", {})
        return SecretMetadata(
            arn=answer["ARN"],
            rotation_enabled=answer.get("RotationEnabled"),
            stages={version: frozenset(held) for version, held in stages.items()},
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())},
        )

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        which = {"VersionId": version_id, "VersionStage": stage}
        said = {key: value for key, value in which.items() if value is not None}
        with _errors("GetSecretValue"):
            answer = self._client.get_secret_value(SecretId=secret_id, **said)
        return StoredValue(
            version_id=answer["VersionId"],
            stages=frozenset(answer.get("VersionStages", ())),
            text=answer.get("SecretString"),
        )

    def put_pending(
        self, secret_id: str, version_id: str, text: str, rotation_token: str | None
    ) -> None:
        token = {} if rotation_token is None else {"RotationToken": rotation_token}
        with _errors("PutSecretValue"):
            self._client.put_secret_value(
                SecretId=secret_id,
                ClientRequestToken=version_id,
                SecretString=text,
                VersionStages=[PENDING],
                **token,
            )

    def move_stage(
        self, secret_id: str, stage: str, *, to: str | None = None, remove_from: str | None = None
    ) -> None:
        which = {"MoveToVersionId": to, "RemoveFromVersionId": remove_from}
        said = {key: value for key, value in which.items() if value is not None}
        with _errors("UpdateSecretVersionStage"):
            self._client.update_secret_version_stage(SecretId=secret_id, VersionStage=stage, **said)

    def unlabelled(self, secret_id: str) -> list[str]:
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"SecretId": secret_id, "IncludeDeprecated": True}
        while True:
            with _errors("ListSecretVersionIds"):
                page = self._client.list_secret_version_ids(**asked)
            found += page["Versions"]
            if not page.get("NextToken"):
                break
            asked["NextToken"] = page["NextToken"]
        found.sort(key=lambda version: version["CreatedDate"], reverse=True)
        return [version["VersionId"] for version in found if not version.get("VersionStages")]

    def tag(self, secret_id: str, key: str, value: str) -> None:
        with _errors("TagResource"):
            self._client.tag_resource(SecretId=secret_id, Tags=[{"Key": key, "Value": value}])

    def untag(self, secret_id: str, key: str) -> None:
        with _errors("UntagResource"):
            self._client.untag_resource(SecretId=secret_id, TagKeys=[key])


@contextmanager
def _errors(operation: str) -> Iterator[None]:
    """Translates what boto3 raises: as every API's, but for what Secrets Manager alone says."""
    from botocore.exceptions import ClientError, ParamValidationError

    with _SERVICE.errors(operation):
        try:
            yield
        except ClientError as error:
            said = _said(operation, error.response.get("Error", {}))
            if said is None:
                raise
        except ParamValidationError as error:
            said = MisconfiguredSecret(f"{operation} cannot be sent: {error}", _MEND)
        else:
            return
        raise said from None


def _said(operation: str, details: Mapping[str, str]) -> Exception | None:
    """What an answer tells of a version, if it is no failure."""
    code, message = details.get("Code"), str(details.get("Message"))
    if operation == "GetSecretValue" and (code == _NO_RESOURCE or _OTHER_STAGE in message):
        return VersionNotFound(message)
    return VersionExists(message) if code == "ResourceExistsException" else None


_NO_RESOURCE = "ResourceNotFoundException"
_OTHER_STAGE = "VersionStage that is not associated"  # of an InvalidRequestException
_MEND = "Mend what the message names."
_NOT_THERE = (RotationRejected, "Look at the secret and its versions with describe-secret.")
_NOT_TAKEN = (MisconfiguredSecret, _MEND)
_DENIED = (
    AccessDenied,
    "Allow this action on this secret to the function's role, and the use of its KMS key.",
)
_SERVICE = Service(
    "secretsmanager",
    "Secrets Manager",
    means={
        "AccessDeniedException": _DENIED,
        "DecryptionFailure": _DENIED,
        "EncryptionFailure": _DENIED,
        "InvalidRequestException": _NOT_THERE,
        _NO_RESOURCE: _NOT_THERE,
        "UpdateSecretVersionStage: InvalidParameterException": _NOT_THERE,  # of the label
        "InvalidParameterException": _NOT_TAKEN,
        "ValidationException": _NOT_TAKEN,
    },
)
