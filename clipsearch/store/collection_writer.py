"""Writing to one collection, with a lower bound of its rows in the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clipsearch.errors import StoreError
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.schema import Entity

COUNT_ROWS = 10_000
"""Rows to write before the lower bound in the catalog is raised."""


class CollectionWriter:
    """Writes the rows of one collection and keeps `info`, its entry in the catalog.

    The lower bound is lowered before rows may vanish, and raised after rows were written, so that
    fewer rows than that mean damage.
    """

    def __init__(self, backend: Backend, catalog: Catalog, info: CollectionInfo) -> None:
        self.info = info
        self._backend = backend
        self._catalog = catalog
        self._uncounted = 0  # rows written since the lower bound was last raised
        self._flushed = True
        self._turn = 0  # see `begin`

    def begin(self) -> None:
        """Become the only writer until `finish`; reload what others may have changed."""
        turn = self._backend.begin_writes()
        if turn != self._turn:
            info = self._catalog.info(self.info.name)
            if info is None or info.model != self.info.model:
                raise StoreError(
                    f"the collection {self.info.name!r} was dropped by another process"
                )
            self.info, self._turn = info, turn

    def upsert(self, entities: Sequence[Entity]) -> None:
        """Write entities with different ids, replacing those with the same id."""
        self.begin()
        self._backend.upsert(self.info.milvus_name, entities)
        self._flushed = False
        self._uncounted += len(entities)
        if self._uncounted >= COUNT_ROWS:
            self._raise_lower_bound()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the entities with these different ids."""
        if ids:
            self.begin()
            self._set_lower_bound(max(0, self.info.rows - len(ids)))
            self._backend.delete(self.info.milvus_name, ids)

    def add_roots(self, roots: Sequence[Path], mounts: Sequence[Path]) -> None:
        """Remember folders that were ingested, and the mount points of their disks."""
        self.begin()
        self._catalog.add_roots(self.info.milvus_name, roots, mounts)
        self.info = replace(
            self.info,
            roots=tuple(sorted({*self.info.roots, *roots})),
            mounts=tuple(sorted({*self.info.mounts, *mounts})),
        )

    def remove_roots(self, paths: Sequence[Path]) -> None:
        """Forget folders and mount points."""
        self.begin()
        self._catalog.remove_roots(self.info.milvus_name, paths)
        roots = tuple(root for root in self.info.roots if root not in set(paths))
        mounts = tuple(point for point in self.info.mounts if point not in set(paths))
        self.info = replace(self.info, roots=roots, mounts=mounts)

    def finish(self) -> None:
        """Note the row count, let a server index what was written, and let others write."""
        # A local store checks that its file is still the one that was opened.
        if not self._flushed or self._backend.path:
            self._backend.flush(self.info.milvus_name)
            self._flushed = True
        self.begin()
        self._raise_lower_bound()
        self._backend.end_writes()

    def _raise_lower_bound(self) -> None:
        # Once a server has answered this, weaker reads of others include the rows, too.
        self._set_lower_bound(self._backend.count(self.info.milvus_name, consistency="strong"))
        self._uncounted = 0

    def _set_lower_bound(self, rows: int) -> None:
        if rows != self.info.rows:
            self._catalog.set_rows(self.info.milvus_name, rows)
            self.info = replace(self.info, rows=rows)
