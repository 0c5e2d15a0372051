"""`clipsearch ingest`."""

import json
import logging
import sys
from pathlib import Path

import click
from tqdm import tqdm

from clipsearch.cli import options
from clipsearch.cli.main import EXIT_ERROR, EXIT_SOME_FAILED
from clipsearch.daemon.process import start_unless_off
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.discover import FileSource, read_path_list
from clipsearch.files.paths import expand_user
from clipsearch.files.walk import FileSelection
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from ingest.dry_run import preview
from ingest.pipeline import IngestOptions
from ingest.report import IngestReport

SHOWN_FAILURES = 20


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@options.store
@click.option("--model", help="For a new collection; see `clipsearch models`.  [default: auto]")
@options.runtime
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Skip such names or paths. Repeatable."
)
@click.option("--all", "everything", is_flag=True, help="Also dotfiles and junk folders.")
@click.option("--follow-links", is_flag=True, help="Also folders behind symbolic links.")
@click.option("--prune", is_flag=True, help="Forget pictures that are gone from these folders.")
@click.option("--force", is_flag=True, help="With --prune: even if most of them are gone.")
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=IngestOptions().max_pixels,
    show_default=True,
    help="Larger pictures fail.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Tell of failures only.")
@options.as_json
def ingest(
    *,
    paths: tuple[str, ...],
    uri: str,
    token: str | None,
    collection: str,
    model: str | None,
    runtime: Runtime,
    exclude: tuple[str, ...],
    everything: bool,
    follow_links: bool,
    prune: bool,
    force: bool,
    max_pixels: int,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Store the pictures in folders and files.

    PATH may be - for a list on standard input, by lines or NUL bytes. What is known and unchanged costs a look at its date. Run it again whenever you like: it goes on
    where it was stopped.

    \b
    clipsearch ingest ~/Pictures
    clipsearch ingest ~/Pictures --prune --exclude "*.gif"
    find . -name "*.jpg" -print0 | clipsearch ingest -
    """
    selection = FileSelection(exclude=exclude, everything=everything, follow_links=follow_links)
    # A mistyped path leaves no new store behind.
    source = FileSource(_paths(paths), selection, strict="-" not in paths)
    ingest_options = IngestOptions(prune=prune, force=force, max_pixels=max_pixels)
    hidden = quiet or not sys.stderr.isatty()
    if quiet:
        logging.getLogger("clipsearch").setLevel(logging.WARNING)
    if _is_new_file(uri):  # nor does an empty folder
        source.require_any()
    if dry_run and _is_new_file(uri):
        report = preview(source, None, ingest_options)  # a dry run leaves no database behind
    else:
        with Index.open(
            uri, collection=collection, model=model, token=token, **runtime.options()
        ) as index:
            if not dry_run:
                index.load()  # what it says of the model stands above the bar
            with tqdm(unit=" images", disable=hidden, dynamic_ncols=True, smoothing=0.1) as bar:
                progress = None if hidden else bar
                report = index.ingest_source(
                    source, options=ingest_options, dry_run=dry_run, progress=progress
                )
    _show(report, as_json=as_json, quiet=quiet)
    if not dry_run:
        start_unless_off(uri, token, collection, runtime)
    if report.refused:
        return EXIT_ERROR
    return EXIT_SOME_FAILED if report.failed else 0


def _paths(paths: tuple[str, ...]) -> list[Path]:
    listed = read_path_list(sys.stdin.buffer) if "-" in paths and sys.stdin else []
    where = [Path(path) for path in paths if path != "-"] + listed
    if not where:
        raise UsageError("standard input named no files")
    return where


def _is_new_file(uri: str) -> bool:
    return "://" not in uri and not expand_user(Path(uri)).exists()


def _show(report: IngestReport, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json()))
    for failure in report.failed[:SHOWN_FAILURES]:
        click.echo(f"failed: {escape_control(f'{failure.path}: {failure.reason}')}", err=True)
    if len(report.failed) > SHOWN_FAILURES:
        click.echo(
            f"… and {len(report.failed) - SHOWN_FAILURES:,} more: clipsearch status --failures",
            err=True,
        )
    for line in report.refused if quiet else report.lines():
        click.echo(line, err=True)
