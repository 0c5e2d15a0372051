"""Steering queries with the textness bias: towards images with text, or away from them."""

import math
from typing import Literal

import numpy as np

from clipsearch.errors import UsageError, VectorError
from clipsearch.types import Vectors
from clipsearch.vectors import normalize


def steer(query: Vectors, bias: Vectors, scale: float | Literal["off"]) -> Vectors:
    """The (d,) query shifted by `scale`, or without its component along the bias for "off"."""
    return project_out(query, bias) if scale == "off" else shift_query(query, bias, float(scale))


def shift_query(query: Vectors, bias: Vectors, scale: float) -> Vectors:
    """Return `normalize(query + scale * bias)`, (d,) float32 of length 1.

    A positive scale favors images with text, a negative one images without. The query has length
    1; the length of the bias is the unit of the scale (see `TextnessProbe`). For scale 0 the query
    itself is returned. Raises UsageError if the scale is not finite, VectorError if the dimensions
    differ.
    """
    if not math.isfinite(scale):
        raise UsageError(f"the textness scale must be a finite number, not {scale}")
    _check_dimensions(query, bias)
    if scale == 0:
        return query
    size = max(1.0, abs(scale))  # dividing both terms by it keeps huge scales from overflowing
    return normalize(query.astype(np.float64) / size + scale / size * bias.astype(np.float64))


def project_out(query: Vectors, bias: Vectors) -> Vectors:
    """Remove a query's component along the bias: (d,) float32 of length 1.

    The result is orthogonal to the bias, so its scores do not depend on how much text an image
    shows. Materzynska et al. 2022, "Disentangling visual and written concepts in CLIP", learn such
    a projection with more dimensions. Raises VectorError if the dimensions differ, ZeroVectorError
    if the query is parallel to the bias.
    """
    _check_dimensions(query, bias)
    direction = bias.astype(np.float64) / np.linalg.norm(bias.astype(np.float64))
    rest = query.astype(np.float64) - (query @ direction) * direction
    # A second projection removes what rounding left of the component after the first one.
    return normalize(rest - (rest @ direction) * direction)


def _check_dimensions(query: Vectors, bias: Vectors) -> None:
    if query.ndim != 1 or query.shape != bias.shape:
        raise VectorError(
            f"a textness probe of shape {bias.shape} cannot be added to a query of shape "
            f"{query.shape}: they come from different models"
        )
