"""Several models' numbers as one table and one plot: an HTML page, or a picture."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from clipsearch.escape import escape_control
from clipsearch.evaluation.results import Evaluation, Measure
from clipsearch.files.paths import expand_user
from clipsearch.render import evaluation_table
from clipsearch.render.charts import Dot, Line, Mark, Words, draw, svg
from clipsearch.render.contact_sheet import (
    IMAGE_SUFFIXES,
    PAGES,
    new_file,
    save_image,
    unknown_suffix,
)
from clipsearch.render.table import shorten

COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4b5563")
INK, GREY, RULE, PALE = "#1c1c1e", "#6b6b70", "#e3e3e1", "#f4f4f2"
WIDTH, LEFT, RIGHT = 960, 250, 40
LETTER = 8.5  # pixels of a letter in the table, about
STEP, GAP = 16, 12  # pixels of a model's line in the plot, and between numbers

_CSS = """\
body { margin: 0 auto; max-width: 62rem; padding: 2rem; color: #1c1c1e; background: #fff;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.4rem; font-weight: 600; } p { color: #6b6b70; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .75rem; text-align: right; border-bottom: 1px solid #e3e3e1; }
th:first-child, td:first-child { text-align: left; } td.best { font-weight: 700; }
tr.group td { padding-top: 1.1rem; font-weight: 600; } small { color: #6b6b70; font-weight: 400; }
svg { max-width: 100%; height: auto; margin-top: 2rem; }
"""


def write_comparison(path: Path, results: Sequence[Evaluation]) -> None:
    """Write table and plot into one .html file, or both drawn into a .png, .jpg or .webp.

    The file appears whole or not at all. Raises UsageError on another suffix and on a folder that
    cannot be written.
    """
    path = expand_user(path)
    suffix = path.suffix.lower()
    if suffix in PAGES:
        with new_file(path) as part:
            part.write_text(comparison_page(results), encoding="utf-8")
    elif suffix in IMAGE_SUFFIXES:
        with new_file(path) as part:
            written, top = _table_marks(results)
            plotted, height = _plot_marks(results, top + 30)
            save_image(draw([*written, *plotted], WIDTH, height), part, suffix)
    else:
        raise unknown_suffix(path)


def check_name(path: Path) -> None:
    """Raise UsageError unless the name's suffix is one that `write_comparison` knows."""
    if path.suffix.lower() not in (*PAGES, *IMAGE_SUFFIXES):
        raise unknown_suffix(path)


def comparison_page(results: Sequence[Evaluation]) -> str:
    """A whole HTML document that needs no other file."""
    heading = "Models compared"
    marks, height = _plot_marks(results, 40)
    about = "".join(
        f"<p>{escape(evaluation_table.title(one))}, {one.seconds:.1f} s</p>\n" for one in results
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>\n{_CSS}</style>\n</head>\n<body>\n<h1>{heading}</h1>\n"
        f"{about}{_html_table(results)}"
        f"<p>Small: 95 % intervals, by resampling pictures.</p>\n{svg(marks, WIDTH, height)}"
        "</body>\n</html>\n"
    )


def _html_table(results: Sequence[Evaluation]) -> str:
    head = "".join(f"<th>{escape(escape_control(one.model))}</th>" for one in results)
    rows, group = [f"<tr><th></th>{head}</tr>"], ""
    for key in evaluation_table.keys(results):
        if key[0] != group:
            group = key[0]
            rows.append(
                f'<tr class="group"><td colspan="{len(results) + 1}">{escape(group)}</td></tr>'
            )
        found = [evaluation_table.find(result, key) for result in results]
        top = evaluation_table.best(found)
        cells = "".join(_html_cell(one, is_best=one is not None and one is top) for one in found)
        rows.append(f"<tr><td>{escape(key[1])}</td>{cells}</tr>")
    return "<table>\n" + "\n".join(rows) + "\n</table>\n"


def _html_cell(one: Measure | None, *, is_best: bool) -> str:
    if one is None:
        return "<td>–</td>"
    mark = ' class="best"' if is_best else ""
    return f"<td{mark}>{escape(evaluation_table.value(one))} <small>{escape(evaluation_table.interval(one))}</small></td>"


def _table_marks(results: Sequence[Evaluation]) -> tuple[list[Mark], int]:
    """The table for a picture, and where it ends."""
    marks: list[Mark] = []
    column, y = (WIDTH - LEFT - RIGHT) / len(results), 44
    for row in evaluation_table.comparison(results):
        if len(row) == 1:
            y += 12
            marks.append(Words(RIGHT, y, row[0], INK, 16))
        else:
            marks.append(Words(RIGHT + 14, y, row[0], GREY))
            marks += [
                Words(LEFT + (n + 1) * column, y, _fitting(cell, column), INK, 15, "end")
                for n, cell in enumerate(row[1:])
            ]
            marks += [
                Dot(LEFT + (n + 1) * column + 12, y - 5, 4, COLOURS[n % len(COLOURS)])
                for n, cell in enumerate(row[1:])
                if cell.endswith("*")
            ]
            marks.append(Line(((RIGHT, y + 8), (WIDTH - RIGHT + 20, y + 8)), RULE))
        y += 27
    return marks, y


def _fitting(cell: str, column: float) -> str:
    """A cell, or a long model name without its middle, so that it stays in its column."""
    return shorten(cell.removesuffix("*"), lambda text: len(text) * LETTER < column - 20)


def _plot_marks(results: Sequence[Evaluation], top: float) -> tuple[list[Mark], int]:
    """Each share as a dot with its interval, the models of a number below each other."""
    marks: list[Mark] = []
    y = top
    for n, result in enumerate(results):
        marks.append(Dot(LEFT, y - 5, 5, COLOURS[n % len(COLOURS)]))
        marks.append(Words(LEFT + 14, y, escape_control(result.model), INK))
        y += 22
    first, group = y, ""
    for key in evaluation_table.keys(results):
        found = [evaluation_table.find(result, key) for result in results]
        if not any(one is not None and one.share and not one.difference for one in found):
            continue  # has no place on a scale from 0 to 100 %
        if key[0] != group:
            group = key[0]
            y += 10
            marks.append(Words(RIGHT, y + 14, group, INK, 16))
            y += 26
        marks.append(Words(LEFT - 16, y + STEP * len(found) / 2 + 5, key[1], GREY, 15, "end"))
        for n, one in enumerate(found):
            if one is not None:
                marks += _dot(one, y + STEP * (n + 0.5), COLOURS[n % len(COLOURS)])
        y += STEP * len(found) + GAP
    scale = [mark for tenth in range(0, 11, 2) for mark in _tick(tenth * 10, first, y)]
    return [*scale, *marks], round(y + 48)


def _dot(one: Measure, y: float, colour: str) -> list[Mark]:
    marks: list[Mark] = [Dot(_x(one.estimate.value), y, 5, colour)]
    if one.estimate.low is not None and one.estimate.high is not None:
        marks.insert(0, Line(((_x(one.estimate.low), y), (_x(one.estimate.high), y)), colour, 2))
    return marks


def _tick(percent: int, top: float, bottom: float) -> list[Mark]:
    x = _x(percent / 100)
    return [
        Line(((x, top), (x, bottom)), RULE),
        Words(x, bottom + 22, f"{percent} %", GREY, 14, "middle"),
    ]


def _x(share: float) -> float:
    """Where a share lies, 0..1."""
    return LEFT + share * (WIDTH - LEFT - RIGHT)
