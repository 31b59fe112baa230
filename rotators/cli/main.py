"""All commands under one name."""

from __future__ import annotations

import click

from rotators.cli.build import build
from rotators.cli.demo import demo
from rotators.cli.engines import engines
from rotators.cli.function import function
from rotators.cli.invoke import invoke


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rotators", message="rotators %(version)s")
def cli() -> None:
    """Rotation functions for AWS Secrets Manager, on your own machine.

    Start with `rotators demo`: it rotates the password of a real PostgreSQL user, with no AWS
    account and no Docker. `rotators COMMAND --help` has an example and the exit codes of each.
    """


for command in (build, demo, engines, function, invoke):
    cli.add_command(command)
