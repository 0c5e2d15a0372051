"""How much more views of a picture have of a text than of ordinary things.

A plain cosine is misled by company: empty night sky looks a little like a rocket, since rockets are
pictured there. So the text competes with what most pictures consist of, and the sky is more sky than
rocket. After Kerr et al. 2023, "LERF: Language Embedded Radiance Fields", section 3.5.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from clipsearch.models.base import Encoder
from clipsearch.models.embedding import embed_texts
from clipsearch.types import Vectors

ORDINARY = (
    "an object", "things", "stuff", "texture", "the sky", "clouds", "grass", "trees", "water",
    "the ground", "the floor", "a wall", "a street", "a building", "a room", "a person",
)  # fmt: skip
SHARPNESS = 3.0  # how far apart, in deviations of all scores, two texts are for one to win clearly


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """A text, (d,) of length 1, and ordinary ones, (k, d), that it competes with."""

    text: Vectors
    others: Vectors

    @classmethod
    def of(cls, text: Vectors, encoder: Encoder) -> Self:
        """The text against ordinary ones by the same model."""
        return cls(text, embed_texts(encoder, ORDINARY))

    def __call__(self, views: Vectors) -> Vectors:
        """The text's share, 0..1, of a softmax over all texts, (n,), for (n, d) views of length 1.

        How sharp the softmax is follows from how far the scores spread, so that models whose
        cosines differ by little give the same kind of map.
        """
        own, others = views @ self.text, views @ self.others.T
        spread = float(np.std(np.column_stack([own, others])))
        if spread < 1e-9:
            return np.zeros(len(views), dtype=np.float32)
        rivals = np.exp(np.clip((others - own[:, None]) * (SHARPNESS / spread), -50, 50)).sum(
            axis=1
        )
        return np.asarray(1 / (1 + rivals), dtype=np.float32)
