"""The contribution of each word of a text query to its score, by leaving the word out.

The method is that of Li, Monroe and Jurafsky (2016, "Understanding Neural Networks through
Representation Erasure"), applied to the cosine of text and image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.types import Vectors

# Scripts without spaces between words are split at a change of script: 赤い傘 is 赤, い, 傘.
_HAN = r"々〆\u3400-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(
    rf"[{_HAN}]+|[\u3041-\u3096]+|[\u30a1-\u30fa\u30fcー]+|[^\s\u3041-\u30fc{_HAN}]+"
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A word, and by how much it raises the cosine of query and image."""

    word: str
    value: float


def word_spans(text: str) -> list[tuple[int, int]]:
    """Find the start and end of each word of a text; punctuation belongs to its word."""
    return [match.span() for match in _WORD.finditer(text)]


def word_contributions(text: str, image: Vectors, encoder: Encoder) -> tuple[Contribution, ...]:
    """Measure the contribution of each word to the cosine with an image, in the text's order.

    `image` is (d,) of length 1. Returns () for a text of one word: without it nothing is left to
    compare with.
    """
    spans = word_spans(text)
    if len(spans) < 2:
        return ()
    scores = embed_texts(encoder, [text, *_leave_one_out(text, spans)]) @ image
    gains = np.asarray(scores[0] - scores[1:], dtype=float)
    return tuple(
        Contribution(text[start:end], float(gain))
        for (start, end), gain in zip(spans, gains, strict=True)
    )


def _leave_one_out(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    return [" ".join((text[:start] + text[end:]).split()) for start, end in spans]
