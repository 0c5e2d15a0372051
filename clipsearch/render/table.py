"""Hits as text: a table for people; JSON lines, CSV and bare paths for programs."""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from clipsearch.escape import escape_control
from clipsearch.types import Hit

FIELDS = ("id", "path", "score", "z", "width", "height", "format", "taken_at", "size")
"""What `json_line` and `csv_text` tell of a hit, in this order; `textness` follows where it is known."""

ELLIPSIS = "…"
_MIN_PATH = 16  # columns; a narrower path says nothing, so a narrower terminal wraps instead


def display_width(text: str) -> int:
    """The columns that `text`, made `safe` before, takes in a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """Cut the middle out of `text` until it `fits`; both ends stay, since both say which file."""
    if fits(text):
        return text
    keep, too_many = 0, len(text)
    while too_many - keep > 1:
        middle = (keep + too_many) // 2
        keep, too_many = (middle, too_many) if fits(_cut(text, middle)) else (keep, middle)
    return _cut(text, keep)


def shown_path(path: Path, relative_to: Path | None = None) -> str:
    """`path` for people: below the folder `relative_to` without that folder, and made `safe`."""
    if relative_to is not None and path.is_relative_to(relative_to):
        path = path.relative_to(relative_to)
    return escape_control(str(path))


def shown_scores(hit: Hit) -> str:
    """The score and, where they are known, z and textness: "0.312  z +4.1  text 0.02"."""
    z = "" if hit.z is None else f"  z {hit.z:+.1f}"
    return f"{hit.score:.3f}{z}" + ("" if hit.textness is None else f"  text {hit.textness:.2f}")


def table(
    hits: Sequence[Hit],
    *,
    start: int = 1,
    width: int | None = None,
    relative_to: Path | None = None,
) -> str:
    """Rank, score, z, textness and path in aligned columns under a header line; "" without hits.

    Ranks count from `start`. `width` is the terminal's, in columns: longer paths lose their
    middle; None keeps them whole. The columns of z and textness are left out where no hit has one.
    No newline follows the last line.
    """
    if not hits:
        return ""
    numbers = [
        (
            str(rank),
            f"{hit.score:.3f}",
            "" if hit.z is None else f"{hit.z:+.1f}",
            "" if hit.textness is None else f"{hit.textness:.2f}",
        )
        for rank, hit in enumerate(hits, start)
    ]
    rows = [("#", "score", "z", "text"), *numbers]
    used = [column for column in range(4) if column < 2 or any(row[column] for row in numbers)]
    widths = {column: max(len(row[column]) for row in rows) for column in used}
    room = None if width is None else max(_MIN_PATH, width - sum(w + 2 for w in widths.values()))

    def fits(text: str) -> bool:
        return room is None or display_width(text) <= room

    paths = ["path", *(shorten(shown_path(hit.path, relative_to), fits) for hit in hits)]
    return "\n".join(
        "".join(row[column].rjust(widths[column]) + "  " for column in used) + path
        for row, path in zip(rows, paths, strict=True)
    )


def json_line(hit: Hit) -> str:
    r"""One JSON object in ASCII, without a newline: the `FIELDS` of the hit, its textness and tags if known.

    `z` and `taken_at` (ISO 8601) may be null. A byte of the path that is no UTF-8 is written as
    `\udcXX`: `os.fsencode(json.loads(line)["path"])` gives the exact path back.
    """
    values: dict[str, object] = dict(zip(FIELDS, _values(hit), strict=True))
    if hit.textness is not None:
        values["textness"] = round(hit.textness, 4)
    if hit.record.tags:
        values["tags"] = hit.record.tags
    return json.dumps(values, allow_nan=False)


def csv_text(hits: Sequence[Hit]) -> str:
    r"""A header line and one line a hit, with the `FIELDS`; unknown values are empty.

    A column of textness follows where any hit has it.

    A byte of a path that is no UTF-8 is written as the six characters `\udcXX`, so the text can
    be encoded; `paths` gives such paths exactly.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    more = any(hit.textness is not None for hit in hits)
    writer.writerow((*FIELDS, "textness") if more else FIELDS)
    for hit in hits:
        textness = None if hit.textness is None else round(hit.textness, 4)
        writer.writerow((*_values(hit), textness) if more else _values(hit))
    return out.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def paths(hits: Sequence[Hit], end: Literal["\n", "\0"] = "\n") -> bytes:
    """The paths exactly as the file system has them, each followed by `end`."""
    return b"".join(os.fsencode(hit.path) + end.encode() for hit in hits)


def _values(hit: Hit) -> tuple[str | float | None, ...]:
    record = hit.record
    return (
        record.id,
        str(record.path),
        round(float(hit.score), 6),  # float32 holds no more
        None if hit.z is None else round(float(hit.z), 3),
        record.width,
        record.height,
        record.format,
        None if record.taken_at is None else record.taken_at.isoformat(),
        record.size,
    )


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
        return 0  # drawn onto the character before; the range is Hangul vowels and finals
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _cut(text: str, keep: int) -> str:
    """The first and last characters of `text`, `keep` in all, around an ellipsis."""
    left = keep // 2
    end = text[len(text) - (keep - left) :]
    while end and _columns(end[0]) == 0:  # an accent must not land on the ellipsis
        end = end[1:]
    return text[:left] + ELLIPSIS + end
