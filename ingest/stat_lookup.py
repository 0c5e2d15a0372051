"""Look up the stored size and mtime of files: a few by id, or all in one scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.store import Collection

FileStat: TypeAlias = tuple[int, int]
"""Size in bytes and mtime in ns: a file whose pair differs from its row's has changed."""

# On Milvus Lite one lookup by id takes as long as reading this many rows in a scan.
ROWS_PER_LOOKUP = 16
MAX_ROWS = 10_000_000  # 32 bytes of memory each; larger collections are looked up by id only


class StatLookup:
    """Queries the collection by id until a scan of all rows becomes cheaper, then scans once.

    This costs at most twice as much as the better way alone. A file is looked up once in an
    ingestion, before its own row is written, so the scan does not become outdated.
    """

    def __init__(self, collection: Collection | None, table: StatTable | None = None) -> None:
        """Look up files in `collection`, or in a `table` that was read before.

        A collection of None does not exist yet, or cannot be reached.
        """
        self._collection = collection
        self._rows = min(collection.estimate_count(), MAX_ROWS + 1) if collection else 0
        self._lookups = 0
        self._table = table

    def find(self, ids: Sequence[str]) -> dict[str, FileStat]:
        """Return the stored size and mtime by id; unknown ids are absent."""
        if self._collection is None or not self._rows:
            return dict(self._table.find(ids)) if self._table else {}
        self._lookups += len(ids)
        if self._table is None and self._lookups * ROWS_PER_LOOKUP > self._rows <= MAX_ROWS:
            self._table = StatTable(self._collection.scan_file_stats())
        if self._table is None:
            states = self._collection.file_states(ids)
            return {id_: (state.size, state.mtime_ns) for id_, state in states.items()}
        return dict(self._table.find(ids))


class StatTable:
    """The size and mtime of every row of a collection, sorted by id, 32 bytes each."""

    def __init__(self, stats: Iterable[tuple[str, FileStat]]) -> None:
        """Hold what `Collection.scan_file_stats` yields."""
        rows = ((bytes.fromhex(id_), *stat) for id_, stat in stats)
        table = np.fromiter(rows, dtype="S16, i8, i8")
        order = np.argsort(table["f0"])
        self._ids: NDArray[np.bytes_] = table["f0"][order]
        self._sizes: NDArray[np.int64] = table["f1"][order]
        self._mtimes: NDArray[np.int64] = table["f2"][order]

    def find(self, ids: Sequence[str]) -> Iterator[tuple[str, FileStat]]:
        """Yield the ids that are in the table, each with its size and mtime."""
        if not len(self._ids):
            return
        keys = np.array([bytes.fromhex(id_) for id_ in ids], dtype="S16")
        rows = np.minimum(np.searchsorted(self._ids, keys), len(self._ids) - 1)
        known = (self._ids[rows] == keys).tolist()
        sizes, mtimes = self._sizes[rows].tolist(), self._mtimes[rows].tolist()
        for id_, is_known, size, mtime_ns in zip(ids, known, sizes, mtimes, strict=True):
            if is_known:
                yield id_, (size, mtime_ns)
