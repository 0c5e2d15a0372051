"""Checks of the file of Milvus Lite 2.5, also of what keeps Milvus Lite from loading it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from clipsearch.errors import DamagedStoreError, describe_error, shorten
from clipsearch.store.milvus_lite.local_store import LITE_TABLES
from clipsearch.store.milvus_lite.row import decode_row, row_structure
from clipsearch.store.row_check import DamagedRow, find_problem, stored_metadata
from clipsearch.store.schema import EMBEDDING, Entity, decode_path

INT64_MAX = 2**63 - 1
COMPARED_ROWS = 1_000
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'"


@dataclass(frozen=True, slots=True)
class FileDamage:
    """The damaged rows of a collection in a file, and how many rows there are.

    Milvus Lite cannot load or cannot replace those of `unusable`, which SQLite knows by `row_ids`.
    """

    rows: int
    unusable: Sequence[DamagedRow]
    row_ids: Sequence[int]
    wrong: Sequence[DamagedRow]


class LiteCheck:
    """Checks of a file that nothing writes to meanwhile, for the holder of its lock."""

    def __init__(self, path: Path) -> None:
        """Open nothing: each method does."""
        self._path = path

    def roll_back(self) -> None:
        """Take back a transaction that was interrupted, as the next process to write would."""
        with self._reading("rw") as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def check_pages(self) -> None:
        """Raise DamagedStoreError unless SQLite can read every page."""
        with self._reading("ro") as connection:
            [(result,)] = connection.execute("PRAGMA quick_check(1)")
            if result != b"ok":
                raise self._damaged(shorten(result.decode(errors="replace")))

    def is_empty(self) -> bool:
        """Tell whether Milvus Lite ended before it made the first collection."""
        with self._reading("ro") as connection:
            tables = {name.decode() for (name,) in connection.execute(_TABLES)}
            return tables.issubset(LITE_TABLES)

    def check_rows(self, collection: str, dim: int | None) -> FileDamage:
        """Check all rows of a collection; with a `dim` of None they are not those of images."""
        with self._reading("ro") as connection:
            usual = _usual_structure(connection, collection)
            rows = 0
            unusable: list[DamagedRow] = []
            wrong: list[DamagedRow] = []
            row_ids: list[int] = []
            for row_id, key, row in _rows(connection, collection):
                rows += 1
                damaged = _unusable(key, row, usual)
                if damaged is not None:
                    unusable.append(damaged)
                    row_ids.append(row_id)
                elif dim is not None:
                    entity = decode_row(row)
                    if reason := find_problem(entity, dim):
                        keys, said = (entity["id"],), stored_metadata(entity)
                        wrong.append(DamagedRow(keys, _path(entity), reason, said))
            return FileDamage(rows, unusable, row_ids, wrong)

    def delete_rows(self, collection: str, row_ids: Sequence[int]) -> None:
        """Delete rows by their numbers in SQLite."""
        with self._reading("rw") as connection, connection:
            connection.executemany(
                f"DELETE FROM {_table(collection)} WHERE id = ?", [(row_id,) for row_id in row_ids]
            )

    @contextmanager
    def _reading(self, mode: str) -> Iterator[sqlite3.Connection]:
        uri = f"{self._path.resolve().as_uri()}?mode={mode}"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                connection.text_factory = bytes  # Milvus Lite stores its messages as text
                yield connection
        except sqlite3.Error as error:
            raise self._damaged(describe_error(error)) from error

    def _damaged(self, reason: str) -> DamagedStoreError:
        return DamagedStoreError(
            f"{self._path} is damaged ({reason}): no row of it can be trusted; restore a copy, or "
            "delete it and ingest again"
        )


def _usual_structure(connection: sqlite3.Connection, collection: str) -> tuple[object, ...]:
    """Return the structure of most of the first rows."""
    structures: Counter[tuple[object, ...]] = Counter()
    for _, _, row in islice(_rows(connection, collection), COMPARED_ROWS):
        with suppress(ValueError):
            structures[row_structure(row)] += 1
    return max(structures, key=lambda structure: structures[structure], default=())


def _table(collection: str) -> str:
    return '"' + collection.replace('"', '""') + '"'


def _rows(connection: sqlite3.Connection, collection: str) -> Iterator[tuple[int, bytes, bytes]]:
    sql = f"SELECT id, milvus_id, CAST(data AS BLOB) FROM {_table(collection)}"
    for row_id, key, row in connection.execute(sql):
        yield row_id, key if isinstance(key, bytes) else b"", row if row is not None else b""


def _unusable(key: bytes, row: bytes, usual: tuple[object, ...]) -> DamagedRow | None:
    """Return a row that Milvus Lite cannot load, or that it would not find by its key."""
    stored_key = key.decode(errors="replace")
    try:
        entity = decode_row(row)
        is_usual = row_structure(row) == usual
    except (ValueError, KeyError, IndexError):
        return DamagedRow((stored_key,), None, "it cannot be read")
    path, said = _path(entity), stored_metadata(entity)
    if not is_usual or not all(_fits(value) for value in entity.values()):
        return DamagedRow((stored_key,), path, "it cannot be read", said)
    own_key = str(next(iter(entity.values())))
    if own_key != stored_key:
        reason = "it is stored under the id of another row"
        return DamagedRow((stored_key, own_key), path, reason, said)
    return None


def _fits(value: object) -> bool:
    return not isinstance(value, int) or -INT64_MAX - 1 <= value <= INT64_MAX


def _path(entity: Entity) -> Path | None:
    path = entity.get("path")
    return decode_path(path) if isinstance(path, str) and EMBEDDING in entity else None
