"""The chart of a linear probe's learning curve: accuracy over labeled images per class."""

from collections.abc import Callable
from math import isfinite, log2
from pathlib import Path

from clipsearch.classify.learning_curve import LearningCurve
from clipsearch.render.charts import Circle, Line, Polygon, Shape, Text, draw_chart, svg_chart
from clipsearch.render.output_file import replace_file, require_suffix

SUFFIXES = (".png", ".svg")

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 84, 40, 96, 76  # margins in pixels; labels rise into the upper one
ZERO_SHOT_X = LEFT + 40
FONT_SIZE = 18

INK, GRAY, GRID = "#1f2328", "#59636e", "#e3e6ea"
PROBE, ZERO_SHOT, BAND = "#0969da", "#bc4c00", "#cfe3fb"


def write_curve(path: Path, curve: LearningCurve, *, title: str) -> None:
    """Draw a curve into a .png or .svg file.

    The file is written atomically. Raises UsageError on another suffix and on a folder that cannot
    be written.
    """
    suffix = require_suffix(path, SUFFIXES)
    shapes = _shapes(curve, title)
    with replace_file(path) as temporary:
        if suffix == ".svg":
            temporary.write_text(svg_chart(shapes, WIDTH, HEIGHT), encoding="utf-8")
        else:
            draw_chart(shapes, WIDTH, HEIGHT).save(temporary, "png")


def _shapes(curve: LearningCurve, title: str) -> list[Shape]:
    xs = _x_positions(curve)
    points = list(zip(xs, curve.points, strict=True))
    accuracies = [*curve.points, *([curve.zero_shot] if curve.zero_shot else [])]
    lowest = min(point.low if isfinite(point.low) else point.mean for point in accuracies)
    floor = max(0.0, int(10 * (lowest - 0.02)) / 10)

    def y(accuracy: float) -> float:
        share = (min(max(accuracy, floor), 1) - floor) / (1 - floor)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    shapes: list[Shape] = [Text(LEFT, 36, title, INK, FONT_SIZE + 4)]
    shapes += _axes(curve, xs, y, floor)
    intervals = [(x, point) for x, point in points if isfinite(point.low)]
    if len(intervals) > 1:
        upper = [(x, y(point.high)) for x, point in intervals]
        lower = [(x, y(point.low)) for x, point in reversed(intervals)]
        shapes.append(Polygon((*upper, *lower), BAND))
    shapes.append(Line(tuple((x, y(point.mean)) for x, point in points), PROBE, 3))
    shapes += [Circle(x, y(point.mean), 6, PROBE) for x, point in points]
    for x, point in points:
        shapes.append(Text(x, y(point.mean) - 14, f"{point.mean:.1%}", PROBE, FONT_SIZE, "middle"))
    return shapes + _zero_shot(curve, y)


def _zero_shot(curve: LearningCurve, y: Callable[[float], float]) -> list[Shape]:
    """The accuracy without examples, with its interval, left of the curve."""
    point = curve.zero_shot
    if point is None:
        return []
    x, shapes = ZERO_SHOT_X, list[Shape]()
    if isfinite(point.low):
        shapes.append(Line(((x, y(point.low)), (x, y(point.high))), ZERO_SHOT, 2))
    shapes.append(Circle(x, y(point.mean), 8, ZERO_SHOT))
    label = f"{point.mean:.1%}"
    shapes.append(Text(x, y(point.mean) - 16, label, ZERO_SHOT, FONT_SIZE, "middle"))
    return shapes


def _x_positions(curve: LearningCurve) -> list[float]:
    """The x of each point, on a logarithmic scale of examples per class."""
    first, last = LEFT + 150, WIDTH - RIGHT - 40
    all_examples = curve.points[-1].examples / max(1.0, _class_count(curve))
    logs = [log2(point.shots if point.shots else max(all_examples, 1.0)) for point in curve.points]
    # All images may be hardly more than the last number of shots: keep the two points apart.
    for index in range(1, len(logs)):
        logs[index] = max(logs[index], logs[index - 1] + 0.6)
    spread = (logs[-1] - logs[0]) or 1.0
    return [first + (value - logs[0]) / spread * (last - first) for value in logs]


def _class_count(curve: LearningCurve) -> float:
    point = curve.points[0]
    return point.examples / point.shots if point.shots else point.examples


def _axes(
    curve: LearningCurve, xs: list[float], y: Callable[[float], float], floor: float
) -> list[Shape]:
    shapes: list[Shape] = []
    for tenth in range(round(10 * floor), 11):
        height = y(tenth / 10)
        shapes.append(Line(((LEFT, height), (WIDTH - RIGHT, height)), GRID, 1))
        shapes.append(Text(LEFT - 12, height + 6, f"{10 * tenth}%", GRAY, FONT_SIZE, "end"))
    baseline = HEIGHT - BOTTOM + 28
    for x, point in zip(xs, curve.points, strict=True):
        label = "all" if point.shots is None else str(point.shots)
        shapes.append(Text(x, baseline, label, GRAY, FONT_SIZE, "middle"))
    if curve.zero_shot:
        shapes.append(Text(ZERO_SHOT_X, baseline, "zero-shot", ZERO_SHOT, FONT_SIZE, "middle"))
    title = f"labeled images per class; accuracy on {curve.tested:,} others, 95% interval"
    middle = (LEFT + WIDTH - RIGHT) / 2
    shapes.append(Text(middle, HEIGHT - 16, title, GRAY, FONT_SIZE, "middle"))
    return shapes
