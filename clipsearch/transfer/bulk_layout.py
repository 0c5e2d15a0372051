"""Files in the layout of Milvus's bulk import, as `clipsearch ingest --bulk` writes them."""

from __future__ import annotations

import json
from typing import Any

from clipsearch.store.schema import (
    CHECKSUM,
    EMBEDDING,
    METADATA,
    SCHEMA_VERSION,
    stored_fields,
    to_image_row,
)
from clipsearch.transfer.copy_rows import row_key
from clipsearch.types import ImageRow


def is_bulk_layout(schema: Any) -> bool:
    """Whether a schema of pyarrow has the fields of a collection of this version, as stored."""
    import pyarrow.types as types

    fields = {*stored_fields(SCHEMA_VERSION), EMBEDDING}
    return set(schema.names) == fields and types.is_int64(schema.field("latitude").type)


def read_bulk_rows(table: Any) -> tuple[list[ImageRow | str], int]:
    """Return the rows of a table, or what is wrong instead; none is normalized."""
    return [_to_row(entity) for entity in table.to_pylist()], 0


def _to_row(entity: dict[str, Any]) -> ImageRow | str:
    try:
        row = to_image_row({**entity, METADATA: json.loads(entity[METADATA])})
        is_sound = row_key(row, SCHEMA_VERSION) == entity[CHECKSUM]
    except Exception as error:  # noqa: BLE001 - a damaged file may hold anything
        return f"it is damaged ({error})"
    return row if is_sound else "its checksum is wrong"
