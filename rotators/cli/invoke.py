"""``rotators invoke``."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from rotators.cli import output
from rotators.cli.event_file import read_event
from rotators.cli.files import SecretFiles
from rotators.cli.invocation import Invocation

if TYPE_CHECKING:
    from rotators.registry import Registry

_HELP = """Deliver one event to the function, as Secrets Manager does. EVENT.json may be -.

With --secret, Secrets Manager is simulated on this machine and holds FILE.json, a secret's value
as AWS documents it; the database is the real one that it names. Steps that come before the
event's are played first. The new password is on disk before the database gets it:
FILE.json.pending holds AWSPENDING until FILE.json is replaced (its content before is then in
FILE.json.bak, the next run's AWSPREVIOUS). Interrupted at any point, the same command run again
ends the rotation.

A secret that an admin rotates names the admin's secret as "masterarn"; its value, which is only
read, is --admin-secret. The users on the server are marked with the event's SecretId: write your
secret's own ARN there. Tokens of X may name the secret with their app's keys in the same way.

A provider such as X says a new token once. While it is asked, FILE.json.exchange says so: if its
answer is lost, the next run asks once more at most, then says what a person has to do.

Without --secret, the event goes to the account that your AWS credentials point to. Nothing is
staged there for you: the event's ClientRequestToken must be a version labelled AWSPENDING.

An event without Step (events/rotation.json) plays all four. An attach with RotateImmediately=false
comes as testSecret alone (events/test_only.json): add --test-only, or the steps before testSecret
are played, which change the password. ROTATION_CA_BUNDLE and the function's other environment
variables count here, too.

\b
Examples:
  rotators invoke events/rotation.json --secret secret.json
  rotators invoke events/test_only.json --secret secret.json --test-only
  ROTATION_STRATEGY=alternating-users \\
    rotators invoke mine.json --secret secret.json --admin-secret admin.json
  rotators invoke events/test_secret.json --secret-id prod/app/db -v

\b
Exit codes:
  0  done                  2  wrong usage, or a file that cannot be used
  1  permanent error       3  passing error: try again
  130  interrupted
"""


@click.command(help=_HELP)
@click.argument("event", metavar="EVENT.json", type=click.File(encoding="utf-8"))
@click.option(
    "--secret",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.json",
    help="The secret's value, in a file: run here.",
)
@click.option(
    "--admin-secret",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="ADMIN.json",
    help="With --secret: the value of the secret that its 'masterarn' names. Never written.",
)
@click.option("--secret-id", metavar="ID", help="A secret of the account, for the event's.")
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE2.json",
    help="With --secret: a new file for the new value. FILE.json is left alone.",
)
@click.option("--test-only", is_flag=True, help="With --secret: nothing was created or set before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")
@click.option("-v", "--verbose", is_flag=True, help="Show the function's log on standard error.")
@output.pass_registry
def invoke(
    registry: Registry,
    *,
    event: TextIO,
    secret: Path | None,
    admin_secret: Path | None,
    secret_id: str | None,
    save: Path | None,
    test_only: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Its help is above, because it is longer than the function."""
    if secret and secret_id:
        raise click.UsageError("--secret and --secret-id exclude each other.")
    if not secret and (save or test_only or admin_secret):
        raise click.UsageError("--admin-secret, --save and --test-only need --secret.")
    given = read_event(event)
    if secret_id and isinstance(given, Mapping):
        given = {**given, "SecretId": secret_id}
    log = sys.stderr if verbose else io.StringIO()
    invocation = Invocation(registry, given, log, progress=not (as_json or verbose))
    if secret:
        report = invocation.locally(SecretFiles(secret, save), admin_secret, test_only=test_only)
    else:
        report = invocation.in_account()
    report.show(as_json=as_json)
    raise SystemExit(report.code)
