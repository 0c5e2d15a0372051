"""Writes of many rows, of which the store may refuse some."""

from __future__ import annotations

from collections.abc import Sequence

from clipsearch.errors import RefusedRowsError, VectorError
from clipsearch.store import Collection
from clipsearch.types import ImageRow


def write_rows(collection: Collection, rows: Sequence[ImageRow]) -> dict[str, str]:
    """Write rows with different ids; return the ids of those that the store refuses, and why.

    A refused write has stored nothing, and its message names one row. So the rows are halved until
    those that are refused are alone.
    """
    if not rows:
        return {}
    try:
        collection.upsert(rows)
    except (RefusedRowsError, VectorError) as error:
        if len(rows) == 1:
            return {rows[0].record.id: str(error)}
        middle = len(rows) // 2
        return write_rows(collection, rows[:middle]) | write_rows(collection, rows[middle:])
    return {}
