"""The command ``rotators``, which is also ``python -m rotators``."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Runs the command line. Without its libraries it ends with 2 and names the extra."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A log collector's ASCII is no reason to fail half-way through a rotation.
            stream.reconfigure(errors="replace")
    try:
        import click  # noqa: F401 only to see that it is there
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        needs = f"The command line needs {error.name}: install the extra, rotators[cli].\n"
        sys.stderr.write(needs)
        raise SystemExit(2) from None
    from rotators.cli.main import cli

    cli(prog_name="rotators")


if __name__ == "__main__":
    main()
