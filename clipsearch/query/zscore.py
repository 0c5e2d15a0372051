"""What a score means: where it stands among those of the collection's other pictures.

Raw cosines of one model cannot be compared with another's (CLIP's good matches lie near 0.3), nor
those of two queries. So a sample of the collection is scored with the same query, and a hit's `z`
says by how many standard deviations it lies above the middle of the sample. Both are taken from the
sample's lower half, since the pictures that match would raise the mean and widen the deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.store import Collection
from clipsearch.store import filters as where
from clipsearch.types import Vectors

SAMPLE = 1000  # the deviation of 1,000 scores is known to 2 %
FEWEST = 20  # below this a deviation says nothing
BELOW = 15.87  # percent of a normal distribution that lie a deviation or more below its middle
ID_SPACE = 16**8


@dataclass(frozen=True, slots=True)
class Background:
    """Median and standard deviation of a query's scores over pictures that it does not mean."""

    median: float
    deviation: float

    def z(self, score: float) -> float:
        """Standard deviations above the median."""
        return (score - self.median) / self.deviation


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
    below, median = np.percentile(scores, (BELOW, 50))
    deviation = float(median - below)
    return Background(float(median), deviation) if deviation > 1e-6 else None
