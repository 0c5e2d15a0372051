"""Marks in rows that are no letters: a model that has seen some takes no zebras for words."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.textness.lettering import Paint, Rng, lay

MARKS = (3, 13)  # in a row
Frame = tuple[float, float, float, float]  # left, top, right, bottom
Row = Callable[[ImageDraw.ImageDraw, Frame, Paint, Rng], None]


def scribble(picture: Image.Image, rng: Rng) -> Image.Image:
    """A copy of an RGB picture with one to three rows of strokes or shapes, a line, checks or nothing
    on it, in the looks, places and angles that words have.
    """
    paint = Paint.random(rng)
    rows = int(rng.integers(1, 4))
    width = int(picture.width * rng.uniform(0.3, 0.98))
    height = max(8, int(picture.height * min(0.6, rows * rng.uniform(0.08, 0.3))))
    panel = paint.panel(width, height)
    kinds: tuple[tuple[float, Row], ...] = (
        (0.35, _shapes),
        (0.25, _strokes),
        (0.15, _line),
        (0.15, _nothing),
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
    always = int(rng.integers(4)) if rng.random() < 0.5 else None
    for start, end in pairwise(np.linspace(left, right, int(rng.integers(*MARKS)) + 1)):
        gaps = (end - start) * rng.uniform(0.05, 0.25, 2)
        cuts = (bottom - top) * rng.uniform(0, 0.3, 2)
        box = (start + gaps[0], top + cuts[0], end - gaps[1], bottom - cuts[1])
        if box[2] <= box[0] or box[3] <= box[1]:
            continue
        kind = int(rng.integers(4)) if always is None else always
        if kind == 0:
            canvas.ellipse(box, fill=paint.ink)
        elif kind == 1:
            canvas.rectangle(box, fill=paint.ink)
        elif kind == 2:
            canvas.polygon(
                [(box[0], box[3]), ((box[0] + box[2]) / 2, box[1]), box[2:]], fill=paint.ink
            )
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
