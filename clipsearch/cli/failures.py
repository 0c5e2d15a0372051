"""The list of files that could not be used."""

from collections.abc import Sequence

import click

from clipsearch.cli.exit_codes import EXIT_SOME_FAILED
from clipsearch.escape import escape_control
from clipsearch.types import Failure

SHOWN_FAILURES = 20


def show_failures(failures: Sequence[Failure], *, hint: str = "", count: bool = True) -> int:
    """Print failures on standard error; return the exit code.

    `hint` says where to find those beyond the first 20; `count` adds a line with their number.
    """
    for failure in failures[:SHOWN_FAILURES]:
        click.echo(f"failed: {escape_control(f'{failure.path}: {failure.reason}')}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"… and {len(failures) - SHOWN_FAILURES:,} more{hint}", err=True)
    if failures and count:
        click.echo(f"{len(failures):,} failed", err=True)
    return EXIT_SOME_FAILED if failures else 0
