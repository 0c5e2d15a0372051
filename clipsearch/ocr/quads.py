"""Quadrilaterals around lines of text: order of their corners, growth, and the pixels inside."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Quad: TypeAlias = NDArray[np.float32]
"""(4, 2) float32: corners in pixels, x first, clockwise from where the text starts at the top."""

Pixels: TypeAlias = NDArray[np.uint8]
"""(height, width, 3) uint8, blue first as the models expect it."""


def rectangle_around(contour: NDArray[np.int32]) -> tuple[Quad, float, float]:
    """The smallest rotated rectangle around a contour, with its width and height in pixels."""
    rectangle = cv2.minAreaRect(contour)
    quad = order_corners(np.asarray(cv2.boxPoints(rectangle), np.float32))
    width, height = size_of(quad)
    return quad, width, height


def order_corners(points: NDArray[np.float32]) -> Quad:
    """Order four corners clockwise on the screen; the first is at the top left.

    An edge that is less than 45° from horizontal lies at the top.
    """
    center = points.mean(axis=0)
    angles = np.arctan2(points[:, 1] - center[1], points[:, 0] - center[0])
    ring = points[np.argsort(angles, kind="stable")]  # clockwise, since y points down
    edges = np.roll(ring, -1, axis=0) - ring
    lengths = np.maximum(np.linalg.norm(edges, axis=1), 1e-6)
    start = int(np.argmax(edges[:, 0] / lengths))  # the edge that points right the most
    return np.ascontiguousarray(np.roll(ring, -start, axis=0), np.float32)


def size_of(quad: Quad) -> tuple[float, float]:
    """The lengths of a quadrilateral along its text and across it, the longer edge of each pair."""
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    return float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))


def grow(quad: Quad, distance: float) -> Quad:
    """Move all edges of a rectangle outward by a distance in pixels."""
    width, height = size_of(quad)
    along = (quad[1] - quad[0]) / max(width, 1e-6) * distance
    across = (quad[3] - quad[0]) / max(height, 1e-6) * distance
    moves = np.stack([-along - across, along - across, along + across, -along + across])
    return np.ascontiguousarray(quad + moves, np.float32)


def turn(quad: Quad, quarters: int) -> Quad:
    """The same corners for text that is rotated by so many quarters of a turn clockwise."""
    return np.ascontiguousarray(np.roll(quad, -quarters, axis=0))


def trim(quad: Quad, share: float) -> Quad:
    """Cut off a share of the height of a line, above and below its text."""
    across = (quad[3] - quad[0]) * share
    return np.ascontiguousarray(quad + np.stack([across, across, -across, -across]), np.float32)


def cut_strip(pixels: Pixels, quad: Quad, height: int, stretch: float = 1.0) -> Pixels:
    """Cut out a line as an upright strip of a height, at least 1 pixel wide.

    Its width is in proportion, times `stretch`. What lies outside the image is filled with its
    nearest pixels.
    """
    along, across = size_of(quad)
    width = max(1, round(stretch * height * along / max(across, 1.0)))
    left, top = np.floor(quad.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(quad.max(axis=0)).astype(int) + 3
    left, top = max(left, 0), max(top, 0)
    part = pixels[top:bottom, left:right]
    if part.size == 0:
        return np.zeros((height, width, 3), np.uint8)
    shrink = max(1.0, across / (2 * height))  # by areas, for the warp reads four pixels of each
    if shrink > 1:
        size = (max(1, round(part.shape[1] / shrink)), max(1, round(part.shape[0] / shrink)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale = np.array([size[0] / (right - left), size[1] / (bottom - top)], np.float32)
    else:
        scale = np.ones(2, np.float32)
    source = ((quad - np.array([left, top], np.float32)) * scale).astype(np.float32)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    strip = cv2.warpPerspective(
        part, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(strip, np.uint8)
