"""How a word is found in a text, and how good that is; without numpy."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise


class Match(IntEnum):
    """The kinds of match, from the weakest to the best."""

    SIMILAR = 1
    SPLIT = 2
    INFIX = 3
    PREFIX = 4
    WORD = 5

    @property
    def label(self) -> str:
        """The name in results."""
        return self.name.lower()


MIN_PART = 2
"""Letters of a word that is also found as a part of longer words."""

MIN_SPLIT = 5
"""Letters of a word that is also found with a space in it, or without its hyphen."""

MAX_SPLIT_LETTERS = 16
"""Letters of a word beyond which it is not split: the ways to split it grow with their square."""

QUALITY = (0.0, 0.4, 0.5, 0.6, 0.8, 1.0)
"""The quality of each kind of match, 0..1, by its number."""

OTHER_ACCENTS = 0.1
"""Subtracted from the quality of a match whose accents are not those of the query."""

ORDER_WEIGHT = 0.1
"""The part of an image's quality that it gets if the words follow each other as in the query."""


def encode_match(match: Match, *, is_exact: bool) -> int:
    """Return a kind of match and whether accents agree as a number, larger if better."""
    return 2 * match + is_exact


def match_of(code: int) -> Match:
    """Return the kind of match."""
    return Match(code // 2)


def code_quality(code: int) -> float:
    """Return the quality of a match, 0..1."""
    return QUALITY[code // 2] - (OTHER_ACCENTS if code and not code % 2 else 0.0)


def image_quality(codes: Sequence[int], *, in_order: bool) -> float:
    """Return the quality of an image with these matches of the words of a query, 0..1.

    `in_order` says whether the words follow each other as in the query.
    """
    mean = sum(map(code_quality, codes)) / len(codes)
    return round((1 - ORDER_WEIGHT) * mean + ORDER_WEIGHT * in_order, 6)


def splits(word: str) -> list[tuple[str, ...]]:
    """Return the ways to split a word by one or two spaces, never between two digits."""
    if not MIN_SPLIT <= len(word) <= MAX_SPLIT_LETTERS:
        return []
    places = [at for at in range(1, len(word)) if is_joint(word[at - 1], word[at])]
    two = [(word[:at], word[at:]) for at in places]
    three = [
        (word[:first], word[first:second], word[second:])
        for number, first in enumerate(places)
        for second in places[number + 1 :]
    ]
    return [*two, *three]


def joined(words: Sequence[str]) -> str:
    """Return the word that these are without what separates them, or "" if they stay apart."""
    word = "".join(words)
    pairs = pairwise(words)
    is_word = len(words) > 1 and all(is_joint(left[-1], right[0]) for left, right in pairs)
    return word if is_word and len(word) >= MIN_SPLIT else ""


def is_joint(left: str, right: str) -> bool:
    """Whether a space between two characters may be an error of reading: 12 50 is not 1250."""
    return left.isalnum() and right.isalnum() and not (left.isdigit() and right.isdigit())
