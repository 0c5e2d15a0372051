"""Hits and classifications for programs: JSON lines, CSV and bare paths."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from clipsearch.query.response import says_json
from clipsearch.records import Hit

if TYPE_CHECKING:  # a query through the daemon prints hits without numpy
    from clipsearch.classify.predictions import Classification

HIT_FIELDS = (
    "id",
    "path",
    "score",
    "z",
    "p",
    "width",
    "height",
    "format",
    "taken_at",
    "taken_from",
    "camera",
    "latitude",
    "longitude",
    "size",
)
"""The fields of `hit_json` and `hits_csv`, in this order; more follow."""

CLASSIFICATION_FIELDS = ("path", "label", "rank", "prediction", "probability")
"""The columns of `classifications_csv`."""


def hit_json(hit: Hit, warnings: Sequence[str] = (), *, missing: bool = False) -> str:
    r"""The `HIT_FIELDS`, `textness`, `tags`, `missing`, `warnings` as one line of ASCII JSON.

    `metadata` follows if the image has any, and `says` in a search for words: the text, box and
    match of each line, see `SaysMatch`. Unknown values are null; `taken_at` is in ISO 8601.
    `warnings` are those of the query. A byte of the path that is not UTF-8 is written as
    `\udcXX`: `os.fsencode(json.loads(line)["path"])` returns the exact path. No newline at the end.
    """
    values: dict[str, object] = dict(zip(HIT_FIELDS, _hit_values(hit), strict=True))
    values["textness"] = None if hit.textness is None else round(hit.textness, 4)
    values["tags"] = hit.record.tags
    if hit.record.metadata:
        values["metadata"] = dict(hit.record.metadata)
    if hit.says:
        values["says"] = says_json(hit)
    values["missing"] = missing
    values["warnings"] = list(warnings)
    return json.dumps(values, allow_nan=False)


def hits_csv(hits: Sequence[Hit]) -> str:
    r"""A header, then one line per hit with the `HIT_FIELDS`; unknown values are empty.

    A textness column follows if any hit has a value, then in a search for words a column `says` of
    JSON, as in `hit_json`. A byte of a path that is not UTF-8 is written
    as the six characters `\udcXX`; `hit_paths` writes such paths exactly.
    """
    has_textness = any(hit.textness is not None for hit in hits)
    has_says = any(hit.says for hit in hits)
    optional = [("textness", has_textness), ("says", has_says)]
    header = (*HIT_FIELDS, *(name for name, is_present in optional if is_present))
    rows: list[tuple[object, ...]] = [header]
    for hit in hits:
        textness = None if hit.textness is None else round(hit.textness, 4)
        says = json.dumps(says_json(hit)) if has_says else ""
        values = zip((textness, says), (has_textness, has_says), strict=True)
        rows.append((*_hit_values(hit), *(value for value, is_present in values if is_present)))
    return _csv(rows)


def hit_paths(hits: Sequence[Hit], end: Literal["\n", "\0"] = "\n") -> bytes:
    """The paths as the bytes of the file system, each followed by `end`."""
    return b"".join(os.fsencode(str(hit.path)) + end.encode() for hit in hits)


def classification_json(classification: Classification) -> str:
    r"""One line of ASCII JSON: id, path, label (null for none of the labels), predictions.

    A byte of the path that is not UTF-8 is written as `\udcXX`, as in `hit_json`.
    """
    return json.dumps(
        {
            "id": classification.record.id,
            "path": str(classification.record.path),
            "label": classification.label,
            "predictions": [
                {"label": prediction.label, "probability": round(prediction.probability, 6)}
                for prediction in classification.predictions
            ],
        },
        allow_nan=False,
    )


def classifications_csv(classifications: Sequence[Classification]) -> str:
    """A header, then one line per prediction; the label is empty for none of the labels."""
    rows: list[tuple[object, ...]] = [CLASSIFICATION_FIELDS]
    for classification in classifications:
        path, label = classification.record.path, classification.label or ""
        rows.extend(
            (path, label, rank, prediction.label, round(prediction.probability, 6))
            for rank, prediction in enumerate(classification.predictions, 1)
        )
    return _csv(rows)


def _csv(rows: Iterable[Sequence[object]]) -> str:
    import csv  # this and io take as long as all other imports of this module
    import io

    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def _hit_values(hit: Hit) -> tuple[str | float | None, ...]:
    record = hit.record
    return (
        record.id,
        str(record.path),
        round(float(hit.score), 6),  # the precision of float32
        None if hit.z is None else round(float(hit.z), 3),
        None if hit.p is None else round(float(hit.p), 3),
        record.width,
        record.height,
        record.format,
        None if record.taken_at is None else record.taken_at.isoformat(),
        record.taken_from or None,
        record.camera or None,
        record.latitude,
        record.longitude,
        record.size,
    )
