"""What a score means: where it stands among those of the collection's other pictures.

Raw cosines of one model cannot be compared with another's (CLIP's good matches lie near 0.3), nor
those of two queries. So a sample of the collection is scored with the same query, and a hit's `z`
says by how many of the sample's standard deviations it lies above the sample's mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.store import Collection
from clipsearch.store import filters as where
from clipsearch.types import Vectors

SAMPLE = 1000  # the deviation of 1,000 scores is known to 2 %
FEWEST = 20  # below this a deviation says nothing
ID_SPACE = 16**8


@dataclass(frozen=True, slots=True)
class Background:
    """Mean and standard deviation of a query's scores over a sample of the collection."""

    mean: float
    deviation: float

    def z(self, score: float) -> float:
        """Standard deviations above the mean."""
        return (score - self.mean) / self.deviation


def backgrounds(collection: Collection, queries: Vectors) -> Sequence[Background | None]:
    """One Background for each row of (n, d) queries; None where the collection is too small."""
    rows = collection.count()
    if rows < FEWEST:
        return [None] * len(queries)
    # Ids are hashes, so a range of them is a random sample that needs no storing and never ages.
    sample = ""
    if rows > 2 * SAMPLE:
        sample = where.id_below(f"{int(ID_SPACE * SAMPLE / rows):08x}")
    return [
        _background(scores) for scores in collection.scores(queries, limit=3 * SAMPLE, where=sample)
    ]


def _background(scores: Vectors) -> Background | None:
    if len(scores) < FEWEST:
        return None
    deviation = float(np.std(scores))
    return Background(float(np.mean(scores)), deviation) if deviation > 1e-6 else None
