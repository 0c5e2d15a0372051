"""The texts of images as columns of an exported file, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from clipsearch.batching import batches
from clipsearch.ocr.image_text import Box, ImageText, TextLine
from clipsearch.store import Collection
from clipsearch.store.texts import TextRow
from clipsearch.transfer.table_files import TableFile
from clipsearch.types import ImageRow

NAMES = ("text", "text_lines", "text_reader")
"""The words, the lines with confidence and corners as JSON, and what read them; all may be null."""

KEYS = ("id", "content_hash")
BATCH_ROWS = 256


def text_fields() -> list[tuple[str, Any]]:
    """Return the columns, which a file has if any image of the collection was read."""
    import pyarrow as pa

    return [(name, pa.string()) for name in NAMES]


def text_arrays(rows: Sequence[ImageRow], texts: Mapping[str, TextRow]) -> dict[str, list[Any]]:
    """Return the values of the columns, for images with their texts by id."""
    found = [_current(row, texts) for row in rows]
    encoded = [(text.text, _encode(text), text.reader) if text else (None,) * 3 for text in found]
    return {name: [values[n] for values in encoded] for n, name in enumerate(NAMES)}


def import_texts(files: Sequence[TableFile], collection: Collection) -> int:
    """Write the texts in exported files that the collection lacks; return how many.

    Those are of images that the collection has with the same content. A damaged one is left out.
    """
    written = 0
    for file in files:
        names = file.schema().names
        if not set(NAMES).issubset(names):
            continue
        for table in file.tables([*KEYS, *NAMES]):
            rows = [row for values in table.to_pylist() if (row := _decode(values)) is not None]
            states = collection.texts.states([row.id for row in rows])
            contents = collection.file_states([row.id for row in rows])
            missing = [
                row
                for row in rows
                if row.id in contents
                and contents[row.id].content_hash == row.content_hash
                and (
                    row.id not in states
                    or (states[row.id].content_hash, states[row.id].reader)
                    != (row.content_hash, row.text.reader)
                )
            ]
            for batch in batches(missing, BATCH_ROWS):
                collection.texts.upsert(batch)
            written += len(missing)
    return written


def _current(row: ImageRow, texts: Mapping[str, TextRow]) -> ImageText | None:
    text = texts.get(row.record.id)
    is_current = text is not None and text.content_hash == row.record.content_hash
    return text.text if text is not None and is_current else None


def _encode(text: ImageText) -> str:
    lines = [[line.text, line.confidence, *line.box] for line in text.lines]
    return json.dumps(lines, ensure_ascii=False)


def _decode(values: Mapping[str, Any]) -> TextRow | None:
    """Return the text of a row of a table; None if it has none, or a damaged one."""
    lines, reader = values["text_lines"], values["text_reader"]
    if lines is None or reader is None:
        return None
    try:
        decoded = tuple(
            TextLine(str(text), _box(corners), float(confidence))
            for text, confidence, *corners in json.loads(lines)
        )
    except (ValueError, TypeError):
        return None
    return TextRow(values["id"], values["content_hash"], ImageText(decoded, str(reader)))


def _box(corners: Sequence[float]) -> Box:
    if len(corners) != 8:
        raise ValueError("a box has eight numbers")
    return cast("Box", tuple(map(float, corners)))
