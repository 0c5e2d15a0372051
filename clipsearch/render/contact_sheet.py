"""Contact sheets: titled grids of thumbnails as one picture, or as one page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw

from clipsearch.cache import atomic_write
from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.images.thumbnails import thumbnails
from clipsearch.render.html import page
from clipsearch.render.section import Cell, Section, cells
from clipsearch.render.table import shorten
from clipsearch.render.text_image import Lettering, plain_font

IMAGE_SUFFIXES = {".png": 65_535, ".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}
"""The picture suffixes that `write_sheet` knows, with the most pixels a side: those that the format
holds; PNG holds more, but nobody's memory does."""
PAGES = (".html", ".htm")

COLUMNS, CELL = 5, 224

PAPER = "#ffffff"
_TILE = "#f1f1f0"  # behind pictures that do not fill their square
INK = "#1c1c1e"
FAINT = "#75757a"
_RULE = "#e3e3e1"
ACCENT = "#2563eb"  # around the pictures that were part of the query


@dataclass(frozen=True, slots=True)
class Layout:
    """All distances of a sheet in pixels, as fractions of a cell, so that any size looks alike."""

    columns: int
    cell: int
    font: str | None

    @property
    def gap(self) -> int:
        return max(6, self.cell // 11)

    @property
    def margin(self) -> int:
        return self.gap * 2

    @property
    def caption(self) -> Lettering:
        return Lettering(max(9, round(self.cell / 15)), self.font)

    @property
    def title(self) -> Lettering:
        return Lettering(max(12, round(self.cell / 9)), self.font)

    @property
    def line(self) -> int:
        """From one caption baseline to the next."""
        return round(self.caption.size * 1.45)

    @property
    def header(self) -> int:
        """The height of a section's title with the room below it."""
        return round(self.title.size * 1.9)

    @property
    def row(self) -> int:
        """From the top of one row of cells to the next."""
        return self.cell + round(self.line * 2.5) + self.gap

    @property
    def width(self) -> int:
        return self.columns * (self.cell + self.gap) - self.gap + 2 * self.margin

    def height(self, sections: Sequence[int]) -> int:
        """Of a sheet with sections of these heights."""
        return sum(sections) + 2 * self.margin - 2 * self.gap

    def section_height(self, count: int) -> int:
        rows = ceil(count / self.columns)
        return self.header + (rows * self.row if rows else self.line * 2) + self.gap


def sheet_image(
    sections: Sequence[Section], *, columns: int = COLUMNS, cell: int = CELL
) -> Image.Image:
    """Draw the sections below each other as one RGB picture on white.

    Each picture is shown whole in a square of `cell` pixels, `columns` squares a row, over its
    rank, scores and file name. A section's query pictures come first, framed. A file that cannot
    be read becomes a grey square with the reason. Raises UsageError on an impossible size.
    """
    if columns < 1 or cell < 32:
        raise UsageError(f"a sheet needs 1 column and 32 pixels a cell, not {columns} and {cell}")
    groups = [cells(section) for section in sections]
    words = [one.name for group in groups for one in group]
    words += [escape_control(section.title) for section in sections]
    layout = Layout(columns, cell, plain_font("".join(words)))
    heights = [layout.section_height(len(group)) for group in groups]
    sheet = Image.new("RGB", (layout.width, layout.height(heights)), PAPER)
    canvas = ImageDraw.Draw(sheet)
    pictures = thumbnails([one.path for group in groups for one in group], (cell, cell))
    top = layout.margin
    for section, group, height in zip(sections, groups, heights, strict=True):
        _draw_header(canvas, layout, top, section)
        for index, one in enumerate(group):
            x = layout.margin + index % columns * (cell + layout.gap)
            y = top + layout.header + index // columns * layout.row
            if one.is_query:
                draw_frame(sheet, (x, y), cell)
            sheet.paste(tile(next(pictures), layout), (x, y), rounded(cell, cell // 40))
            _draw_caption(canvas, layout, (x, y + cell), one)
        top += height
    return sheet


def write_sheet(path: Path, sections: Sequence[Section]) -> None:
    """Write the sections to `path`: .png, .jpg, .webp, or one self-contained .html.

    The file appears whole or not at all. Raises UsageError on another suffix, on a folder that
    cannot be written, and on a sheet too large for the format.
    """
    suffix = require_format(path)
    if suffix in PAGES:
        with new_file(path) as part:
            part.write_text(page(sections), encoding="utf-8")
    else:
        with new_file(path) as part:
            layout, limit = Layout(COLUMNS, CELL, None), IMAGE_SUFFIXES[suffix]
            height = layout.height([layout.section_height(len(cells(one))) for one in sections])
            if height > limit:  # before anything is drawn: it may not fit into memory either
                raise UsageError(
                    f"cannot write {escape_control(str(path))}: the sheet would be {height:,} pixels high and"
                    f" {suffix} takes {limit:,}; name a .html file, or ask for fewer results"
                )
            save_image(sheet_image(sections), part, suffix)


def save_image(image: Image.Image, part: Path, suffix: str) -> None:
    """Write to `part` in the format of `suffix`, one of PICTURES."""
    if suffix in {".jpg", ".jpeg"}:
        image.save(part, "jpeg", quality=90, subsampling=0)
    else:
        image.save(part, suffix[1:], quality=90)


def require_format(path: Path) -> str:
    """The suffix of a file name, in lower case; raise UsageError where it says no known format."""
    suffix = path.suffix.lower()
    if suffix not in (*IMAGE_SUFFIXES, *PAGES):
        raise unknown_suffix(path)
    return suffix


def unknown_suffix(path: Path) -> UsageError:
    """What to raise of a file name that says no format."""
    known = ", ".join((*IMAGE_SUFFIXES, PAGES[0]))
    return UsageError(
        f"cannot write a sheet to {escape_control(str(path))}: its name must end in {known}"
    )


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end, or is removed on an error."""
    try:
        with atomic_write(path) as part:
            yield part
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(
            f"cannot write {escape_control(path.name)} to the folder {escape_control(str(path.parent.absolute()))}"
            f" ({reason}): name a file in a folder that exists and that you may write to"
        ) from error


def _draw_header(canvas: ImageDraw.ImageDraw, layout: Layout, top: int, section: Section) -> None:
    left, right = layout.margin, layout.width - layout.margin
    if top > layout.margin:
        rule = top - layout.gap
        canvas.line((left, rule, right - 1, rule), _RULE)
    title = shorten(
        escape_control(section.title), lambda text: layout.title.width(text) <= right - left
    )
    baseline = top + round(layout.title.size * 1.1)
    layout.title.draw(canvas, (left, baseline), title, INK)
    if not section.hits and not section.queries:
        position = (left, top + layout.header + layout.line)
        layout.caption.draw(canvas, position, "no results", FAINT)


def _draw_caption(
    canvas: ImageDraw.ImageDraw, layout: Layout, corner: tuple[int, int], one: Cell
) -> None:
    """The two lines below the picture whose lower left corner is `corner`."""
    letters, (x, y) = layout.caption, corner
    first = y + round(layout.line * 1.15)
    letters.draw(canvas, (x, first), one.label, ACCENT if one.is_query else INK)
    letters.draw(canvas, (x + layout.cell - letters.width(one.scores), first), one.scores, FAINT)
    name = shorten(one.name, lambda text: letters.width(text) <= layout.cell)
    letters.draw(canvas, (x, first + layout.line), name, FAINT if one.is_query else INK)


def tile(picture: Image.Image | str, layout: Layout) -> Image.Image:
    """A square with the whole picture in its middle, or with the reason why there is none."""
    side = layout.cell
    square = Image.new("RGB", (side, side), _TILE)
    if isinstance(picture, Image.Image):
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        return square
    letters = layout.caption
    lines = _wrapped(escape_control(picture), letters, side - 2 * letters.size)[
        : side // layout.line - 1
    ]
    canvas = ImageDraw.Draw(square)
    y = (side - layout.line * len(lines)) / 2 + letters.size
    for line in lines:
        letters.draw(canvas, ((side - letters.width(line)) / 2, y), line, FAINT)
        y += layout.line
    return square


def _wrapped(text: str, letters: Lettering, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        cut = shorten(word, lambda part: letters.width(part) <= width)
        if lines and letters.width(f"{lines[-1]} {cut}") <= width:
            lines[-1] += f" {cut}"
        else:
            lines.append(cut)
    return lines


def draw_frame(sheet: Image.Image, corner: tuple[int, int], cell: int) -> None:
    """A coloured frame around the square at `corner`, with a line of paper between."""
    for color, outset in ((ACCENT, cell // 40 + 1), (PAPER, cell // 80)):
        side = cell + 2 * outset
        frame = Image.new("RGB", (side, side), color)
        mask = rounded(side, cell // 40 + outset)
        sheet.paste(frame, (corner[0] - outset, corner[1] - outset), mask)


@lru_cache(maxsize=8)
def rounded(side: int, radius: int) -> Image.Image:
    """A mask with smooth round corners: drawn four times as large, since Pillow's are jagged."""
    mask = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), radius * 4, 255)
    return mask.resize((side, side), Image.Resampling.BOX)
