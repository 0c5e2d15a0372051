"""Projections of the product: trained heads, classes and a hub correction in one space.

A vector has three parts. The first joins the outputs of all heads, rotated to their principal axes.
The second compares an image's ImageNet class probabilities with a text's similarity to the class
names; it weighs more if the text is near to few of them, so a noun more than a sentence. The last
component corrects hubness: images that are near to many unrelated texts are moved away from all.
"""
# mypy: allow-subclassing-any

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from training.heads.model import ImageHead, TextHead
from training.image_tower.efficientnet import HEAD

NAME_TEMPERATURE = 0.08
HUB_TEMPERATURE = 0.05
MAX_HUB_CORRECTION = 0.05  # limit for images unlike all known texts, which may be of another kind
HUB_SCALE = 2.0  # of an image's last component: small beside 1, large beside rounding errors


@dataclass(frozen=True, slots=True)
class BlendWeights:
    """Weight of the class part in a cosine, and strength of the hub correction (0: none)."""

    classes: float = 0.1
    hubs: float = 0.6


class SharedSpace(nn.Module):
    """Shared by both sides: `rotation` (fits × dim, d) and the class axes (1000, c)."""

    def __init__(self, rotation: Tensor, axes: Tensor) -> None:
        super().__init__()
        self.rotation, self.axes = nn.Buffer(rotation), nn.Buffer(axes)

    def project(self, outputs: Sequence[Tensor], classes: Tensor, weight: float) -> Tensor:
        """Join the heads' outputs (n, dim) and the class part (n, c) to vectors of length 1."""
        learned = F.normalize(torch.cat(list(outputs), 1) @ self.rotation, dim=1)
        return F.normalize(torch.cat([learned, weight**0.5 * classes], 1), dim=1)


class ImageProjection(nn.Module):
    """Trunk output (places of every fit, pooled features) → (n, dim) of length 1.

    `center` is the mean √p; `hub_texts` (m, dim - 1) are the texts that define hubness, and
    `mean_hubness` is its mean.
    """

    def __init__(
        self, heads: Sequence[ImageHead], common: SharedSpace, center: Tensor, blend: BlendWeights
    ) -> None:
        super().__init__()
        self.heads, self.common = nn.ModuleList(heads), common
        self.center, self.blend = nn.Buffer(center), blend
        self.hub_texts: Tensor = nn.Buffer(torch.zeros(0))
        self.mean_hubness = 0.0

    def project(self, features: Tensor) -> Tensor:
        """Return all components but the last."""
        pooled = features[:, -HEAD:]
        places = features[:, :-HEAD].chunk(len(self.heads), 1)
        outputs = [head(part, pooled) for head, part in zip(self.heads, places, strict=True)]
        root = self.heads[0].classifier(pooled).softmax(1).sqrt()
        classes = F.normalize((root - self.center) @ self.common.axes, dim=1)
        return self.common.project(outputs, classes, self.blend.classes)

    def hubness(self, projected: Tensor) -> Tensor:
        """Return the soft maximum of the cosines to unrelated texts, (n, 1)."""
        return HUB_TEMPERATURE * (projected @ self.hub_texts.T / HUB_TEMPERATURE).logsumexp(
            1, keepdim=True
        )

    def forward(self, features: Tensor) -> Tensor:
        projected = self.project(features)
        correction = (self.mean_hubness - self.hubness(projected)).clamp(max=MAX_HUB_CORRECTION)
        return F.normalize(torch.cat([projected, HUB_SCALE * correction], 1), dim=1)


class TextProjection(nn.Module):
    """Sentence vectors (n, 384) of length 1 → (n, dim) of length 1."""

    def __init__(
        self, heads: Sequence[TextHead], common: SharedSpace, names: Tensor, blend: BlendWeights
    ) -> None:
        super().__init__()
        self.heads, self.common = nn.ModuleList(heads), common
        self.names, self.blend = nn.Buffer(names), blend
        self.center: Tensor = nn.Buffer(torch.zeros(len(names)))
        self.spread = 1.0

    def project(self, sentences: Tensor) -> Tensor:
        """Return all components but the last."""
        classes = (name_roots(sentences, self.names) - self.center) @ self.common.axes / self.spread
        outputs = [head(sentences) for head in self.heads]
        return self.common.project(outputs, classes, self.blend.classes)

    def forward(self, sentences: Tensor) -> Tensor:
        projected = self.project(sentences)
        constant = torch.full_like(projected[:, :1], self.blend.hubs / HUB_SCALE)
        return F.normalize(torch.cat([projected, constant], 1), dim=1)


def name_roots(sentences: Tensor, names: Tensor) -> Tensor:
    """Return √probability of each of `names` (c, 384) for sentences (n, 384): (n, c)."""
    return (sentences @ names.T / NAME_TEMPERATURE).softmax(1).sqrt()


def principal(x: Tensor, count: int) -> Tensor:
    """Return the `count` principal axes of rows (n, d), as columns (d, count)."""
    _, vectors = torch.linalg.eigh(x.double().T @ x.double())
    top = vectors.flip(1)[:, :count]
    signs = top[top.abs().argmax(0), torch.arange(top.shape[1])].sign()
    return (top * signs).float()
