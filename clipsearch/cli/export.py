"""`clipsearch export`."""

import json
from pathlib import Path
from typing import Any

import click

from clipsearch.cli import options
from clipsearch.cli.exit_codes import EXIT_SOME_FAILED
from clipsearch.cli.filter_options import filters
from clipsearch.cli.messages import note
from clipsearch.cli.progress import progress_bar
from clipsearch.index import Index
from clipsearch.query import Filters
from clipsearch.transfer.export import FILE_ROWS


@click.command()
@click.argument("target", metavar="FILE.parquet|FOLDER", type=options.PATH)
@filters
@click.option(
    "--file-rows",
    type=click.IntRange(min=1),
    default=FILE_ROWS,
    show_default=True,
    metavar="N",
    help="With a folder: begin a new file after about so many rows.",
)
@options.as_json
@options.store
def export(
    *,
    target: Path,
    file_rows: int,
    as_json: bool,
    uri: str,
    token: str | None,
    collection: str,
    **conditions: Any,
) -> int:
    """Write a collection to Parquet files.

    A name that ends in .parquet is one file, any other a new folder for several. They hold all
    fields, the vectors, the model with its calibration, the folders and the failures; `clipsearch
    import` restores the collection from them. Other programs can read them: the guide describes the
    columns. Needs `pip install 'clipsearch[scale]'`.

    The exit code is 3 if damaged rows were left out.

    \b
    clipsearch export images.parquet
    clipsearch export beach --tag beach --after 2020
    """
    with (
        Index.open(
            uri, collection=collection, token=token, create=False, consistency="strong"
        ) as index,
        progress_bar("export") as bar,
    ):
        report = index.export(
            target, filters=Filters(**conditions), file_rows=file_rows, progress=bar
        )
    if as_json:
        files = list(map(str, report.files))
        click.echo(json.dumps({"rows": report.rows, "files": files, "damaged": report.damaged}))
    else:
        count = "1 file" if len(report.files) == 1 else f"{len(report.files):,} files"
        note(f"{report.rows:,} images written to {target} ({count})")
    if report.damaged:
        note(f"{report.damaged:,} damaged were left out: `clipsearch check --repair` restores them")
    return EXIT_SOME_FAILED if report.damaged else 0
