"""The space that the reading model's towers share, and where its texts lie in it.

Four groups of numbers: what a thing looks like, how a word is spelt, "it is written here", "it is a
photograph". A bare name means the thing and the word alike, which is what CLIP learns from captions
of both, and why a written word wins there. Textness is one direction among these, as in CLIP: the
probe is told nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.textness.spelling import Spelling
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

MARK = 0.5  # length of "written" and "photograph" next to a code of length 1
OF_A_NAME = (0.8, 1.0, 0.25)  # looks, spelling and both marks in a bare name


@dataclass(frozen=True, slots=True)
class Space:
    """What things look like, by name, (l,) float32 of length 1 each; and the code of spelling."""

    looks: Mapping[str, Vectors]
    spelling: Spelling

    @property
    def dim(self) -> int:
        return self._size + self.spelling.size + 2

    def photos(self, names: Sequence[str]) -> Vectors:
        """Of "a photo of a NAME", (n, dim); the names are known."""
        return self._join(np.stack([self.looks[name] for name in names]), None, 0, MARK)

    def photo(self) -> Vectors:
        """Of "a photo", (1, dim)."""
        return self._join(None, np.zeros((1, self.spelling.size), np.float32), 0, 1)

    def words(self, words: Sequence[str]) -> Vectors:
        """Of "the word WORD", (n, dim)."""
        return self._join(None, self.spelling.codes(words), MARK, 0)

    def bare(self, words: Sequence[str]) -> Vectors:
        """Of a word alone, (n, dim): a known name lies between thing and word."""
        look, spelt, mark = OF_A_NAME
        looks = np.zeros((len(words), self._size), np.float32)
        for row, word in zip(looks, words, strict=True):
            if word in self.looks:
                row += look * self.looks[word]
        return self._join(looks, spelt * self.spelling.codes(words), mark, mark)

    @property
    def _size(self) -> int:
        return len(next(iter(self.looks.values())))

    def _join(
        self, looks: Vectors | None, spelt: Vectors | None, written: float, photo: float
    ) -> Vectors:
        count = len(looks if looks is not None else spelt if spelt is not None else ())
        if looks is None:
            looks = np.zeros((count, self._size), np.float32)
        if spelt is None:
            spelt = np.zeros((count, self.spelling.size), np.float32)
        marks = np.tile(np.array([written, photo], np.float32), (count, 1))
        return normalize(np.concatenate([looks, spelt, marks], axis=1))
