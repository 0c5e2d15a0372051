"""Heat maps for vision transformers: compare the embedding of each patch with a text."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.batching import batches
from clipsearch.explain.occlusion import HeatMap, downscale, standardize
from clipsearch.explain.scoring import RelevanceScorer
from clipsearch.types import Pixels

BATCH = 16
"""Crops that are encoded at once."""
CROP_SIZES = (1.0, 0.6)
"""Sides of the square crops, as shares of the image's shorter side."""


@runtime_checkable
class PatchEncoder(Protocol):
    """An encoder that also gives an embedding for each patch of an image."""

    @property
    def has_patches(self) -> bool:
        """Whether the architecture has patch embeddings."""
        ...

    def preprocess(self, image: Image.Image) -> Pixels: ...

    def encode_patches(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Encode n preprocessed images as (n, rows, columns, d) float32 in the space of texts."""
        ...


def patch_map(image: Image.Image, scorer: RelevanceScorer, encoder: PatchEncoder) -> HeatMap:
    """Score how much each part of an upright RGB image matches a text.

    Returns (height, width) float32. Higher is a better match; the values have no unit. The image is
    covered with square crops of two sizes, because most models crop an image to a square.
    """
    small = downscale(image)
    total = np.zeros((small.height, small.width), dtype=np.float32)
    for share in CROP_SIZES:
        boxes = list(_square_boxes(small.size, share))
        grids = _score_patches(encoder, [small.crop(box) for box in boxes], scorer)
        layer, weight = np.zeros_like(total), np.full_like(total, 1e-6)
        for (left, upper, right, lower), grid in zip(boxes, grids, strict=True):
            area = slice(upper, lower), slice(left, right)
            layer[area] += _enlarge(grid, (right - left, lower - upper))
            weight[area] += 1
        total += standardize(layer / weight)
    return total


def _score_patches(
    encoder: PatchEncoder, crops: Sequence[Image.Image], scorer: RelevanceScorer
) -> NDArray[np.float32]:
    """Score each patch of n crops, all in one call, as (n, rows, columns)."""
    parts = [
        encoder.encode_patches([encoder.preprocess(crop) for crop in batch])
        for batch in batches(crops, BATCH)
    ]
    patches = np.concatenate(parts)
    flat = patches.reshape(-1, patches.shape[-1])
    lengths = np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    return scorer(flat / lengths).reshape(patches.shape[:-1])


def _square_boxes(size: tuple[int, int], share: float) -> Iterator[tuple[int, int, int, int]]:
    """Cover an image with squares that overlap by half or more."""
    side = max(1, round(share * min(size)))
    columns, rows = (_starts(length, side) for length in size)
    for upper in rows:
        for left in columns:
            yield left, upper, left + side, upper + side


def _starts(length: int, side: int) -> list[int]:
    count = int(np.ceil(2 * (length - side) / side)) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _enlarge(grid: HeatMap, size: tuple[int, int]) -> HeatMap:
    image = Image.fromarray(np.asarray(grid, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
