"""One word, drawn large on a picture, with the place of each of its letters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.textness.fonts import Family
from clipsearch.models.crop import Box
from clipsearch.textness import TextRenderer

Rng = np.random.Generator
Colour = tuple[int, int, int]
T = TypeVar("T")

SMALLEST = 9  # pixels, the size of a font
LONG = 9  # letters from which on a name of several words is written on several lines


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, in lower case, and its middle in pixels."""

    x: float
    y: float
    character: str


@dataclass(frozen=True, slots=True)
class Pen:
    """Font families to write with; `width` and `height`: most of the picture that a word takes."""

    families: Sequence[Family]
    width: tuple[float, float] = (0.75, 0.98)
    height: float = 0.6

    def write(
        self, picture: Image.Image, word: str, rng: Rng
    ) -> tuple[Image.Image, tuple[Letter, ...]]:
        """A copy of an RGB picture with the word on it, in random case, colours, place and angle."""
        file = pick(pick(self.families, rng), rng)
        word = str(rng.choice([word, word.upper(), word.title()], p=[0.45, 0.35, 0.2]))
        lines = word.split(" ") if len(word) > LONG else [word]
        share = rng.uniform(*self.width)
        size = _size(file, lines, share * picture.width, self.height * picture.height)
        return lay(picture, *_block(lines, _open(file, size), rng), rng)


class WordWriter(TextRenderer):
    """Writes one large word on each picture, as the pictures of the test have it."""

    def __init__(self, pen: Pen, words: Sequence[str]) -> None:
        super().__init__(words=words, fonts=())
        self._pen, self._vocabulary = pen, tuple(words)

    def render(
        self, image: Image.Image, rng: Rng, *, text: str | None = None, within: Box | None = None
    ) -> Image.Image:
        """Render as a TextRenderer does."""
        return self._pen.write(image, text or pick(self._vocabulary, rng), rng)[0]


@dataclass(frozen=True, slots=True)
class Paint:
    """Two colours far apart in brightness; the marks stand on a box, a faint one, or have outlines."""

    ink: Colour
    ground: Colour
    kind: str

    @classmethod
    def random(cls, rng: Rng) -> Self:
        """Of either brightness, with any background."""
        light, dark = (_colour(rng, 185, 256), _colour(rng, 0, 75))
        ink, ground = (light, dark) if rng.random() < 0.5 else (dark, light)
        return cls(
            ink, ground, str(rng.choice(["box", "faint box", "outline"], p=[0.45, 0.15, 0.4]))
        )

    def panel(self, width: int, height: int) -> Image.Image:
        """What the marks are drawn on, RGBA."""
        opaque = {"box": 255, "faint box": 170}
        fill = (*self.ground, opaque[self.kind]) if self.kind in opaque else (*self.ink, 0)
        return Image.new("RGBA", (width, height), fill)


def lay(
    picture: Image.Image, panel: Image.Image, letters: Sequence[Letter], rng: Rng
) -> tuple[Image.Image, tuple[Letter, ...]]:
    """A copy of a picture with a panel anywhere on it, every second one turned, and where letters are."""
    if rng.random() < 0.5:
        panel, letters = _turned(panel, letters, rng.uniform(-12, 12))
    panel, letters = _fitted(panel, letters, picture.size)
    left = int(rng.integers(picture.width - panel.width + 1))
    top = int(rng.integers(picture.height - panel.height + 1))
    sheet = picture.copy()
    sheet.paste(panel, (left, top), panel)
    return sheet, tuple(Letter(o.x + left, o.y + top, o.character) for o in letters)


def pick(values: Sequence[T], rng: Rng) -> T:
    """One of some values."""
    return values[int(rng.integers(len(values)))]


def _size(file: Path, lines: Sequence[str], width: float, height: float) -> int:
    """The size in pixels at which the lines fill the frame in one direction."""
    font = _open(file, 40)
    longest, tall = max(map(font.getlength, lines)), sum(font.getmetrics()) * len(lines)
    return max(SMALLEST, int(40 * min(width / longest, height / tall)))


def _block(
    lines: Sequence[str], font: ImageFont.FreeTypeFont, rng: Rng
) -> tuple[Image.Image, list[Letter]]:
    """The lines below each other as RGBA, and where their letters are."""
    paint = Paint.random(rng)
    ascent, descent = font.getmetrics()
    size = ascent + descent
    stroke = max(1, size // 15) if paint.kind == "outline" else 0
    margin = max(2, size // 10)
    width = round(max(map(font.getlength, lines))) + 2 * margin
    block = paint.panel(width, size * len(lines) + 2 * stroke)
    canvas = ImageDraw.Draw(block)
    letters = []
    for row, line in enumerate(lines):
        left, top = (width - font.getlength(line)) / 2, row * size + stroke
        canvas.text(
            (left, top),
            line,
            (*paint.ink, 255),
            font,
            stroke_width=stroke,
            stroke_fill=paint.ground,
        )
        ends = [left + font.getlength(line[:count]) for count in range(len(line) + 1)]
        letters += [
            Letter((start + end) / 2, top + 0.6 * ascent, character.lower())
            for character, start, end in zip(line, ends, ends[1:], strict=False)
        ]
    return block, letters


def _colour(rng: Rng, low: int, high: int) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _turned(
    block: Image.Image, letters: Sequence[Letter], degrees: float
) -> tuple[Image.Image, list[Letter]]:
    turned = block.rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    moved = []
    for letter in letters:
        x, y = letter.x - block.width / 2, letter.y - block.height / 2
        place = (turned.width / 2 + x * cos + y * sin, turned.height / 2 - x * sin + y * cos)
        moved.append(Letter(*place, letter.character))
    return turned, moved


def _fitted(
    block: Image.Image, letters: Sequence[Letter], frame: tuple[int, int]
) -> tuple[Image.Image, list[Letter]]:
    share = min(1.0, frame[0] / block.width, frame[1] / block.height)
    if share < 1:
        size = (max(1, int(block.width * share)), max(1, int(block.height * share)))
        block = block.resize(size, Image.Resampling.LANCZOS)
    return block, [Letter(o.x * share, o.y * share, o.character) for o in letters]


@lru_cache(maxsize=4000)
def _open(file: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file), size)
