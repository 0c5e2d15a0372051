"""Heat maps for any model: hide parts of an image, and crop parts out of it.

Hiding is the method of Zeiler and Fergus (2014, "Visualizing and Understanding Convolutional
Networks", section 4.2), with soft windows of several sizes over a blurred copy of the image: a gray
square would itself be an object. Hiding misses things that the image shows twice, and things whose
surroundings give them away. Crops of a window find those. Where a crop alone is mistaken for the
thing, hiding the same window does not confirm it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

from clipsearch.batching import batches
from clipsearch.explain.scoring import RelevanceScorer
from clipsearch.models.base import Encoder
from clipsearch.models.embedding import BATCH, embed_images

HeatMap = NDArray[np.float32]
"""(height, width) float32."""

LONGEST_SIDE = 320
"""Pixels of the longer side of the images that are compared; models take about as many."""
BLUR = 0.1
"""Radius of the blur, as a share of the longer side."""
WINDOW_SIZES = (1 / 2, 1 / 3, 1 / 5)
"""Sides of the windows, as shares of the side of a square with the image's area."""
OVERLAP = 2
"""Windows over each point, along one axis."""
EDGE = 0.12
"""Width of a window's soft edge, as a share of its side."""


@dataclass(frozen=True, slots=True)
class Window:
    """A square centered on (x, y), `side` pixels wide; it may reach beyond the image."""

    x: float
    y: float
    side: float

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge of the part inside an image, in whole pixels."""
        half = self.side / 2
        left, upper = max(0, round(self.x - half)), max(0, round(self.y - half))
        right, lower = min(width, round(self.x + half)), min(height, round(self.y + half))
        return left, upper, max(right, left + 1), max(lower, upper + 1)

    def mask(self, width: int, height: int) -> HeatMap:
        """The window's mask, (height, width) float32: 1 inside, 0 outside.

        The edge is soft, because the model would take a hard edge for a feature.
        """
        rows = _box_profile(height, self.y, self.side)
        columns = _box_profile(width, self.x, self.side)
        return rows[:, None] * columns[None, :]

    def weights(self, width: int, height: int) -> HeatMap:
        """(height, width) float32: 1 at the center, 0.14 at the middle of each edge."""
        rows = _gaussian(height, self.y, self.side)
        columns = _gaussian(width, self.x, self.side)
        return rows[:, None] * columns[None, :]


def occlusion_map(image: Image.Image, scorer: RelevanceScorer, encoder: Encoder) -> HeatMap:
    """Score how much each part of an upright RGB image matches a text.

    Returns (height, width) float32 with at most LONGEST_SIDE pixels a side. Higher is a better
    match; the values have no unit.
    """
    small = downscale(image)
    window_groups = make_windows(*small.size)
    windows = [window for group in window_groups for window in group]
    # One stream of views: batches are full, and only one is in memory at a time.
    vectors = [embed_images(encoder, batch) for batch in batches(_views(small, windows), BATCH)]
    scores = scorer(np.concatenate(vectors))
    losses, crop_scores = -scores[: len(windows)], scores[len(windows) :]
    shape = small.height, small.width
    total, start = np.zeros(shape, dtype=np.float32), 0
    for group in window_groups:
        part = slice(start, start + len(group))
        total += spread_scores(shape, group, losses[part])
        total += spread_scores(shape, group, crop_scores[part])
        start += len(group)
    return total


def downscale(image: Image.Image) -> Image.Image:
    """Resize an image to a longer side of at most LONGEST_SIDE pixels."""
    factor = min(1.0, LONGEST_SIDE / max(image.size))
    width, height = (max(1, round(length * factor)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def make_windows(width: int, height: int) -> list[list[Window]]:
    """Cover an image with windows: one list for each size, large windows first."""
    side = (
        width * height
    ) ** 0.5  # of a square with this area, so a panorama needs no more windows
    return [
        [Window(x, y, share * side) for y, x in product(*_centers((height, width), share * side))]
        for share in WINDOW_SIZES
    ]


def spread_scores(shape: tuple[int, int], windows: Sequence[Window], scores: ArrayLike) -> HeatMap:
    """Average the scores of the windows near each point of a (height, width) image.

    A window counts most at its center. Where few windows reach, at the borders of the image, the
    map is drawn towards its mean. The result has mean 0 and standard deviation 1, so that windows
    of different sizes have the same weight; it is 0 everywhere if all scores are equal.
    """
    height, width = shape
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    values = np.asarray(scores, dtype=np.float32)
    for window, value in zip(windows, values - values.mean(), strict=True):
        window_weights = window.weights(width, height)
        total += window_weights * value
        weight += window_weights
    return standardize(total / (weight + weight.max() / 2))


def standardize(values: HeatMap) -> HeatMap:
    """Scale a map to mean 0 and standard deviation 1; 0 everywhere if it is flat."""
    deviation = float(values.std())
    if deviation < 1e-7:
        return np.zeros_like(values)
    return np.asarray((values - values.mean()) / deviation, dtype=np.float32)


def _views(small: Image.Image, windows: Sequence[Window]) -> Iterator[Image.Image]:
    """Yield the image with each window hidden, then the crop of each window."""
    blurred = small.filter(ImageFilter.GaussianBlur(BLUR * max(small.size)))
    for window in windows:
        mask = np.asarray(window.mask(*small.size) * 255, dtype=np.uint8)
        yield Image.composite(blurred, small, Image.fromarray(mask))
    for window in windows:
        yield small.crop(window.box(*small.size))


def _centers(size: tuple[int, int], side: float) -> list[NDArray[np.float64]]:
    """Window centers along both axes; the outermost windows reach a sixth beyond the image."""
    axes = []
    for length in size:
        first, last = side / 3, length - side / 3
        count = max(1, round((last - first) * OVERLAP / side) + 1)
        axes.append(np.linspace(first, last, count) if count > 1 else np.array([length / 2]))
    return axes


def _gaussian(length: int, center: float, side: float) -> HeatMap:
    points = np.arange(length) + 0.5
    return np.asarray(np.exp(-8 * ((points - center) / side) ** 2), dtype=np.float32)


def _box_profile(length: int, center: float, side: float) -> HeatMap:
    points = np.arange(length) + 0.5
    slope = np.clip((np.abs(points - center) - side / 2) * 2 / (EDGE * side), -50, 50)
    return np.asarray(1 / (1 + np.exp(slope)), dtype=np.float32)
