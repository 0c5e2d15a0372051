"""What each word of a query adds to its score: leave one out and compare.

The measure of Li, Monroe and Jurafsky (2016, "Understanding Neural Networks through Representation
Erasure") on the cosine of text and picture.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.types import Vectors

# Scripts that put no spaces between words are cut where the script changes: 赤い傘 is 赤, い, 傘.
_HAN, _KANA = r"々〆\u3400-\u9fff\U00020000-\U0003ffff", r"\u3041-\u3096|[\u30a1-\u30ffー]"
_WORD = re.compile(
    rf"[{_HAN}]+|[\u3041-\u3096]+|[\u30a1-\u30fa\u30fcー]+|[^\s\u3041-\u30fc{_HAN}]+"
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A word, and by how much the query's cosine with the picture is higher because of it."""

    word: str
    value: float


def split(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end; punctuation belongs to its word."""
    return [match.span() for match in _WORD.finditer(text)]


def contributions(text: str, image: Vectors, encoder: Encoder) -> tuple[Contribution, ...]:
    """Each word's contribution to the cosine with a picture, (d,) of length 1, in the text's order.

    A text of one word has none: without it nothing is left to compare with.
    """
    spans = split(text)
    if len(spans) < 2:
        return ()
    scores = embed_texts(encoder, [text, *_without_one(text, spans)]) @ image
    gains = np.asarray(scores[0] - scores[1:], dtype=float)
    return tuple(
        Contribution(text[start:end], float(gain))
        for (start, end), gain in zip(spans, gains, strict=True)
    )


def _without_one(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [" ".join((text[:start] + text[end:]).split()) for start, end in spans]
