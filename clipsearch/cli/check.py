"""`clipsearch check`."""

import json

import click

from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_ERROR, EXIT_SOME_FAILED
from clipsearch.escape import escape_control
from clipsearch.models.runtime import Runtime
from clipsearch.session import Session, open_store
from ingest.check import CheckReport
from ingest.check import check as check_store
from ingest.text_check import TextCheck

SHOWN_ROWS = 20


@click.command()
@click.option(
    "--repair",
    is_flag=True,
    help="Embed the files of damaged rows again, and remove rows without a file.",
)
@options.as_json
@options.uri
@options.runtime
def check(*, repair: bool, as_json: bool, uri: str, token: str | None, runtime: Runtime) -> int:
    """Check every row of the store for damage, and repair it from the image files.

    Compares each row with the checksum that was stored with it, its id with its path, the length
    of its vector, and the number of rows with the catalog. Of a local store that no daemon uses,
    every page and what Milvus Lite cannot load are checked, too. --repair takes the content from
    the image files: a row is embedded again by the model of its collection, or removed if its file
    is missing or unusable. Its tags are lost. Metadata is read from its archive again.

    The exit code is 1 if something is wrong and was not repaired, and 3 if --repair removed rows.

    \b
    clipsearch check
    clipsearch check --repair
    """
    reports = []
    with open_store(uri, token=token, create=False, single_query=True) as store:
        found = check_store(
            store, lambda name: lambda: Session(store, name, runtime=runtime).load(), repair=repair
        )
        for report in found:
            click.echo(json.dumps(report.as_json())) if as_json else _show(report, repair=repair)
            reports.append(report)
    if not reports and not as_json:
        click.echo("no collections")
    return max((_exit_code(report, repair=repair) for report in reports), default=0)


def _exit_code(report: CheckReport, *, repair: bool) -> int:
    if repair:
        is_restored = report.restored == len(report.damaged)
        is_complete = not report.lost and is_restored and not report.texts.damaged
        return 0 if is_complete else EXIT_SOME_FAILED
    return 0 if report.is_clean else EXIT_ERROR


def _show(report: CheckReport, *, repair: bool) -> None:
    name = report.collection
    wrong = f"{len(report.damaged):,} damaged" if report.damaged else "none damaged"
    click.echo(f"{name}: {report.rows:,} rows, {wrong}")
    if not report.has_checksums:
        click.echo("  an older version made it, without checksums: only the rest was checked")
    for row, outcome in report.damaged[:SHOWN_ROWS]:
        label = escape_control(str(row.path or row.keys[0]))
        click.echo(f"  {label}: {row.reason}{f': {outcome}' if outcome else ''}")
    if (more := len(report.damaged) - SHOWN_ROWS) > 0:
        click.echo(f"  … and {more:,} more: --json lists them")
    if report.lost:
        click.echo(f"  {report.lost:,} more rows are missing: ingest its folders again")
    _show_texts(report.texts, repair=repair)
    if repair and report.damaged:
        removed = len(report.damaged) - report.restored
        click.echo(f"  {report.restored:,} embedded again, {removed:,} removed")
    elif report.damaged:
        click.echo("  `clipsearch check --repair` embeds them again, or removes them")


def _show_texts(texts: TextCheck, *, repair: bool) -> None:
    if texts.read or texts.damaged:
        click.echo(f"  {texts.read:,} images were read")
    if texts.damaged:
        action = "removed: `clipsearch read` reads the images again" if repair else "damaged"
        click.echo(f"  {texts.damaged:,} texts {action}")
    if texts.outdated:
        action = "removed" if repair else "left: `clipsearch check --repair` removes them"
        click.echo(f"  {texts.outdated:,} texts of images that are gone or changed {action}")
