"""How words look: letters, pairs of letters and their places, as a code of some numbers.

After the pyramidal histogram of characters (Almazán et al. 2014, "Word spotting and recognition with
embedded attributes"): words that are spelt alike lie near each other, so that a model which learns the
code reads words that it has never seen.
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
SIZE = 96  # of the code: keeps most of the variance of 20,000 English words
ENOUGH = 8000  # words to find the main directions of


class Spelling:
    """Attributes and codes of words, as a vocabulary of them suggests."""

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
        self._place = {name: place for place, name in enumerate(names)}
        seen = self.attributes(vocabulary)
        self._rate = seen.mean(axis=0)
        # The root of a whitening: rare letters count for more, but not as much as they are rare.
        deviation = np.sqrt(self._rate * (1 - self._rate))
        self._weight = 1 / np.sqrt(np.maximum(deviation, 0.03))
        _, _, directions = np.linalg.svd(
            (seen[:ENOUGH] - self._rate) * self._weight, full_matrices=False
        )
        self._directions = directions[:SIZE].T

    @property
    def size(self) -> int:
        """Numbers of a code."""
        return int(self._directions.shape[1])

    def attributes(self, words: Sequence[str]) -> NDArray[np.float32]:
        """What each word has, (n, attributes) of 0 and 1; other characters than a to z count for nothing."""
        rows = np.zeros((len(words), len(self._place)), np.float32)
        for row, word in zip(rows, words, strict=True):
            for name in _names(word):
                if (place := self._place.get(name)) is not None:
                    row[place] = 1
        return rows

    def codes(self, words: Sequence[str]) -> Vectors:
        """(n, SIZE) float32 of length 1."""
        rows = (self.attributes(words) - self._rate) * self._weight @ self._directions
        return normalize(rows.astype(np.float32))


def _names(word: str) -> list[str]:
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
