"""Tiles of image grids: a thumbnail with rounded corners and a frame, or an error text."""

from functools import lru_cache

from PIL import Image, ImageDraw

from clipsearch.escape import escape_control
from clipsearch.render.display_text import shorten
from clipsearch.render.font_stack import FontStack

PAPER = "#ffffff"
INK = "#1c1c1e"
MUTED = "#75757a"
ACCENT = "#2563eb"  # frames of image queries
BACKGROUND = "#f1f1f0"  # beside an image that does not fill its square


def draw_tile(
    thumbnail: Image.Image | str, size: int, font: FontStack, line_height: int
) -> Image.Image:
    """A square of `size` pixels with the thumbnail in its center, or with an error text."""
    square = Image.new("RGB", (size, size), BACKGROUND)
    if isinstance(thumbnail, Image.Image):
        square.paste(thumbnail, ((size - thumbnail.width) // 2, (size - thumbnail.height) // 2))
        return square
    lines = _wrap(escape_control(thumbnail), font, size - 2 * font.size)
    lines = lines[: size // line_height - 1]
    canvas = ImageDraw.Draw(square)
    y = (size - line_height * len(lines)) / 2 + font.size
    for line in lines:
        font.draw(canvas, ((size - font.width(line)) / 2, y), line, MUTED)
        y += line_height
    return square


def draw_frame(sheet: Image.Image, corner: tuple[int, int], size: int) -> None:
    """Draw a colored frame around the tile at `corner`, with a line of paper between them."""
    for color, outset in ((ACCENT, size // 40 + 1), (PAPER, size // 80)):
        side = size + 2 * outset
        frame = Image.new("RGB", (side, side), color)
        mask = rounded_mask(side, size // 40 + outset)
        sheet.paste(frame, (corner[0] - outset, corner[1] - outset), mask)


@lru_cache(maxsize=8)
def rounded_mask(side: int, radius: int) -> Image.Image:
    """A square mask with rounded corners, drawn at four times the size: Pillow has no smoothing."""
    mask = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), radius * 4, 255)
    return mask.resize((side, side), Image.Resampling.BOX)


def _wrap(text: str, font: FontStack, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        short = shorten(word, lambda part: font.width(part) <= width)
        if lines and font.width(f"{lines[-1]} {short}") <= width:
            lines[-1] += f" {short}"
        else:
            lines.append(short)
    return lines
