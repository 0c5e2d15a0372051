"""The map of text probabilities of an image of any size, computed in blocks."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from clipsearch.ocr.detection import TextDetector
from clipsearch.ocr.quads import Pixels

ProbabilityMap = NDArray[np.uint8]
"""(height, width) uint8: 255 where a pixel certainly belongs to text."""

CELL = 256  # pixels; what is computed is a union of such cells
MAX_CELLS = 2  # along each side of a block: the activations of one take 150 MB
MAX_FLAT = 4
"""A block whose values differ by no more shows no text; the network sees some at its borders."""

MARGIN = 48  # pixels around a block, which the network sees and whose results are discarded


def probability_map(
    detector: TextDetector, pixels: Pixels, wanted: NDArray[np.bool_] | None = None
) -> ProbabilityMap:
    """Compute the probabilities where `wanted` is set, by default everywhere; elsewhere 0.

    `wanted` has an element for each cell. Blocks overlap by their margins, so a line that crosses
    the border between two is as whole in the map as any other.
    """
    height, width = pixels.shape[:2]
    result = np.zeros((height, width), np.uint8)
    if wanted is None:
        wanted = np.ones(grid_shape(height, width), np.bool_)
    for top, left, bottom, right in _blocks(wanted):
        outer_top, outer_left = max(top - MARGIN, 0), max(left - MARGIN, 0)
        part = pixels[outer_top : bottom + MARGIN, outer_left : right + MARGIN]
        if int(part.max()) - int(part.min()) <= MAX_FLAT:
            continue
        values = detector.probabilities(part)
        inner = values[top - outer_top : bottom - outer_top, left - outer_left : right - outer_left]
        result[top:bottom, left:right] = inner * 255
    return result


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """The number of cells down and across an image."""
    return -(-height // CELL), -(-width // CELL)


def cells_of(mask: NDArray[np.uint8], height: int, width: int) -> NDArray[np.bool_]:
    """The cells of a larger image that a mask of the whole image touches."""
    rows, columns = grid_shape(height, width)
    # Each element of the mask is at least one pixel of the larger image.
    y, x = np.nonzero(mask)
    cells = np.zeros((rows, columns), np.bool_)
    cells[
        np.minimum((y + 0.5) * height / mask.shape[0] / CELL, rows - 1).astype(int),
        np.minimum((x + 0.5) * width / mask.shape[1] / CELL, columns - 1).astype(int),
    ] = True
    return cells


def resized(pixels: Pixels, scale: float) -> Pixels:
    """The same image at another scale, at least one pixel wide and high."""
    if scale == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def _blocks(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """Rectangles that cover the wanted cells once: top, left, bottom, right in pixels."""
    rest = wanted.copy()
    for row, column in np.argwhere(wanted):
        if not rest[row, column]:
            continue
        right = column + 1
        while right - column < MAX_CELLS and right < rest.shape[1] and rest[row, right]:
            right += 1
        bottom = row + 1
        while (
            bottom - row < MAX_CELLS and bottom < rest.shape[0] and rest[bottom, column:right].all()
        ):
            bottom += 1
        rest[row:bottom, column:right] = False
        yield row * CELL, column * CELL, bottom * CELL, right * CELL
