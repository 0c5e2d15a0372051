"""What the textness bias does to a query."""

import math

import numpy as np

from clipsearch.errors import UsageError, VectorError
from clipsearch.types import Vectors
from clipsearch.vectors import normalize


def apply(query: Vectors, bias: Vectors, scale: float) -> Vectors:
    """`normalize(query + scale * bias)`: (d,) float32 of length 1; bit for bit `query` for scale 0.

    Positive scales ask for pictures with text, negative ones for pictures without. The query has
    length 1; the bias's length is its unit (see `TextnessProbe`). Raises UsageError on a scale that
    is not finite, VectorError on different dimensions.
    """
    if not math.isfinite(scale):
        raise UsageError(f"the textness scale must be a finite number, not {scale}")
    _require_equal(query, bias)
    if scale == 0:
        return query
    size = max(1.0, abs(scale))  # divided by it, no finite scale is too large to add
    return normalize(query.astype(np.float64) / size + scale / size * bias.astype(np.float64))


def project(query: Vectors, bias: Vectors) -> Vectors:
    """The query without its component along the bias: (d,) float32 of length 1, orthogonal to it.

    Its scores then say nothing of how much text a picture shows. After Materzynska et al. 2022,
    "Disentangling visual and written concepts in CLIP", who learn such a projection of more
    dimensions. Raises VectorError on different dimensions, ZeroVectorError on a query that is
    nothing but the bias.
    """
    _require_equal(query, bias)
    direction = bias.astype(np.float64) / np.linalg.norm(bias.astype(np.float64))
    rest = query.astype(np.float64) - (query @ direction) * direction
    # Twice: what rounding left of the component after the first time is gone after the second.
    return normalize(rest - (rest @ direction) * direction)


def _require_equal(query: Vectors, bias: Vectors) -> None:
    if query.ndim != 1 or query.shape != bias.shape:
        raise VectorError(
            f"a textness bias of shape {bias.shape} cannot be added to a query of shape "
            f"{query.shape}: they come from different models"
        )
