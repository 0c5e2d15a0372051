"""What the heads learn from: photographs with captions, and with names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from training.checkpoint import digest
from training.data.features import Seen
from training.data.views import VIEWS


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photographs `rows` of `seen`, and sentence vectors (photos, captions, 384) of those rows.

    Or, here and in all that follows, numbers of texts without the last axis, for `late_layers` to read.
    `repeat` is how often each appears in an epoch: small sets more often.
    """

    seen: Seen
    rows: Sequence[int]
    sentences: Tensor
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """Photographs `rows` of `seen`, and what they show: `sentences` (rows, 384) and a key each.

    Photographs of one key show the same thing.
    """

    seen: Seen
    rows: Sequence[int]
    sentences: Tensor
    keys: Sequence[int]


class Batch(NamedTuple):
    """Places (n, 49, channels) float16 and pooled (n, 1280) of captioned and then named pictures.

    `sentences` (k, captions, 384) belong to the first k; `names` (n - k, 384) with `keys` (n - k,) to
    the others; `owners` (k,) tells equal photographs apart from others.
    """

    places: Tensor
    pooled: Tensor
    sentences: Tensor
    owners: Tensor
    names: Tensor
    keys: Tensor


class Corpus:
    """All photographs; `batches` deals them out at random, a view of each at a time."""

    def __init__(self, captioned: Sequence[Captioned], named: Sequence[Named]) -> None:
        self._captioned, self._named = captioned, named
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
        """Tell it from other photographs and texts; what towers see of them is another matter."""
        parts: list[Captioned | Named] = [*self._captioned, *self._named]
        rows = torch.tensor([row for part in parts for row in part.rows])
        texts = [part.sentences for part in parts]
        return digest([torch.from_numpy(self._items), torch.from_numpy(self._extra), rows, *texts])

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
            seen.append(self._named[group].seen)
            photos.append(self._named[group].rows[row])
        views = draw.integers(VIEWS, size=len(seen))
        places, pooled = zip(
            *(s.one(photo, view) for s, photo, view in zip(seen, photos, views, strict=True)),
            strict=True,
        )
        return Batch(
            torch.stack(places),
            torch.stack(pooled),
            torch.stack([self._captioned[g].sentences[r] for g, r in items]),
            torch.from_numpy(items[:, 0] * 10_000_000 + items[:, 1]),
            torch.stack([self._named[g].sentences[r] for g, r in others]),
            torch.tensor([self._named[g].keys[r] for g, r in others]),
        )
