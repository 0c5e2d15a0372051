"""Mean and spread of many vectors along any direction, stored in little space."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from clipsearch.types import Vectors

RANK = 64  # directions whose variance is kept; the rest counts as equal in all directions


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (d,), the main part of the covariance as a factor (k, d), and the rest's variance."""

    mean: Vectors
    factor: Vectors
    rest: float

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """The moments of (n, d) vectors."""
        mean = vectors.mean(axis=0)
        values, directions = np.linalg.eigh(np.cov(vectors - mean, rowvar=False))
        kept = slice(-RANK, None)
        factor = np.sqrt(np.maximum(values[kept], 0))[:, None] * directions[:, kept].T
        rest = float(values[:-RANK].mean()) if len(values) > RANK else 0.0
        return cls(mean.astype(np.float32), factor.astype(np.float32), max(rest, 0.0))

    def along(self, directions: Vectors) -> tuple[Vectors, Vectors]:
        """Mean and deviation (q,) of the products of all vectors with (q, d) directions."""
        variance = np.sum((directions @ self.factor.T) ** 2, axis=1) + self.rest
        return directions @ self.mean, np.sqrt(np.maximum(variance, 1e-8))
