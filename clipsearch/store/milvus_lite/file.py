"""The file of Milvus Lite 2.5, read without Milvus Lite.

It is a SQLite database with one table for each collection. Milvus Lite loads all rows of a
collection before its first search, which takes six times as long as reading the vectors here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipsearch.store.milvus_lite.key_condition import compile_condition
from clipsearch.store.milvus_lite.row import VectorLayout, decode_row, vector_layout
from clipsearch.store.row_check import SoundRows, is_sound
from clipsearch.store.schema import Entity
from clipsearch.types import Vectors

CHUNK_ROWS = 256
"""Rows read at once: more no longer fit the processor's cache, and take 0.1 s more per 100,000."""


class UnsupportedReadError(Exception):
    """Only Milvus Lite can answer this: a filter on other fields, or an unknown file format."""


class LiteFile:
    """The collections of a file that nothing writes to. For one thread at a time.

    Methods raise UnsupportedReadError, sqlite3.Error or ValueError if the file cannot be read, or
    another exception if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing: the first read does."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._tables: dict[str, _Table] = {}

    def close(self) -> None:
        """Close the file; may be called more than once."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def collection_names(self) -> list[str]:
        """List all collections."""
        rows = self._open().execute(
            "SELECT collection_name FROM collection_meta WHERE meta_type = 'schema'"
        )
        return sorted(name.decode() for (name,) in rows)

    def count(self, name: str, condition: str) -> int:
        """Count the matching rows of a collection."""
        table = self._table(name)
        return len(table.select(condition)) if condition else len(table.keys)

    def query(self, name: str, condition: str, fields: Sequence[str], limit: int) -> list[Entity]:
        """Return the fields of up to `limit` matching rows."""
        table = self._table(name)
        return self._entities(table, table.select(condition)[:limit], fields)

    def search(
        self, name: str, queries: Vectors, condition: str, fields: Sequence[str], hits: slice
    ) -> list[list[tuple[float, Entity]]]:
        """Return scores and fields of the best matching rows for each of (n, d) queries.

        `hits` is a slice of their ranks.
        """
        table = self._table(name)
        rows = table.select(condition)
        scores = table.score(queries)[rows]
        results = []
        for column in scores.T:
            best = _best(column, hits)
            entities = self._entities(table, rows[best], fields)
            results.append(list(zip(column[best].tolist(), entities, strict=True)))
        return results

    def _table(self, name: str) -> _Table:
        if name not in self._tables:
            damage = SoundRows(str(self._path), name)
            self._tables[name] = _Table(self._open(), name, damage)
        return self._tables[name]

    def _entities(
        self, table: _Table, rows: NDArray[np.intp], fields: Sequence[str]
    ) -> list[Entity]:
        if list(fields) == [table.key_field]:
            return [{table.key_field: table.keys[row].decode()} for row in rows]
        connection = self._open()
        entities = [table.read(connection, row) for row in rows]
        for entity in entities:
            if not is_sound(entity):
                table.damage.warn(entity)
        return [{name: entity[name] for name in fields} for entity in entities]

    def _open(self) -> sqlite3.Connection:
        """Return one connection for all reads, or another file could replace this one between."""
        if self._connection is None:
            # Read-only, SQLite refuses a file that a kill left within a write, for Milvus Lite.
            uri = f"{self._path.as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=0, check_same_thread=False)
            self._connection.text_factory = bytes  # Milvus Lite stores its messages as text
        return self._connection


class _Table:
    """The keys and vectors of a collection's rows, in memory."""

    def __init__(self, connection: sqlite3.Connection, name: str, damage: SoundRows) -> None:
        """Read all rows of a collection; `damage` is told of damaged ones that are used."""
        self.damage = damage
        self.key_field = ""
        self.keys = np.array([], dtype="S")
        self._row_ids: list[int] = []
        self._chunks: list[Vectors] = []
        self._name = '"' + name.replace('"', '""') + '"'
        for (row,) in connection.execute(f"SELECT data FROM {self._name} LIMIT 1"):
            self.key_field = next(iter(decode_row(row)))
            self._load(connection, vector_layout(row))

    def select(self, condition: str) -> NDArray[np.intp]:
        """Return the numbers of the rows that match a condition on their key."""
        if not condition:
            return np.arange(len(self.keys))
        matches = compile_condition(condition, self.key_field)
        if matches is None:
            raise UnsupportedReadError
        return np.flatnonzero(matches(self.keys))

    def score(self, queries: Vectors) -> Vectors:
        """Return the (rows, n) inner products with each of (n, d) queries."""
        # Not `@`, which may score equal vectors differently; it takes as long for one query.
        scores = [np.einsum("ij,kj->ik", chunk, queries) for chunk in self._chunks]
        return np.concatenate([np.empty((0, len(queries)), dtype=np.float32), *scores])

    def read(self, connection: sqlite3.Connection, row: int) -> Entity:
        """Return all fields of a row."""
        sql = f"SELECT data FROM {self._name} WHERE id = ?"
        [(data,)] = connection.execute(sql, (self._row_ids[row],))
        return decode_row(data)

    def _load(self, connection: sqlite3.Connection, layout: VectorLayout) -> None:
        start, size = -layout.from_end, len(layout.prefix)
        cursor = connection.execute(
            "SELECT id, milvus_id, substr(CAST(data AS BLOB), ?, ?),"
            f" substr(CAST(data AS BLOB), ?, ?) = ? FROM {self._name}",
            (start, 4 * layout.dim, start - size, size, layout.prefix),
        )
        keys = []
        unique_keys: set[bytes] = set()
        while rows := cursor.fetchmany(CHUNK_ROWS):
            row_ids, chunk_keys, vectors, are_valid = zip(*rows, strict=True)
            if not all(are_valid):
                raise UnsupportedReadError
            self._row_ids += row_ids
            keys.append(np.array(chunk_keys, dtype="S"))
            unique_keys.update(chunk_keys)
            chunk = np.frombuffer(b"".join(vectors), dtype=np.float32)
            self._chunks.append(chunk.reshape(len(rows), layout.dim))
        if len(unique_keys) < len(self._row_ids):
            raise UnsupportedReadError  # a search returns only one row of each key
        self.keys = np.concatenate(keys)


def _best(scores: NDArray[np.float32], hits: slice) -> NDArray[np.intp]:
    """Return the positions of the highest scores; equal ones last row first, as Milvus Lite does.

    If only some of the equal scores fit, they are the first rows. Milvus Lite's choice varies.
    """
    best = np.argsort(-scores, kind="stable")[: hits.stop]
    return best[np.lexsort((-best, -scores[best]))][hits.start :]
