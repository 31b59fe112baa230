"""A secret out of a file, in a simulated Secrets Manager, and back into the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from rotators.cli.exchange_file import ExchangeFile
from rotators.cli.files import FilesError, SecretFiles, read_value
from rotators.errors import MisconfiguredSecret
from rotators.exchange import TAG
from rotators.testing.bench import simulator_client
from rotators.testing.driver import FUNCTION_ARN
from rotators.testing.simulator import Call, SecretsManagerSimulator, ServiceError
from rotators.versions import CURRENT, PENDING, SecretsManager

if TYPE_CHECKING:
    from rotators.request import RotationRequest
    from rotators.versions import SecretMetadata, StoredValue

_ADMIN = "rotators/admin"
_ARN = re.compile(r"arn:aws:secretsmanager:([a-z0-9-]+):(\d{12}):secret:(.+)")


class LocalSecret:
    """The secret that an event is about, while a simulator plays Secrets Manager.

    The simulator forgets, so every value goes to ``files`` in time: a staged one before
    PutSecretValue answers, a promoted one as soon as ``keep`` is called. So does the tag that marks
    an exchange with a provider, before TagResource answers.
    """

    def __init__(
        self,
        simulator: SecretsManagerSimulator,
        versions: SecretsManager,
        files: SecretFiles,
        secret_id: str,
    ) -> None:
        self.versions = versions
        self.failure: FilesError | None = None
        self.notes: list[str] = []
        self._simulator = simulator
        self._files = files
        self._exchange = ExchangeFile(files)
        self._secret_id = secret_id
        self._first = self._holder(CURRENT)
        self._begun = False

    def labels(self) -> Mapping[str, frozenset[str]]:
        """Versions and their labels."""
        return self._simulator.labels(self._secret_id)

    def begin(self, request: RotationRequest, *, test_only: bool) -> None:
        """Stages the version, as Secrets Manager does before it calls the function.

        A value that an earlier run has staged comes with it: the server may have it by now.
        """
        # With a copy, the function could not tell this from a rotation, nor say so.
        self._simulator.test_only_value = "missing"
        self._simulator.rotations.begin(
            self._secret_id, request.version_id, FUNCTION_ARN, test=test_only
        )
        self._exchange.restore(self.versions, self._secret_id, self._first or "")
        if test_only:
            return
        staged = self._files.staged()
        if staged is not None:
            self.versions.put_pending(self._secret_id, request.version_id, staged, None)
            self.notes.append(f"Went on with {self._files.pending}, which an earlier run staged.")
        self._simulator.after("PutSecretValue", self._stage)
        self._simulator.after("TagResource", self._mark)
        self._simulator.after("UntagResource", self._mark)
        self._begun = True

    def keep(self) -> None:
        """Brings the files to what the labels say. Repeatable. Raises FilesError."""
        if self._holder(CURRENT) != self._first:
            text = self._value(CURRENT)
            if text is not None:
                path = self._files.promote(text)
                self._exchange.keep(None)
                self._first = self._holder(CURRENT)
                before = "" if self._files.save else f" (before: {self._files.backup})"
                self.notes.append(f"AWSCURRENT's value is in {path}{before}.")
        elif self._begun and self._holder(PENDING) is None and self._files.set_aside():
            self.notes.append(f"The value that was refused is in {self._files.refused}.")

    def _stage(self, _: Call) -> None:
        text = self._value(PENDING)
        try:
            if text is not None:
                self._files.stage(text)
        except OSError as error:
            self._fail(FilesError(f"Cannot store the staged value: {error}. {self._so_far()}"))
        self.failure = None  # what a provider has issued is offered again

    def _mark(self, _: Call) -> None:
        try:
            self._exchange.keep(self._simulator.secret(self._secret_id).tags.get(TAG))
        except FilesError as error:
            self._fail(error)

    def _fail(self, error: FilesError) -> NoReturn:
        """Refuses the request. The run ends with ``error``."""
        self.failure = error
        raise ServiceError("InvalidRequestException", "It was not stored.")

    def _so_far(self) -> str:
        if self._files.exchange.exists():
            return "A provider has issued it, and AWSCURRENT's may be used up."
        return "Nothing was changed on the server."

    def _holder(self, label: str) -> str | None:
        return self._simulator.secret(self._secret_id).labels.get(label)

    def _value(self, label: str) -> str | None:
        text = self._simulator.value(self._secret_id, stage=label)
        return None if text is None else json.dumps(json.loads(text), indent=2, ensure_ascii=False)


class _Versions(SecretsManager):
    """The simulator's versions, by the ids that the event and the secret call them.

    A simulated secret's ARN is new in each run. Marks on servers are not to change with it.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401
        own: str,
        others: Mapping[str, str],
        missing: str | None,
    ) -> None:
        super().__init__(client)
        self._own = own
        self._others = others
        self._missing = missing

    def describe(self, secret_id: str) -> SecretMetadata:
        found = super().describe(self._others.get(secret_id, secret_id))
        return replace(found, arn=self._own) if secret_id == self._own else found

    def get(
        self, secret_id: str, *, version_id: str | None = None, stage: str | None = None
    ) -> StoredValue:
        if secret_id == self._missing:
            raise MisconfiguredSecret(
                f"the value of the admin's secret {secret_id} is not here",
                "Give it: --admin-secret ADMIN.json.",
            )
        secret_id = self._others.get(secret_id, secret_id)
        return super().get(secret_id, version_id=version_id, stage=stage)


@contextmanager
def local_secret(
    request: RotationRequest, files: SecretFiles, admin: Path | None = None
) -> Iterator[LocalSecret]:
    """A simulator that knows the request's secret by the request's own id.

    ``admin`` holds the value of the secret that 'masterarn' names; it is never written. The files
    are kept up to date to the end, whatever ends it. Raises FilesError or UsageError.
    """
    name, place = _identity(request.secret_id)
    with files.locked(), SecretsManagerSimulator(**place) as simulator:
        try:
            # An alternate that bears no mark is proved to be this secret's by AWSPREVIOUS alone.
            previous, current = files.previous(), files.current()
            simulator.create_secret(name, previous or current)
            if previous:
                simulator.put_by_hand(name, current)
            masterarn = files.masterarn()
            others = {}
            if masterarn == request.secret_id:
                masterarn = None
            if admin and masterarn:
                others[masterarn] = simulator.create_secret(_ADMIN, read_value(admin))
        except ServiceError as error:
            raise click.UsageError(f"Secrets Manager would not take this: {error}") from None
        with closing(simulator_client(simulator.endpoint_url)) as client:
            missing = None if admin else masterarn
            versions = _Versions(client, request.secret_id, others, missing)
            secret = LocalSecret(simulator, versions, files, request.secret_id)
            try:
                yield secret
            finally:
                secret.keep()


def _identity(secret_id: str) -> tuple[str, dict[str, str]]:
    """The secret's name, and the account and Region to simulate.

    An ARN's own six last characters count as part of the name, so that the ARN becomes a partial
    one of the simulated secret, by which Secrets Manager finds it too.
    """
    match = _ARN.fullmatch(secret_id)
    if match:
        return match[3], {"region": match[1], "account": match[2]}
    if secret_id.startswith("arn:"):
        raise click.UsageError(
            "The event's SecretId is no ARN that can be played here. Write"
            " arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-abcdef, or the secret's name."
        )
    return secret_id, {}
