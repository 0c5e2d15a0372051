"""One collection: the photos and vectors of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.errors import StoreError, UsageError
from clipsearch.store import filters
from clipsearch.store.backend import Connection
from clipsearch.store.catalog import Catalog, CollectionInfo
from clipsearch.store.milvus import MAX_RESULTS, chunks
from clipsearch.store.schema import (
    EMBEDDING,
    ID_LENGTH,
    RECORD_FIELDS,
    TAGS,
    FileState,
    Row,
    check_embeddings,
    check_queries,
    to_image_row,
    to_record,
    to_row,
)
from clipsearch.types import Failure, Hit, ImageRecord, ImageRow, Vectors

KEYS = 4_000
"""Keys in one filter: a server takes 0.2 s for any of them, Milvus Lite 11 ms a thousand."""

PAGE_BYTES = 16 << 20
"""Vectors of one page; a message to a server holds 64 MB."""

LOCAL_PAGE_BYTES = 512 << 10
"""The same for Milvus Lite 2.5.1, which needs 0.05 s for 256 rows of 512 dimensions, 17 s for 3,500."""

HITS = 100_000
"""Hits of one call: more queries than that make for several calls."""

LOCAL_HITS = 2_000
"""The same for Milvus Lite 2.5.1: 0.05 ms a hit up to here, 0.12 ms among 5,000, and so on."""

KEPT = 3_000
"""Photos whose vectors may be kept for `scores`."""

RAISE_ROWS = 10_000
"""How many rows may be written before the lower bound in the catalog follows."""

IDS = 16**ID_LENGTH
"""Ids as numbers are below this."""


class Collection:
    """The photos of one model. For one thread at a time.

    Every read sees every write before it. The catalog holds a lower bound of the rows: lowered
    before rows may go, raised after they came, so that fewer rows than that mean damage.
    """

    def __init__(self, client: Connection, catalog: Catalog, info: CollectionInfo) -> None:
        """Use `Store.create` or `Store.collection` instead."""
        self._client = client
        self._catalog = catalog
        self._info = info
        self._written = 0  # since the lower bound was last raised
        self._flushed = True
        self._turn = 0  # of writing, see `_claim`
        self._asked: Counter[str] = Counter()  # queries of `scores` with a filter
        self._kept: dict[str, Vectors | None] = {}

    @property
    def info(self) -> CollectionInfo:
        """What the catalog knows: the model, a lower bound of the rows, the roots."""
        return self._info

    def count(self, where: str = "") -> int:
        """How many rows match the filter."""
        return self._client.count(self._info.name, where)

    def known_count(self) -> int:
        """How many rows; a lower bound where a server would have to load them all to count."""
        counted = self._client.path is not None or self._client.is_loaded(self._info.name)
        return self.count() if counted else self._info.rows

    def stamps(self, ids: Sequence[str]) -> dict[str, FileState]:
        """Size, time and hash of the photos with these ids; unknown ids are absent."""
        fields = ["id", "size", "mtime_ns", "content_hash"]
        return {
            row["id"]: FileState(int(row["size"]), int(row["mtime_ns"]), row["content_hash"])
            for row in self._by_id(ids, fields, KEYS)
        }

    def get(self, ids: Sequence[str]) -> dict[str, ImageRow]:
        """The rows with these ids, with their embeddings; unknown ids are absent."""
        size = min(KEYS, self._page(vectors=True))
        rows = self._by_id(ids, [*self._record_fields, EMBEDDING], size)
        return {row["id"]: to_image_row(row) for row in rows}

    def find_content(self, hashes: Sequence[str]) -> dict[str, list[ImageRecord]]:
        """All photos of each content hash; hashes without any are absent."""
        found: dict[str, list[ImageRecord]] = {}
        for part in chunks(list(dict.fromkeys(hashes)), KEYS // 4):  # a hash may have many copies
            where = filters.content_is_one_of(part)
            for row in self._rows(where, self._record_fields, vectors=False):
                record = to_record(row)
                found.setdefault(record.content_hash, []).append(record)
        return found

    def scan(self, where: str = "") -> Iterator[ImageRecord]:
        """Every photo that matches, each once, a page in memory at a time, in no order."""
        yield from map(to_record, self._scan(where, self._record_fields, vectors=False))

    def scan_stamps(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Id, and size (bytes) with mtime (ns), of every photo, each once; several times as quick as `scan`."""
        for row in self._scan("", ["id", "size", "mtime_ns"], vectors=False):
            yield row["id"], (int(row["size"]), int(row["mtime_ns"]))

    def scan_rows(self, where: str = "") -> Iterator[ImageRow]:
        """Every row that matches, with its embedding, each once, a page in memory at a time."""
        fields = (*self._record_fields, EMBEDDING)
        yield from map(to_image_row, self._scan(where, fields, vectors=True))

    def tags(self) -> Counter[str]:
        """How many photos have each tag; raises StoreError as `require_tags` does."""
        self.require_tags()
        rows = self._scan("", ["id", TAGS], vectors=False)
        return Counter(str(tag) for row in rows for tag in row[TAGS])

    def require_tags(self) -> None:
        """Raise StoreError where this collection was made by a clipsearch without tags."""
        if not self._has_tags:
            raise StoreError(
                f"the collection {self._info.name!r} was made before there were tags, and Milvus "
                "cannot add a field to it: ingest into a new one (--collection NAME), or `clipsearch "
                f"drop {self._info.name}` and ingest again; all else still works with it"
            )

    def upsert(self, rows: Sequence[ImageRow]) -> None:
        """Write rows, replacing those of the same id; of equal ids in `rows` the last one wins.

        Raises VectorError on an embedding that is not (dim,) float32 of length 1, and StoreError
        on a field that does not fit or a full disk, before anything is written.
        """
        check_embeddings(rows, self._info.model.dim)
        self._claim()
        entities = list({row.record.id: self._entity(row) for row in rows}.values())
        # A replaced row is gone for a moment, and a kill may come in that moment.
        guarded = entities if self._client.path and self._info.rows else []
        replaced = sum(
            self.count(filters.id_is_one_of([row["id"] for row in part]))
            for part in chunks(guarded, KEYS)
        )
        if replaced:
            self._set_floor(max(0, self._info.rows - replaced))
        self._client.upsert(self._info.name, entities)
        self._flushed = False
        self._written += len(entities)
        if replaced or self._written >= RAISE_ROWS:
            self._raise_floor()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the photos with these ids; unknown ids are no error."""
        unique = list(dict.fromkeys(ids))
        if unique:
            self._claim()
            self._set_floor(max(0, self._info.rows - len(unique)))
            self._client.delete(self._info.name, unique)

    def search(
        self, queries: Vectors, *, limit: int, offset: int = 0, where: str = ""
    ) -> list[list[Hit]]:
        """For each of (n, d) or (d,) queries the nearest photos that match, best first.

        Raises UsageError on a limit below 1, offset + limit above 16,384, or a filter that Milvus
        cannot read; VectorError on another dimension, zero or NaN.
        """
        return [
            [Hit(to_record(row), score) for score, row in hits]
            for hits in self._search(queries, limit, offset, where, self._record_fields)
        ]

    def scores(self, queries: Vectors, *, limit: int, where: str = "") -> list[NDArray[np.float32]]:
        """For each of (n, d) or (d,) queries the cosines of the nearest photos, best first.

        Without the photos, and so much quicker for many; raises as `search` does. Whoever asks
        again has the answer from vectors kept here, if they are few: Milvus takes about as long for
        a small part of the photos as for all.
        """
        self._asked[where] += len(np.atleast_2d(queries))
        if self._asked[where] > 1 and (kept := self._keep(where, limit)) is not None:
            vectors = check_queries(queries, self._info.model.dim)
            return [np.sort(row)[::-1][:limit] for row in vectors @ kept.T]
        return [
            np.array([score for score, _ in hits], dtype=np.float32)
            for hits in self._search(queries, limit, 0, where, ["id"])
        ]

    def add_roots(self, roots: Sequence[Path]) -> None:
        """Remember folders that were ingested."""
        self._claim()
        self._catalog.add_roots(self._info.name, roots)
        self._info = replace(self._info, roots=tuple(sorted({*self._info.roots, *roots})))

    def remove_roots(self, roots: Sequence[Path]) -> None:
        """Forget folders."""
        self._claim()
        self._catalog.remove_roots(self._info.name, roots)
        kept = tuple(root for root in self._info.roots if root not in set(roots))
        self._info = replace(self._info, roots=kept)

    def record_failures(self, failures: Sequence[Failure]) -> None:
        """Remember files that could not be ingested, each with its last reason only."""
        self._catalog.add_failures(self._info.name, failures)

    def clear_failures(self, paths: Sequence[Path]) -> None:
        """Forget files that are fine now, or gone; others are no error."""
        self._catalog.remove_failures(self._info.name, paths)

    def failures(self) -> list[Failure]:
        """The remembered files, by path."""
        return self._catalog.failures(self._info.name)

    def textness(self) -> dict[str, Any] | None:
        """The textness probe kept for this collection's model, as JSON has it; None without one."""
        return self._catalog.textness(self._info.model)

    def set_textness(self, probe: dict[str, Any]) -> None:
        """Keep a textness probe for every collection of this store that has the same model."""
        self._catalog.set_textness(self._info.model, probe)

    def settle(self) -> None:
        """Close an ingestion: note the true count, and let a server index what was written."""
        if not self._flushed:
            self._client.flush(self._info.name)
            self._flushed = True
        self._claim()
        self._raise_floor()
        self._client.disclaim()

    @property
    def _has_tags(self) -> bool:
        return self._info.schema_version >= 2

    @property
    def _record_fields(self) -> Sequence[str]:
        return RECORD_FIELDS if self._has_tags else [f for f in RECORD_FIELDS if f != TAGS]

    def _entity(self, row: ImageRow) -> Row:
        entity = to_row(row)
        if not self._has_tags:
            if row.record.tags:
                self.require_tags()
            del entity[TAGS]
        return entity

    def _keep(self, where: str, most: int) -> Vectors | None:
        """The (n, d) embeddings of the photos that match, until something is written; None if they
        are more than `most` or KEPT.
        """
        if where not in self._kept:
            few = min(most, KEPT)
            found = self._client.query(self._info.name, where, [EMBEDDING], few + 1)
            vectors = np.array([row[EMBEDDING] for row in found], dtype=np.float32)
            self._kept = {where: vectors.reshape(-1, self._info.model.dim)}  # of one filter only
            if len(found) > few:
                self._kept[where] = None
        return self._kept[where]

    def _claim(self) -> None:
        """Be the only writer until `settle`; read again what others may have noted meanwhile."""
        self._kept = {}
        self._asked.clear()
        turn = self._client.claim()
        if turn != self._turn:
            info = self._catalog.info(self._info.name)
            if info is None:
                raise StoreError(
                    f"the collection {self._info.name!r} was dropped by another process"
                )
            self._info, self._turn = info, turn

    def _raise_floor(self) -> None:
        self._set_floor(self.count())
        self._written = 0

    def _set_floor(self, rows: int) -> None:
        if rows != self._info.rows:
            self._catalog.set_rows(self._info.name, rows)
            self._info = replace(self._info, rows=rows)

    def _by_id(self, ids: Sequence[str], fields: Sequence[str], size: int) -> Iterator[Row]:
        for part in chunks(list(dict.fromkeys(ids)), size):
            where = filters.id_is_one_of(part)
            yield from self._client.query(self._info.name, where, fields, len(part))

    def _page(self, *, vectors: bool) -> int:
        """Rows of one query."""
        if not vectors:
            return MAX_RESULTS
        size = min(PAGE_BYTES, LOCAL_PAGE_BYTES) if self._client.path is not None else PAGE_BYTES
        return max(1, min(MAX_RESULTS, size // (4 * self._info.model.dim)))

    def _scan(self, where: str, fields: Sequence[str], *, vectors: bool) -> Iterator[Row]:
        """All rows that match, by ranges of their ids.

        Ids are hashes, so equal ranges hold about equally many. Unlike pages with a limit this
        relies on no order of the results, which Milvus does not promise.
        """
        matching = self.count(where)  # also refuses a bad filter
        ranges = 1 + int(matching / (0.8 * self._page(vectors=vectors)))
        bounds = [IDS * number // ranges for number in range(ranges + 1)]
        for low, high in pairwise(bounds):
            yield from self._rows(where, fields, vectors=vectors, low=low, high=high)

    def _rows(
        self, where: str, fields: Sequence[str], *, vectors: bool, low: int = 0, high: int = IDS
    ) -> Iterator[Row]:
        """All rows that match with low <= id < high; halves of the range where they are many."""
        page = self._page(vectors=vectors)
        filtered = filters.every(where, filters.id_range(low, high))
        found = self._client.query(self._info.name, filtered, fields, page)
        if len(found) < page:
            yield from found
            return
        middle = (low + high) // 2
        yield from self._rows(where, fields, vectors=vectors, low=low, high=middle)
        yield from self._rows(where, fields, vectors=vectors, low=middle, high=high)

    def _search(
        self, queries: Vectors, limit: int, offset: int, where: str, fields: Sequence[str]
    ) -> Iterator[list[tuple[float, Row]]]:
        if limit < 1 or offset < 0 or offset + limit > MAX_RESULTS:
            raise UsageError(
                f"Milvus gives 1 to {MAX_RESULTS:,} hits, counted from the very first: limit {limit} after "
                f"{offset} is out of that"
            )
        vectors = check_queries(queries, self._info.model.dim)
        size = max(1, (LOCAL_HITS if self._client.path is not None else HITS) // limit)
        for start in range(0, len(vectors), size):
            yield from self._client.search(
                self._info.name,
                vectors[start : start + size],
                vector=EMBEDDING,
                limit=limit,
                offset=offset,
                where=where,
                fields=fields,
            )
