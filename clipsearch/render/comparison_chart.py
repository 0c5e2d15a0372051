"""Several models' evaluations as one table and one chart: an HTML page, or an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.evaluation.results import Evaluation, Measure
from clipsearch.render.charts import Circle, Line, Shape, Text, draw_chart, svg_chart
from clipsearch.render.display_text import shorten
from clipsearch.render.evaluation_table import (
    best_measure,
    comparison_rows,
    evaluation_title,
    find_measure,
    format_interval,
    format_value,
    measure_keys,
)
from clipsearch.render.html_template import render_template
from clipsearch.render.output_file import HTML_SUFFIXES, replace_file, require_suffix, save_image

COLORS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4b5563")
INK, GRAY, RULE = "#1c1c1e", "#6b6b70", "#e3e3e1"
WIDTH, LEFT, RIGHT = 960, 250, 40
LETTER_WIDTH = 8.5  # pixels, approximate
MODEL_HEIGHT, MEASURE_GAP = 16, 12  # pixels of a model's line, and between measures


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the HTML table; None if the model has none."""

    value: str | None
    interval: str
    is_best: bool


def write_comparison(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write table and chart to one .html file, or draw both into a .png, .jpg or .webp file.

    The file is written atomically. Raises UsageError on another suffix and on a folder that cannot
    be written.
    """
    suffix = require_suffix(path)
    with replace_file(path) as temporary:
        if suffix in HTML_SUFFIXES:
            temporary.write_text(comparison_page(evaluations), encoding="utf-8")
        else:
            table, bottom = _table_shapes(evaluations)
            chart, height = _chart_shapes(evaluations, bottom + 30)
            save_image(draw_chart([*table, *chart], WIDTH, height), temporary, suffix)


def comparison_page(evaluations: Sequence[Evaluation]) -> str:
    """A complete, self-contained HTML document."""
    shapes, height = _chart_shapes(evaluations, 40)
    groups: dict[str, list[tuple[str, list[Cell]]]] = {}
    for group, name in measure_keys(evaluations):
        measures = [find_measure(evaluation, (group, name)) for evaluation in evaluations]
        best = best_measure(measures)
        cells = [_cell(measure, is_best=measure is best) for measure in measures]
        groups.setdefault(group, []).append((name, cells))
    return render_template(
        "comparison.html",
        evaluations=[
            f"{evaluation_title(evaluation)}, {evaluation.seconds:.1f} s"
            for evaluation in evaluations
        ],
        models=[escape_control(evaluation.model) for evaluation in evaluations],
        groups=groups,
        chart=svg_chart(shapes, WIDTH, height),
    )


def _cell(measure: Measure | None, *, is_best: bool) -> Cell:
    if measure is None:
        return Cell(None, "", is_best=False)
    return Cell(format_value(measure), format_interval(measure), is_best)


def _table_shapes(evaluations: Sequence[Evaluation]) -> tuple[list[Shape], int]:
    """The table for an image, and the y of its lower end."""
    shapes: list[Shape] = []
    column_width, y = (WIDTH - LEFT - RIGHT) / len(evaluations), 44
    for row in comparison_rows(evaluations):
        if len(row) == 1:
            y += 12
            shapes.append(Text(RIGHT, y, row[0], INK, 16))
        else:
            shapes.append(Text(RIGHT + 14, y, row[0], GRAY))
            for column, cell in enumerate(row[1:]):
                right = LEFT + (column + 1) * column_width
                shapes.append(Text(right, y, _fit_cell(cell, column_width), INK, 15, "end"))
                if cell.endswith("*"):
                    shapes.append(Circle(right + 12, y - 5, 4, COLORS[column % len(COLORS)]))
            shapes.append(Line(((RIGHT, y + 8), (WIDTH - RIGHT + 20, y + 8)), RULE))
        y += 27
    return shapes, y


def _fit_cell(cell: str, column_width: float) -> str:
    """The cell without its star, shortened if a long model name exceeds the column."""
    return shorten(
        cell.removesuffix("*"), lambda text: len(text) * LETTER_WIDTH < column_width - 20
    )


def _chart_shapes(evaluations: Sequence[Evaluation], top: float) -> tuple[list[Shape], int]:
    """A dot with its interval for each share, grouped by measure, and the height of the chart."""
    shapes: list[Shape] = []
    y = top
    for index, evaluation in enumerate(evaluations):
        shapes.append(Circle(LEFT, y - 5, 5, COLORS[index % len(COLORS)]))
        shapes.append(Text(LEFT + 14, y, escape_control(evaluation.model), INK))
        y += 22
    axis_top, group = y, ""
    for key in measure_keys(evaluations):
        measures = [find_measure(evaluation, key) for evaluation in evaluations]
        if not any(m is not None and m.is_share and not m.is_difference for m in measures):
            continue  # not on a scale from 0 to 100 %
        if key[0] != group:
            group = key[0]
            y += 10
            shapes.append(Text(RIGHT, y + 14, group, INK, 16))
            y += 26
        middle = y + MODEL_HEIGHT * len(measures) / 2 + 5
        shapes.append(Text(LEFT - 16, middle, key[1], GRAY, 15, "end"))
        for index, measure in enumerate(measures):
            if measure is not None:
                color = COLORS[index % len(COLORS)]
                shapes += _dot(measure, y + MODEL_HEIGHT * (index + 0.5), color)
        y += MODEL_HEIGHT * len(measures) + MEASURE_GAP
    axis = [shape for tenth in range(0, 11, 2) for shape in _tick(tenth * 10, axis_top, y)]
    return [*axis, *shapes], round(y + 48)


def _dot(measure: Measure, y: float, color: str) -> list[Shape]:
    estimate = measure.estimate
    shapes: list[Shape] = [Circle(_x(estimate.value), y, 5, color)]
    if estimate.low is not None and estimate.high is not None:
        shapes.insert(0, Line(((_x(estimate.low), y), (_x(estimate.high), y)), color, 2))
    return shapes


def _tick(percent: int, top: float, bottom: float) -> list[Shape]:
    x = _x(percent / 100)
    return [
        Line(((x, top), (x, bottom)), RULE),
        Text(x, bottom + 22, f"{percent} %", GRAY, 14, "middle"),
    ]


def _x(share: float) -> float:
    """The x of a share from 0 to 1."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)
