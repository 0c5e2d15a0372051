"""Find the lines of text in an image: coarsely everywhere, then finely where small text may be."""

from dataclasses import dataclass

import cv2
import numpy as np

from clipsearch.ocr.detection import DetectedLine, TextDetector, lines_in
from clipsearch.ocr.probability_map import cells_of, probability_map, resized
from clipsearch.ocr.quads import Pixels, Quad, size_of

COARSE = 0.7  # the scale of the coarse search, relative to the fine one
MIN_COARSE = 0.4  # for large images: text of 12 pixels has 5 there, and smaller text hardly shows
COARSE_PIXELS = 800_000  # of the coarse search; above, the scale falls to MIN_COARSE
SMALL_PIXELS = 400_000  # smaller images are enlarged, at most by MAX_FINE
MAX_FINE = 2.0
HINT = 0.1  # a coarse probability that something may be text
SMALL_LINE = 18.0  # pixels of the coarse search; higher lines are outlined well there


@dataclass(frozen=True, slots=True)
class Scales:
    """How far an image is scaled for the two searches.

    In the coarse search, text of 12 pixels has 5 or 6. The network cannot outline it then, but
    still marks it. The fine search runs only there.
    """

    coarse: float
    fine: float


def scales_for(height: int, width: int) -> Scales:
    """Choose the scales for an image of some size."""
    pixels = height * width
    fine = min(MAX_FINE, max(1.0, (SMALL_PIXELS / pixels) ** 0.5))
    coarse = min(COARSE * fine, max(MIN_COARSE, (COARSE_PIXELS / pixels) ** 0.5))
    return Scales(coarse, fine)


def find_lines(detector: TextDetector, pixels: Pixels) -> list[DetectedLine]:
    """Find the lines of text, in pixels of the image; no two of them are mostly the same."""
    scales = scales_for(*pixels.shape[:2])
    coarse = probability_map(detector, resized(pixels, scales.coarse))
    lines = lines_in(coarse)
    large = [line for line in lines if min(size_of(line.quad)) >= SMALL_LINE]
    small = [line for line in lines if min(size_of(line.quad)) < SMALL_LINE]
    result = _rescaled(large, coarse.shape, pixels)
    hints = (coarse > HINT * 255).astype(np.uint8)
    for line in large:
        cv2.fillPoly(hints, [line.quad.round().astype(np.int32)], 0)
    if not hints.any():
        return result
    around = np.asarray(cv2.dilate(hints, np.ones((9, 9), np.uint8)), np.uint8)
    magnified = resized(pixels, scales.fine)
    fine = probability_map(detector, magnified, cells_of(around, *magnified.shape[:2]))
    result += _uncovered(_rescaled(lines_in(fine), fine.shape, pixels), result)
    # What is blurred at its full size may show in the coarse search alone.
    return result + _uncovered(_rescaled(small, coarse.shape, pixels), result)


def _rescaled(
    lines: list[DetectedLine], shape: tuple[int, ...], pixels: Pixels
) -> list[DetectedLine]:
    factor = np.array([pixels.shape[1] / shape[1], pixels.shape[0] / shape[0]], np.float32)
    return [DetectedLine(line.quad * factor, line.score) for line in lines]


def _uncovered(lines: list[DetectedLine], others: list[DetectedLine]) -> list[DetectedLine]:
    """The lines that share less than half of their area with another one, or of the other's."""
    return [
        line for line in lines if all(_overlap(line.quad, other.quad) < 0.5 for other in others)
    ]


def _overlap(quad: Quad, other: Quad) -> float:
    """What two quadrilaterals share, as a part of the smaller one."""
    if (quad.max(axis=0) <= other.min(axis=0)).any() or (
        other.max(axis=0) <= quad.min(axis=0)
    ).any():
        return 0.0
    shared, _ = cv2.intersectConvexConvex(quad, other)
    return float(shared / max(min(cv2.contourArea(quad), cv2.contourArea(other)), 1.0))
