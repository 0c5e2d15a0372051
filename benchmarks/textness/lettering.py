"""One word, drawn large on a picture, with the place of each of its letters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.textness.fonts import Family

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
        block, letters = _block(lines, _open(file, size), rng)
        if rng.random() < 0.5:
            block, letters = _turned(block, letters, rng.uniform(-12, 12))
        block, letters = _fitted(block, letters, picture.size)
        left = int(rng.integers(picture.width - block.width + 1))
        top = int(rng.integers(picture.height - block.height + 1))
        sheet = picture.copy()
        sheet.paste(block, (left, top), block)
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
    """The lines below each other as RGBA: on a box, on a faint box, or with an outline."""
    ink, ground = _colours(rng)
    kind = rng.choice(["box", "faint box", "outline"], p=[0.45, 0.15, 0.4])
    ascent, descent = font.getmetrics()
    size = ascent + descent
    stroke = max(1, size // 15) if kind == "outline" else 0
    margin = max(2, size // 10)
    width = round(max(map(font.getlength, lines))) + 2 * margin
    fill = {"box": (*ground, 255), "faint box": (*ground, 170), "outline": (*ink, 0)}[kind]
    block = Image.new("RGBA", (width, size * len(lines) + 2 * stroke), fill)
    canvas = ImageDraw.Draw(block)
    letters = []
    for row, line in enumerate(lines):
        left, top = (width - font.getlength(line)) / 2, row * size + stroke
        canvas.text((left, top), line, (*ink, 255), font, stroke_width=stroke, stroke_fill=ground)
        ends = [left + font.getlength(line[:count]) for count in range(len(line) + 1)]
        letters += [
            Letter((start + end) / 2, top + 0.6 * ascent, character.lower())
            for character, start, end in zip(line, ends, ends[1:], strict=False)
        ]
    return block, letters


def _colours(rng: Rng) -> tuple[Colour, Colour]:
    """Ink and ground, far apart in brightness."""
    light, dark = rng.integers(185, 256, 3), rng.integers(0, 75, 3)
    one, other = (light, dark) if rng.random() < 0.5 else (dark, light)
    return (int(one[0]), int(one[1]), int(one[2])), (int(other[0]), int(other[1]), int(other[2]))


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
