"""Check vectors before they reach Milvus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsearch.errors import VectorError
from clipsearch.types import ImageRow, Vectors
from clipsearch.vectors import normalize


def check_embeddings(rows: Sequence[ImageRow], dim: int) -> None:
    """Raise VectorError unless every embedding is (dim,) float32, finite and of length 1.

    Milvus stores NaN and zero vectors silently, and its error for a wrong dimension is unclear.
    """
    for row in rows:
        vector, path = row.embedding, row.record.path
        if vector.shape != (dim,) or vector.dtype != np.float32:
            raise VectorError(
                f"{path}: an embedding must be ({dim},) float32, not {vector.shape} {vector.dtype}"
            )
    lengths = np.linalg.norm(np.stack([row.embedding for row in rows]), axis=1) if rows else []
    for row, length in zip(rows, lengths, strict=True):
        if not abs(length - 1) <= 1e-3:  # also true for NaN
            raise VectorError(
                f"{row.record.path}: an embedding must have length 1, not {length:.4g}"
            )


def check_queries(queries: Vectors, dim: int) -> Vectors:
    """Return (n, d) or (d,) query vectors of any length as (n, dim) float32 of length 1.

    Raises VectorError on another shape, or on a zero or non-finite row.
    """
    vectors = np.atleast_2d(np.asarray(queries, dtype=np.float32))
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise VectorError(
            f"a query vector must have {dim} dimensions, as this collection has; "
            f"the shape is {np.shape(queries)}"
        )
    if not np.all(np.isfinite(vectors)) or not np.all(np.any(vectors, axis=1)):
        raise VectorError("a query vector is zero, NaN or infinite")
    return normalize(vectors)
