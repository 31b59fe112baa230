"""Everything the simulated service remembers, behind one lock."""

from __future__ import annotations

import secrets
import string
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from rotators.testing._state.records import PENDING, SecretRecord, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

NO_SECRET = "Secrets Manager can't find the specified secret."  # noqa: S105 - an error text
MARKED = "You can't perform this operation on the secret because it was marked for deletion."


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """What the service logs: RotationStarted, RotationFailed … (UG:cloudtrail_log_entries)."""

    name: str
    secret_arn: str
    version_id: str | None = None
    message: str | None = None


@dataclass(slots=True, eq=False)
class Switches:
    """How the simulated service behaves where AWS itself behaves in more than one way."""

    rotation_token_required: bool = False
    keep_pending_label: bool = False
    test_only_value: Literal["copy", "missing"] = "copy"
    rotate_in_background: bool = False


@dataclass(slots=True)
class Store:
    """The secrets and the events. Hold `lock` around whatever reads and then saves."""

    switches: Switches
    region: str
    account: str
    secrets: dict[str, SecretRecord] = field(default_factory=dict)
    events: list[ServiceEvent] = field(default_factory=list)
    due: list[Callable[[], None]] = field(default_factory=list)
    fresh: dict[str, str] = field(default_factory=dict)
    stale_reads: int = 0
    advanced: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        return time.time() + self.advanced

    def new_arn(self, name: str) -> str:
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(6))
        return f"arn:aws:secretsmanager:{self.region}:{self.account}:secret:{name}-{suffix}"

    def lookup(self, secret_id: str) -> SecretRecord | None:
        """By ARN, by name, or by partial ARN, without the last hyphen and six characters."""
        with self.lock:
            if secret_id in self.secrets:
                return self.secrets[secret_id]
            return next(
                (r for r in self.secrets.values() if secret_id in {r.name, r.arn[:-7]}), None
            )

    def find(self, secret_id: str) -> SecretRecord:
        record = self.lookup(secret_id)
        if record is None:
            raise ServiceError("ResourceNotFoundException", NO_SECRET)
        return record

    def live(self, secret_id: str) -> SecretRecord:
        """The secret, unless its deletion is pending: then InvalidRequestException."""
        record = self.find(secret_id)
        if record.deleted is not None:
            raise ServiceError("InvalidRequestException", MARKED)
        return record

    def save(self, record: SecretRecord) -> SecretRecord:
        record = replace(record.within_quotas(self.now()), changed=self.now())
        self.secrets[record.arn] = record
        return record

    def log(
        self, name: str, arn: str, version_id: str | None = None, message: str | None = None
    ) -> None:
        self.events.append(ServiceEvent(name, arn, version_id, message))

    def abandoned(self, record: SecretRecord) -> SecretRecord:
        """The record for a version made by hand: an open rotation loses AWSPENDING
        (UG:troubleshoot_rotation).
        """
        if not record.in_rotation:
            return record
        self.log("RotationAbandoned", record.arn, record.rotating)
        return replace(record.without_label(PENDING), rotating=None)
