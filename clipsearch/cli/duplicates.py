"""`clipsearch duplicates`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from clipsearch.cli import options
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.errors import UsageError
from clipsearch.index import Index
from clipsearch.query.near_duplicates import (
    EMBEDDINGS_THRESHOLD,
    PIXELS_THRESHOLD,
    DuplicateGroup,
)
from clipsearch.render import duplicate_groups
from clipsearch.render.contact_sheet import write_sheet
from clipsearch.render.output_file import require_suffix


@click.command()
@click.option(
    "--threshold",
    "--min-score",
    "threshold",
    type=float,
    metavar="COSINE",
    help="Compare images whose cosine similarity, as in the scores of `query`, is at least this; "
    f"above 0, at most 1.  [default: {PIXELS_THRESHOLD}, or {EMBEDDINGS_THRESHOLD} with "
    "--embeddings-only]",
)
@click.option(
    "--embeddings-only",
    is_flag=True,
    help="Do not compare pixels: also list crops, mirrored images, bursts and similar documents.",
)
@options.as_json
@options.as_csv
@click.option("--paths", is_flag=True, help="Print only paths, one per line.")
@click.option("-0", "--null", is_flag=True, help="Print only paths, each followed by a NUL byte.")
@click.option(
    "--copies", is_flag=True, help="With --paths or -0, leave out the first image of each group."
)
@click.option(
    "--sheet",
    type=options.FILE,
    metavar="FILE",
    help="Also write a contact sheet: .png, .jpg, .webp or .html.",
)
@options.store
def duplicates(
    *,
    threshold: float | None,
    embeddings_only: bool,
    as_json: bool,
    as_csv: bool,
    paths: bool,
    null: bool,
    copies: bool,
    sheet: Path | None,
    uri: str,
    token: str | None,
    collection: str,
) -> None:
    """List groups of identical images and of images that look the same.

    Images look the same if they differ in size, quality or format, but nowhere in content: crops,
    mirrored images, and documents with one word changed are not duplicates. The image with the most
    pixels comes first in each group.

    \b
    clipsearch duplicates --sheet duplicates.html
    clipsearch duplicates --copies -0 | xargs -0 ls -l
    clipsearch duplicates --embeddings-only --threshold 0.98 --json
    """
    if as_json + as_csv + (paths or null) > 1:
        raise UsageError("--json, --csv and --paths exclude each other")
    if copies and not (paths or null):
        raise UsageError("--copies needs --paths or -0")
    if sheet:
        require_suffix(sheet)  # check before the search
    with Index.open(uri, collection=collection, token=token, create=False) as index:
        groups = index.duplicates(
            threshold=threshold, compare_pixels=not embeddings_only, progress=progress_bar
        )
    if sheet:
        write_sheet(sheet, duplicate_groups.group_sections(groups))
    if as_json:
        for group in groups:
            click.echo(duplicate_groups.group_json(group))
    elif as_csv:
        click.echo(duplicate_groups.groups_csv(groups), nl=False)
    elif paths or null:
        _write_paths(groups, end=b"\0" if null else b"\n", first=int(copies))
    else:
        for group in groups:
            click.echo(duplicate_groups.group_text(group, Path.cwd()))
    if groups:
        identical = sum(group.identical for group in groups)
        note(f"{len(groups):,} groups, {identical:,} of identical files")
    else:
        note("no duplicates")
    if sheet:
        note(f"contact sheet: {sheet}")


def _write_paths(groups: Sequence[DuplicateGroup], *, end: bytes, first: int) -> None:
    """Write the exact bytes of the paths, from the record number `first` of each group."""
    for group in groups:
        for record in group.records[first:]:
            sys.stdout.buffer.write(os.fsencode(str(record.path)) + end)
    sys.stdout.buffer.flush()
