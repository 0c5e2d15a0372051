"""How commands hand over hits: the options for it and what they do."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.render import contact_sheet, json_csv, table, terminal_image, viewer
from clipsearch.render.section import Section
from clipsearch.types import Hit

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option("--csv", "as_csv", is_flag=True, help="CSV with a header."),
    click.option("--paths", is_flag=True, help="Only paths, one a line."),
    click.option("-0", "--null", is_flag=True, help="Only paths, each followed by a NUL byte."),
    click.option(
        "--sheet", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Also write a contact sheet: .png, .jpg, .webp or .html.",
    ),
    click.option("--preview", is_flag=True, help="Show the pictures in the terminal."),
    click.option("--open", "open_", is_flag=True, help="Open the pictures in a viewer."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Output:
    """What the user asked to be done with the hits."""

    as_json: bool
    as_csv: bool
    paths: bool
    null: bool
    sheet: Path | None
    preview: bool
    open_: bool

    def __post_init__(self) -> None:
        if self.as_json + self.as_csv + (self.paths or self.null) > 1:
            raise UsageError("--json, --csv and --paths exclude each other")


def output(command: F) -> F:
    """The options that fill an `Output`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def show(
    hits: Sequence[Hit], wanted: Output, *, title: str, images: Sequence[Path], start: int
) -> None:
    """Print the hits and do with them what was asked for; `start` is the first one's rank."""
    section = Section(title, hits, images, start)
    if wanted.sheet:
        contact_sheet.write_sheet(wanted.sheet, [section])
    if wanted.as_json:
        for hit in hits:
            click.echo(json_csv.hit_json(hit))
    elif wanted.as_csv:
        click.echo(json_csv.hits_csv(hits), nl=False)
    elif wanted.paths or wanted.null:
        stdout = sys.stdout.buffer
        stdout.write(json_csv.hit_paths(hits, "\0" if wanted.null else "\n"))
        stdout.flush()
    elif wanted.preview:
        _preview(hits, start)
    elif hits:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(table.hits_table(hits, start=start, width=width, relative_to=Path.cwd()))
    if not hits:
        click.echo("no picture matches", err=True)
    if wanted.sheet:
        click.echo(f"contact sheet: {escape_control(str(wanted.sheet))}", err=True)
    if wanted.open_ and hits:
        viewer.open_files([hit.path for hit in hits])


def _preview(hits: Sequence[Hit], start: int) -> None:
    how = terminal_image.detect_protocol(os.environ, isatty=sys.stdout.isatty())
    for image in terminal_image.preview_hits(hits, how, start=start, relative_to=Path.cwd()):
        click.echo(image, nl=False)
