"""The figure of a probe's curve: accuracy over labelled pictures a class, with the zero-shot point."""

from collections.abc import Callable
from math import isfinite, log2
from pathlib import Path
from typing import Protocol

from clipsearch.errors import UsageError
from clipsearch.files.paths import expand_user
from clipsearch.render.charts import Area, Dot, Line, Mark, Words, draw, svg

SUFFIXES = (".png", ".svg")

WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 84, 40, 64, 76
TEXT = 18

INK, GREY, GRID = "#1f2328", "#59636e", "#e3e6ea"
PROBE, ZERO, BAND = "#0969da", "#bc4c00", "#cfe3fb"


class Point(Protocol):
    """An accuracy, 0..1, with its interval (nan for none), at some examples a class."""

    @property
    def shots(self) -> int | None: ...
    @property
    def examples(self) -> float: ...
    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def write_curve(path: Path, curve: "Curve", *, title: str) -> None:
    """Draw a curve into a .png or .svg file; raises UsageError on others, and if it cannot be."""
    path = expand_user(path)
    marks = _marks(curve, title)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: a figure's name ends in {' or '.join(SUFFIXES)}")
    try:
        if suffix == ".svg":
            path.write_text(svg(marks, WIDTH, HEIGHT), encoding="utf-8")
        else:
            draw(marks, WIDTH, HEIGHT).save(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


class Curve(Protocol):
    """What the figure is of: points in the order of their examples."""

    @property
    def points(self) -> tuple[Point, ...]: ...
    @property
    def zero_shot(self) -> Point | None: ...
    @property
    def tested(self) -> int: ...


def _marks(curve: Curve, title: str) -> list[Mark]:
    xs = _places(curve)
    shown = [*curve.points, *([curve.zero_shot] if curve.zero_shot else [])]
    lowest = min(point.low if isfinite(point.low) else point.mean for point in shown)
    floor = max(0.0, int(10 * (lowest - 0.02)) / 10)

    def y(accuracy: float) -> float:
        share = (min(max(accuracy, floor), 1) - floor) / (1 - floor)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    marks: list[Mark] = [Words(LEFT, 36, title, INK, TEXT + 4)]
    marks += _axes(curve, xs, y, floor)
    banded = [(x, p) for x, p in zip(xs, curve.points, strict=True) if isfinite(p.low)]
    if len(banded) > 1:
        upper = [(x, y(p.high)) for x, p in banded]
        lower = [(x, y(p.low)) for x, p in reversed(banded)]
        marks.append(Area((*upper, *lower), BAND))
    marks.append(
        Line(tuple((x, y(p.mean)) for x, p in zip(xs, curve.points, strict=True)), PROBE, 3)
    )
    marks += [Dot(x, y(p.mean), 6, PROBE) for x, p in zip(xs, curve.points, strict=True)]
    for x, point in zip(xs, curve.points, strict=True):
        marks.append(Words(x, y(point.mean) - 14, f"{point.mean:.1%}", PROBE, TEXT, "middle"))
    if zero := curve.zero_shot:
        x, height = LEFT + 40, y(zero.mean)
        if isfinite(zero.low):
            marks.append(Line(((x, y(zero.low)), (x, y(zero.high))), ZERO, 2))
        marks.append(Dot(x, height, 8, ZERO))
        marks.append(Words(x, height - 16, f"{zero.mean:.1%}", ZERO, TEXT, "middle"))
    return marks


def _places(curve: Curve) -> list[float]:
    """Where each point lies: by the logarithm of its examples a class, right of the zero-shot one."""
    first, last = LEFT + 150, WIDTH - RIGHT - 40
    whole = curve.points[-1].examples / max(1.0, _classes(curve))
    logs = [log2(p.shots if p.shots else max(whole, 1.0)) for p in curve.points]
    # All pictures may be hardly more than the last count: keep the two apart.
    for place in range(1, len(logs)):
        logs[place] = max(logs[place], logs[place - 1] + 0.6)
    spread = (logs[-1] - logs[0]) or 1.0
    return [first + (value - logs[0]) / spread * (last - first) for value in logs]


def _classes(curve: Curve) -> float:
    first = curve.points[0]
    return first.examples / first.shots if first.shots else first.examples


def _axes(curve: Curve, xs: list[float], y: Callable[[float], float], floor: float) -> list[Mark]:
    marks: list[Mark] = []
    for tenth in range(round(10 * floor), 11):
        height = y(tenth / 10)
        marks.append(Line(((LEFT, height), (WIDTH - RIGHT, height)), GRID, 1))
        marks.append(Words(LEFT - 12, height + 6, f"{10 * tenth}%", GREY, TEXT, "end"))
    base = HEIGHT - BOTTOM + 28
    for x, point in zip(xs, curve.points, strict=True):
        name = f"all {point.examples:,.0f}" if point.shots is None else str(point.shots)
        marks.append(Words(x, base, name, GREY, TEXT, "middle"))
    if curve.zero_shot:
        marks.append(Words(LEFT + 40, base, "zero-shot", ZERO, TEXT, "middle"))
    marks.append(
        Words(
            (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 16,
            f"labelled pictures a class; accuracy on {curve.tested:,} others, 95% interval",
            GREY,
            TEXT,
            "middle",
        )
    )
    return marks
