"""The list of files that could not be used."""

from collections import Counter
from collections.abc import Sequence

import click

from clipsearch.cli.exit_codes import EXIT_SOME_FAILED
from clipsearch.escape import escape_control
from clipsearch.types import Failure

SHOWN_FAILURES = 20
SHOWN_REASONS = 5


def show_failures(failures: Sequence[Failure], *, hint: str = "", count: bool = True) -> int:
    """Print failures on standard error; return the exit code.

    Of more than 20, the first ones are printed and how many have which reason. `hint` says where to
    find the others; `count` adds a line with their number.
    """
    for failure in failures[:SHOWN_FAILURES]:
        click.echo(f"failed: {escape_control(f'{failure.path}: {failure.reason}')}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"… and {len(failures) - SHOWN_FAILURES:,} more{hint}", err=True)
        _show_reasons(Counter(failure.reason for failure in failures))
    if failures and count:
        click.echo(f"{len(failures):,} failed", err=True)
    return EXIT_SOME_FAILED if failures else 0


def _show_reasons(reasons: Counter[str]) -> None:
    for reason, number in reasons.most_common(SHOWN_REASONS):
        click.echo(f"{number:,} failed: {escape_control(reason)}", err=True)
    others = reasons.most_common()[SHOWN_REASONS:]
    if others:
        total = sum(number for _, number in others)
        click.echo(f"{total:,} failed for {len(others):,} other reasons", err=True)
