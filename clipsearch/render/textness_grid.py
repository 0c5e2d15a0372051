"""The textness grid: one query at several textness scales, a row of images for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.records import Hit
from clipsearch.render.contact_sheet import Layout
from clipsearch.render.display_text import shorten
from clipsearch.render.font_stack import FontStack, choose_font
from clipsearch.render.html_page import render_page
from clipsearch.render.output_file import HTML_SUFFIXES, replace_file, require_suffix, save_image
from clipsearch.render.result_section import Section
from clipsearch.render.tile_image import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    draw_frame,
    draw_tile,
    rounded_mask,
)

TILE_SIZE = 144
TEXT_THRESHOLD = 0.5
"""The textness above which an image is framed as one with text."""


@dataclass(frozen=True, slots=True)
class Row:
    """The hits at one textness scale, with a label and a short note on the scale."""

    label: str
    note: str
    hits: Sequence[Hit]


def write_grid(path: Path, title: str, note: str, rows: Sequence[Row]) -> None:
    """Write the grid to a .png, .jpg or .webp file, or to one self-contained .html file.

    The file is written atomically. Raises UsageError on another suffix and on a folder that cannot
    be written.
    """
    suffix = require_suffix(path)
    with replace_file(path) as temporary:
        if suffix in HTML_SUFFIXES:
            sections = [
                Section(f"{title} · textness {row.label} · {row.note}", row.hits) for row in rows
            ]
            temporary.write_text(render_page(sections, columns=_columns(rows)), encoding="utf-8")
        else:
            save_image(draw_grid(title, note, rows), temporary, suffix)


def draw_grid(
    title: str, note: str, rows: Sequence[Row], *, tile_size: int = TILE_SIZE
) -> Image.Image:
    """Draw the rows below each other as one RGB image on white, each to the right of its label.

    The textness of each image stands below it; images above `TEXT_THRESHOLD` are framed. A file
    that cannot be read becomes a gray square with the reason.
    """
    columns = _columns(rows)
    layout = Layout(columns, tile_size, choose_font(escape_control(title)))
    large = FontStack(round(tile_size / 4.5), layout.font_name)
    small = FontStack(max(11, tile_size // 10), layout.font_name)
    left = layout.margin + round(max(small.width(row.note) for row in rows) + layout.gap)
    row_height = tile_size + round(small.size * 2.2) + layout.gap // 2
    top = layout.margin + round(large.size * 2.6)
    width = left + columns * (tile_size + layout.gap) + layout.gap
    sheet = Image.new("RGB", (width, top + len(rows) * row_height + layout.gap), PAPER)
    canvas = ImageDraw.Draw(sheet)
    title_width = width - 2 * layout.margin
    title = shorten(escape_control(title), lambda text: large.width(text) <= title_width)
    large.draw(canvas, (layout.margin, layout.margin + large.size), title, INK)
    note = shorten(escape_control(note), lambda text: small.width(text) <= title_width)
    small.draw(canvas, (layout.margin, layout.margin + large.size * 1.75), note, MUTED)
    images = thumbnails([hit.path for row in rows for hit in row.hits], (tile_size, tile_size))
    for index, row in enumerate(rows):
        y = top + index * row_height
        middle = y + tile_size / 2
        large.draw(canvas, (layout.margin, middle), row.label, INK)
        small.draw(canvas, (layout.margin, middle + small.size * 1.7), row.note, MUTED)
        if not row.hits:
            small.draw(canvas, (left, middle), "no results", MUTED)
        for column, hit in enumerate(row.hits):
            x = left + column * (tile_size + layout.gap)
            has_text = (hit.textness or 0) > TEXT_THRESHOLD
            if has_text:
                draw_frame(sheet, (x, y), tile_size)
            tile = draw_tile(next(images), tile_size, layout.caption, layout.line_height)
            sheet.paste(tile, (x, y), rounded_mask(tile_size, tile_size // 40))
            value = "" if hit.textness is None else f"text {hit.textness:.2f}"
            baseline = y + tile_size + small.size * 1.5
            small.draw(canvas, (x, baseline), value, ACCENT if has_text else MUTED)
    return sheet


def _columns(rows: Sequence[Row]) -> int:
    """The number of images in the longest row, at least 1."""
    return max(1, *(len(row.hits) for row in rows))
