"""The different tokens of many texts, sorted, and those that match a word."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from clipsearch.says.match import MIN_PART
from clipsearch.says.tokens import plain_form

Ids = NDArray[np.intp]
"""Numbers of tokens in a vocabulary."""

_LAST = "\U0010ffff"


class Vocabulary:
    """Tokens by number, in the order of their form without accents.

    They are held as one text, in which parts of words are found by one search.
    """

    def __init__(self, plain: Sequence[str], accented: Mapping[int, str]) -> None:
        """Use `build_vocabulary`: `accented` are those with accents, by number."""
        self._text = "\n" + "\n".join(plain) + "\n"
        sizes = np.fromiter(map(len, plain), dtype=np.int64, count=len(plain))
        self._starts = 1 + np.concatenate([[0], np.cumsum(sizes + 1)])
        self._accented = accented
        self.accented: Ids = np.array(sorted(accented), dtype=np.intp)
        """The tokens with accents."""

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> str:
        """Return a token without accents."""
        return self._text[self._starts[number] : self._starts[number + 1] - 1]

    def exact(self, number: int) -> str:
        """Return a token as it is written."""
        return self._accented.get(number) or self[number]

    def equal(self, word: str) -> slice:
        """Return the tokens that are this word without accents."""
        low = bisect_left(self, word)
        high = low
        while high < len(self) and self[high] == word:
            high += 1
        return slice(low, high)

    def starting(self, word: str) -> slice:
        """Return the tokens that start with a word, also those that equal it."""
        return slice(bisect_left(self, word), bisect_left(self, word + _LAST))

    def containing(self, word: str) -> Ids:
        """Return the tokens that contain a word of at least MIN_PART letters; others: none."""
        return self._find(word) if len(word) >= MIN_PART else np.empty(0, dtype=np.intp)

    def ending(self, word: str) -> Ids:
        """Return the tokens that end with a word."""
        return self._find(word + "\n")

    def _find(self, text: str) -> Ids:
        places = np.fromiter(_places(self._text, text), dtype=np.int64)
        numbers = np.searchsorted(self._starts, places, side="right") - 1
        return np.unique(numbers).astype(np.intp)


def build_vocabulary(tokens: Sequence[str]) -> tuple[Vocabulary, NDArray[np.int32]]:
    """Return a vocabulary of different tokens, and the number in it of each of these."""
    plain = list(map(plain_form, tokens))
    order = sorted(range(len(tokens)), key=plain.__getitem__)
    accented = {
        rank: tokens[number] for rank, number in enumerate(order) if tokens[number] != plain[number]
    }
    ranks = np.empty(len(tokens), dtype=np.int32)
    ranks[order] = np.arange(len(tokens), dtype=np.int32)
    return Vocabulary([plain[number] for number in order], accented), ranks


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)
