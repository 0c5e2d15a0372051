"""Distractors: rows of marks that are not letters.

A model trained with them does not mistake regular patterns, such as a zebra's, for words.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.textness.synthetic_words import Panel, Rng, paste_panel

SHAPE_KINDS = 5
MARKS = (3, 13)  # per row
FEW_ROWS, MANY_ROWS = (1, 4), (4, 13)  # like words; like pages, fences and wallpapers
DENSE_SHARE = 0.3  # of the panels have many rows

Frame = tuple[float, float, float, float]
"""Left, top, right, bottom."""

DrawRow = Callable[[ImageDraw.ImageDraw, Frame, Panel, Rng], None]


def draw_distractor(image: Image.Image, rng: Rng) -> Image.Image:
    """A copy of an RGB image with rows of strokes or shapes, a line, checks or an empty box.

    Colors, positions and angles are those of words.
    """
    style = Panel.random(rng)
    is_dense = rng.random() < DENSE_SHARE
    rows = int(rng.integers(*(MANY_ROWS if is_dense else FEW_ROWS)))
    width = int(image.width * rng.uniform(0.3, 0.98))
    share = rng.uniform(0.3, 0.98) if is_dense else min(0.6, rows * rng.uniform(0.08, 0.3))
    height = max(8, int(image.height * share))
    panel = style.blank(width, height)
    kinds: tuple[tuple[float, DrawRow], ...] = (
        (0.35, _draw_shapes),
        (0.20, _draw_strokes),
        (0.10, _draw_lattice),
        (0.12, _draw_zigzag),
        (0.13, _draw_nothing),
        (0.10, _draw_checks),
    )
    draw_row = kinds[int(rng.choice(len(kinds), p=[share for share, _ in kinds]))][1]
    for top, bottom in pairwise(np.linspace(0, height, rows + 1)):
        margin = 0.12 * (bottom - top)
        frame = (2, top + margin, width - 2, bottom - margin)
        draw_row(ImageDraw.Draw(panel), frame, style, rng)
    return paste_panel(image, panel, (), rng)[0]


def _draw_shapes(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    """Shapes, all of one kind or of any kind."""
    left, top, right, bottom = frame
    only_kind = int(rng.integers(SHAPE_KINDS)) if rng.random() < 0.5 else None
    for start, end in pairwise(np.linspace(left, right, int(rng.integers(*MARKS)) + 1)):
        gaps = (end - start) * rng.uniform(0.05, 0.25, 2)
        cuts = (bottom - top) * rng.uniform(0, 0.3, 2)
        box = (start + gaps[0], top + cuts[0], end - gaps[1], bottom - cuts[1])
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        kind = int(rng.integers(SHAPE_KINDS)) if only_kind is None else only_kind
        if kind == 0:
            canvas.ellipse(box, fill=style.ink)
        elif kind == 1:
            canvas.rectangle(box, fill=style.ink)
        elif kind == 2:
            triangle = [(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), box[2:]]
            canvas.polygon(triangle, fill=style.ink)
        elif kind == 3:
            canvas.polygon(_flower(box, rng), fill=style.ink)
        else:
            corners = rng.uniform(box[:2], box[2:], (5, 2))
            canvas.polygon([(float(x), float(y)) for x, y in corners], fill=style.ink)


def _draw_strokes(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    """Parallel strokes, upright or slanted."""
    left, top, right, bottom = frame
    count = int(rng.integers(*MARKS))
    step = (right - left) / count
    slant, width = rng.uniform(-0.5, 0.5) * step, max(1, int(step * rng.uniform(0.1, 0.5)))
    for index in range(count):
        x = left + (index + 0.5) * step
        canvas.line((x - slant, top, x + slant, bottom), fill=style.ink, width=width)


def _draw_lattice(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    """Crossing strokes, like those of a bridge or a fence."""
    left, top, right, bottom = frame
    count = int(rng.integers(*MARKS))
    step = (right - left) / count
    width = max(1, int(step * rng.uniform(0.05, 0.2)))
    for index in range(count):
        x = left + index * step
        canvas.line((x, top, x + step, bottom), fill=style.ink, width=width)
        canvas.line((x + step, top, x, bottom), fill=style.ink, width=width)


def _flower(box: Frame, rng: Rng) -> list[tuple[float, float]]:
    """The outline of a flower or a leaf."""
    left, top, right, bottom = box
    angles = np.linspace(0, 2 * np.pi, 40) + rng.uniform(0, 2 * np.pi)
    radii = 1 + rng.uniform(0.2, 0.9) * np.cos(int(rng.integers(2, 8)) * angles)
    radii /= radii.max()
    xs = (left + right) / 2 + radii * np.cos(angles) * (right - left) / 2
    ys = (top + bottom) / 2 + radii * np.sin(angles) * (bottom - top) / 2
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True)]


def _draw_zigzag(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    """A zigzag along the row."""
    left, top, right, bottom = frame
    xs = np.linspace(left, right, 2 * int(rng.integers(*MARKS)))
    points = [(float(x), float(rng.uniform(top, bottom))) for x in xs]
    canvas.line(points, fill=style.ink, width=max(1, int(0.13 * (bottom - top))), joint="curve")


def _draw_checks(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    left, top, right, bottom = frame
    side = max(3, int((bottom - top) / rng.integers(2, 4)))
    for row, y in enumerate(range(int(top), int(bottom), side)):
        for x in range(int(left) + row % 2 * side, int(right), 2 * side):
            canvas.rectangle((x, y, x + side - 1, y + side - 1), fill=style.ink)


def _draw_nothing(canvas: ImageDraw.ImageDraw, frame: Frame, style: Panel, rng: Rng) -> None:
    """An empty box."""
