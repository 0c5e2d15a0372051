"""Noise on centered features, against overfitting on few images."""

import torch
from torch import Tensor

from training.heads.model import GRID, PLACES

LARGEST = 4  # largest side of the hidden rectangle, in places


def cutout(places: Tensor, share: float) -> Tensor:
    """Set a random rectangle to 0, the mean, in a `share` of the images (n, 49, channels).

    DeVries & Taylor 2017 ("Cutout"), on features.
    """
    count, device = len(places), places.device
    top, left = (torch.randint(GRID, (count, 1), device=device) for _ in range(2))
    height, width = (torch.randint(1, LARGEST + 1, (count, 1), device=device) for _ in range(2))
    place = torch.arange(PLACES, device=device)
    down, across = place // GRID - top, place % GRID - left
    hidden = (down >= 0) & (down < height) & (across >= 0) & (across < width)
    hidden &= torch.rand(count, 1, device=device) < share
    return places * (~hidden)[..., None]


def feature_noise(x: Tensor, strength: float) -> Tensor:
    """Scale each feature of each image by a random factor around 1.

    Features have shape (n, d), or (n, 49, d); all places of an image share the factor.
    """
    shape = (len(x), *([1] * (x.ndim - 2)), x.shape[-1])
    return x * (1 + strength * torch.randn(shape, device=x.device, dtype=x.dtype))
