"""Projection heads: torch modules on the outputs of the frozen towers.

The image head takes three inputs: the tower's pooled features, ImageNet's class probabilities, and
a grid of 7x7 places, each with the features of four stages of the tower and the colors there. Each
head is a linear map, initialized in closed form, plus a residual network, initialized to 0.
"""
# mypy: allow-subclassing-any, allow-untyped-decorators

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.data.color_histogram import color_map
from training.image_tower.efficientnet import HEAD, EfficientNetLite, Taps

GRID = 7
PLACES = GRID * GRID
CLASSES = 1000
LOGIT_TEMPERATURE = 1.5
PROBABILITY_SCALE = 40.0  # brings √p to about the scale of the pooled features
SENTENCE = 384
SENTENCE_SCALE = 15.0  # a centered sentence vector has entries of about 1/20
QUERIES = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths of the vector, the hidden layers of places, images and texts; dropout rate."""

    dim: int = 448
    place: int = 640
    image: int = 768
    text: int = 1024
    dropout: float = 0.3


def place_features(tower: EfficientNetLite, pixels: Tensor) -> tuple[Tensor, Tensor, Taps]:
    """uint8 (n, 224, 224, 3) RGB → places (n, 49, channels), pooled (n, 1280) and the taps."""
    taps = tower(pixels.permute(0, 3, 1, 2))
    maps = [taps.seventh, taps.sixth, F.avg_pool2d(taps.fifth, 2), F.avg_pool2d(taps.third, 4)]
    places = torch.cat([*maps, color_map(pixels, GRID)], 1).flatten(2).transpose(1, 2)
    return places, tower.classify(taps.seventh)[0], taps


class Places(nn.Module):
    """Places (n, 49, channels) → (n, QUERIES × width): hidden features, averaged by attention."""

    def __init__(self, mean: Tensor, spread: Tensor, width: int) -> None:
        super().__init__()
        self.mean, self.spread = nn.Buffer(mean), nn.Buffer(spread)
        self.hidden = nn.Linear(len(mean), width)
        self.position = nn.Parameter(torch.randn(PLACES, width) * 0.02)
        self.query = nn.Linear(width, QUERIES)

    def scaled(self, places: Tensor) -> Tensor:
        """Standardize each channel, in the precision of `places`."""
        return (places - self.mean.to(places.dtype)) / self.spread.to(places.dtype)

    def forward(self, scaled: Tensor) -> Tensor:
        h = F.relu(self.hidden(scaled) + self.position)
        weight = self.query(h).softmax(1)  # (n, 49, QUERIES)
        return (weight.transpose(1, 2) @ h).flatten(1)

    @torch.no_grad()
    def folded(self) -> "Places":
        """Return a copy that takes unscaled places: the scaling is folded into the weights."""
        same = copy.deepcopy(self)
        same.hidden.weight.div_(self.spread)
        same.hidden.bias.sub_(same.hidden.weight @ self.mean)
        return same


class ImageHead(nn.Module):
    """Output of Places (n, QUERIES × place) and pooled (n, 1280) → (n, dim) of length 1."""

    def __init__(self, classifier: nn.Linear, center: Tensor, spread: Tensor, sizes: Sizes) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(requires_grad=False)
        self.center, self.spread = nn.Buffer(center), nn.Buffer(spread)
        self.linear = _near_zero(nn.Linear(HEAD + CLASSES, sizes.dim))
        self.up = nn.Linear(HEAD + CLASSES, sizes.image)
        self.down = _zero(nn.Linear(sizes.image, sizes.dim))
        self.norm = nn.LayerNorm(QUERIES * sizes.place)
        self.places_up = nn.Linear(QUERIES * sizes.place, sizes.place)
        self.places_down = _zero(nn.Linear(sizes.place, sizes.dim))
        self.drop = nn.Dropout(sizes.dropout)

    def forward(self, places: Tensor, pooled: Tensor, noise: float = 0.0) -> Tensor:
        x = image_features(pooled, self.classifier(pooled)) - self.center
        if noise:
            x = x * (1 + noise * torch.randn_like(x))
        whole = self.down(self.drop(F.gelu(self.up(self.drop(x / self.spread)))))
        parts = F.gelu(self.places_up(self.drop(self.norm(places))))
        return F.normalize(self.linear(x) + whole + self.places_down(self.drop(parts)), dim=1)


class TextHead(nn.Module):
    """Sentence vectors (n, 384) of length 1 → (n, dim) of length 1."""

    def __init__(self, center: Tensor, sizes: Sizes) -> None:
        super().__init__()
        self.center = nn.Buffer(center)
        self.linear = _near_zero(nn.Linear(SENTENCE, sizes.dim))
        self.up = nn.Linear(SENTENCE, sizes.text)
        self.down = _zero(nn.Linear(sizes.text, sizes.dim))
        self.drop = nn.Dropout(sizes.dropout)

    def forward(self, sentences: Tensor) -> Tensor:
        x = sentences - self.center
        bent = self.down(self.drop(F.gelu(self.up(self.drop(x * SENTENCE_SCALE)))))
        return F.normalize(self.linear(x) + bent, dim=1)


def image_features(pooled: Tensor, logits: Tensor) -> Tensor:
    """Return the input of the linear map: (n, 2280), pooled features and √p."""
    soft = (logits / LOGIT_TEMPERATURE).softmax(-1).sqrt()
    return torch.cat([pooled, PROBABILITY_SCALE * soft], -1)


def _near_zero(layer: nn.Linear) -> nn.Linear:
    nn.init.normal_(layer.weight, std=1e-4)
    nn.init.zeros_(layer.bias)
    return layer


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
