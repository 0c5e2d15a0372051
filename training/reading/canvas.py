"""Training canvases: images with words drawn on them, and labels of every cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.models.pocket.query_words import ALPHABET, normalize_word
from clipsearch.types import Pixels
from training.reading.fonts import SCRIPTS, FontSet
from training.reading.synthetic_text import Placed, degrade, draw_text
from training.reading.vocabulary import Vocabulary

SIDE, STRIDE = 224, 8
GRID = SIDE // STRIDE
PLACES = 8  # position of a character from either end of its word, clipped to this
EMPTY = -1


@dataclass(frozen=True, slots=True)
class Canvas:
    """An image (224, 224, 3) uint8, its words in plain letters, and the labels of its cells.

    `cells` (4, 28, 28) int8: number of the word, index in ALPHABET, positions from the word's start
    and from its end; EMPTY without text. A word in another script is "".
    """

    pixels: Pixels
    words: tuple[str, ...]
    cells: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class CanvasFactory:
    """Draws canvases from images, words, and fonts for Latin and for other scripts."""

    images: Sequence[Path]
    words: Vocabulary
    hands: FontSet
    foreign: dict[str, FontSet]

    def canvas(self, rng: np.random.Generator) -> Canvas:
        """Draw one canvas: without text, with one sign, or with many words."""
        pixels = self._background(rng)
        kind = rng.random()
        signs, smallest, largest = (0, 0, 0) if kind < 0.12 else (1, 11, 90)
        if kind > 0.45:
            signs, smallest, largest = int(rng.integers(6, 15)), 9, 60
        placed: list[Placed] = []
        for _ in range(signs):
            height = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
            lines, hands = self._lines(rng, single=signs > 1)
            sign = draw_text(pixels, lines, hands, rng, height=height, taken=placed)
            if sign is not None:
                placed.append(sign)
        words, cells = _targets(placed)
        return Canvas(degrade(pixels, rng), words, cells)

    def _lines(self, rng: np.random.Generator, *, single: bool) -> tuple[list[list[str]], FontSet]:
        if self.foreign and rng.random() < 0.06:
            script = sorted(self.foreign)[int(rng.integers(len(self.foreign)))]
            letters = rng.choice(list(SCRIPTS[script]), int(rng.integers(2, 7)))
            return [["".join(letters)]], self.foreign[script]
        count = 1 if rng.random() < (0.8 if single else 0.65) else int(rng.integers(2, 5))
        words = [self.words.word(rng) for _ in range(count)]
        cut = int(rng.integers(1, count + 1))
        return [line for line in (words[:cut], words[cut:]) if line], self.hands

    def _background(self, rng: np.random.Generator) -> Pixels:
        if rng.random() < 0.1:  # a page, a wall, a screen
            ends = rng.uniform(0, 255, (2, 3))
            ramp = np.linspace(0, 1, SIDE)[:, None] * (rng.random() < 0.5)
            rows = ends[0] + (ends[1] - ends[0]) * ramp
            return np.repeat(rows[:, None], SIDE, 1).astype(np.uint8)
        path = self.images[int(rng.integers(len(self.images)))]
        with Image.open(path) as image:
            image.draft("RGB", (SIDE, SIDE))
            width, height = image.size
            cut = rng.uniform(0, 0.25, 4)
            box = (cut[0] * width, cut[1] * height, (1 - cut[2]) * width, (1 - cut[3]) * height)
            square = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
        pixels = np.array(square)
        return np.ascontiguousarray(pixels[:, ::-1]) if rng.random() < 0.5 else pixels


def _targets(signs: Sequence[Placed]) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    middle = (np.arange(GRID) + 0.5) * STRIDE
    x, y = np.meshgrid(middle, middle)
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    cells = np.full((4, GRID * GRID), EMPTY, np.int8)
    words: list[str] = []
    for sign in signs:
        across, down = sign.inverse @ points
        for number, word in enumerate(sign.block.words):
            rows = sign.block.chars[sign.block.chars[:, 1] == number]
            top = sign.block.top + rows[0, 0] * sign.block.line_height
            inside = (across >= rows[0, 3]) & (across < rows[-1, 4])
            inside &= (down >= top) & (down < top + sign.block.line_height)
            at = np.searchsorted(rows[:, 4], across[inside], side="right")
            letters = [ALPHABET.find(normalize_word(c) or "?") for c in word]
            known = np.array(letters)[at]
            start = np.minimum(at, PLACES - 1)
            end = np.minimum(len(word) - 1 - at, PLACES - 1)
            cells[:, inside] = np.stack([np.full(len(at), len(words)), known, start, end])
            words.append(normalize_word(word))
    return tuple(words), cells.reshape(4, GRID, GRID)
