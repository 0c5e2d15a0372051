"""The figure of the textness article: one query at several scales, a row of pictures each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.render.contact_sheet import (
    ACCENT,
    FAINT,
    INK,
    PAGES,
    PAPER,
    Layout,
    draw_frame,
    new_file,
    require_format,
    rounded,
    save_image,
    tile,
)
from clipsearch.render.html import page
from clipsearch.render.section import Section
from clipsearch.render.table import shorten
from clipsearch.render.text_image import Lettering, plain_font
from clipsearch.types import Hit

CELL = 144
TEXT = 0.5
"""Textness from which a picture is framed as one with text."""


@dataclass(frozen=True, slots=True)
class Row:
    """The hits at one scale; `label` names it and `note` says in few words what it asks for."""

    label: str
    note: str
    hits: Sequence[Hit]


def write_scales(path: Path, title: str, note: str, rows: Sequence[Row]) -> None:
    """Write the figure to `path`: .png, .jpg, .webp, or one self-contained .html.

    Raises UsageError on another suffix and on a folder that cannot be written.
    """
    suffix = require_format(path)
    with new_file(path) as part:
        if suffix in PAGES:
            sections = [
                Section(f"{title} · textness {row.label} · {row.note}", row.hits) for row in rows
            ]
            part.write_text(page(sections), encoding="utf-8")
        else:
            save_image(scales_image(title, note, rows), part, suffix)


def scales_image(title: str, note: str, rows: Sequence[Row], *, cell: int = CELL) -> Image.Image:
    """Draw the rows below each other as one RGB picture on white, the label left of each.

    Under each picture stands its textness; those above `TEXT` are framed. A file that cannot be
    read becomes a grey square with the reason.
    """
    columns = max(1, *(len(row.hits) for row in rows))
    layout = Layout(columns, cell, plain_font(escape_control(title)))
    large, small = (
        Lettering(round(cell / 4.5), layout.font),
        Lettering(max(11, cell // 10), layout.font),
    )
    labels = layout.margin + round(max(small.width(row.note) for row in rows) + layout.gap)
    step = cell + round(small.size * 2.2) + layout.gap // 2
    top = layout.margin + round(large.size * 2.6)
    width = labels + columns * (cell + layout.gap) + layout.gap
    sheet = Image.new("RGB", (width, top + len(rows) * step + layout.gap), PAPER)
    canvas = ImageDraw.Draw(sheet)
    room = width - 2 * layout.margin
    for letters, text, y, ink in (
        (large, title, layout.margin + large.size, INK),
        (small, note, layout.margin + large.size * 1.75, FAINT),
    ):
        shown = shorten(escape_control(text), lambda part: letters.width(part) <= room)  # noqa: B023
        letters.draw(canvas, (layout.margin, y), shown, ink)
    paths = [hit.path for row in rows for hit in row.hits]
    pictures = thumbnails(paths, (cell, cell))
    for number, row in enumerate(rows):
        y = top + number * step
        large.draw(canvas, (layout.margin, y + cell / 2), row.label, INK)
        small.draw(canvas, (layout.margin, y + cell / 2 + small.size * 1.7), row.note, FAINT)
        for column, hit in enumerate(row.hits):
            x = labels + column * (cell + layout.gap)
            shows_text = (hit.textness or 0) > TEXT
            if shows_text:
                draw_frame(sheet, (x, y), cell)
            sheet.paste(tile(next(pictures), layout), (x, y), rounded(cell, cell // 40))
            value = "" if hit.textness is None else f"text {hit.textness:.2f}"
            below = (x, y + cell + small.size * 1.5)
            small.draw(canvas, below, value, ACCENT if shows_text else FAINT)
        if not row.hits:
            small.draw(canvas, (labels, y + cell / 2), "no results", FAINT)
    return sheet
