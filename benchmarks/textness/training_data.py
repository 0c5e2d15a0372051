"""What the reading model is taught with: pictures of things, of other things, and with words on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.textness.distractors import scribble
from benchmarks.textness.drawn_words import Letter, Pen, Rng, pick
from benchmarks.textness.spelling import Spelling
from clipsearch.textness import TextRenderer

SIDE = 128  # pixels, of the squares that the model sees
CELL = 16  # pixels, of the places in which the image tower tells letters
# Photographs are kept up to twice as large. The pictures that the model meets were made smaller, which
# leaves them sharp; taught on softer ones, it would take sharpness itself for writing.
KEPT, LEAST = 2 * SIDE, 0.8  # pixels of the shorter side, and the least share of it in a square
CROPS = 3  # of each photograph of a thing
NAMED = 0.5  # of the written words are names of things
SCRIBBLED = 0.5  # of the squares without words have marks on them that are no letters

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Squares (n, SIDE, SIDE, 3) uint8: of things, of others, new ones, with a word, with text.

    `crops` are the places of the first two groups' squares among the school's, `words` belong to the
    fourth. `maps`, (n, letters and pairs, cells, cells): where each letter and pair of it is; of the
    last group's any text nothing is known but that it is there.
    """

    pixels: NDArray[np.uint8]
    crops: NDArray[np.int64]
    words: tuple[str, ...]
    maps: Maps

    @property
    def worded(self) -> slice:
        """Where the squares with a word are; all before them are without, all after have text."""
        return slice(len(self.maps) - len(self.words), len(self.maps))


@dataclass(frozen=True)
class School:
    """Photographs of things with labels, which are places in `names`; others; words and a pen.

    The `writer` writes text of any kind and size, as the pictures of a probe's fit have it.
    """

    names: Sequence[str]
    things: Sequence[Image.Image]
    labels: Sequence[int]
    others: Sequence[Image.Image]
    vocabulary: Sequence[str]
    pen: Pen
    writer: TextRenderer
    spelling: Spelling

    @cached_property
    def crops(self) -> tuple[tuple[Image.Image, int], ...]:
        """Squares without words and their labels, -1 for others: always the same ones."""
        rng = np.random.default_rng(0)
        labelled = [(photo, label) for photo, label in zip(self.things, self.labels, strict=True)]
        squares = [(_cut(photo, rng), label) for photo, label in labelled for _ in range(CROPS)]
        return *squares, *((_cut(photo, rng), -1) for photo in self.others)

    @cached_property
    def marks(self) -> dict[str, int]:
        """The places in the maps of letters and pairs."""
        return {name: place for place, name in enumerate((*ascii_lowercase, *self.spelling.pairs))}

    def batch(
        self, rng: Rng, things: int, others: int, new: int, written: int, lettered: int
    ) -> Batch:
        """So many squares of each group."""
        of_things = CROPS * len(self.things)
        crops = np.concatenate(
            [rng.integers(of_things, size=things), rng.integers(of_things, len(self.crops), others)]
        )
        squares = [self.crops[place][0] for place in crops]
        # The same squares again and again would be known by heart as those without words.
        squares += [_cut(pick(self.others, rng), rng) for _ in range(new)]
        squares = [_mirrored(square) if rng.random() < 0.5 else square for square in squares]
        squares = [scribble(one, rng) if rng.random() < SCRIBBLED else one for one in squares]
        words, maps = [], np.zeros((len(squares) + written, *self._map_shape), np.float32)
        for row in range(len(squares), len(maps)):
            photos = self.things if rng.random() < 0.3 else self.others
            square = _cut(pick(photos, rng), rng)
            words.append(self._word(rng))
            square, letters = self.pen.write(square, words[-1], rng)
            self._mark(maps[row], letters)
            squares.append(square)
        squares += [
            self.writer.render(_cut(pick(self.others, rng), rng), rng) for _ in range(lettered)
        ]
        return Batch(np.stack([np.asarray(one) for one in squares]), crops, tuple(words), maps)

    @property
    def _map_shape(self) -> tuple[int, int, int]:
        return len(self.marks), SIDE // CELL, SIDE // CELL

    def _word(self, rng: Rng) -> str:
        return pick(self.names if rng.random() < NAMED else self.vocabulary, rng)

    def _mark(self, place: Maps, letters: Sequence[Letter]) -> None:
        pairs = [
            Letter((one.x + two.x) / 2, (one.y + two.y) / 2, one.character + two.character)
            for one, two in pairwise(letters)
        ]
        for letter in (*letters, *pairs):
            if (row := self.marks.get(letter.character)) is not None:
                x, y = (
                    min(max(int(at // CELL), 0), SIDE // CELL - 1) for at in (letter.x, letter.y)
                )
                place[row, y, x] = 1


def kept(photo: Image.Image) -> Image.Image:
    """A photograph as small as sharp squares can still be cut from it; a small one as it is."""
    share = min(1.0, KEPT / min(photo.size))
    width, height = (round(side * share) for side in photo.size)
    return photo.resize((width, height), Image.Resampling.BICUBIC)


def _cut(photo: Image.Image, rng: Rng) -> Image.Image:
    """A random square of a photograph, nearly as high or wide as that, or smaller."""
    side = int(rng.integers(round(LEAST * min(photo.size)), min(photo.size) + 1))
    left = int(rng.integers(photo.width - side + 1))
    top = int(rng.integers(photo.height - side + 1))
    box = (left, top, left + side, top + side)
    return photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def _mirrored(square: Image.Image) -> Image.Image:
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
