"""Every operation that the simulator plays, and the one way to perform it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotators.testing._state import lifecycle, passwords, versions
from rotators.testing._state.parameters import Parameters
from rotators.testing._state.records import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rotators.testing._state.rotation import Rotations
    from rotators.testing._state.store import Store

    Operation = Callable[[Store, Parameters], dict[str, object]]
    Job = Callable[[], None]

# Operation → the parameters that the simulator plays; any other is refused.
_PARAMETERS = {
    "CreateSecret": "Name ClientRequestToken Description KmsKeyId SecretString SecretBinary Tags",
    "DescribeSecret": "SecretId",
    "GetSecretValue": "SecretId VersionId VersionStage",
    "PutSecretValue": (
        "SecretId ClientRequestToken SecretString SecretBinary VersionStages RotationToken"
    ),
    "UpdateSecret": "SecretId ClientRequestToken Description KmsKeyId SecretString SecretBinary",
    "UpdateSecretVersionStage": "SecretId VersionStage RemoveFromVersionId MoveToVersionId",
    "ListSecretVersionIds": "SecretId MaxResults NextToken IncludeDeprecated",
    "GetRandomPassword": (
        "PasswordLength ExcludeCharacters ExcludeNumbers ExcludePunctuation ExcludeUppercase "
        "ExcludeLowercase IncludeSpace RequireEachIncludedType"
    ),
    "RotateSecret": "SecretId ClientRequestToken RotationLambdaARN RotationRules RotateImmediately",
    "CancelRotateSecret": "SecretId",
    "TagResource": "SecretId Tags",
    "UntagResource": "SecretId TagKeys",
    "DeleteSecret": "SecretId RecoveryWindowInDays ForceDeleteWithoutRecovery",
    "RestoreSecret": "SecretId",
}

_OPERATIONS: Mapping[str, Operation] = {
    "CreateSecret": lifecycle.create_secret,
    "DescribeSecret": lifecycle.describe_secret,
    "GetSecretValue": versions.get_secret_value,
    "PutSecretValue": versions.put_secret_value,
    "UpdateSecret": versions.update_secret,
    "UpdateSecretVersionStage": versions.update_secret_version_stage,
    "ListSecretVersionIds": lifecycle.list_secret_version_ids,
    "GetRandomPassword": lambda _, parameters: passwords.random_password(parameters),
    "TagResource": lifecycle.tag_resource,
    "UntagResource": lifecycle.untag_resource,
    "DeleteSecret": lifecycle.delete_secret,
    "RestoreSecret": lifecycle.restore_secret,
}


def perform(
    store: Store, rotations: Rotations, operation: str, given: Mapping[str, object]
) -> tuple[dict[str, object], list[Job]]:
    """The answer, and what is to be run once the lock is free. Raises `ServiceError`.

    One operation at a time: the whole of it happens under the lock, or none of it.
    """
    if operation not in _PARAMETERS:
        message = f"The simulator does not play the operation {operation}."
        raise ServiceError("UnknownOperationException", message)
    parameters = Parameters(given)
    parameters.only(frozenset(_PARAMETERS[operation].split()))
    rotation = {
        "RotateSecret": rotations.rotate_secret,
        "CancelRotateSecret": rotations.cancel_rotate_secret,
    }
    with store.lock:
        answer = (rotation.get(operation) or _OPERATIONS[operation])(store, parameters)
        due, store.due = store.due, []
    return answer, due
