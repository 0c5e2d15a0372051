"""Rows of a collection as a table of Arrow, and back, without any loss."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clipsearch.errors import UsageError
from clipsearch.records import ImageRecord
from clipsearch.store.schema import CHECKSUM, EMBEDDING, decode_path, encode_path
from clipsearch.store.texts import TextRow
from clipsearch.transfer.copy_rows import row_key
from clipsearch.transfer.text_columns import NAMES as TEXT_NAMES
from clipsearch.transfer.text_columns import text_arrays, text_fields
from clipsearch.types import ImageRow


def require_pyarrow() -> None:
    """Raise UsageError, which says how to install it, if pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401 - late: an extra, and takes 0.2 s
    except ImportError as error:
        raise UsageError(
            "Parquet needs another package: pip install 'clipsearch[scale]'"
        ) from error


def arrow_schema(
    dim: int, metadata: dict[bytes, bytes] | None = None, *, with_texts: bool = False
) -> Any:
    """Return the columns of an exported file; the guide on copies documents them."""
    import pyarrow as pa

    text, integer, degrees = pa.string(), pa.int64(), pa.float64()
    columns = {
        "id": text,
        "path": text,
        "content_hash": text,
        "size": integer,
        "mtime_ns": integer,
        "width": integer,
        "height": integer,
        "format": text,
        "taken_at": pa.timestamp("ms"),
        "taken_from": text,
        "camera": text,
        "latitude": degrees,
        "longitude": degrees,
        "tags": pa.list_(text),
        "metadata": text,
        CHECKSUM: integer,
        EMBEDDING: pa.list_(pa.float32(), dim),
    }
    fields = [*columns.items(), *(text_fields() if with_texts else ())]
    return pa.schema(fields, metadata=metadata)


def to_table(
    rows: Sequence[ImageRow], schema: Any, version: int, texts: Mapping[str, TextRow] | None = None
) -> Any:
    """Return the table of some rows, with the checksums of a version of the schema.

    With `texts` by id, the columns of these are among those of the schema.
    """
    import pyarrow as pa

    dim = schema.field(EMBEDDING).type.list_size
    vectors = np.stack([row.embedding for row in rows]).reshape(-1)
    values: dict[str, Any] = {
        name: [getattr(row.record, name) for row in rows]
        for name in schema.names
        if name not in ("path", "metadata", CHECKSUM, EMBEDDING, *TEXT_NAMES)
    }
    values["path"] = [encode_path(row.record.path) for row in rows]
    values["metadata"] = [json.dumps(dict(row.record.metadata)) for row in rows]
    values |= text_arrays(rows, texts) if texts is not None else {}
    values[CHECKSUM] = [row_key(row, version) for row in rows]
    values[EMBEDDING] = pa.FixedSizeListArray.from_arrays(pa.array(vectors), dim)
    arrays = [pa.array(values[field.name], field.type) for field in schema if field.name in values]
    return pa.Table.from_arrays(arrays, schema=schema)


def to_rows(table: Any, version: int) -> list[ImageRow | str]:
    """Return the rows of a table with these columns; instead of a damaged one, what is wrong.

    Checks each row against the checksum of that version of the schema.
    """
    column = table.column(EMBEDDING).combine_chunks()
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), -1)
    others = {EMBEDDING, *TEXT_NAMES}.intersection(table.column_names)
    values = table.drop_columns(list(others)).to_pylist()
    return [_to_row(row, vector, version) for row, vector in zip(values, vectors, strict=True)]


def _to_row(values: dict[str, Any], vector: Any, version: int) -> ImageRow | str:
    checksum = values.pop(CHECKSUM)
    try:
        values["path"] = decode_path(values["path"])
        values["tags"] = tuple(values["tags"])
        values["metadata"] = json.loads(values["metadata"])
        row = ImageRow(ImageRecord(**values), np.array(vector, dtype=np.float32))
        is_sound = row_key(row, version) == checksum
    except Exception as error:  # noqa: BLE001 - a damaged file may hold anything
        return f"it is damaged ({error})"
    return row if is_sound else "its checksum is wrong"
