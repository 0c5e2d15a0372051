"""Hits and classifications as aligned text tables for people."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clipsearch.escape import escape_control
from clipsearch.records import Hit

if TYPE_CHECKING:  # a query through the daemon prints hits without numpy
    from clipsearch.classify.predictions import Classification
from clipsearch.render.display_text import display_path, display_width, pad, shorten

NO_LABEL = "none of these"
MISSING = "  (missing)"
MAX_LINES = 3  # of the text of one image
MIN_PATH_WIDTH = 16  # columns; in a narrower terminal the lines wrap


def hits_table(
    hits: Sequence[Hit],
    *,
    start: int = 1,
    width: int | None = None,
    relative_to: Path | None = None,
    missing: Container[Path] = (),
) -> str:
    """Rank, score, z, p, textness and path in columns below a header; "" without hits.

    Ranks count from `start`. `width` is the terminal's width in columns: longer paths lose their
    middle; None keeps them complete. Paths in `missing` are marked. The columns z, p and textness
    are left out if no hit has a value. In a search for words, the lines that show them follow each
    path. The last line does not end in a newline.
    """
    if not hits:
        return ""
    numbers = [
        (
            str(rank),
            f"{hit.score:.3f}",
            "" if hit.z is None else f"{hit.z:+.1f}",
            "" if hit.p is None else f"{hit.p:.2f}",
            "" if hit.textness is None else f"{hit.textness:.2f}",
        )
        for rank, hit in enumerate(hits, start)
    ]
    rows = [("#", "score", "z", "p", "text"), *numbers]
    columns = [column for column in range(5) if column < 2 or any(row[column] for row in numbers)]
    widths = {column: max(len(row[column]) for row in rows) for column in columns}
    indent = sum(widths.values()) + 2 * len(widths)
    path_width = _path_width(width, indent)
    paths = ["path"]
    for hit in hits:
        mark = MISSING if hit.path in missing else ""
        fitting = path_width and max(MIN_PATH_WIDTH, path_width - len(mark))
        path = _fit_path(hit.path, relative_to, fitting) + mark
        says = "\n" + " " * indent + _says_text(hit, path_width) if hit.says else ""
        paths.append(path + says)
    return "\n".join(
        "".join(row[column].rjust(widths[column]) + "  " for column in columns) + path
        for row, path in zip(rows, paths, strict=True)
    )


def _says_text(hit: Hit, width: int | None) -> str:
    """The first lines with the words, with the kind of match unless these are whole words."""
    lines = [
        f'"{escape_control(line.text)}"' + ("" if line.match == "word" else f" ({line.match})")
        for line in hit.says[:MAX_LINES]
    ]
    more = len(hit.says) - MAX_LINES
    text = ", ".join(lines) + (f" and {more} more" if more > 0 else "")
    return shorten(text, lambda part: width is None or display_width(part) <= width)


def classifications_table(
    classifications: Sequence[Classification],
    *,
    width: int | None = None,
    relative_to: Path | None = None,
) -> str:
    """One line per image: probability and label of each prediction, then the path.

    An image without a label shows `NO_LABEL` before its predictions. `width` and `relative_to` as
    in `hits_table`. Returns "" without classifications.
    """
    rows = [_prediction_cells(classification) for classification in classifications]
    columns = max(map(len, rows), default=0)
    widths = [
        max(display_width(row[column]) for row in rows if column < len(row))
        for column in range(columns)
    ]
    path_width = _path_width(width, sum(widths) + 2 * columns)
    lines = []
    for classification, row in zip(classifications, rows, strict=True):
        padded = [*row, *[""] * (columns - len(row))]
        cells = [pad(cell, size + 2) for cell, size in zip(padded, widths, strict=True)]
        lines.append(
            "".join(cells) + _fit_path(classification.record.path, relative_to, path_width)
        )
    return "\n".join(lines)


def _prediction_cells(classification: Classification) -> list[str]:
    cells = [
        f"{prediction.probability:6.1%} {escape_control(prediction.label)}"
        for prediction in classification.predictions
    ]
    return cells if classification.label is not None else [f"       {NO_LABEL}", *cells]


def _path_width(width: int | None, other_columns: int) -> int | None:
    """Terminal columns left for paths; None without a limit."""
    return None if width is None else max(MIN_PATH_WIDTH, width - other_columns)


def _fit_path(path: Path, relative_to: Path | None, width: int | None) -> str:
    text = display_path(path, relative_to)
    return shorten(text, lambda part: width is None or display_width(part) <= width)
