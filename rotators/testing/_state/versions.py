"""The operations on values and labels."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from rotators.testing._state.parameters import invalid
from rotators.testing._state.records import (
    CURRENT,
    EXISTS,
    MOST_LABELS,
    PENDING,
    SecretRecord,
    ServiceError,
    Version,
)

if TYPE_CHECKING:
    from rotators.testing._state.parameters import Parameters
    from rotators.testing._state.store import Store


def get_secret_value(store: Store, parameters: Parameters) -> dict[str, object]:
    """AWSCURRENT unless told otherwise; id and stage must mean the same version
    (API:GetSecretValue).
    """
    record = store.live(parameters.required("SecretId"))
    version_id = parameters.version_id("VersionId")
    stage = parameters.text("VersionStage", 1, 256)
    version = _version(record, version_id, stage)
    if version is None or version.value is None or _stale(store, record, version):
        raise _no_value(version_id, stage)
    answer: dict[str, object] = {
        "ARN": record.arn,
        "Name": record.name,
        "VersionId": version.id,
        "VersionStages": sorted(record.stages(version.id)),
        "CreatedDate": version.created,
    }
    if isinstance(version.value, bytes):
        answer["SecretBinary"] = base64.b64encode(version.value).decode()
    else:
        answer["SecretString"] = version.value
    return answer


def _version(record: SecretRecord, version_id: str | None, stage: str | None) -> Version | None:
    if version_id is None:
        return record.versions.get(record.labels.get(stage or CURRENT, ""))
    version = record.versions.get(version_id)
    if version is not None and stage is not None and stage not in record.stages(version_id):
        message = "You provided a VersionStage that is not associated to the provided VersionId."
        raise ServiceError("InvalidRequestException", message)
    return version


def _stale(store: Store, record: SecretRecord, version: Version) -> bool:
    if store.stale_reads and store.fresh.get(record.arn) == version.id:
        store.stale_reads -= 1
        return True
    return False


def _no_value(version_id: str | None, stage: str | None) -> ServiceError:
    where = f"staging label: {stage or CURRENT}"
    if version_id is not None and stage is None:
        where = f"VersionId: {version_id}"
    message = f"Secrets Manager can't find the specified secret value for {where}"
    return ServiceError("ResourceNotFoundException", message)


def put_secret_value(store: Store, parameters: Parameters) -> dict[str, object]:
    """Add a version, or fill the empty version that a rotation staged (API:PutSecretValue).

    Same token and same value: nothing happens. Same token and another value:
    ResourceExistsException, and so for an empty version that no longer carries AWSPENDING.
    """
    record = store.live(parameters.required("SecretId"))
    token = parameters.token()
    value = parameters.value()
    stages = parameters.texts("VersionStages", MOST_LABELS, 256) or (CURRENT,)
    rotation_token = parameters.rotation_token()
    if value is None:
        message = "You must provide either SecretString or SecretBinary."
        raise ServiceError("InvalidRequestException", message)
    if store.switches.rotation_token_required:
        _check_source(record, token, rotation_token)
    existing = record.versions.get(token)
    if existing is None or _fillable(record, existing):
        record = _added(store, record, Version(token, store.now(), value), stages)
    elif existing.value != value:
        raise ServiceError("ResourceExistsException", EXISTS)
    return {
        "ARN": record.arn,
        "Name": record.name,
        "VersionId": token,
        "VersionStages": sorted(record.stages(token)),
    }


def _fillable(record: SecretRecord, version: Version) -> bool:
    return version.value is None and PENDING in record.stages(version.id)


def _check_source(record: SecretRecord, token: str, rotation_token: str | None) -> None:
    issued = record.rotation_tokens.get(token)
    if issued is not None and rotation_token not in issued:
        message = (
            f"Pending secret version {token} for Secret {record.arn} was not created by Lambda "
            f"{record.lambda_arn}. Remove the AWSPENDING staging label and restart rotation"
        )
        raise ServiceError("InvalidRequestException", message)


def _added(
    store: Store, record: SecretRecord, version: Version, stages: tuple[str, ...]
) -> SecretRecord:
    if version.id not in record.versions:
        record = store.abandoned(record)
    if not record.versions:
        stages = (CURRENT, *stages)
    record = record.with_version(version)
    for stage in stages:
        record = record.with_label(stage, version.id)
    record = store.save(record)
    store.fresh[record.arn] = version.id
    return record


def update_secret(store: Store, parameters: Parameters) -> dict[str, object]:
    """Change the description or key, and with a value add a version as AWSCURRENT.

    Never repeatable with a value: a token that exists is an error, even for the same value
    (API:UpdateSecret).
    """
    record = store.live(parameters.required("SecretId"))
    value = parameters.value()
    described = parameters.text("Description", 0, 2048)
    key = parameters.text("KmsKeyId", 0, 2048)
    answer: dict[str, object] = {"ARN": record.arn, "Name": record.name}
    if value is not None:
        token = parameters.token()
        if token in record.versions:
            raise ServiceError("ResourceExistsException", EXISTS)
        record = _added(store, record, Version(token, store.now(), value), (CURRENT,))
        answer["VersionId"] = token
    store.save(record.described(described, key))
    return answer


def update_secret_version_stage(store: Store, parameters: Parameters) -> dict[str, object]:
    """Move, attach or remove one label (API:UpdateSecretVersionStage).

    Whatever the label, RemoveFromVersionId must name its holder if another version holds it.
    AWSPENDING leaves the version that takes AWSCURRENT, unless `keep_pending_label`.
    """
    record = store.live(parameters.required("SecretId"))
    stage = parameters.required("VersionStage", most=256)
    source = parameters.version_id("RemoveFromVersionId")
    target = parameters.version_id("MoveToVersionId")
    _check_move(record, stage, source, target)
    if target is None:
        store.save(record.without_label(stage))
    elif record.labels.get(stage) != target:
        moved = record.with_label(stage, target)
        kept = store.switches.keep_pending_label
        if stage == CURRENT and record.labels.get(PENDING) == target and not kept:
            moved = moved.without_label(PENDING)
        store.save(moved)
    return {"ARN": record.arn, "Name": record.name}


def _check_move(record: SecretRecord, stage: str, source: str | None, target: str | None) -> None:
    holder = record.labels.get(stage)
    for version_id in (source, target):
        if version_id is not None and version_id not in record.versions:
            raise _no_value(version_id, None)
    if source is None and target is None:
        raise invalid("You must provide MoveToVersionId or RemoveFromVersionId.")
    if source is not None and source != holder:
        raise invalid(
            f"When you move staging label {stage}, if you specify RemoveFromVersionId, it must be "
            "set to the version "
            f"that currently has the staging label {stage}."
        )
    if source is None and holder not in {None, target}:
        raise invalid(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is "
            "currently attached to version "
            f"{holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if target is None and stage == CURRENT:
        raise invalid(
            "You can only move staging label AWSCURRENT to a different secret version. It can't "
            "be completely removed."
        )
