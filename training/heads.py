"""The learned ends of both towers, and each side as one torch module from raw input to vector.

A vector has two halves: the first holds what the captions taught, the second what ImageNet's 1,000
classes say about the input. For pictures the second counts CLASS_WEIGHT as much in a cosine; for
texts it counts more the more the text is like few class names: a noun more than a sentence.
"""
# mypy: allow-subclassing-any

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.fit import Linear
from training.towers import EfficientNetLite0, MiniLM

FEATURES = 1280 + 1000
LOGIT_TEMPERATURE = 1.5
PROBABILITY_SCALE = 40.0  # brings √p to about the spread of the pooled features
NAME_TEMPERATURE = 0.08
CLASS_WEIGHT = 0.4


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit finds: a projection a half and side, and the 1,000 class names (1000, 384)."""

    image: Linear
    text: Linear
    names: NDArray[np.float64]
    image_classes: Linear
    text_classes: Linear


def image_features(pooled: Tensor, logits: Tensor) -> Tensor:
    """From (n, views, 1280) and (n, views, 1000): (n, 3280), FEATURES numbers and then √p."""
    soft = (logits / LOGIT_TEMPERATURE).softmax(-1).sqrt()
    features = torch.cat([pooled, PROBABILITY_SCALE * soft], -1)
    return torch.cat([features.mean(1), logits.softmax(-1).mean(1).sqrt()], -1)


def class_features(sentences: Tensor, names: Tensor) -> Tensor:
    """√probability of each class name, (n, 1000), for sentence vectors (n, 384) of length 1."""
    return (sentences @ names.T / NAME_TEMPERATURE).softmax(-1).sqrt()


class _Affine(nn.Module):
    def __init__(self, linear: Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(linear.matrix.T.copy()).float())
        # The centre goes into the bias, in double precision: features are large, differences small.
        self.bias = nn.Parameter(torch.from_numpy(-linear.centre @ linear.matrix).float())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def _halves(learned: Tensor, classes: Tensor) -> Tensor:
    return F.normalize(torch.cat([F.normalize(learned), CLASS_WEIGHT**0.5 * classes], 1))


class ImageHead(nn.Module):
    """What `image_features` gives, (n, 3280) → (n, 512) of length 1."""

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        self.learned, self.classes = _Affine(fitted.image), _Affine(fitted.image_classes)

    def forward(self, seen: Tensor) -> Tensor:
        features, soft = seen[:, :FEATURES], seen[:, FEATURES:]
        return _halves(self.learned(features), F.normalize(self.classes(soft)))


class TextHead(nn.Module):
    """Sentence vectors (n, 384) of length 1 → (n, 512) of length 1."""

    def __init__(self, fitted: Fitted) -> None:
        super().__init__()
        self.names = nn.Parameter(torch.from_numpy(fitted.names).float())
        self.learned, self.classes = _Affine(fitted.text), _Affine(fitted.text_classes)

    def forward(self, sentences: Tensor) -> Tensor:
        classes = class_features(sentences, self.names)
        return _halves(self.learned(sentences), self.classes(classes))


class ImageTrunk(nn.Module):
    """uint8 (n, views, 224, 224, 3) RGB → (n, 3280), averaged over any number of views."""

    def __init__(self, tower: EfficientNetLite0) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        views = pixels.shape[1]
        pooled, logits = self.tower(pixels.flatten(0, 1).permute(0, 3, 1, 2))
        return image_features(pooled.reshape(-1, views, 1280), logits.reshape(-1, views, 1000))


class ImageSide(nn.Module):
    """uint8 (n, views, 224, 224, 3) RGB → (n, 512)."""

    def __init__(self, tower: EfficientNetLite0, fitted: Fitted) -> None:
        super().__init__()
        self.trunk, self.head = ImageTrunk(tower), ImageHead(fitted)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.trunk(pixels))


class TextSide(nn.Module):
    """Token ids and mask, (n, length) int64 → (n, 512)."""

    def __init__(self, tower: MiniLM, fitted: Fitted) -> None:
        super().__init__()
        self.tower, self.head = tower, TextHead(fitted)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.tower(ids, mask))
