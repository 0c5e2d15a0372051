"""One collection: the records and embeddings of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import MissingFieldError
from clipsearch.records import Hit, ImageRecord
from clipsearch.store import filters
from clipsearch.store.archive_ledger import ArchiveLedger
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.collection_writer import CollectionWriter
from clipsearch.store.index.collection_index import CollectionIndex
from clipsearch.store.paging import KEYS, Scanner
from clipsearch.store.row_check import DamagedRow, SoundRows, find_damaged
from clipsearch.store.schema import (
    EMBEDDING,
    TAGS,
    FileState,
    record_fields,
    stored_fields,
    to_entity,
    to_record,
)
from clipsearch.store.vector_cache import VectorCache
from clipsearch.store.vector_checks import check_embeddings, check_queries
from clipsearch.store.vector_search import search_entities
from clipsearch.types import Failure, ImageRow, Vectors


class Collection:
    """The images of one model, for one thread; reads are as current as the store's consistency."""

    def __init__(
        self, backend: Backend, catalog: Catalog, info: CollectionInfo, *, patient: bool = False
    ) -> None:
        """Use `Store.create` or `Store.collection` instead; `patient` as in CollectionWriter."""
        self._backend = backend
        self._catalog = catalog
        self._writer = CollectionWriter(backend, catalog, info, patient=patient)
        self._scanner = Scanner(backend, info.milvus_name, info.model.dim)
        self._vector_cache = VectorCache(backend, info.milvus_name, info.model.dim)
        self._sound_rows = SoundRows(backend.uri, info.name)
        self.index = CollectionIndex(backend, catalog, self._writer)
        self.calibration = catalog.calibration(info.model)
        self.texts = self._writer.texts

    @property
    def info(self) -> CollectionInfo:
        """The catalog's entry: the model, a lower bound of the rows, the roots and mounts."""
        return self._writer.info

    def count(self, condition: str = "") -> int:
        """Count the rows that match a filter."""
        return self._backend.count(self.info.milvus_name, condition)

    def recent_count(self) -> int:
        """Count all rows, or return what was counted a moment ago, as `VectorCache.count` does."""
        return self._vector_cache.count()

    def estimate_count(self) -> int:
        """Count all rows, or return a lower bound if a server would have to load them first."""
        is_ready = self._backend.path is not None or self._backend.is_loaded(self.info.milvus_name)
        return self.count() if is_ready else self.info.rows

    def file_states(self, ids: Sequence[str]) -> dict[str, FileState]:
        """Return size, time and hash of the images with these ids; unknown ids are absent."""
        found = self._scanner.by_ids(ids, ["id", "size", "mtime_ns", "content_hash"], vectors=False)
        return {
            e["id"]: FileState(int(e["size"]), int(e["mtime_ns"]), e["content_hash"]) for e in found
        }

    def get(self, ids: Sequence[str]) -> dict[str, ImageRow]:
        """Return the rows with these ids; unknown ones are absent, damaged ones also logged."""
        entities = self._scanner.by_ids(ids, self._all_fields, vectors=True)
        return {row.record.id: row for row in self._sound_rows.read(entities)}

    def vectors(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Return the embeddings (d,) of the images with these ids; unknown ones are absent."""
        found = self._scanner.by_ids(ids, ["id", EMBEDDING], vectors=True)
        return {e["id"]: np.asarray(e[EMBEDDING], dtype=np.float32) for e in found}

    def find_by_content(self, hashes: Sequence[str]) -> dict[str, list[ImageRecord]]:
        """Return all records of each content hash; hashes without any are absent."""
        records: dict[str, list[ImageRecord]] = {}
        for batch in batches(dict.fromkeys(hashes), KEYS // 4):  # a hash may have many copies
            condition = filters.content_in(batch)
            for entity in self._scanner.read_range(condition, self._record_fields, vectors=False):
                record = to_record(entity)
                records.setdefault(record.content_hash, []).append(record)
        return records

    def scan(self, condition: str = "") -> Iterator[ImageRecord]:
        """Yield every matching record once, in no defined order, a page in memory at a time."""
        yield from map(to_record, self._scanner.scan(condition, self._record_fields, vectors=False))

    def scan_field(self, name: str, condition: str = "") -> Iterator[Any]:
        """Yield one stored field of every matching image; faster than `scan`."""
        yield from (value for _, value in self.scan_values(["id", name], condition))

    def scan_file_stats(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield id and (size in bytes, mtime in ns) of every image; much faster than `scan`."""
        for id_, size, mtime_ns in self.scan_values(["id", "size", "mtime_ns"]):
            yield id_, (int(size), int(mtime_ns))

    def scan_values(self, names: Sequence[str], condition: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield the values of these stored fields, one of them "id", of every matching image."""
        for entity in self._scanner.scan(condition, names, vectors=EMBEDDING in names):
            yield tuple(entity[name] for name in names)

    def scan_rows(self, condition: str = "") -> Iterator[ImageRow]:
        """Yield every matching row once, a page in memory at a time; damaged ones are logged."""
        scanned = self._scanner.scan(condition, self._all_fields, vectors=True)
        yield from self._sound_rows.read(scanned)

    def scan_damaged(self) -> Iterator[DamagedRow]:
        """Yield every row that is wrong: see `find_problem`."""
        scanned = self._scanner.scan("", self._all_fields, vectors=True)
        outside = self._scanner.scan_outside(self._all_fields)
        yield from find_damaged(chain(scanned, outside), self.info.model.dim)

    def sample(self) -> None:
        """Read a few rows, others each time, and log a warning if one is damaged.

        Nothing is read from a server that would have to load all rows first.
        """
        if self._backend.path is None and not self._backend.is_loaded(self.info.milvus_name):
            return
        list(self._sound_rows.read(self._scanner.sample(self._all_fields, self.info.rows)))

    def tags(self) -> Counter[str]:
        """Count the images with each tag, sorted by tag; raises as `require_fields` does."""
        self.require_fields([TAGS])
        return Counter(dict(sorted(Counter(chain.from_iterable(self.scan_field(TAGS))).items())))

    def require_fields(self, names: Iterable[str]) -> None:
        """Raise MissingFieldError if this collection was made without one of the fields."""
        if missing := sorted(set(names).difference(self._record_fields)):
            raise MissingFieldError(
                f"the collection {self.info.name!r} was made before there was {missing[0]!r}: "
                "`clipsearch reindex` adds it without embedding again; all else works without it"
            )

    def upsert(self, rows: Sequence[ImageRow], *, changed: Sequence[str] = ()) -> None:
        """Write rows, replacing those with the same id; of equal ids in `rows` the last one wins.

        `changed` names the only fields that changed, if so: newer servers get no vectors then.
        Raises VectorError on an embedding that is not (dim,) float32 of length 1, and StoreError
        on a field that does not fit or a full disk, before anything is written.
        """
        check_embeddings(rows, self.info.model.dim)
        self.require_fields([TAGS] if any(row.record.tags for row in rows) else [])
        version = self.info.schema_version
        entities = list({row.record.id: to_entity(row, version) for row in rows}.values())
        self._vector_cache.clear()
        self._writer.upsert(entities, changed)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the images with these ids, and their texts; unknown ids are not an error."""
        self._vector_cache.clear()
        self._writer.delete(list(dict.fromkeys(ids)))

    def finish_writes(self) -> None:
        """End a series of writes: note the row count, and let a server index what was written."""
        self._vector_cache.clear()
        self._writer.finish()

    def search(
        self,
        queries: Vectors,
        *,
        limit: int,
        offset: int = 0,
        condition: str = "",
        embeddings: dict[str, Vectors] | None = None,
    ) -> list[list[Hit]]:
        """Return the nearest matching images for each of (n, d) or (d,) queries, best first.

        `embeddings` gets those (d,) of the hits, by their ids: much faster than another call.
        Raises UsageError on a limit below 1, offset + limit above 16,384, or a filter that Milvus
        cannot read; VectorError on another dimension, or a zero or non-finite query.
        """
        fields = self._record_fields if embeddings is None else (*self._record_fields, EMBEDDING)
        where = (limit, offset, condition, fields)
        found = list(search_entities(self._backend, self.info, queries, *where, pages=True))
        if embeddings is not None:
            entities = (entity for hits in found for _, entity in hits)
            embeddings |= {e["id"]: np.asarray(e[EMBEDDING], dtype=np.float32) for e in entities}
        return [[Hit(to_record(entity), score) for score, entity in hits] for hits in found]

    def scores(
        self, queries: Vectors, *, limit: int, condition: str = ""
    ) -> list[NDArray[np.float32]]:
        """Return only the cosines of `search`, which is much faster for many images."""
        checked = check_queries(queries, self.info.model.dim)
        if (cached := self._vector_cache.scores(condition, checked, limit=limit)) is not None:
            return cached
        found = search_entities(self._backend, self.info, queries, limit, 0, condition, ["id"])
        return [np.array([score for score, _ in hits], dtype=np.float32) for hits in found]

    def add_roots(self, roots: Sequence[Path], mounts: Sequence[Path] = ()) -> None:
        """Remember folders that were ingested, and the mount points of their disks."""
        self._writer.add_roots(roots, mounts)

    def remove_roots(self, paths: Sequence[Path]) -> None:
        """Forget folders and mount points."""
        self._writer.remove_roots(paths)

    def add_failures(self, failures: Sequence[Failure]) -> None:
        """Remember files that could not be ingested, each with its last reason only."""
        self._catalog.add_failures(self.info.milvus_name, failures)

    def remove_failures(self, paths: Sequence[Path]) -> None:
        """Forget files that were ingested or deleted; others are not an error."""
        self._catalog.remove_failures(self.info.milvus_name, paths)

    def failures(self) -> list[Failure]:
        """Return the remembered files, by path."""
        return self._catalog.failures(self.info.milvus_name)

    @property
    def archives(self) -> ArchiveLedger:
        """The archives that were ingested."""
        return self._catalog.archives(self.info.milvus_name)

    def textness(self) -> dict[str, Any] | None:
        """Return the textness probe stored for this collection's model as JSON, or None."""
        return self._catalog.textness(self.info.model)

    def set_textness(self, probe: dict[str, Any]) -> None:
        """Store a textness probe for every collection of this store with the same model."""
        self._catalog.set_textness(self.info.model, probe)

    @property
    def _all_fields(self) -> Sequence[str]:
        return (*stored_fields(self.info.schema_version), EMBEDDING)

    @property
    def _record_fields(self) -> Sequence[str]:
        return record_fields(self.info.schema_version)
