"""A block of text lines as a transparent image: style, size, drawing, placement."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from clipsearch.fonts import Font, load_font

Color = tuple[int, int, int]

MIN_FONT_SIZE = 9  # pixels; smaller letters vanish when a model scales the image down
_MEASURING_SIZE = 40


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How a block is drawn; `panel` is the RGBA color behind it, `angle` in degrees."""

    font: Path | None
    color: Color
    outline: Color | None = None
    panel: tuple[int, int, int, int] | None = None
    angle: float = 0


def draw_block(lines: Sequence[str], style: TextStyle, size: int) -> Image.Image:
    """Draw lines at a font size in pixels, unrotated: an RGBA image that just holds them."""
    font = load_font(style.font, size)
    text = "\n".join(lines)
    stroke = max(1, size // 14) if style.outline else 0
    left, top, right, bottom = _text_box(text, font, stroke)
    margin = max(2, size // 4) if style.panel else 1
    frame = (max(1, right - left) + 2 * margin, max(1, bottom - top) + 2 * margin)
    block = Image.new("RGBA", frame, style.panel or (*style.color, 0))
    start = (margin - left, margin - top)
    ImageDraw.Draw(block).multiline_text(
        start, text, (*style.color, 255), font, stroke_width=stroke, stroke_fill=style.outline
    )
    return block


def fit_font_size(lines: Sequence[str], font: Path | None, width: float, height: float) -> int:
    """The font size in pixels at which the lines fill the width or the height of a frame."""
    left, top, right, bottom = _text_box("\n".join(lines), load_font(font, _MEASURING_SIZE), 0)
    scale = min(width / max(1, right - left), height / max(1, bottom - top))
    return max(MIN_FONT_SIZE, int(_MEASURING_SIZE * scale))


def paste_block(image: Image.Image, block: Image.Image, rng: np.random.Generator) -> None:
    """Paste a block into the image at a random place, shrunk if it does not fit."""
    if block.width > image.width or block.height > image.height:  # a long line that was rotated
        block.thumbnail(image.size, Image.Resampling.LANCZOS)
    left = int(rng.integers(image.width - block.width + 1))
    top = int(rng.integers(image.height - block.height + 1))
    image.paste(block, (left, top), block)


def _text_box(text: str, font: Font, stroke: int) -> tuple[int, int, int, int]:
    canvas = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = canvas.multiline_textbbox((0, 0), text, font, stroke_width=stroke)
    return int(left), int(top), int(right) + 1, int(bottom) + 1
