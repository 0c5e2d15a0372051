"""Where a picture matches, for vision transformers: each patch held against the text."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.batching import batches
from clipsearch.explain.occlusion import shrunk
from clipsearch.explain.scoring import Relevance
from clipsearch.explain.windows import Map, standardized
from clipsearch.types import Pixels

CROPS = 16  # encoded at once
SHARES = (1.0, 0.6)  # of the short side: the whole picture, and closer


@runtime_checkable
class PatchEncoder(Protocol):
    """An encoder that can also tell what each patch of a picture looks like."""

    @property
    def has_patches(self) -> bool:
        """Whether the architecture gives them."""
        ...

    def preprocess(self, image: Image.Image) -> Pixels: ...

    def encode_patches(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """(n, rows, columns, d) float32 in the space of texts, for n preprocessed pictures."""
        ...


def patch_map(image: Image.Image, relevance: Relevance, encoder: PatchEncoder) -> Map:
    """How much each part of an upright RGB picture has of a text.

    (height, width) float32, higher is more, in no unit. Squares are looked at one by one, all over
    the picture and in two sizes: models cut the sides off a picture that is none.
    """
    small = shrunk(image)
    total = np.zeros((small.height, small.width), dtype=np.float32)
    for share in SHARES:
        boxes = list(_squares(small.size, share))
        grids = _grids(encoder, [small.crop(box) for box in boxes], relevance)
        layer, weight = np.zeros_like(total), np.full_like(total, 1e-6)
        for (left, upper, right, lower), grid in zip(boxes, grids, strict=True):
            area = slice(upper, lower), slice(left, right)
            layer[area] += _enlarged(grid, (right - left, lower - upper))
            weight[area] += 1
        total += standardized(layer / weight)
    return total


def _grids(
    encoder: PatchEncoder, crops: Sequence[Image.Image], relevance: Relevance
) -> NDArray[np.float32]:
    """(n, rows, columns): the relevance of each patch of n pictures, compared with all the others."""
    parts = [
        encoder.encode_patches([encoder.preprocess(crop) for crop in batch])
        for batch in batches(crops, CROPS)
    ]
    patches = np.concatenate(parts)
    flat = patches.reshape(-1, patches.shape[-1])
    lengths = np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return relevance(flat / lengths).reshape(patches.shape[:-1])


def _squares(size: tuple[int, int], share: float) -> Iterator[tuple[int, int, int, int]]:
    """Squares that cover a picture, overlapping by half or more."""
    side = max(1, round(share * min(size)))
    columns, rows = (_starts(length, side) for length in size)
    for upper in rows:
        for left in columns:
            yield left, upper, left + side, upper + side


def _starts(length: int, side: int) -> list[int]:
    count = int(np.ceil(2 * (length - side) / side)) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _enlarged(grid: Map, size: tuple[int, int]) -> Map:
    picture = Image.fromarray(np.asarray(grid, dtype=np.float32))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
