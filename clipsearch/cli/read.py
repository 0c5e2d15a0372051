"""`clipsearch read`."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import click

from clipsearch.cli import ingest_options, options
from clipsearch.cli.failures import show_failures
from clipsearch.cli.progress import progress_bar
from clipsearch.daemon.process import start_for_others
from clipsearch.index import Index
from clipsearch.models.runtime import Runtime
from clipsearch.ocr.reader import TextReader, load_reader
from ingest.ocr.options import MIN_TEXTNESS, ReadOptions
from ingest.ocr.report import ReadReport


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@options.store
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=f"Also read images with little text: a textness below {MIN_TEXTNESS}.",
)
@click.option("--again", is_flag=True, help="Also read images that another reader has read.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Read at most N images now, those with the most text.",
)
@ingest_options.ocr_model
@ingest_options.max_pixels
@options.max_memory
@click.option("--dry-run", is_flag=True, help="Show how many images would be read.")
@ingest_options.quiet
@options.as_json
def read(
    *,
    paths: tuple[str, ...],
    uri: str,
    token: str | None,
    collection: str,
    everything: bool,
    again: bool,
    limit: int | None,
    ocr_model: str | None,
    max_pixels: int,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Read the text in the images of a collection, so that it can be searched.

    Without a PATH all images are read that were not read before, otherwise those at or below it.
    Images with the most text come first. This takes about half a second of a core for each image.
    What is read is stored every few seconds, so an interrupted command continues with the next one.
    Needs the extra [ocr].

    \b
    clipsearch read
    clipsearch read ~/Pictures/Screenshots --all
    clipsearch read --limit 1000
    """
    reader = load_reader(ocr_model)
    choices = ReadOptions(
        min_textness=0 if everything else MIN_TEXTNESS,
        again=again,
        limit=limit,
        max_pixels=max_pixels,
    )
    if quiet:
        logging.getLogger("clipsearch").setLevel(logging.WARNING)
    if not dry_run:
        start_for_others(uri, token, collection, Runtime())
    with (
        Index.open(uri, collection=collection, token=token, create=False) as index,
        progress_bar(quiet=quiet) as bar,
    ):
        report = index.read_text(
            *paths, options=choices, reader=reader, dry_run=dry_run, progress=bar
        )
    return show_report(report, as_json=as_json, quiet=quiet)


def read_ingested(
    locations: Sequence[Path],
    reader: TextReader,
    choices: ReadOptions,
    *,
    uri: str,
    token: str | None,
    collection: str,
    runtime: Runtime,
    quiet: bool,
) -> ReadReport | None:
    """Read the images at some places that were just ingested, of which there may be none."""
    start_for_others(uri, token, collection, runtime)
    with (
        Index.open(uri, collection=collection, token=token) as index,
        progress_bar("read", quiet=quiet) as bar,
    ):
        if index.find_collection() is None:
            return None
        return index.read_text(
            *locations, options=choices, reader=reader, progress=bar, strict=False
        )


def show_report(report: ReadReport, *, as_json: bool, quiet: bool) -> int:
    """Print the report of a pass; return the exit code."""
    if as_json:
        click.echo(json.dumps(report.as_json()))
    exit_code = show_failures(report.failed, hint=": clipsearch status --failures", count=False)
    for line in () if quiet else report.lines():
        click.echo(line, err=True)
    return exit_code
