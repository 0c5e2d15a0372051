"""The space that the reading model's towers share, and where its texts lie in it.

Three groups of numbers: what a thing looks like, how a word is spelt, "it is written here". A bare
name means the thing and the word alike, which is what CLIP learns from captions of both, and why a
written word wins there. Textness is one direction among these, as in CLIP: the probe is told nothing
of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.textness.spelling import Spelling
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

MARK = 1.0  # length of "written" next to a code of length 1
OF_A_NAME = (0.9, 0.9, 0.3)  # looks, spelling and the mark in a bare name


@dataclass(frozen=True, slots=True)
class Space:
    """What things look like, by name, (l,) float32 of length 1 each; and the code of spelling."""

    looks: Mapping[str, Vectors]
    spelling: Spelling

    @property
    def dim(self) -> int:
        return self._size + self.spelling.size + 1

    @property
    def written(self) -> float:
        """What the last number, "it is written here", is in the words' places."""
        return MARK / math.hypot(1, MARK)

    def photos(self, names: Sequence[str]) -> Vectors:
        """Of "a photo of a NAME", (n, dim); the names are known."""
        return self._join(np.stack([self.looks[name] for name in names]), None, 0)

    def words(self, words: Sequence[str]) -> Vectors:
        """Of "the word WORD", (n, dim)."""
        return self._join(None, self.spelling.codes(words), MARK)

    def bare(self, words: Sequence[str]) -> Vectors:
        """Of a word alone, (n, dim): a known name lies between thing and word."""
        look, spelt, mark = OF_A_NAME
        looks = np.zeros((len(words), self._size), np.float32)
        for row, word in zip(looks, words, strict=True):
            if word in self.looks:
                row += look * self.looks[word]
        return self._join(looks, spelt * self.spelling.codes(words), mark)

    @property
    def _size(self) -> int:
        return len(next(iter(self.looks.values())))

    def _join(self, looks: Vectors | None, spelt: Vectors | None, written: float) -> Vectors:
        count = len(looks if looks is not None else spelt if spelt is not None else ())
        if looks is None:
            looks = np.zeros((count, self._size), np.float32)
        if spelt is None:
            spelt = np.zeros((count, self.spelling.size), np.float32)
        mark = np.full((count, 1), written, np.float32)
        return normalize(np.concatenate([looks, spelt, mark], axis=1))
