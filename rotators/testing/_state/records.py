"""One secret, its versions and labels, as values: every change gives a new record.

An operation that fails half-way therefore leaves nothing behind, and "each label sits on one
version" holds by construction, because labels are kept as label → version id.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"

MOST_VERSIONS = 100
MOST_LABELS = 20
EXISTS = "A resource with the ID you requested already exists."
KEPT_SECONDS = 24 * 3600.0


class ServiceError(Exception):
    """An error answer: boto3 raises it as a `ClientError` with this code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret; one without a value is the placeholder of a rotation."""

    id: str
    created: float
    value: str | bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRecord:
    """A secret at one moment. Its repr shows ids and labels, never a value or a RotationToken."""

    arn: str
    name: str
    created: float
    changed: float
    versions: Mapping[str, Version] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    kms_key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    lambda_arn: str | None = None
    rotation_rules: Mapping[str, object] | None = None
    rotation_enabled: bool | None = None
    rotated: float | None = None
    deleted: float | None = None
    rotating: str | None = None
    rotation_tokens: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def stages(self, version_id: str) -> frozenset[str]:
        return frozenset(label for label, holder in self.labels.items() if holder == version_id)

    def labelled(self) -> dict[str, frozenset[str]]:
        """Versions with a label, also without a value: what DescribeSecret shows."""
        return {held: self.stages(held) for held in self.versions if self.stages(held)}

    @property
    def stuck(self) -> bool:
        """AWSPENDING is on another version than AWSCURRENT: no new rotation (API:RotateSecret)."""
        return self.labels.get(PENDING) not in {None, self.labels.get(CURRENT)}

    @property
    def in_rotation(self) -> bool:
        """Begun, neither cancelled nor abandoned, and AWSCURRENT has not moved yet."""
        return self.stuck and self.labels.get(PENDING) == self.rotating

    def with_version(self, version: Version) -> SecretRecord:
        return replace(self, versions={**self.versions, version.id: version})

    def without_version(self, version_id: str) -> SecretRecord:
        return replace(
            self,
            versions={key: kept for key, kept in self.versions.items() if key != version_id},
            labels={label: held for label, held in self.labels.items() if held != version_id},
        )

    def with_label(self, label: str, version_id: str) -> SecretRecord:
        """Attach a label, taking it from wherever it was.

        AWSPREVIOUS follows AWSCURRENT (API:PutSecretValue).
        """
        moved = {**self.labels, label: version_id}
        left = self.labels.get(CURRENT)
        if label == CURRENT and left not in {None, version_id}:
            moved[PREVIOUS] = self.labels[CURRENT]
        return replace(self, labels=moved)

    def without_label(self, label: str) -> SecretRecord:
        return replace(
            self, labels={key: held for key, held in self.labels.items() if key != label}
        )

    def described(self, description: str | None, kms_key_id: str | None) -> SecretRecord:
        """With what is given; None leaves a field as it is."""
        return replace(
            self,
            description=self.description if description is None else description,
            kms_key_id=self.kms_key_id if kms_key_id is None else kms_key_id,
        )

    def within_quotas(self, now: float) -> SecretRecord:
        """Drop old unlabelled versions beyond 100, oldest first (UG:reference_limits).

        Raises `ServiceError` LimitExceededException for more than 20 labels, or where nothing may
        be dropped, for a version younger than 24 hours is never removed.
        """
        if len(self.labels) > MOST_LABELS:
            raise ServiceError(
                "LimitExceededException", f"A secret has at most {MOST_LABELS} labels."
            )
        excess = len(self.versions) - MOST_VERSIONS
        old = [v.id for v in self.versions.values() if now - v.created > KEPT_SECONDS]
        dropped = [key for key in old if not self.stages(key)][: max(excess, 0)]
        if len(dropped) < excess:
            message = f"A secret has at most {MOST_VERSIONS} versions."
            raise ServiceError("LimitExceededException", message)
        kept = {key: version for key, version in self.versions.items() if key not in dropped}
        return replace(self, versions=kept)
