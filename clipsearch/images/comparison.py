"""Whether two images look the same, as copies of another size, quality or format do."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipsearch.images.decode import decode

Pixels = NDArray[np.uint8]
Gray = NDArray[np.float32]

# Measured on copies (half size, JPEG quality 50, WebP quality 75) and on documents in which one
# word or digit differs; see the guide on duplicates. Copies reach 51 and 0.14, different images
# start at 100 and the documents, which have the same grid, at 0.26.
GRID_TOLERANCE = 60
ERROR_RATIO = 0.2

GRID = 16
GRID_VALUES = 3 * GRID**2
MAX_SIDE = 1_024  # pixels: small print of a page is still legible, and a comparison takes 20 ms
NOISE = 300.0  # the variance, in squared gray levels, that lossy formats cause
BLUR, WINDOW = 1.0, 5  # pixels: standard deviation of the blur, side of the compared squares
DRIFT_WINDOW = 31  # pixels: slower changes in brightness are left to the grid

_REACH = 4 + DRIFT_WINDOW // 2 + WINDOW // 2
"""Pixels around one that its ratio depends on; the blur ends at four standard deviations."""
_VICINITY = 2 * _REACH  # pixels on each side of the largest difference


def read_grid(path: Path) -> Pixels:
    """The image squeezed to GRID × GRID RGB pixels, (3 · GRID²,) uint8; raises ImageError."""
    # A JPEG decoded at a reduced size must still be much larger than the grid, or it is shifted.
    image = decode(path, min_side=8 * GRID).image
    return np.asarray(_resized(image, (GRID, GRID))).ravel()


def read_gray(path: Path, max_side: int = MAX_SIDE) -> Image.Image:
    """The gray image, its longer side at most `max_side` pixels; raises ImageError."""
    image = decode(path, min_side=2 * max_side).image.convert("L")
    scale = min(1.0, max_side / max(image.size))
    width, height = (max(1, round(scale * side)) for side in image.size)
    return _resized(image, (width, height))


def grid_distances(grids: Pixels, grid: Pixels) -> NDArray[np.int16]:
    """The largest difference between `grid` and each of (n, 3 · GRID²), in levels: (n,)."""
    distances: NDArray[np.int16] = np.abs(grids.astype(np.int16) - grid).max(axis=1)
    return distances


def look_the_same(first: Image.Image, second: Image.Image) -> bool:
    """Whether two gray images agree everywhere, at the size of the smaller one.

    In no square of WINDOW pixels may the difference have more than ERROR_RATIO of the variance of
    the content, so that one changed digit on a page counts, and the noise of a lossy format does
    not.
    """
    a, b = _arrays(first, second)
    # Different pages differ most where they disagree, and a look at that place costs a tenth.
    worst = np.unravel_index(np.abs(a - b).argmax(), a.shape)
    rows, columns = (slice(max(0, int(at) - _VICINITY), int(at) + _VICINITY + 1) for at in worst)
    vicinity = _error_ratios(a[rows, columns], b[rows, columns])
    # At its edges, unless they are those of the image, the rest of the image has an influence.
    exact = tuple(
        slice(_REACH if part.start else 0, None if part.stop >= side else -_REACH)
        for part, side in zip((rows, columns), a.shape, strict=True)
    )
    if vicinity[exact].max() > ERROR_RATIO:
        return False
    return bool(_error_ratios(a, b).max() <= ERROR_RATIO)


def error_ratio(first: Image.Image, second: Image.Image) -> float:
    """The variance of the difference divided by that of the content, in the worst square."""
    return float(_error_ratios(*_arrays(first, second)).max())


def _arrays(first: Image.Image, second: Image.Image) -> tuple[Gray, Gray]:
    """Two images at the size of the smaller one, (height, width) float32 each."""
    size = min(first.width, second.width), min(first.height, second.height)
    a, b = (np.asarray(_resized(image, size), np.float32) for image in (first, second))
    return a, b


def _error_ratios(a: Gray, b: Gray) -> Gray:
    """The `error_ratio` of the square around each pixel of two images, (height, width)."""
    from scipy.ndimage import gaussian_filter, uniform_filter  # 0.1 s, for this alone

    a, b = (gaussian_filter(image, BLUR) for image in (a, b))
    difference = a - b
    difference -= uniform_filter(difference, DRIFT_WINDOW)
    error = uniform_filter(difference * difference, WINDOW)
    contents = [uniform_filter(x * x, WINDOW) - uniform_filter(x, WINDOW) ** 2 for x in (a, b)]
    ratios: Gray = error / (np.maximum(*contents) + NOISE)
    return ratios


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
