"""Which collection in a file of Milvus Lite 2.5 holds a collection's rows, before it is loaded."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from clipsearch.store.catalog_entry import stored_name
from clipsearch.store.milvus_lite.row import decode_row
from clipsearch.store.schema import CATALOG


def read_pointer(file: Path, name: str) -> str:
    """Return the collection in Milvus of the generation in use; `name` if that cannot be read.

    Only a guess which collection to load early: loading a generation that was replaced would take
    its time and memory.
    """
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0)) as catalog:
            sql = f"SELECT CAST(data AS BLOB) FROM {CATALOG} WHERE milvus_id = ?"
            [(row,)] = catalog.execute(sql, (f"collection/{name}",))
        return stored_name(name, json.loads(decode_row(row)["value"]))
    except (sqlite3.Error, ValueError, KeyError, IndexError, AttributeError, TypeError):
        return name
