"""Embeddings of the spelling of words: letters, pairs of letters and their positions.

After the pyramidal histogram of characters (Almazán et al. 2014, "Word spotting and recognition
with embedded attributes"). Words with similar spelling are near each other, so a model that learns
these codes recognizes words that it was not trained with.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

from clipsearch.types import Vectors
from clipsearch.vectors import normalize

PARTS = 3  # beginning, middle and end of a word
PAIRS = 250  # the most frequent ones
MAX_DIM = 96  # of a code: keeps most of the variance of 20,000 English words
SVD_WORDS = 8000  # enough to find the main directions


class Spelling:
    """Binary attributes of words, and codes: the main components over a vocabulary."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        pairs = Counter("".join(pair) for word in vocabulary for pair in pairwise(word))
        self.pairs = tuple(pair for pair, _ in pairs.most_common(PAIRS))
        names = [
            *ascii_lowercase,
            *(f"{letter}{part}" for letter in ascii_lowercase for part in range(PARTS)),
            *(f"^{letter}" for letter in ascii_lowercase),
            *(f"{letter}$" for letter in ascii_lowercase),
            *self.pairs,
        ]
        self._columns = {name: column for column, name in enumerate(names)}
        attributes = self.attributes(vocabulary)
        self._frequencies = attributes.mean(axis=0)
        # The square root of a whitening: rare letters weigh more, but less than a whitening says.
        deviation = np.sqrt(self._frequencies * (1 - self._frequencies))
        self._weights = 1 / np.sqrt(np.maximum(deviation, 0.03))
        centered = (attributes[:SVD_WORDS] - self._frequencies) * self._weights
        _, _, directions = np.linalg.svd(centered, full_matrices=False)
        self._directions = directions[:MAX_DIM].T

    @property
    def dim(self) -> int:
        """The dimension of a code, at most `MAX_DIM`."""
        return int(self._directions.shape[1])

    def attributes(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The attributes of each word, (n, attributes) of 0 and 1.

        Characters other than a to z have no attributes.
        """
        rows = np.zeros((len(words), len(self._columns)), np.float32)
        for row, word in zip(rows, words, strict=True):
            for name in _attribute_names(word):
                if (column := self._columns.get(name)) is not None:
                    row[column] = 1
        return rows

    def codes(self, words: Sequence[str]) -> Vectors:
        """The codes of words, (n, dim) float32 of length 1."""
        rows = (self.attributes(words) - self._frequencies) * self._weights @ self._directions
        return normalize(rows.astype(np.float32))


def _attribute_names(word: str) -> list[str]:
    letters = [character for character in word.lower() if character in ascii_lowercase]
    if not letters:
        return []
    parts = [min(PARTS - 1, PARTS * (2 * i + 1) // (2 * len(letters))) for i in range(len(letters))]
    return [
        *letters,
        *(f"{letter}{part}" for letter, part in zip(letters, parts, strict=True)),
        *("".join(pair) for pair in pairwise(word.lower())),
        f"^{letters[0]}",
        f"{letters[-1]}$",
    ]
