"""Size and time of the files that a collection knows, for a few files or for very many."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipsearch.store import Collection

FileStamp: TypeAlias = tuple[int, int]
"""Size in bytes and mtime in ns: what tells a changed file from an unchanged one."""

# On Milvus Lite looking a file up by its id costs as much as reading this many rows in a scan.
ROWS_A_LOOKUP = 16
MOST_ROWS = 10_000_000  # kept here in 32 bytes each; of larger collections every file is looked up


class Stamps:
    """Asks the collection file by file, until reading all its stamps once is the cheaper way.

    Whichever way was right from the start, this costs at most twice as much. A file is asked for
    once in an ingestion, before its own row is written, so that one reading does not age.
    """

    def __init__(self, collection: Collection | None) -> None:
        self._collection = collection
        self._rows = min(collection.known_count(), MOST_ROWS + 1) if collection else 0
        self._asked = 0
        self._all: _Table | None = None

    def of(self, ids: Sequence[str]) -> dict[str, FileStamp]:
        """The stamps of the photos with these ids; those that the collection lacks are absent."""
        if self._collection is None or not self._rows:
            return {}
        self._asked += len(ids)
        if self._all is None and self._asked * ROWS_A_LOOKUP > self._rows <= MOST_ROWS:
            self._all = _Table(self._collection)
        if self._all is None:
            stamps = self._collection.stamps(ids)
            return {id_: (stamp.size, stamp.mtime_ns) for id_, stamp in stamps.items()}
        return dict(self._all.of(ids))


class _Table:
    """All stamps of a collection, sorted by id, 32 bytes each."""

    def __init__(self, collection: Collection) -> None:
        rows = ((bytes.fromhex(id_), *stamp) for id_, stamp in collection.scan_stamps())
        table = np.fromiter(rows, dtype="S16, i8, i8")
        order = np.argsort(table["f0"])
        self._ids: NDArray[np.bytes_] = table["f0"][order]
        self._stamps = [table[name][order] for name in ("f1", "f2")]

    def of(self, ids: Sequence[str]) -> Iterator[tuple[str, FileStamp]]:
        """The stamps of those ids that are there."""
        if not len(self._ids):
            return
        keys = np.array([bytes.fromhex(id_) for id_ in ids], dtype="S16")
        places = np.minimum(np.searchsorted(self._ids, keys), len(self._ids) - 1)
        known = (self._ids[places] == keys).tolist()
        sizes, times = (column[places].tolist() for column in self._stamps)
        for id_, is_known, size, mtime_ns in zip(ids, known, sizes, times, strict=True):
            if is_known:
                yield id_, (size, mtime_ns)
