"""One large word drawn onto an image, with the position of each of its letters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.textness.fonts import FontFamily
from clipsearch.fonts import load_font
from clipsearch.models.crop import Box
from clipsearch.textness import TextRenderer

Rng = np.random.Generator
Color = tuple[int, int, int]
T = TypeVar("T")

MIN_FONT_SIZE = 9  # pixels
LONG_NAME = 10  # letters; a name of several words this long is written on several lines


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter in lower case, and its center in pixels."""

    x: float
    y: float
    character: str


@dataclass(frozen=True, slots=True)
class WordRenderer:
    """Draws single words in some font families.

    `width` is a range and `height` a maximum: the share of the image that a word covers.
    """

    families: Sequence[FontFamily]
    width: tuple[float, float] = (0.75, 0.98)
    height: float = 0.6

    def draw(
        self, image: Image.Image, word: str, rng: Rng
    ) -> tuple[Image.Image, tuple[Letter, ...]]:
        """A copy of an RGB image with the word in random case, colors, position and angle."""
        file = choose(choose(self.families, rng), rng)
        word = str(rng.choice([word, word.upper(), word.title()], p=[0.45, 0.35, 0.2]))
        lines = word.split(" ") if len(word) >= LONG_NAME else [word]
        share = rng.uniform(*self.width)
        size = _font_size(file, lines, share * image.width, self.height * image.height)
        return paste_panel(image, *_draw_lines(lines, _scalable_font(file, size), rng), rng)


class LargeWordRenderer(TextRenderer):
    """Draws one large word on each image, like the images of the test."""

    def __init__(self, renderer: WordRenderer, words: Sequence[str]) -> None:
        super().__init__(words=words, fonts=())
        self._renderer, self._vocabulary = renderer, tuple(words)

    def render(
        self, image: Image.Image, rng: Rng, *, text: str | None = None, within: Box | None = None
    ) -> Image.Image:
        """A copy of an RGB image with `text`, or with a random word; `within` is ignored."""
        return self._renderer.draw(image, text or choose(self._vocabulary, rng), rng)[0]


@dataclass(frozen=True, slots=True)
class Panel:
    """Two colors of different brightness, and how marks stand out: box, faint box or outline."""

    ink: Color
    ground: Color
    kind: str

    @classmethod
    def random(cls, rng: Rng) -> Self:
        """Light marks on a dark ground or the reverse, of any kind."""
        light, dark = (_random_color(rng, 185, 256), _random_color(rng, 0, 75))
        ink, ground = (light, dark) if rng.random() < 0.5 else (dark, light)
        kind = str(rng.choice(["box", "faint box", "outline"], p=[0.45, 0.15, 0.4]))
        return cls(ink, ground, kind)

    def blank(self, width: int, height: int) -> Image.Image:
        """An RGBA image to draw the marks on."""
        opacity = {"box": 255, "faint box": 170}
        fill = (*self.ground, opacity[self.kind]) if self.kind in opacity else (*self.ink, 0)
        return Image.new("RGBA", (width, height), fill)


def paste_panel(
    image: Image.Image, panel: Image.Image, letters: Sequence[Letter], rng: Rng
) -> tuple[Image.Image, tuple[Letter, ...]]:
    """A copy of `image` with the panel at a random position, and the letters' positions there.

    Every second panel is rotated.
    """
    if rng.random() < 0.5:
        panel, letters = _rotate(panel, letters, rng.uniform(-12, 12))
    panel, letters = _shrink_to_fit(panel, letters, image.size)
    left = int(rng.integers(image.width - panel.width + 1))
    top = int(rng.integers(image.height - panel.height + 1))
    copy = image.copy()
    copy.paste(panel, (left, top), panel)
    moved = (Letter(letter.x + left, letter.y + top, letter.character) for letter in letters)
    return copy, tuple(moved)


def choose(values: Sequence[T], rng: Rng) -> T:
    """A random element of `values`."""
    return values[int(rng.integers(len(values)))]


def _font_size(file: Path, lines: Sequence[str], width: float, height: float) -> int:
    """The size in pixels at which the lines fill the frame in one direction."""
    font = _scalable_font(file, 40)
    longest, total = max(map(font.getlength, lines)), sum(font.getmetrics()) * len(lines)
    return max(MIN_FONT_SIZE, int(40 * min(width / longest, height / total)))


def _draw_lines(
    lines: Sequence[str], font: ImageFont.FreeTypeFont, rng: Rng
) -> tuple[Image.Image, list[Letter]]:
    """The lines below each other on an RGBA panel, and the positions of their letters."""
    style = Panel.random(rng)
    ascent, descent = font.getmetrics()
    line_height = ascent + descent
    stroke = max(1, line_height // 15) if style.kind == "outline" else 0
    margin = max(2, line_height // 10)
    width = round(max(map(font.getlength, lines))) + 2 * margin
    panel = style.blank(width, line_height * len(lines) + 2 * stroke)
    canvas = ImageDraw.Draw(panel)
    letters = []
    for row, line in enumerate(lines):
        left, top = (width - font.getlength(line)) / 2, row * line_height + stroke
        canvas.text(
            (left, top),
            line,
            (*style.ink, 255),
            font,
            stroke_width=stroke,
            stroke_fill=style.ground,
        )
        edges = [left + font.getlength(line[:count]) for count in range(len(line) + 1)]
        letters += [
            Letter((start + end) / 2, top + 0.6 * ascent, character.lower())
            for character, start, end in zip(line, edges, edges[1:], strict=False)
        ]
    return panel, letters


def _random_color(rng: Rng, low: int, high: int) -> Color:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _rotate(
    panel: Image.Image, letters: Sequence[Letter], degrees: float
) -> tuple[Image.Image, list[Letter]]:
    rotated = panel.rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    moved = []
    for letter in letters:
        x, y = letter.x - panel.width / 2, letter.y - panel.height / 2
        center = (rotated.width / 2 + x * cos + y * sin, rotated.height / 2 - x * sin + y * cos)
        moved.append(Letter(*center, letter.character))
    return rotated, moved


def _shrink_to_fit(
    panel: Image.Image, letters: Sequence[Letter], frame: tuple[int, int]
) -> tuple[Image.Image, list[Letter]]:
    scale = min(1.0, frame[0] / panel.width, frame[1] / panel.height)
    if scale < 1:
        size = (max(1, int(panel.width * scale)), max(1, int(panel.height * scale)))
        panel = panel.resize(size, Image.Resampling.LANCZOS)
    scaled = [Letter(letter.x * scale, letter.y * scale, letter.character) for letter in letters]
    return panel, scaled


def _scalable_font(file: Path, size: int) -> ImageFont.FreeTypeFont:
    font = load_font(file, size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
