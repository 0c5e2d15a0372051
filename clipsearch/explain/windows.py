"""Windows of several sizes over a picture, with soft edges, and how they add up to a map."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

Map = NDArray[np.float32]
"""(height, width) float32."""

SHARES = (1 / 2, 1 / 3, 1 / 5)  # of the picture's side, if it were square
OVERLAP = 2  # how many windows there are over each point, a side
EDGE = 0.12  # of a window's side: how gently it fades


@dataclass(frozen=True, slots=True)
class Window:
    """A square around (x, y), `side` pixels wide; it may hang over the picture's edge."""

    x: float
    y: float
    side: float

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """What of it lies in a picture: left, upper, right and lower edge in whole pixels."""
        half = self.side / 2
        left, upper = max(0, round(self.x - half)), max(0, round(self.y - half))
        right, lower = min(width, round(self.x + half)), min(height, round(self.y + half))
        return left, upper, max(right, left + 1), max(lower, upper + 1)

    def mask(self, width: int, height: int) -> Map:
        """(height, width) float32: 1 inside, 0 outside, smooth between; edges would be features."""
        return _bump(height, self.y, self.side)[:, None] * _bump(width, self.x, self.side)[None, :]

    def nearness(self, width: int, height: int) -> Map:
        """(height, width) float32: 1 at the centre, falling off to 0.14 at the edges."""
        return _bell(height, self.y, self.side)[:, None] * _bell(width, self.x, self.side)[None, :]


def windows(width: int, height: int) -> list[list[Window]]:
    """Windows all over a picture, one list for each size, large ones first."""
    side = (width * height) ** 0.5  # so that a panorama does not take many more of them
    return [
        [Window(x, y, share * side) for y, x in product(*_centres((height, width), share * side))]
        for share in SHARES
    ]


def heat(shape: tuple[int, int], used: Sequence[Window], values: ArrayLike) -> Map:
    """The average value of the windows near each point of a (height, width) picture, standardized.

    A window counts most at its centre, and where few windows reach, at the edges, the map is drawn
    towards its mean. The result has mean 0 and deviation 1, so that maps of different sizes weigh
    the same; it is all 0 where the values are equal.
    """
    height, width = shape
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    numbers = np.asarray(values, dtype=np.float32)
    for window, value in zip(used, numbers - numbers.mean(), strict=True):
        near = window.nearness(width, height)
        total += near * value
        weight += near
    return standardized(total / (weight + weight.max() / 2))


def standardized(values: Map) -> Map:
    """A map with mean 0 and deviation 1; 0 everywhere where it is flat."""
    deviation = float(values.std())
    if deviation < 1e-7:
        return np.zeros_like(values)
    return np.asarray((values - values.mean()) / deviation, dtype=np.float32)


def _centres(size: tuple[int, int], side: float) -> list[NDArray[np.float64]]:
    """Centres along both sides: the outermost windows hang over the edge by a sixth."""
    lines = []
    for length in size:
        first, last = side / 3, length - side / 3
        count = max(1, round((last - first) * OVERLAP / side) + 1)
        lines.append(np.linspace(first, last, count) if count > 1 else np.array([length / 2]))
    return lines


def _bell(length: int, centre: float, side: float) -> Map:
    points = np.arange(length) + 0.5
    return np.asarray(np.exp(-8 * ((points - centre) / side) ** 2), dtype=np.float32)


def _bump(length: int, centre: float, side: float) -> Map:
    points = np.arange(length) + 0.5
    slope = np.clip((np.abs(points - centre) - side / 2) * 2 / (EDGE * side), -50, 50)
    return np.asarray(1 / (1 + np.exp(slope)), dtype=np.float32)
