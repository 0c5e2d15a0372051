"""Arithmetic on embeddings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clipsearch.errors import UsageError, VectorError, ZeroVectorError
from clipsearch.types import Vectors


def normalize(vectors: ArrayLike) -> Vectors:
    """Scale each row of (n, d), or one (d,), to length 1, as float32.

    Raises ZeroVectorError on a row that is zero, NaN or infinite: it has no direction, and Milvus
    would store it without a word.
    """
    rows = np.asarray(vectors, dtype=np.float64)  # float32 sums of squares lose digits and overflow
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths) & (lengths > 1e-12)):
        bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 1e-12)).reshape(-1))
        raise ZeroVectorError(
            f"row {bad[0]} of {lengths.size} has no direction (zero or not finite)"
        )
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)


def weighted_sum(vectors: Sequence[Vectors], weights: Sequence[float]) -> Vectors:
    """Normalize each (d,) vector, add them with their weights, normalize the sum: (d,) float32.

    The sum of a text and an image embedding is a query for both (Jia et al. 2021, "Scaling Up
    Visual and Vision-Language Representation Learning With Noisy Text Supervision", section 5.4).
    Raises UsageError on a weight that is not finite and on weights that are all 0, ZeroVectorError where the terms cancel out.
    """
    if not vectors or len(vectors) != len(weights):
        raise VectorError(
            f"{len(vectors)} vectors and {len(weights)} weights: need one weight each"
        )
    if not np.all(np.isfinite(weights)):
        raise UsageError(f"a weight must be a finite number, not {list(weights)}")
    if not np.any(weights):
        raise UsageError("every weight is 0: nothing is left to search for")
    total = np.asarray(weights, dtype=np.float64) @ normalize(np.stack(vectors)).astype(np.float64)
    # 1e-6 is the noise of float32 rows: below it "dog" - "dog" would search for rounding errors.
    if np.linalg.norm(total) < 1e-6 * np.abs(weights).sum():
        raise ZeroVectorError("the terms of the query cancel each other out")
    return normalize(total)
