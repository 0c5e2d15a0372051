"""Noise on centred features: what keeps heads from learning few photographs by heart."""

import torch
from torch import Tensor

from training.heads.model import GRID, PLACES

LARGEST = 4  # places a side, of the part that is hidden


def hide(places: Tensor, share: float) -> Tensor:
    """Put a random rectangle to 0, the mean, in `share` of the pictures (n, 49, channels).

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


def shake(x: Tensor, strength: float) -> Tensor:
    """Scale each feature by a random factor about 1, a picture apart.

    Features of shape (n, d), or (n, 49, d), where all places of a picture share the factor.
    """
    shape = (len(x), *([1] * (x.ndim - 2)), x.shape[-1])
    return x * (1 + strength * torch.randn(shape, device=x.device, dtype=x.dtype))
