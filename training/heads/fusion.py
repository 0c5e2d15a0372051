"""From trained heads to the vectors of the product: several fits, classes and hubness in one space.

A vector has three parts. The first is the meeting place of all fits: their outputs side by side,
turned to the directions that matter. The second compares ImageNet's class probabilities of a
picture with how near a text is to the class names; it counts more the nearer the text is to few of
them, a noun more than a sentence. The last number is a correction for hubs: pictures that lie near
many texts of all kinds are moved away from all of them alike.
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
HUB_BONUS = 0.05  # at most, for a picture like no text that is known: it may be of another kind
HUB_SCALE = 2.0  # of the last number of a picture: small beside 1, large beside rounding


@dataclass(frozen=True, slots=True)
class Blend:
    """How much of a cosine the classes are, and how strongly hubs are held back (0: not)."""

    classes: float = 0.2
    hubs: float = 0.6


class Common(nn.Module):
    """What both sides share: `turn` (fits × dim, d) and the class part's axes (1000, c)."""

    def __init__(self, turn: Tensor, axes: Tensor) -> None:
        super().__init__()
        self.turn, self.axes = nn.Buffer(turn), nn.Buffer(axes)

    def meet(self, outputs: Sequence[Tensor], classes: Tensor, weight: float) -> Tensor:
        """Outputs of the fits (n, dim) and class part (n, c), both sides alike → length 1."""
        learned = F.normalize(torch.cat(list(outputs), 1) @ self.turn, dim=1)
        return F.normalize(torch.cat([learned, weight**0.5 * classes], 1), dim=1)


class ImageEnd(nn.Module):
    """What the trunk gives: the places of every fit and pooled → (n, dim) of length 1.

    `centre` is the mean √p; `bank` (m, dim - 1) are texts that hubs are told by, `usual` the mean
    of what they say.
    """

    def __init__(
        self, heads: Sequence[ImageHead], common: Common, centre: Tensor, blend: Blend
    ) -> None:
        super().__init__()
        self.heads, self.common = nn.ModuleList(heads), common
        self.centre, self.blend = nn.Buffer(centre), blend
        self.bank: Tensor = nn.Buffer(torch.zeros(0))
        self.usual = 0.0

    def meet(self, seen: Tensor) -> Tensor:
        """All but the last number."""
        pooled = seen[:, -HEAD:]
        places = seen[:, :-HEAD].chunk(len(self.heads), 1)
        outputs = [head(part, pooled) for head, part in zip(self.heads, places, strict=True)]
        root = self.heads[0].classifier(pooled).softmax(1).sqrt()
        classes = F.normalize((root - self.centre) @ self.common.axes, dim=1)
        return self.common.meet(outputs, classes, self.blend.classes)

    def crowd(self, met: Tensor) -> Tensor:
        """How near a picture is to texts of all kinds, (n, 1)."""
        return HUB_TEMPERATURE * (met @ self.bank.T / HUB_TEMPERATURE).logsumexp(1, keepdim=True)

    def forward(self, seen: Tensor) -> Tensor:
        met = self.meet(seen)
        quiet = (self.usual - self.crowd(met)).clamp(max=HUB_BONUS)
        return F.normalize(torch.cat([met, HUB_SCALE * quiet], 1), dim=1)


class TextEnd(nn.Module):
    """Sentence vectors (n, 384) of length 1 → (n, dim) of length 1."""

    def __init__(
        self, heads: Sequence[TextHead], common: Common, names: Tensor, blend: Blend
    ) -> None:
        super().__init__()
        self.heads, self.common = nn.ModuleList(heads), common
        self.names, self.blend = nn.Buffer(names), blend
        self.centre: Tensor = nn.Buffer(torch.zeros(len(names)))
        self.spread = 1.0

    def meet(self, sentences: Tensor) -> Tensor:
        """All but the last number."""
        classes = (name_roots(sentences, self.names) - self.centre) @ self.common.axes / self.spread
        outputs = [head(sentences) for head in self.heads]
        return self.common.meet(outputs, classes, self.blend.classes)

    def forward(self, sentences: Tensor) -> Tensor:
        met = self.meet(sentences)
        constant = torch.full_like(met[:, :1], self.blend.hubs / HUB_SCALE)
        return F.normalize(torch.cat([met, constant], 1), dim=1)


def name_roots(sentences: Tensor, names: Tensor) -> Tensor:
    """√probability of each of `names` (c, 384), for sentences (n, 384): (n, c)."""
    return (sentences @ names.T / NAME_TEMPERATURE).softmax(1).sqrt()


def principal(x: Tensor, count: int) -> Tensor:
    """The `count` directions in which rows of (n, d) are longest, as columns (d, count)."""
    _, vectors = torch.linalg.eigh(x.double().T @ x.double())
    top = vectors.flip(1)[:, :count]
    signs = top[top.abs().argmax(0), torch.arange(top.shape[1])].sign()
    return (top * signs).float()
