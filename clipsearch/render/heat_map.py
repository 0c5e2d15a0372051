"""Explanations as images: the image, its heat map, and the words of the query."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from clipsearch.escape import escape_control
from clipsearch.render.display_text import shorten
from clipsearch.render.font_stack import FontStack, choose_font
from clipsearch.render.output_file import IMAGE_SUFFIXES, replace_file, require_suffix, save_image

SIDE, GAP = 560, 24  # pixels of a panel's longer side, and between all parts
TITLE_SIZE, TEXT_SIZE = 24, 17
MIN_WIDTH = 480
PAPER, INK, MUTED = "#ffffff", "#1c1c1e", "#75757a"
POSITIVE, NEGATIVE = (194, 65, 12), (37, 99, 235)  # words that raise the score, and that lower it

# From dark to bright, so that the map works without colors too: violet, red, orange, yellow.
_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLORS = ((40, 20, 90), (110, 25, 110), (200, 45, 75), (245, 125, 30), (255, 235, 90))

WordChip = tuple[float, float, str, float]
"""Left, top, word and contribution."""


def overlay_heat_map(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """Color the hot parts of a gray, darkened copy of `image`.

    `heat` is (height, width) of 0..1, of any size; the result has the size of `image`.
    """
    resized = Image.fromarray(heat).resize(image.size, Image.Resampling.BICUBIC)
    hot = np.clip(np.asarray(resized, dtype=np.float32), 0, 1)[..., None]
    gray = np.asarray(image.convert("L"), dtype=np.float32)[..., None] * 0.75
    color = _heat_color(hot) * (0.35 + 0.65 * gray / 191)
    opacity = _heat_opacity(hot)
    mixed = gray * (1 - opacity) + color * opacity
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def draw_heat_layer(heat: NDArray[np.float32], size: tuple[int, int]) -> Image.Image:
    """Color the hot parts of a transparent RGBA image, to lie above the image.

    `heat` is (height, width) of 0..1, of any size; `size` is the width and height of the result.
    """
    resized = Image.fromarray(heat).resize(size, Image.Resampling.BICUBIC)
    hot = np.clip(np.asarray(resized, dtype=np.float32), 0, 1)[..., None]
    layer = np.concatenate([_heat_color(hot), 255 * _heat_opacity(hot)], axis=-1)
    return Image.fromarray(layer.astype(np.uint8))


def draw_explanation(
    image: Image.Image,
    heat: NDArray[np.float32],
    *,
    title: str,
    note: str = "",
    words: Sequence[tuple[str, float]] = (),
) -> Image.Image:
    """Draw the image beside its heat map (above it, if the image is wide), and the words below.

    `words` are the query's words with their contributions to the score: orange ones raise it, blue
    ones lower it. `note` stands below the title in small letters.
    """
    panel = _resize(image)
    panels = [panel, overlay_heat_map(panel, heat)]
    stacked = panel.width > 1.6 * panel.height
    columns, rows = (1, 2) if stacked else (2, 1)
    width = max(columns * (panel.width + GAP) + GAP, MIN_WIDTH)
    font_name = choose_font(escape_control("".join([title, note, *(word for word, _ in words)])))
    chips, chips_height = _place_chips(words, width, font_name)
    panels_top = GAP + round(TITLE_SIZE * 1.4) + (round(TEXT_SIZE * 1.7) if note else 0)
    chips_top = panels_top + rows * (panel.height + GAP)
    figure = Image.new("RGB", (width, chips_top + chips_height), PAPER)
    canvas = ImageDraw.Draw(figure)
    lines = [(TITLE_SIZE * 0.8, title, TITLE_SIZE, INK)]
    if note:
        lines.append((TITLE_SIZE * 1.4 + TEXT_SIZE, note, TEXT_SIZE, MUTED))
    for baseline, text, size, color in lines:
        font = FontStack(size, font_name)
        short = _shorten_to_width(text, font, width - 2 * GAP)
        font.draw(canvas, (GAP, GAP + baseline), short, color)
    for index, part in enumerate(panels):
        x = GAP + (0 if stacked else index * (panel.width + GAP))
        y = panels_top + (index * (panel.height + GAP) if stacked else 0)
        figure.paste(part, (x, y))
    largest = max((abs(value) for _, value in words), default=0.0) or 1.0
    for left, top, word, value in chips:
        _draw_chip(canvas, (left, chips_top + top), word, value, value / largest, font_name)
    return figure


def write_explanation(path: Path, image: Image.Image) -> None:
    """Write the image of an explanation to a .png, .jpg or .webp file.

    The file is written atomically. Raises UsageError on another suffix and on a folder that cannot
    be written.
    """
    suffix = require_suffix(path, IMAGE_SUFFIXES)
    with replace_file(path) as temporary:
        save_image(image, temporary, suffix)


def _heat_color(hot: NDArray[np.float32]) -> NDArray[np.float64]:
    """(height, width, 1) of 0..1 as (height, width, 3) colors of 0..255."""
    channels = [np.interp(hot[..., 0], _STOPS, channel) for channel in zip(*_COLORS, strict=True)]
    return np.stack(channels, axis=-1)


def _heat_opacity(hot: NDArray[np.float32]) -> NDArray[np.float32]:
    """(height, width, 1) of 0..0.88: the image stays visible below the hottest part."""
    opacity: NDArray[np.float32] = np.clip(1.3 * hot, 0, 0.88)
    return opacity


def _resize(image: Image.Image) -> Image.Image:
    """A copy whose longer side is `SIDE`."""
    if max(image.size) >= SIDE:
        panel = image.copy()
        panel.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return panel
    factor = SIDE / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def _shorten_to_width(text: str, font: FontStack, width: float) -> str:
    return shorten(escape_control(text), lambda part: font.width(part) <= width)


def _place_chips(
    words: Sequence[tuple[str, float]], width: int, font_name: str | None
) -> tuple[list[WordChip], int]:
    """The positions of the words in rows as wide as the figure, and the height of all rows."""
    font = FontStack(TITLE_SIZE, font_name)
    chips: list[WordChip] = []
    x, y, row_height = float(GAP), 0.0, TITLE_SIZE + TEXT_SIZE + 34
    for word, value in words:
        text = _shorten_to_width(word, font, width - 4 * GAP)
        chip_width = _chip_width(text, value, font_name)
        if chips and x + chip_width > width - GAP:
            x, y = float(GAP), y + row_height
        chips.append((x, y, text, value))
        x += chip_width + 10
    return chips, round(y + row_height) if chips else 0


def _chip_width(text: str, value: float, font_name: str | None) -> float:
    number_width = FontStack(TEXT_SIZE, font_name).width(f"{value:+.3f}")
    return max(FontStack(TITLE_SIZE, font_name).width(text), number_width) + 20


def _draw_chip(
    canvas: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    word: str,
    value: float,
    share: float,
    font_name: str | None,
) -> None:
    """Draw a word on a background whose strength is `share` (-1..1), and its value below."""
    x, y = corner
    width = _chip_width(word, value, font_name)
    opacity = 0.85 * min(1.0, abs(share))
    color = POSITIVE if value >= 0 else NEGATIVE
    tint = tuple(round(255 + opacity * (channel - 255)) for channel in color)
    canvas.rounded_rectangle((x, y, x + width, y + TITLE_SIZE + 14), 6, tint)
    font, small = FontStack(TITLE_SIZE, font_name), FontStack(TEXT_SIZE, font_name)
    ink = PAPER if opacity > 0.5 else INK
    font.draw(canvas, (x + (width - font.width(word)) / 2, y + TITLE_SIZE + 2), word, ink)
    number = f"{value:+.3f}"
    left = x + (width - small.width(number)) / 2
    small.draw(canvas, (left, y + TITLE_SIZE + 14 + TEXT_SIZE + 2), number, MUTED)
