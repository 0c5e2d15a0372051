"""Output of hits: the options that choose it, and the printing."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from clipsearch.cli.messages import note
from clipsearch.cli.options import FILE, add_options, as_csv, as_json
from clipsearch.errors import UsageError
from clipsearch.files.paths import is_missing
from clipsearch.records import Hit
from clipsearch.render import json_csv, table

output = add_options(
    as_json,
    as_csv,
    click.option("--paths", is_flag=True, help="Print only paths, one per line."),
    click.option(
        "-0", "--null", is_flag=True, help="Print only paths, each followed by a NUL byte."
    ),
    click.option(
        "--sheet",
        type=FILE,
        metavar="FILE",
        help="Also write a contact sheet: .png, .jpg, .webp or .html.",
    ),
    click.option(
        "--existing",
        is_flag=True,
        help="Leave out images whose file is missing; the next hits take their place.",
    ),
    click.option("--preview", is_flag=True, help="Show the images in the terminal."),
    click.option("--open", "open_", is_flag=True, help="Open the images in a viewer."),
)
"""The options that fill an `Output`."""


@dataclass(frozen=True, slots=True)
class Output:
    """The values of the output options."""

    as_json: bool
    as_csv: bool
    paths: bool
    null: bool
    sheet: Path | None
    existing: bool
    preview: bool
    open_: bool

    def __post_init__(self) -> None:
        if self.as_json + self.as_csv + (self.paths or self.null) > 1:
            raise UsageError("--json, --csv and --paths exclude each other")


def show(
    hits: Sequence[Hit],
    options: Output,
    *,
    title: str,
    images: Sequence[Path],
    start: int,
    warnings: Sequence[str] = (),
) -> None:
    """Print the hits, write the contact sheet, open the viewer; `start` is the rank of the first.

    `title` and `images` describe the query on the contact sheet; `warnings` are part of the JSON.
    """
    missing = {hit.path for hit in hits if is_missing(hit.path)}
    # These outputs need Pillow and numpy, which take longer to load than a warm query takes.
    if options.sheet:
        from clipsearch.render import contact_sheet
        from clipsearch.render.result_section import Section

        contact_sheet.write_sheet(options.sheet, [Section(title, hits, images, start)])
    if options.as_json:
        for hit in hits:
            click.echo(json_csv.hit_json(hit, warnings, missing=hit.path in missing))
    elif options.as_csv:
        click.echo(json_csv.hits_csv(hits), nl=False)
    elif options.paths or options.null:
        stdout = sys.stdout.buffer
        stdout.write(json_csv.hit_paths(hits, "\0" if options.null else "\n"))
        stdout.flush()
    elif options.preview:
        _preview(hits, start)
    elif hits:
        text = table.hits_table(
            hits, start=start, width=table_width(), relative_to=Path.cwd(), missing=missing
        )
        click.echo(text)
    if not hits:
        note("no matching images")
    if options.sheet:
        note(f"contact sheet: {options.sheet}")
    if options.open_ and hits:
        from clipsearch.render import viewer

        viewer.open_files([hit.path for hit in hits])


def table_width() -> int | None:
    """Return the columns of the terminal, or None if standard output is not a terminal."""
    if not sys.stdout.isatty():
        return None
    import shutil  # 2 ms, with the archive formats that it knows

    return shutil.get_terminal_size().columns


def _preview(hits: Sequence[Hit], start: int) -> None:
    from clipsearch.render import terminal_image

    protocol = terminal_image.detect_protocol(os.environ, isatty=sys.stdout.isatty())
    for preview in terminal_image.preview_hits(hits, protocol, start=start, relative_to=Path.cwd()):
        click.echo(preview, nl=False)
