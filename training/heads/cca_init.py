"""Closed-form initialization: canonical correlation analysis, weighted, with a ridge.

Hotelling 1936 ("Relations between two sets of variates"): the directions of both sides that
correlate most over the pairs. Scaling each by its correlation makes the inner product of both
projections the best linear prediction of one side from the other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE_IMAGE, RIDGE_TEXT = 3.0, 1.0  # of the mean variance
DIRECTIONS = 256


@dataclass(frozen=True, slots=True)
class CcaInit:
    """Centers of both sides, (d,) and (e,), and maps (d, k) and (e, k) to about unit length."""

    image_center: Tensor
    text_center: Tensor
    image: Tensor
    text: Tensor


def fit_cca(images: Tensor, texts: Tensor, captions: Tensor) -> CcaInit:
    """Fit image features (n, d) to the mean caption vector of each image, texts (n, e).

    `captions` (m, e) are the single captions, whose variance is larger than that of the means.
    """
    x, y, every = images.double(), texts.double(), captions.double()
    image_center, text_center = x.mean(0), every.mean(0)
    x, y, every = x - image_center, y - text_center, every - text_center
    image_white = _whitener(x.T @ x / len(x), RIDGE_IMAGE)
    text_white = _whitener(every.T @ every / len(every), RIDGE_TEXT)
    cross = image_white @ (x.T @ y / len(x)) @ text_white
    left, correlations, right = torch.linalg.svd(cross, full_matrices=False)
    left, right, scale = left[:, :DIRECTIONS], right[:DIRECTIONS].T, correlations[:DIRECTIONS]
    # A singular vector's sign is arbitrary; fixing it keeps builds equal across LAPACK versions.
    rows = left.abs().argmax(0)
    scale = scale * left[rows, torch.arange(left.shape[1])].sign()
    image, text = image_white @ left * scale, text_white @ right * scale
    return CcaInit(
        image_center.float(),
        text_center.float(),
        (image / (x @ image).norm(dim=1).mean()).float(),
        (text / (every @ text).norm(dim=1).mean()).float(),
    )


def _whitener(cov: Tensor, ridge: float) -> Tensor:
    """Return the symmetric inverse square root of `cov` + ridge × its mean variance, (d, d)."""
    values, vectors = torch.linalg.eigh(
        cov + ridge * cov.diagonal().mean() * torch.eye(len(cov), dtype=cov.dtype)
    )
    return (vectors / values.sqrt()) @ vectors.T
