"""The operations on a secret as a whole: create, describe, list versions, tag, delete, restore."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from rotators.testing._state.parameters import Parameters, invalid
from rotators.testing._state.records import CURRENT, EXISTS, SecretRecord, ServiceError, Version

if TYPE_CHECKING:
    from rotators.testing._state.store import Store

DAY = 24 * 3600.0
MOST_TAGS = 50
PAGE = 100

_NAME = r"[A-Za-z0-9/_+=.@!\-]+"


def create_secret(store: Store, parameters: Parameters) -> dict[str, object]:
    """A new secret, with AWSCURRENT on its first version if a value is given (API:CreateSecret).

    Same name, token and value again: answers as before. Same name otherwise:
    ResourceExistsException.
    """
    name = parameters.required("Name", most=512)
    if not re.fullmatch(_NAME, name):
        raise invalid("Name may hold letters, digits and -/_+=.@!")
    token, value, tags = parameters.token(), parameters.value(), parameters.tags()
    record = next((kept for kept in store.secrets.values() if kept.name == name), None)
    if record is None:
        now = store.now()
        record = SecretRecord(
            arn=store.new_arn(name), name=name, created=now, changed=now, tags=tags
        )
        described = parameters.text("Description", 0, 2048), parameters.text("KmsKeyId", 0, 2048)
        record = record.described(*described)
        if value is not None:
            record = record.with_version(Version(token, now, value)).with_label(CURRENT, token)
        store.save(record)
    else:
        _check_repeat(record, token, value)
    answer: dict[str, object] = {"ARN": record.arn, "Name": name}
    return answer if value is None else {**answer, "VersionId": token}


def _check_repeat(record: SecretRecord, token: str, value: str | bytes | None) -> None:
    if record.deleted is not None:
        raise ServiceError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled "
            "for deletion.",
        )
    existing = record.versions.get(token)
    if existing is None:
        message = f"The operation failed because the secret {record.name} already exists."
        raise ServiceError("ResourceExistsException", message)
    if existing.value != value:
        raise ServiceError("ResourceExistsException", EXISTS)


def describe_secret(store: Store, parameters: Parameters) -> dict[str, object]:
    """Fields that have a value, and the versions that have labels (API:DescribeSecret)."""
    record = store.find(parameters.required("SecretId"))
    fields: dict[str, object] = {
        "ARN": record.arn,
        "Name": record.name,
        "Description": record.description,
        "KmsKeyId": record.kms_key_id,
        "RotationEnabled": record.rotation_enabled,
        "RotationLambdaARN": record.lambda_arn,
        "RotationRules": record.rotation_rules,
        "LastRotatedDate": record.rotated,
        "LastChangedDate": record.changed,
        "DeletedDate": record.deleted,
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        "VersionIdsToStages": {key: sorted(held) for key, held in record.labelled().items()}
        or None,
        "CreatedDate": record.created,
    }
    return {key: value for key, value in fields.items() if value is not None}


def list_secret_version_ids(store: Store, parameters: Parameters) -> dict[str, object]:
    """Versions with a value; without a label, only if asked for (API:ListSecretVersionIds)."""
    record = store.find(parameters.required("SecretId"))
    size = parameters.number("MaxResults", 1, PAGE) or PAGE
    deprecated = parameters.flag("IncludeDeprecated")
    start = _page_start(record, parameters.text("NextToken", 1, 4096))
    shown = [
        version
        for version in record.versions.values()
        if version.value is not None and (deprecated or record.stages(version.id))
    ]
    answer: dict[str, object] = {
        "ARN": record.arn,
        "Name": record.name,
        "Versions": [
            {
                "VersionId": version.id,
                "VersionStages": sorted(record.stages(version.id)),
                "CreatedDate": version.created,
            }
            for version in shown[start : start + size]
        ],
    }
    if start + size < len(shown):
        answer["NextToken"] = f"{record.arn}|{start + size}"
    return answer


def _page_start(record: SecretRecord, next_token: str | None) -> int:
    arn, _, start = (next_token or f"{record.arn}|0").rpartition("|")
    if arn != record.arn or not start.isdecimal():
        raise ServiceError("InvalidNextTokenException", "The NextToken value is invalid.")
    return int(start)


def tag_resource(store: Store, parameters: Parameters) -> dict[str, object]:
    record = store.live(parameters.required("SecretId"))
    tags = {**record.tags, **parameters.tags()}
    if len(tags) > MOST_TAGS:
        raise invalid(f"A secret has at most {MOST_TAGS} tags.")
    store.save(replace(record, tags=tags))
    return {}


def untag_resource(store: Store, parameters: Parameters) -> dict[str, object]:
    """Repeatable: a tag that is not there is no error (API:UntagResource)."""
    record = store.live(parameters.required("SecretId"))
    keys = parameters.texts("TagKeys", MOST_TAGS, 128) or ()
    store.save(replace(record, tags={k: v for k, v in record.tags.items() if k not in keys}))
    return {}


def delete_secret(store: Store, parameters: Parameters) -> dict[str, object]:
    """Mark for deletion, or forget at once with ForceDeleteWithoutRecovery (API:DeleteSecret).

    Forced, it is repeatable, and a secret that is not there is no error.
    """
    secret_id = parameters.required("SecretId")
    forced = parameters.flag("ForceDeleteWithoutRecovery")
    days = parameters.number("RecoveryWindowInDays", 7, 30)
    if forced and days is not None:
        raise invalid("You can't use ForceDeleteWithoutRecovery with RecoveryWindowInDays.")
    if forced:
        known = store.lookup(secret_id)
        if known is None:
            return {"Name": secret_id, "DeletionDate": store.now()}
        del store.secrets[known.arn]
        return {"ARN": known.arn, "Name": known.name, "DeletionDate": store.now()}
    record = store.live(secret_id)
    end = store.now() + (days or 30) * DAY
    store.save(replace(record, deleted=end))
    return {"ARN": record.arn, "Name": record.name, "DeletionDate": end}


def restore_secret(store: Store, parameters: Parameters) -> dict[str, object]:
    record = store.find(parameters.required("SecretId"))
    store.save(replace(record, deleted=None))
    return {"ARN": record.arn, "Name": record.name}
