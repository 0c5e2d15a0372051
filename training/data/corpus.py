"""Training examples of the heads: images with captions, and images with names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from training.checkpoint import digest
from training.data.features import ImageFeatures
from training.data.hard_negatives import NO_TEXT
from training.data.views import VIEWS


@dataclass(frozen=True, slots=True)
class CaptionedSet:
    """Images `rows` of `features`, and their sentence vectors (images, captions, 384).

    Here and below, sentence vectors may be replaced by text ids without the last axis, which
    `late_layers` encodes. `repeat` is how often each image appears in an epoch. `negatives`
    (images, captions, kinds) are rows of the corpus' wrong texts: `hard_negatives.negative_ids`.
    """

    features: ImageFeatures
    rows: Sequence[int]
    sentences: Tensor
    repeat: int = 1
    negatives: Tensor | None = None


@dataclass(frozen=True, slots=True)
class NamedSet:
    """Images `rows` of `features`, with the name of what each shows: `sentences` (rows, 384).

    Images with equal `keys` show the same thing.
    """

    features: ImageFeatures
    rows: Sequence[int]
    sentences: Tensor
    keys: Sequence[int]


class Batch(NamedTuple):
    """Places (n, 49, channels) float16 and pooled (n, 1280) of captioned, then named images.

    `sentences` (k, captions, 384) belong to the first k images, `names` (n - k, 384) with `keys`
    (n - k,) to the others. `owners` (k,) is equal for copies of one image. `wrong` (m, 384) are
    hard negatives of the captions `wronged` (m,), counted over the batch, of kind `kinds` (m,).
    """

    places: Tensor
    pooled: Tensor
    sentences: Tensor
    owners: Tensor
    names: Tensor
    keys: Tensor
    wrong: Tensor
    wronged: Tensor
    kinds: Tensor


class Corpus:
    """All training images; `batch` draws a random view of each."""

    def __init__(
        self,
        captioned: Sequence[CaptionedSet],
        named: Sequence[NamedSet],
        wrong_texts: Tensor | None = None,
    ) -> None:
        """Take sets, and the wrong texts (k, 384) that `CaptionedSet.negatives` point to."""
        self._captioned, self._named = captioned, named
        self._wrong = torch.empty(0) if wrong_texts is None else wrong_texts
        self._items = np.array(
            [
                (group, row)
                for group, part in enumerate(captioned)
                for row in range(len(part.rows))
                for _ in range(part.repeat)
            ]
        )
        self._extra = np.array(
            [(group, row) for group, part in enumerate(named) for row in range(len(part.rows))]
        )

    def digest(self) -> str:
        """Hash the choice of images and their texts, not the features."""
        parts: list[CaptionedSet | NamedSet] = [*self._captioned, *self._named]
        rows = torch.tensor([row for part in parts for row in part.rows])
        texts = [part.sentences for part in parts]
        wrong = [part.negatives for part in self._captioned if part.negatives is not None]
        items = [torch.from_numpy(self._items), torch.from_numpy(self._extra)]
        return digest([*items, rows, *texts, *wrong, self._wrong])

    def steps(self, size: int) -> int:
        """Return the number of batches of `size` captioned images in an epoch."""
        return len(self._items) // size

    def order(self, draw: Generator) -> np.ndarray:
        """Return a random order of the captioned images, for one epoch."""
        return draw.permutation(len(self._items))

    def batch(self, chosen: np.ndarray, extra: int, draw: Generator) -> Batch:
        """Return captioned images `chosen` from `order`, and `extra` named ones drawn at random."""
        items = self._items[chosen]
        others = self._extra[draw.integers(len(self._extra), size=extra)]
        features, images = [], []
        for group, row in items:
            features.append(self._captioned[group].features)
            images.append(self._captioned[group].rows[row])
        for group, row in others:
            features.append(self._named[group].features)
            images.append(self._named[group].rows[row])
        views = draw.integers(VIEWS, size=len(features))
        places, pooled = zip(
            *(s.row(image, view) for s, image, view in zip(features, images, views, strict=True)),
            strict=True,
        )
        return Batch(
            torch.stack(places),
            torch.stack(pooled),
            torch.stack([self._captioned[g].sentences[r] for g, r in items]),
            torch.from_numpy(items[:, 0] * 10_000_000 + items[:, 1]),
            torch.stack([self._named[g].sentences[r] for g, r in others]),
            torch.tensor([self._named[g].keys[r] for g, r in others]),
            *self._negatives(items),
        )

    def _negatives(self, items: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        if not len(self._wrong):
            return self._wrong, torch.empty(0, dtype=torch.int64), torch.empty(0)
        parts = [self._captioned[g].negatives for g, _ in items]
        ids = torch.stack([p[r] for p, (_, r) in zip(parts, items, strict=True) if p is not None])
        ids = ids.flatten(0, 1)  # (captions, kinds)
        captions, kinds = (ids != NO_TEXT).nonzero(as_tuple=True)
        return self._wrong[ids[captions, kinds]], captions, kinds
