"""Marks in rows that are no letters: a model that has seen some takes no zebras for words."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.textness.drawn_words import Paint, Rng, lay

SHAPES = 5  # kinds of them
MARKS = (3, 13)  # in a row
FEW, MANY = (1, 4), (4, 13)  # rows: as many as words have, or as pages, fences and wallpapers
DENSE = 0.3  # of the panels have many
Frame = tuple[float, float, float, float]  # left, top, right, bottom
Row = Callable[[ImageDraw.ImageDraw, Frame, Paint, Rng], None]


def scribble(picture: Image.Image, rng: Rng) -> Image.Image:
    """A copy of an RGB picture with rows of strokes or shapes, a line, checks or nothing on it, in the
    looks, places and angles that words have.
    """
    paint = Paint.random(rng)
    dense = rng.random() < DENSE
    rows = int(rng.integers(*(MANY if dense else FEW)))
    width = int(picture.width * rng.uniform(0.3, 0.98))
    share = rng.uniform(0.3, 0.98) if dense else min(0.6, rows * rng.uniform(0.08, 0.3))
    height = max(8, int(picture.height * share))
    panel = paint.panel(width, height)
    kinds: tuple[tuple[float, Row], ...] = (
        (0.35, _shapes),
        (0.20, _strokes),
        (0.10, _lattice),
        (0.12, _line),
        (0.13, _nothing),
        (0.10, _checks),
    )
    draw = kinds[int(rng.choice(len(kinds), p=[share for share, _ in kinds]))][1]
    for top, bottom in pairwise(np.linspace(0, height, rows + 1)):
        margin = 0.12 * (bottom - top)
        draw(ImageDraw.Draw(panel), (2, top + margin, width - 2, bottom - margin), paint, rng)
    return lay(picture, panel, (), rng)[0]


def _shapes(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    """All of one kind, or of any."""
    left, top, right, bottom = frame
    always = int(rng.integers(SHAPES)) if rng.random() < 0.5 else None
    for start, end in pairwise(np.linspace(left, right, int(rng.integers(*MARKS)) + 1)):
        gaps = (end - start) * rng.uniform(0.05, 0.25, 2)
        cuts = (bottom - top) * rng.uniform(0, 0.3, 2)
        box = (start + gaps[0], top + cuts[0], end - gaps[1], bottom - cuts[1])
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        kind = int(rng.integers(SHAPES)) if always is None else always
        if kind == 0:
            canvas.ellipse(box, fill=paint.ink)
        elif kind == 1:
            canvas.rectangle(box, fill=paint.ink)
        elif kind == 2:
            canvas.polygon(
                [(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), box[2:]], fill=paint.ink
            )
        elif kind == 3:
            canvas.polygon(_blossom(box, rng), fill=paint.ink)
        else:
            corners = rng.uniform(box[:2], box[2:], (5, 2))
            canvas.polygon([(float(x), float(y)) for x, y in corners], fill=paint.ink)


def _strokes(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    """Parallel ones, upright or leaning."""
    left, top, right, bottom = frame
    count = int(rng.integers(*MARKS))
    step = (right - left) / count
    lean, thick = rng.uniform(-0.5, 0.5) * step, max(1, int(step * rng.uniform(0.1, 0.5)))
    for number in range(count):
        x = left + (number + 0.5) * step
        canvas.line((x - lean, top, x + lean, bottom), fill=paint.ink, width=thick)


def _lattice(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    """Strokes that cross, as those of a bridge or a fence."""
    left, top, right, bottom = frame
    count = int(rng.integers(*MARKS))
    step = (right - left) / count
    thick = max(1, int(step * rng.uniform(0.05, 0.2)))
    for number in range(count):
        x = left + number * step
        canvas.line((x, top, x + step, bottom), fill=paint.ink, width=thick)
        canvas.line((x + step, top, x, bottom), fill=paint.ink, width=thick)


def _blossom(box: Frame, rng: Rng) -> list[tuple[float, float]]:
    """The outline of a flower or a leaf."""
    left, top, right, bottom = box
    round_about = np.linspace(0, 2 * np.pi, 40) + rng.uniform(0, 2 * np.pi)
    reach = 1 + rng.uniform(0.2, 0.9) * np.cos(int(rng.integers(2, 8)) * round_about)
    reach /= reach.max()
    across = (left + right) / 2 + reach * np.cos(round_about) * (right - left) / 2
    down = (top + bottom) / 2 + reach * np.sin(round_about) * (bottom - top) / 2
    return [(float(x), float(y)) for x, y in zip(across, down, strict=True)]


def _line(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    """A zigzag all along the row."""
    left, top, right, bottom = frame
    across = np.linspace(left, right, 2 * int(rng.integers(*MARKS)))
    points = [(float(x), float(rng.uniform(top, bottom))) for x in across]
    canvas.line(points, fill=paint.ink, width=max(1, int(0.13 * (bottom - top))), joint="curve")


def _checks(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    left, top, right, bottom = frame
    side = max(3, int((bottom - top) / rng.integers(2, 4)))
    for row, y in enumerate(range(int(top), int(bottom), side)):
        for x in range(int(left) + row % 2 * side, int(right), 2 * side):
            canvas.rectangle((x, y, x + side - 1, y + side - 1), fill=paint.ink)


def _nothing(canvas: ImageDraw.ImageDraw, frame: Frame, paint: Paint, rng: Rng) -> None:
    """An empty box."""
