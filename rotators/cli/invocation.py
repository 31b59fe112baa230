"""The two ways to deliver an event: to a simulated Secrets Manager here, or to an account's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
)

from rotators import handler
from rotators.cli import output
from rotators.cli.delivery import Plan, Recorder, deliver
from rotators.cli.local import local_secret
from rotators.cli.report import Report
from rotators.errors import RotationError
from rotators.request import Step
from rotators.settings import Settings, StrategyName

if TYPE_CHECKING:
    from rotators.cli.files import SecretFiles
    from rotators.registry import Registry
    from rotators.versions import SecretsManager, Versions


@dataclass(frozen=True)
class Invocation:
    """An event, and the ways to deliver it. A way returns its report: errors are in it."""

    registry: Registry
    event: object
    log: TextIO
    progress: bool

    def locally(self, files: SecretFiles, admin: Path | None = None, *, test_only: bool) -> Report:
        """With the secret in ``files``, and its admin's in ``admin``.

        Raises ClickException for what is wrong with those.
        """
        report = Report("Secrets Manager simulated")
        try:
            plan = Plan.of(self.event, play_earlier=not test_only)
            _require_test(plan, test_only=test_only)
            settings = Settings.from_environ(os.environ)
            alternates = settings.strategy is StrategyName.ALTERNATING_USERS
            _require_admin(files, admin, needed=alternates and not test_only)
            if alternates and not plan.request.secret_id.startswith("arn:"):
                raise click.UsageError(_NO_ARN)
            with local_secret(plan.request, files, admin) as secret:
                report.notes = secret.notes
                secret.begin(plan.request, test_only=test_only)
                recorder = self._recorder(secret.versions, settings)
                recorder.sleep = _no_sleep
                self._play(report, plan, recorder, secret.keep)
                report.labels = secret.labels()
                if secret.failure:
                    raise secret.failure
        except RotationError as error:
            report.error = error
        except KeyboardInterrupt:
            report.interrupted = True
        report.warning = files.unfinished()
        return report

    def in_account(self) -> Report:
        """With the account's Secrets Manager."""
        report = Report("your account's Secrets Manager")
        try:
            plan = Plan.of(self.event, play_earlier=False)
            settings = Settings.from_environ(os.environ)
            versions = _account(settings)
            self._play(report, plan, self._recorder(versions, settings), lambda: None)
            if report.error is None:
                _show_labels(report, versions, plan.request.secret_id)
        except RotationError as error:
            report.error = error
        except KeyboardInterrupt:
            report.interrupted = True
        return report

    def _recorder(self, versions: Versions, settings: Settings) -> Recorder:
        return Recorder(versions, self.registry.allowing(settings.engines), settings)

    def _play(
        self, report: Report, plan: Plan, recorder: Recorder, after_each: Callable[[], None]
    ) -> None:
        """Delivers until the first error; ``after_each`` runs also after that one."""
        console = output.console(stderr=True)
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn()
        quiet = not (self.progress and console.is_terminal)
        with Progress(
            *columns, MofNCompleteColumn(), console=console, transient=True, disable=quiet
        ) as progress:
            task = progress.add_task("", total=len(plan.events))
            describe = partial(_describe, progress, task)
            for delivered in deliver(plan, recorder, self.log, describe):
                report.steps.append(delivered)
                report.error = delivered.error
                progress.advance(task)
                after_each()


def _show_labels(report: Report, versions: Versions, secret_id: str) -> None:
    try:
        report.labels = versions.describe(secret_id).stages
    except RotationError as error:
        report.notes.append(f"The labels cannot be shown: {error}")


def _no_sleep(_: float) -> None:
    """What the simulator has stored can be read at once."""


def _describe(progress: Progress, task: TaskID, step: str) -> None:
    progress.update(task, description=step)


def _require_test(plan: Plan, *, test_only: bool) -> None:
    if test_only and plan.asked != {Step.TEST}:
        raise click.UsageError("--test-only needs a testSecret event: events/test_only.json.")


def _require_admin(files: SecretFiles, admin: Path | None, *, needed: bool) -> None:
    masterarn = files.masterarn()
    if admin and not masterarn:
        raise click.UsageError(
            "--admin-secret is the value of the secret that 'masterarn' names, and there is none in"
            f" {files.file.name}. Add its ARN."
        )
    if needed and masterarn and not admin:
        raise click.UsageError(
            f"'masterarn' in {files.file.name} names the admin's secret, {masterarn}, which is not"
            " here. Give its value: --admin-secret ADMIN.json."
        )


# In the mark, a name would be taken for another secret than its ARN.
_NO_ARN = (
    "The event's SecretId has to be the secret's whole ARN: by alternating-users, the users on the"
    " server are marked with it."
)


def _account(settings: Settings) -> SecretsManager:
    from botocore.exceptions import BotoCoreError

    try:
        return handler.secrets_manager(settings)
    except BotoCoreError as error:
        raise click.UsageError(
            f"{error} Set AWS_DEFAULT_REGION and AWS_PROFILE (or AWS_ACCESS_KEY_ID …) for your"
            " account, or run here: --secret FILE.json."
        ) from None
