"""z-scores: how far a hit's score stands above those of the collection's other images.

Raw cosines cannot be compared between models (good matches of CLIP score near 0.3), nor between two
queries. So a sample of the collection is scored with the same query, and a hit's `z` is its
distance from the sample's median in standard deviations. Median and deviation come from the lower
half of the sample, because matching images would raise the mean and widen the deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipsearch.percentiles import LOWER_SIGMA, percentiles
from clipsearch.store import Collection, filters
from clipsearch.types import Vectors

SAMPLE_ROWS = 1000  # the deviation of 1,000 scores is accurate to 2 %
MIN_SCORES = 20  # a deviation of fewer scores is meaningless


@dataclass(frozen=True, slots=True)
class Background:
    """A query's scores over a sample; median and deviation of those that do not match it."""

    median: float
    deviation: float
    scores: Vectors  # (n,) of the sample

    def z(self, score: float) -> float:
        """Standard deviations above the median."""
        return (score - self.median) / self.deviation


def score_backgrounds(collection: Collection, queries: Vectors) -> Sequence[Background | None]:
    """One Background per row of (n, d) queries; None if the collection is too small."""
    rows = collection.recent_count()
    if rows < MIN_SCORES:
        return [None] * len(queries)
    sample = ""
    if rows > 2 * SAMPLE_ROWS:
        sample = filters.random_share(SAMPLE_ROWS / rows)
    return [
        _background(scores)
        for scores in collection.scores(queries, limit=3 * SAMPLE_ROWS, condition=sample)
    ]


def _background(scores: Vectors) -> Background | None:
    if len(scores) < MIN_SCORES:
        return None
    lower, median = percentiles(np.sort(scores), (LOWER_SIGMA, 50))
    deviation = median - lower
    return Background(median, deviation, scores) if deviation > 1e-6 else None
