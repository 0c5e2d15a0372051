"""What is known about a hit beside its cosine: the features from which `p` is computed.

Cosines of different queries are not comparable. So a hit is compared with other images for the same
query (those of the collection, and images in general), and with other texts for the same image: a
lynx is the best hit for "a tiger" in a collection without tigers, but "a cat" suits it better.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clipsearch.calibration.moments import Moments
from clipsearch.percentiles import LOWER_SIGMA, percentiles
from clipsearch.types import Vectors
from clipsearch.vectors import normalize

SHARPNESS = 4.0  # of the weights of texts that suit an image
TOPS = (1, 5, 20)  # ranks of the best texts of an image that its score is compared with


@dataclass(frozen=True)
class TextBank:
    """Common words, their embeddings (b, d) of length 1, and the moments of images in general."""

    words: tuple[str, ...]
    texts: Vectors
    images: Moments

    @cached_property
    def levels(self) -> tuple[Vectors, Vectors]:
        """Mean and deviation (b,) of the scores of images for each text."""
        return self.images.along(self.texts)

    @cached_property
    def center(self) -> Vectors:
        """The mean text (d,)."""
        return np.asarray(self.texts.mean(axis=0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ImageTexts:
    """How n images relate to the texts of a bank.

    `scores` (n, b) are standardized, `mean` and `deviation` (n,) those of an image. `weights`
    (n, b) are larger for texts that suit an image, their sum is 1; `total` (n, d) is the weighted
    sum of the texts without their mean.
    """

    scores: Vectors
    mean: Vectors
    deviation: Vectors
    weights: Vectors
    total: Vectors

    @property
    def meaning(self) -> Vectors:
        """What each image shows, as a vector among texts: (n, d) of length 1."""
        return normalize(self.total + 1e-9)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Some of the images."""
        parts = (getattr(self, field.name)[rows] for field in fields(self))
        return type(self)(*parts)


def describe_images(images: Vectors, bank: TextBank) -> ImageTexts:
    """Compare (n, d) images with the texts of a bank."""
    level, spread = bank.levels
    scores = (images @ bank.texts.T - level) / spread
    weights = np.exp(SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    return ImageTexts(
        scores=scores,
        mean=scores.mean(axis=1),
        deviation=scores.std(axis=1) + 1e-6,
        weights=weights,
        total=weights @ bank.texts - bank.center,  # faster than centered texts: fewer numbers
    )


def hit_features(
    query: Vectors,
    scores: Vectors,
    images: ImageTexts,
    sample: Vectors,
    bank: TextBank,
    meanings: Moments,
    *,
    hidden: int = 0,
) -> Vectors:
    """Features (n, f) float32 of n hits of a (d,) query.

    `scores` (n,) are their cosines, `images` what they show, `sample` (m,) the cosines of a sample
    of the collection, and `meanings` the moments of the `meaning` of images in general. Without the
    `hidden` texts nearest to it, a query is like one whose words the bank does not have.
    """
    ordered = np.sort(sample)
    lower, median, *upper = percentiles(ordered, (LOWER_SIGMA, 50, 90, 97, 99))
    deviation = max(median - lower, 1e-6)
    above = int(np.sum(ordered > median + 3 * deviation))
    [level], [spread] = bank.images.along(query[None])
    direction = normalize(query - bank.center + 1e-9)
    [meaning_level], [meaning_spread] = meanings.along(direction[None])
    similar = bank.texts @ query
    total, text_scores = images.total, images.scores
    if hidden:
        left_out, kept = np.split(np.argsort(-similar), [min(hidden, len(similar) // 2)])
        total = total - images.weights[:, left_out] @ (bank.texts[left_out] - bank.center)
        similar, text_scores = similar[kept], text_scores[:, kept]
    meaning = normalize(total + 1e-9) @ direction
    ranks = [max(len(similar) - rank, 0) for rank in TOPS]
    tops = np.partition(text_scores, ranks, axis=1)[:, ranks]
    standard = (scores - level) / spread
    of_hits = (
        scores,
        (scores - median) / deviation,
        standard,
        (standard - images.mean) / images.deviation,
        *(standard[:, None] - tops).T,
        np.log1p(np.sum(text_scores > standard[:, None], axis=1)),
        meaning,
        (meaning - meaning_level) / meaning_spread,
    )
    nearest = np.sort(similar)[-5:]
    of_query = (
        level,
        spread,
        nearest[-1],
        nearest[0],
        *((value - median) / deviation for value in upper),
        (ordered[-3:].mean() - median) / deviation,
        np.log((above + 1) / len(ordered)),
        np.log(len(ordered)),
        (median - level) / spread,
        np.log(deviation / spread),
    )
    features = np.empty((len(scores), len(of_hits) + len(of_query)), np.float32)
    features[:, : len(of_hits)] = np.stack(of_hits, axis=1)
    features[:, len(of_hits) :] = of_query
    return features
