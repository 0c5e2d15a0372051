"""Arithmetic on embeddings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from clipsearch.errors import CanceledQueryError, UsageError, VectorError, ZeroVectorError
from clipsearch.types import Vectors


def normalize(vectors: ArrayLike) -> Vectors:
    """Scale each row of (n, d), or one (d,), to length 1, as float32.

    Raises ZeroVectorError if a row is zero, NaN or infinite: it cannot be normalized, and Milvus
    would store it without an error.
    """
    rows = np.asarray(vectors, dtype=np.float64)  # squares in float32 lose precision and overflow
    with np.errstate(over="ignore", invalid="ignore"):  # such rows are reported below
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths) & (lengths > 1e-12)):
        bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 1e-12)).reshape(-1))
        raise ZeroVectorError(
            f"row {bad[0]} of {lengths.size} cannot be normalized: it is zero or not finite"
        )
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)


def weighted_sum(vectors: Sequence[Vectors], weights: Sequence[float]) -> Vectors:
    """Normalize (d,) vectors, add them with their weights, normalize the sum: (d,) float32.

    The sum of a text and an image embedding is a query for both (Jia et al. 2021, "Scaling Up
    Visual and Vision-Language Representation Learning With Noisy Text Supervision", section 5.4).
    Raises UsageError if a weight is not finite or all weights are 0, CanceledQueryError if the
    terms cancel each other out.
    """
    if not vectors or len(vectors) != len(weights):
        raise VectorError(
            f"{len(vectors)} vectors and {len(weights)} weights: each vector needs one weight"
        )
    if not np.all(np.isfinite(weights)):
        raise UsageError(f"a weight must be a finite number, not {list(weights)}")
    if not np.any(weights):
        raise UsageError("every weight is 0: at least one term of the query needs another weight")
    factors = np.asarray(weights, dtype=np.float64)
    factors = factors / np.abs(factors).max()  # sums of weights such as 1e308 would overflow
    total = factors @ normalize(np.stack(vectors)).astype(np.float64)
    # 1e-6 is the rounding error of float32 rows: "dog" - "dog" must not search for noise.
    if np.linalg.norm(total) < 1e-6 * np.abs(factors).sum():
        raise CanceledQueryError(
            "the terms of the query cancel each other out: change a term or its weight"
        )
    return normalize(total)
