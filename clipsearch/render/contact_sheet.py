"""Contact sheets: titled grids of thumbnails as one image, or as one HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.render.display_text import shorten
from clipsearch.render.font_stack import FontStack, choose_font
from clipsearch.render.html_page import render_page
from clipsearch.render.output_file import HTML_SUFFIXES, replace_file, require_suffix, save_image
from clipsearch.render.result_section import Section, Tile
from clipsearch.render.tile_image import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    draw_frame,
    draw_tile,
    rounded_mask,
)

COLUMNS, TILE_SIZE = 5, 224
RULE = "#e3e3e1"
# JPEG and WebP hold no more pixels per side. PNG does, but such an image exceeds the memory.
MAX_HEIGHT = {".png": 65_535, ".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}


@dataclass(frozen=True, slots=True)
class Layout:
    """The distances of a sheet in pixels, proportional to the tile size."""

    columns: int
    tile_size: int
    font_name: str | None

    @property
    def gap(self) -> int:
        return max(6, self.tile_size // 11)

    @property
    def margin(self) -> int:
        return self.gap * 2

    @property
    def caption(self) -> FontStack:
        return FontStack(max(9, round(self.tile_size / 15)), self.font_name)

    @property
    def title(self) -> FontStack:
        return FontStack(max(12, round(self.tile_size / 9)), self.font_name)

    @property
    def line_height(self) -> int:
        """From one caption baseline to the next."""
        return round(self.caption.size * 1.45)

    @property
    def header_height(self) -> int:
        """A section's title and the space below it."""
        return round(self.title.size * 1.9)

    @property
    def row_height(self) -> int:
        """From the top of one row of tiles to the next."""
        return self.tile_size + round(self.line_height * 2.5) + self.gap

    @property
    def width(self) -> int:
        return self.columns * (self.tile_size + self.gap) - self.gap + 2 * self.margin

    def section_height(self, tiles: int) -> int:
        """The height of a section of that many tiles."""
        rows = ceil(tiles / self.columns)
        body = rows * self.row_height if rows else self.line_height * 2
        return self.header_height + body + self.gap

    def sheet_height(self, sections: Sequence[int]) -> int:
        """The height of a sheet whose sections have these heights."""
        return sum(sections) + 2 * self.margin - 2 * self.gap


def write_sheet(path: Path, sections: Sequence[Section]) -> None:
    """Write the sections to a .png, .jpg or .webp file, or to one self-contained .html file.

    The file is written atomically. Raises UsageError on another suffix, on a folder that cannot be
    written, and on a sheet too large for the format.
    """
    suffix = require_suffix(path)
    with replace_file(path) as temporary:
        if suffix in HTML_SUFFIXES:
            temporary.write_text(render_page(sections), encoding="utf-8")
        else:
            _check_height(path, suffix, sections)
            save_image(draw_sheet(sections), temporary, suffix)


def draw_sheet(
    sections: Sequence[Section], *, columns: int = COLUMNS, tile_size: int = TILE_SIZE
) -> Image.Image:
    """Draw the sections below each other as one RGB image on white.

    Each image is shown complete in a square of `tile_size` pixels, `columns` squares per row, above
    its rank, scores and file name. A section's image queries come first, in frames. A file that
    cannot be read becomes a gray square with the reason. Raises UsageError on an impossible size.
    """
    if columns < 1 or tile_size < 32:
        raise UsageError(
            f"a contact sheet needs at least 1 column and 32 pixels per tile, "
            f"not {columns} and {tile_size}"
        )
    groups = [section.tiles() for section in sections]
    texts = [tile.name for group in groups for tile in group]
    texts += [escape_control(section.title) for section in sections]
    layout = Layout(columns, tile_size, choose_font("".join(texts)))
    heights = [layout.section_height(len(group)) for group in groups]
    sheet = Image.new("RGB", (layout.width, layout.sheet_height(heights)), PAPER)
    canvas = ImageDraw.Draw(sheet)
    images = thumbnails([tile.path for group in groups for tile in group], (tile_size, tile_size))
    top = layout.margin
    for section, group, height in zip(sections, groups, heights, strict=True):
        _draw_header(canvas, layout, top, section)
        for index, tile in enumerate(group):
            x = layout.margin + index % columns * (tile_size + layout.gap)
            y = top + layout.header_height + index // columns * layout.row_height
            if tile.is_query:
                draw_frame(sheet, (x, y), tile_size)
            square = draw_tile(next(images), tile_size, layout.caption, layout.line_height)
            sheet.paste(square, (x, y), rounded_mask(tile_size, tile_size // 40))
            _draw_caption(canvas, layout, (x, y + tile_size), tile)
        top += height
    return sheet


def _check_height(path: Path, suffix: str, sections: Sequence[Section]) -> None:
    """Raise UsageError on a sheet too high for its format, before memory is allocated for it."""
    layout = Layout(COLUMNS, TILE_SIZE, None)
    height = layout.sheet_height(
        [layout.section_height(len(section.tiles())) for section in sections]
    )
    if height > MAX_HEIGHT[suffix]:
        raise UsageError(
            f"cannot write {escape_control(str(path))}: the contact sheet would be {height:,} "
            f"pixels high and {suffix} allows {MAX_HEIGHT[suffix]:,}; "
            "choose a .html file or fewer results"
        )


def _draw_header(canvas: ImageDraw.ImageDraw, layout: Layout, top: int, section: Section) -> None:
    left, right = layout.margin, layout.width - layout.margin
    if top > layout.margin:
        rule = top - layout.gap
        canvas.line((left, rule, right - 1, rule), RULE)
    title = shorten(
        escape_control(section.title), lambda text: layout.title.width(text) <= right - left
    )
    baseline = top + round(layout.title.size * 1.1)
    layout.title.draw(canvas, (left, baseline), title, INK)
    if not section.hits and not section.queries:
        position = (left, top + layout.header_height + layout.line_height)
        layout.caption.draw(canvas, position, "no results", MUTED)


def _draw_caption(
    canvas: ImageDraw.ImageDraw, layout: Layout, corner: tuple[int, int], tile: Tile
) -> None:
    """Draw the two lines below the image whose lower left corner is `corner`."""
    font, (x, y) = layout.caption, corner
    baseline = y + round(layout.line_height * 1.15)
    font.draw(canvas, (x, baseline), tile.label, ACCENT if tile.is_query else INK)
    right = x + layout.tile_size - font.width(tile.scores)
    font.draw(canvas, (right, baseline), tile.scores, MUTED)
    name = shorten(tile.name, lambda text: font.width(text) <= layout.tile_size)
    position = (x, baseline + layout.line_height)
    font.draw(canvas, position, name, MUTED if tile.is_query else INK)
