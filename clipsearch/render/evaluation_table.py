"""Evaluations as text tables: of one model, or of several side by side."""

from collections.abc import Sequence

from clipsearch.escape import escape_control
from clipsearch.evaluation.results import Evaluation, Measure

Key = tuple[str, str]
"""The group and name of a measure."""


def format_evaluation(evaluation: Evaluation) -> str:
    """A title, then a line for each measure with its interval; no newline at the end."""
    lines = [evaluation_title(evaluation)]
    width = max(len(measure.name) for measure in evaluation.measures)
    group = ""
    for measure in evaluation.measures:
        if measure.group != group:
            group = measure.group
            lines += ["", group]
        line = f"  {measure.name:<{width}}  {format_value(measure):>8}  {format_interval(measure)}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def evaluation_title(evaluation: Evaluation) -> str:
    """The kind, model and counts: "retrieval · pocket · 500 images, 2,500 captions"."""
    counts = ", ".join(f"{count:,} {name}" for name, count in evaluation.counts.items())
    return f"{evaluation.kind} · {escape_control(evaluation.model)} · {counts}"


def comparison_rows(evaluations: Sequence[Evaluation]) -> list[list[str]]:
    """Rows of cells: a header of model names, then a row for each measure, grouped.

    A row of one cell is the heading of a group. "*" marks the best value of a row.
    """
    rows = [["", *(escape_control(evaluation.model) for evaluation in evaluations)]]
    group = ""
    for key in measure_keys(evaluations):
        if key[0] != group:
            group = key[0]
            rows.append([group])
        measures = [find_measure(evaluation, key) for evaluation in evaluations]
        best = best_measure(measures)
        cells = [
            "–" if measure is None else format_value(measure) + ("*" if measure is best else "")
            for measure in measures
        ]
        rows.append([key[1], *cells])
    return rows


def align_rows(rows: Sequence[Sequence[str]]) -> str:
    """The rows of `comparison_rows` as lines with aligned columns."""
    columns = len(rows[0])
    widths = [
        max(len(row[column]) for row in rows if len(row) == columns) + (2 if column == 0 else 0)
        for column in range(columns)
    ]
    lines = []
    for row in rows:
        if len(row) == 1:
            lines += ["", row[0]]
            continue
        first = row[0] if row is rows[0] else f"  {row[0]}"
        # The star stands to the right of its column, so that the digits stay aligned.
        cells = [
            f"{cell}{'' if cell.endswith('*') else ' '}".rjust(width + 1)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def measure_keys(evaluations: Sequence[Evaluation]) -> list[Key]:
    """The group and name of each measure that any evaluation has, in order."""
    return list(
        dict.fromkeys(
            (measure.group, measure.name)
            for evaluation in evaluations
            for measure in evaluation.measures
        )
    )


def find_measure(evaluation: Evaluation, key: Key) -> Measure | None:
    """The measure of that group and name; None if there is none."""
    measures = (m for m in evaluation.measures if (m.group, m.name) == key)
    return next(measures, None)


def best_measure(measures: Sequence[Measure | None]) -> Measure | None:
    """The best of several models' values of one measure.

    Returns None for a single value, for equal values and for differences.
    """
    present = [measure for measure in measures if measure is not None]
    if len({measure.value for measure in present}) < 2 or present[0].is_difference:
        return None
    choose = min if present[0].lower_is_better else max
    return choose(present, key=lambda measure: measure.value)


def format_value(measure: Measure) -> str:
    """The value for people: shares as percentages."""
    return _format_number(measure.estimate.value, measure)


def format_interval(measure: Measure) -> str:
    """The 95 % interval, such as "28.4 – 34.1 %"; "" without one."""
    low, high = measure.estimate.low, measure.estimate.high
    if low is None or high is None:
        return ""
    return f"{_format_number(low, measure).rstrip(' %')} – {_format_number(high, measure)}"


def _format_number(number: float, measure: Measure) -> str:
    if measure.is_share:
        return f"{100 * number:{'+' if measure.is_difference else ''}.1f} %"
    return f"{number:,.1f}".removesuffix(".0") if measure.lower_is_better else f"{number:.3f}"
