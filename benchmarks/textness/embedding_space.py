"""The embedding space of the reading model, and the vectors of its texts.

A vector has three parts: what an object looks like, how a word is spelled, and one number for
"written in the image". The vector of a bare name lies between the object and the written word. CLIP
learns the same from captions of both, which is why written words win there. Textness is one
direction of this space, as in CLIP: the probe is not given it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.textness.spelling import Spelling
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

WRITTEN_LENGTH = 1.0  # of the "written" number, beside a spelling code of length 1
BARE_NAME_WEIGHTS = (0.9, 0.9, 0.3)  # appearance, spelling and "written" of a bare name


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """The appearance of objects by name, (l,) float32 of length 1 each, and the spelling codes."""

    appearances: Mapping[str, Vectors]
    spelling: Spelling

    @property
    def dim(self) -> int:
        return self._appearance_dim + self.spelling.dim + 1

    @property
    def written(self) -> float:
        """The last component, "written in the image", of the vectors of words."""
        return WRITTEN_LENGTH / math.hypot(1, WRITTEN_LENGTH)

    def objects(self, names: Sequence[str]) -> Vectors:
        """The vectors of "a photo of a NAME", (n, dim); the names must be known."""
        return self._join(np.stack([self.appearances[name] for name in names]), None, 0)

    def words(self, words: Sequence[str]) -> Vectors:
        """The vectors of "the word WORD", (n, dim)."""
        return self._join(None, self.spelling.codes(words), WRITTEN_LENGTH)

    def bare_names(self, words: Sequence[str]) -> Vectors:
        """The vectors of words alone, (n, dim); known names lie between object and word."""
        appearance_weight, spelling_weight, written = BARE_NAME_WEIGHTS
        appearances = np.zeros((len(words), self._appearance_dim), np.float32)
        for row, word in zip(appearances, words, strict=True):
            if word in self.appearances:
                row += appearance_weight * self.appearances[word]
        return self._join(appearances, spelling_weight * self.spelling.codes(words), written)

    @property
    def _appearance_dim(self) -> int:
        return len(next(iter(self.appearances.values())))

    def _join(
        self, appearances: Vectors | None, spelling: Vectors | None, written: float
    ) -> Vectors:
        """Concatenate the parts and normalize; None is a part of zeros."""
        part = appearances if appearances is not None else spelling
        count = 0 if part is None else len(part)
        if appearances is None:
            appearances = np.zeros((count, self._appearance_dim), np.float32)
        if spelling is None:
            spelling = np.zeros((count, self.spelling.dim), np.float32)
        column = np.full((count, 1), written, np.float32)
        return normalize(np.concatenate([appearances, spelling, column], axis=1))
