"""Classifications as text: a table for people, JSON lines and CSV for programs."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from clipsearch.classify.predictions import Classification
from clipsearch.escape import escape_control
from clipsearch.render.table import display_width, shorten, shown_path

NONE = "none of these"
FIELDS = ("path", "label", "rank", "prediction", "probability")
"""The columns of `csv_text`."""

_MIN_PATH = 16


def table(
    images: Sequence[Classification], *, width: int | None = None, relative_to: Path | None = None
) -> str:
    """A line a picture: its predictions as probability and label, and its path; "" without any.

    A picture that is none of these says so before what comes nearest. `width` is the terminal's,
    in columns: longer paths lose their middle; None keeps them whole. No newline at the end.
    """
    cells = [_cells(one) for one in images]
    columns = max(map(len, cells), default=0)
    widths = [max(display_width(row[n]) for row in cells if n < len(row)) for n in range(columns)]
    room = None if width is None else max(_MIN_PATH, width - sum(widths) - 2 * columns)

    def fits(text: str) -> bool:
        return room is None or display_width(text) <= room

    lines = []
    for one, row in zip(images, cells, strict=True):
        padded = [*row, *[""] * (columns - len(row))]
        left = "".join(
            cell + " " * (wide - display_width(cell) + 2)
            for cell, wide in zip(padded, widths, strict=True)
        )
        lines.append(left + shorten(shown_path(one.record.path, relative_to), fits))
    return "\n".join(lines)


def json_line(one: Classification) -> str:
    r"""One JSON object in ASCII: id, path, label (null for none of these), predictions.

    A byte of the path that is no UTF-8 is written as `\udcXX`, as in the lines of `query`.
    """
    return json.dumps(
        {
            "id": one.record.id,
            "path": str(one.record.path),
            "label": one.label,
            "predictions": [
                {"label": p.label, "probability": round(p.probability, 6)} for p in one.predictions
            ],
        },
        allow_nan=False,
    )


def csv_text(images: Sequence[Classification]) -> str:
    """A header and a line for each prediction of each picture; an empty label is none of these."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for one in images:
        writer.writerows(
            (one.record.path, one.label or "", rank, p.label, round(p.probability, 6))
            for rank, p in enumerate(one.predictions, 1)
        )
    return out.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def _cells(one: Classification) -> list[str]:
    found = [f"{p.probability:6.1%} {escape_control(p.label)}" for p in one.predictions]
    return found if one.label is not None else [f"       {NONE}", *found]
