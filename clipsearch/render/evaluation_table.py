"""Evaluations as text: the numbers of one as a table, and several side by side."""

from collections.abc import Sequence

from clipsearch.escape import escape_control
from clipsearch.evaluation.results import Evaluation, Measure

Key = tuple[str, str]


def table(result: Evaluation) -> str:
    """A title, then a line for each number with its interval; no newline at the end."""
    lines = [title(result)]
    width = max(len(one.name) for one in result.measures)
    group = ""
    for one in result.measures:
        if one.group != group:
            group = one.group
            lines += ["", group]
        lines.append(f"  {one.name:<{width}}  {value(one):>8}  {interval(one)}".rstrip())
    return "\n".join(lines)


def title(result: Evaluation) -> str:
    """What was evaluated, on how much: "retrieval · pocket · 500 images, 2,500 captions"."""
    counts = ", ".join(f"{count:,} {name}" for name, count in result.counts.items())
    return f"{result.kind} · {escape_control(result.model)} · {counts}"


def comparison(results: Sequence[Evaluation]) -> list[list[str]]:
    """Rows of cells: a header of model names, then a row for each number, grouped.

    A row of one cell is the heading of a group. "*" marks the best of a row.
    """
    rows = [["", *(escape_control(result.model) for result in results)]]
    group = ""
    for key in keys(results):
        if key[0] != group:
            group = key[0]
            rows.append([group])
        found = [find(result, key) for result in results]
        top = best(found)
        rows.append(
            [
                key[1],
                *(
                    "–" if one is None else value(one) + ("*" if one is top else "")
                    for one in found
                ),
            ]
        )
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows of `comparison` as lines."""
    columns = len(rows[0])
    widths = [
        max(len(row[n]) for row in rows if len(row) == columns) + (2 if n == 0 else 0)
        for n in range(columns)
    ]
    lines = []
    for row in rows:
        if len(row) == 1:
            lines += ["", row[0]]
            continue
        first = row[0] if row is rows[0] else f"  {row[0]}"
        # The star hangs to the right of its column, so that the digits stay below each other.
        cells = [
            f"{cell}{'' if cell.endswith('*') else ' '}".rjust(wide + 1)
            for cell, wide in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def keys(results: Sequence[Evaluation]) -> list[Key]:
    """The group and name of every number that any of them has, in order."""
    return list(dict.fromkeys((one.group, one.name) for r in results for one in r.measures))


def find(result: Evaluation, key: Key) -> Measure | None:
    """The measure of that group and name, if there is one."""
    return next((one for one in result.measures if (one.group, one.name) == key), None)


def best(found: Sequence[Measure | None]) -> Measure | None:
    """The best of several models' same number; None of one alone, of equal ones and of differences."""
    there = [one for one in found if one is not None]
    if len({one.value for one in there}) < 2 or there[0].difference:
        return None
    choose = min if there[0].lower_is_better else max
    return choose(there, key=lambda one: one.value)


def value(one: Measure) -> str:
    """The number as people read it: a share in percent."""
    return _shown(one.estimate.value, one)


def interval(one: Measure) -> str:
    """Its interval, "28.4 – 34.1"; empty where it has none."""
    low, high = one.estimate.low, one.estimate.high
    if low is None or high is None:
        return ""
    return f"{_shown(low, one).rstrip(' %')} – {_shown(high, one)}"


def _shown(number: float, one: Measure) -> str:
    if one.share:
        return f"{100 * number:{'+' if one.difference else ''}.1f} %"
    return f"{number:,.1f}".removesuffix(".0") if one.lower_is_better else f"{number:.3f}"
