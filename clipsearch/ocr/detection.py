"""Find lines of text in pixels: differentiable binarization (Liao et al. 2020)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipsearch.ocr.graph import SharedGraph
from clipsearch.ocr.quads import Pixels, Quad, grow, rectangle_around

STRIDE = 32  # sides of the network's input are multiples of it
TEXT_PROBABILITY = 0.3  # a pixel is text
LINE_PROBABILITY = 0.5  # a line is one, by the mean of its pixels
GROWTH = 1.6  # the network marks the core of a line; its box is larger by area / perimeter times it
MIN_SIDE = 3.0  # pixels, of the core


@dataclass(frozen=True, slots=True, eq=False)
class DetectedLine:
    """A line of text that was found, with the mean probability of its pixels."""

    quad: Quad
    score: float


class TextDetector:
    """Finds lines of text; thread-safe."""

    def __init__(self, graph: SharedGraph) -> None:
        self._graph = graph

    def probabilities(self, pixels: Pixels) -> NDArray[np.float32]:
        """The probability of each pixel to belong to text: (height, width) float32."""
        height, width = pixels.shape[:2]
        padded = cv2.copyMakeBorder(
            pixels, 0, -height % STRIDE, 0, -width % STRIDE, cv2.BORDER_REPLICATE
        )
        batch = cv2.dnn.blobFromImage(padded, 1 / 127.5, mean=(127.5, 127.5, 127.5))
        output = self._graph(np.asarray(batch, np.float32))
        return output[0, 0, :height, :width]


def lines_in(probabilities: NDArray[np.uint8]) -> list[DetectedLine]:
    """The lines in a map of probabilities (255 is certain), in its pixels."""
    mask = (probabilities > TEXT_PROBABILITY * 255).astype(np.uint8)
    closed = cv2.dilate(mask, np.ones((2, 2), np.uint8))
    contours, hierarchy = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    lines: list[DetectedLine] = []
    for contour, parent in zip(contours, np.reshape(hierarchy, (-1, 4))[:, 3], strict=True):
        if parent >= 0:  # a hole
            continue
        quad, width, height = rectangle_around(np.asarray(contour, np.int32))
        if min(width, height) < MIN_SIDE:
            continue
        score = _mean_inside(probabilities, quad)
        if score >= LINE_PROBABILITY:
            distance = GROWTH * width * height / (2 * (width + height))
            lines.append(DetectedLine(grow(quad, distance), score))
    return lines


def _mean_inside(probabilities: NDArray[np.uint8], quad: Quad) -> float:
    """The mean probability within a quadrilateral, 0..1."""
    height, width = probabilities.shape
    left, top = np.clip(np.floor(quad.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(quad.max(axis=0)), 0, [width - 1, height - 1]).astype(int)
    part = probabilities[top : bottom + 1, left : right + 1]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [(quad - [left, top]).astype(np.int32)], 1)
    return float(cv2.mean(part, inside)[0]) / 255
