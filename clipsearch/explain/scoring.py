"""Relevance of image parts to a query, relative to generic phrases.

A plain cosine is misled by context: an empty night sky is a little similar to "rocket", because
images of rockets often show the sky. So the text competes with phrases for what most images
consist of, and the sky is more similar to "the sky" than to "rocket". After Kerr et al. 2023,
"LERF: Language Embedded Radiance Fields", section 3.5.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.types import Vectors

CANONICAL_PHRASES = (
    "an object",
    "things",
    "stuff",
    "texture",
    "the sky",
    "clouds",
    "grass",
    "trees",
    "water",
    "the ground",
    "the floor",
    "a wall",
    "a street",
    "a building",
    "a room",
    "a person",
)
SHARPNESS = 3.0
"""Standard deviations of all scores by which one text must lead another to win clearly."""


@dataclass(frozen=True, slots=True, eq=False)
class RelevanceScorer:
    """A text (d,) and the canonical phrases (k, d) that it competes with, all of length 1."""

    text: Vectors
    canonical: Vectors

    @classmethod
    def from_text(cls, text: Vectors, encoder: Encoder) -> Self:
        """Let a text vector compete with CANONICAL_PHRASES, embedded by the same model."""
        return cls(text, embed_texts(encoder, CANONICAL_PHRASES))

    def __call__(self, views: Vectors) -> Vectors:
        """Score (n, d) views of length 1 as (n,) in 0..1: the text's share of a softmax.

        The sharpness of the softmax follows from the spread of the scores, so that models whose
        cosines differ only a little give maps of the same kind.
        """
        text_scores, canonical_scores = views @ self.text, views @ self.canonical.T
        spread = float(np.std(np.column_stack([text_scores, canonical_scores])))
        if spread < 1e-9:
            return np.zeros(len(views), dtype=np.float32)
        leads = (canonical_scores - text_scores[:, None]) * (SHARPNESS / spread)
        competitors = np.exp(np.clip(leads, -50, 50)).sum(axis=1)
        return np.asarray(1 / (1 + competitors), dtype=np.float32)
