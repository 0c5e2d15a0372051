"""Explanations as pictures: the photograph, the same under its heat map, and the words below."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from clipsearch.errors import UsageError
from clipsearch.escape import escape_control
from clipsearch.files.paths import expand_user
from clipsearch.render.contact_sheet import IMAGE_SUFFIXES, new_file, save_image
from clipsearch.render.table import shorten
from clipsearch.render.text_image import Lettering, plain_font

SIDE, GAP = 560, 24  # pixels of a panel's longer side, and around everything
PAPER, INK, FAINT = "#ffffff", "#1c1c1e", "#75757a"
MORE, LESS = (194, 65, 12), (37, 99, 235)  # words that raise the score, and that lower it
TITLE, TEXT = 24, 17

# Dark to bright, so that it reads without colours too: the photograph, violet, red, orange, yellow.
_STOPS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLOURS = ((40, 20, 90), (110, 25, 110), (200, 45, 75), (245, 125, 30), (255, 235, 90))


def overlay(picture: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """The picture, grey and darkened, with the hot parts in colour: (height, width) heat of 0..1.

    The size is the picture's.
    """
    large = Image.fromarray(heat).resize(picture.size, Image.Resampling.BICUBIC)
    warm = np.clip(np.asarray(large, dtype=np.float32), 0, 1)[..., None]
    grey = np.asarray(picture.convert("L"), dtype=np.float32)[..., None] * 0.75
    channels = [np.interp(warm[..., 0], _STOPS, channel) for channel in zip(*_COLOURS, strict=True)]
    colour = np.stack(channels, axis=-1) * (0.35 + 0.65 * grey / 191)
    strength = np.clip(1.3 * warm, 0, 0.88)  # the photograph stays visible under the hottest part
    mixed = grey * (1 - strength) + colour * strength
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def explanation_image(
    picture: Image.Image,
    heat: NDArray[np.float32],
    *,
    title: str,
    note: str = "",
    words: Sequence[tuple[str, float]] = (),
) -> Image.Image:
    """The picture beside itself under its heat map (below, if it is wide), over its words.

    `words` are a query's with their contributions to the score: warm ones raise it, blue ones
    lower it. `note` stands below the title, small.
    """
    panel = picture.copy()
    panel.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if max(panel.size) < SIDE:
        factor = SIDE / max(panel.size)
        size = max(1, round(panel.width * factor)), max(1, round(panel.height * factor))
        panel = picture.resize(size, Image.Resampling.BICUBIC)
    panels = [panel, overlay(panel, heat)]
    stacked = panel.width > 1.6 * panel.height
    across, down = (1, 2) if stacked else (2, 1)
    width = max(across * (panel.width + GAP) + GAP, 480)
    letters = escape_control("".join([title, note, *(word for word, _ in words)]))
    font = plain_font(letters)
    chips, chip_height = _chips(words, width, font)
    top = GAP + round(TITLE * 1.4) + (round(TEXT * 1.7) if note else 0)
    below = top + down * (panel.height + GAP)
    image = Image.new("RGB", (width, below + chip_height), PAPER)
    canvas = ImageDraw.Draw(image)
    head, small = Lettering(TITLE, font), Lettering(TEXT, font)
    fitting = shorten(escape_control(title), lambda text: head.width(text) <= width - 2 * GAP)
    head.draw(canvas, (GAP, GAP + TITLE * 0.8), fitting, INK)
    if note:
        line = shorten(escape_control(note), lambda text: small.width(text) <= width - 2 * GAP)
        small.draw(canvas, (GAP, GAP + TITLE * 1.4 + TEXT), line, FAINT)
    for number, one in enumerate(panels):
        x = GAP + (0 if stacked else number * (panel.width + GAP))
        y = top + (number * (panel.height + GAP) if stacked else 0)
        image.paste(one, (x, y))
    for left, down_by, word, value in chips:
        _draw_chip(canvas, (left, below + down_by), word, value, _largest(words), font)
    return image


def write_explanation(path: Path, image: Image.Image) -> None:
    """Write an explanation's picture; raises UsageError on a name that is no .png, .jpg or .webp."""
    path = expand_user(path)
    check_name(path)
    with new_file(path) as part:
        save_image(image, part, path.suffix.lower())


def check_name(path: Path) -> None:
    """Raise UsageError unless the name's suffix is that of a picture."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(
            f"cannot draw into {escape_control(str(path))}: its name must end in {', '.join(IMAGE_SUFFIXES)}"
        )


Chip = tuple[float, float, str, float]


def _chips(
    words: Sequence[tuple[str, float]], width: int, font: str | None
) -> tuple[list[Chip], int]:
    """Where each word stands, in rows as wide as the picture, and how high they are together."""
    letters = Lettering(TITLE, font)
    chips: list[Chip] = []
    x, y, row = float(GAP), 0.0, TITLE + TEXT + 34
    for word, value in words:
        text = shorten(escape_control(word), lambda part: letters.width(part) <= width - 4 * GAP)
        wide = _chip_width(text, value, font)
        if chips and x + wide > width - GAP:
            x, y = float(GAP), y + row
        chips.append((x, y, text, value))
        x += wide + 10
    return chips, round(y + row) if chips else 0


def _chip_width(text: str, value: float, font: str | None) -> float:
    shown = Lettering(TEXT, font).width(f"{value:+.3f}")
    return max(Lettering(TITLE, font).width(text), shown) + 20


def _draw_chip(
    canvas: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    word: str,
    value: float,
    largest: float,
    font: str | None,
) -> None:
    """A word on its colour, stronger the more it adds, and the number below."""
    x, y = corner
    wide = _chip_width(word, value, font)
    share = 0.85 * min(1.0, abs(value) / largest)
    tint = tuple(round(255 + share * (c - 255)) for c in (MORE if value >= 0 else LESS))
    canvas.rounded_rectangle((x, y, x + wide, y + TITLE + 14), 6, tint)
    letters, small = Lettering(TITLE, font), Lettering(TEXT, font)
    ink = PAPER if share > 0.5 else INK
    middle = x + (wide - letters.width(word)) / 2
    letters.draw(canvas, (middle, y + TITLE + 2), word, ink)
    number = f"{value:+.3f}"
    left = x + (wide - small.width(number)) / 2
    small.draw(canvas, (left, y + TITLE + 14 + TEXT + 2), number, FAINT)


def _largest(words: Sequence[tuple[str, float]]) -> float:
    return max((abs(value) for _, value in words), default=0.0) or 1.0
