"""Closed-form joining of two feature spaces: weighted, ridged canonical correlation analysis.

Hotelling 1936 ("Relations between two sets of variates"): the directions of both sides that
correlate most over the pairs. Scaling each by its correlation makes the inner product of both
projections the best guess of one side from the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Linear:
    """An affine map (x - centre) @ matrix, from `centre` (d,) and `matrix` (d, k)."""

    centre: Array
    matrix: Array

    def __call__(self, x: NDArray[np.floating]) -> Array:
        """Map (n, d) to (n, k)."""
        return (x - self.centre) @ self.matrix


@dataclass(frozen=True, slots=True)
class Pairs:
    """Matching rows of both sides: image (n, d), text (n, e), weight (n,)."""

    image: Array
    text: Array
    weight: Array


def join(parts: Sequence[Pairs]) -> Pairs:
    """Put several sets of pairs below one another."""
    return Pairs(
        np.concatenate([p.image for p in parts]),
        np.concatenate([p.text for p in parts]),
        np.concatenate([p.weight for p in parts]),
    )


def _whitener(cov: Array, ridge: float) -> Array:
    """Return the symmetric inverse square root of `cov` + ridge × its mean variance, (d, d)."""
    values, vectors = np.linalg.eigh(cov + ridge * np.trace(cov) / len(cov) * np.eye(len(cov)))
    root: Array = (vectors / np.sqrt(values)) @ vectors.T
    return root


def fit_cca(
    pairs: Pairs, dim: int, *, ridge_image: float, ridge_text: float, power: float = 1.0
) -> tuple[Linear, Linear]:
    """Fit both projections to `dim` dimensions; directions are scaled by correlation ** power."""
    w = pairs.weight / pairs.weight.sum()
    image_centre, text_centre = w @ pairs.image, w @ pairs.text
    x, y = pairs.image - image_centre, pairs.text - text_centre
    xw = x * w[:, None]
    image_white = _whitener(xw.T @ x, ridge_image)
    text_white = _whitener((y * w[:, None]).T @ y, ridge_text)
    left, correlations, right = np.linalg.svd(image_white @ (xw.T @ y) @ text_white)
    scale = correlations[:dim] ** power
    # A singular vector's sign is arbitrary; fixing it keeps builds alike across LAPACK versions.
    signs = np.sign(left[np.abs(left[:, :dim]).argmax(0), np.arange(dim)])
    return (
        Linear(image_centre, image_white @ left[:, :dim] * (scale * signs)),
        Linear(text_centre, text_white @ right[:dim].T * (scale * signs)),
    )


def fit_pca(x: Array, dim: int) -> Linear:
    """Fit the `dim` directions of largest variance of (n, d)."""
    centre = x.mean(0)
    _, vectors = np.linalg.eigh((x - centre).T @ (x - centre))
    top = vectors[:, ::-1][:, :dim]
    return Linear(centre, top * np.sign(top[np.abs(top).argmax(0), np.arange(dim)]))
