"""What the heads learn from: photographs with captions, with names, and with neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from training.features import Seen
from training.views import VIEWS


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photographs `rows` of `seen`, and sentence vectors (photos, captions, 384) of those rows.

    `repeat` is how often each appears in an epoch: small sets more often.
    """

    seen: Seen
    rows: Sequence[int]
    sentences: Tensor
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """Photographs `rows` of `seen`, and what they show: `sentences` (rows, 384) and a key each.

    Photographs of one key show the same thing. Without names (both empty) they teach only what the
    classifier says of them.
    """

    seen: Seen
    rows: Sequence[int]
    sentences: Tensor
    keys: Sequence[int]


class Batch(NamedTuple):
    """Places (n, 49, channels) float16 and pooled (n, 1280) of captioned and then other pictures.

    `sentences` (k, captions, 384) belong to the first k; `names` (m, 384) with `keys` (m,) to the
    pictures `named` (m,); `owners` (k,) tells equal photographs apart from others.
    """

    places: Tensor
    pooled: Tensor
    sentences: Tensor
    owners: Tensor
    named: Tensor
    names: Tensor
    keys: Tensor


class Corpus:
    """All photographs; `batches` deals them out at random, a view of each at a time."""

    def __init__(self, captioned: Sequence[Captioned], others: Sequence[Named]) -> None:
        self._captioned, self._others = captioned, others
        self._items = np.array(
            [
                (group, row)
                for group, part in enumerate(captioned)
                for row in range(len(part.rows))
                for _ in range(part.repeat)
            ]
        )
        self._extra = np.array(
            [(group, row) for group, part in enumerate(others) for row in range(len(part.rows))]
        )

    def steps(self, size: int) -> int:
        """How many batches of `size` captioned pictures an epoch has."""
        return len(self._items) // size

    def order(self, draw: Generator) -> np.ndarray:
        """A random order of the captioned pictures, for an epoch."""
        return draw.permutation(len(self._items))

    def batch(self, chosen: np.ndarray, extra: int, draw: Generator) -> Batch:
        """Captioned pictures `chosen` from `order`, and `extra` others drawn at random."""
        items = self._items[chosen]
        others = self._extra[draw.integers(len(self._extra), size=extra)]
        seen, photos = [], []
        for group, row in items:
            seen.append(self._captioned[group].seen)
            photos.append(self._captioned[group].rows[row])
        for group, row in others:
            seen.append(self._others[group].seen)
            photos.append(self._others[group].rows[row])
        views = draw.integers(VIEWS, size=len(seen))
        places, pooled = zip(
            *(s.one(photo, view) for s, photo, view in zip(seen, photos, views, strict=True)),
            strict=True,
        )
        named = [i for i, (group, _) in enumerate(others) if len(self._others[group].keys)]
        return Batch(
            torch.stack(places),
            torch.stack(pooled),
            torch.stack([self._captioned[g].sentences[r] for g, r in items]),
            torch.from_numpy(items[:, 0] * 10_000_000 + items[:, 1]),
            torch.tensor([len(items) + i for i in named]),
            torch.stack([self._others[g].sentences[r] for g, r in others[named]]),
            torch.tensor([self._others[g].keys[r] for g, r in others[named]]),
        )
