"""Writing to one collection, with a lower bound of its rows in the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Never

from clipsearch.errors import ReindexedError, StoreError
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.schema import CHECKSUM, Entity
from clipsearch.store.texts.rows import TextRows
from clipsearch.store.turns import wait_for_turn

COUNT_ROWS = 10_000
"""Rows to write before the lower bound in the catalog is raised."""


class CollectionWriter:
    """Writes the rows of one collection and keeps `info`, its entry in the catalog.

    The lower bound is lowered before rows may vanish, and raised after rows were written, so that
    fewer rows than that mean damage.
    """

    def __init__(
        self, backend: Backend, catalog: Catalog, info: CollectionInfo, *, patient: bool
    ) -> None:
        """Write to the generation of `info`; if `patient`, wait for others, and let them write.

        A patient one writes to the next generation only, and only while it is the next one.
        Otherwise nobody else writes through the daemon until `finish`, and `begin` raises
        BusyStoreError while another process does.
        """
        self.info = info
        self.texts = TextRows(backend, info.name)
        self._patient = patient
        self._is_writing = False
        self._backend = backend
        self._catalog = catalog
        self._session = Catalog(backend)
        self._uncounted = 0  # rows written since the lower bound was last raised
        self._flushed = True
        self._turn = 0  # see `begin`

    def begin(self) -> None:
        """Become the only writer until `finish`; reload what others may have changed.

        Raises ReindexedError if the generation is not in use any more.
        """
        turn = wait_for_turn(self._backend) if self._patient else self._backend.begin_writes()
        if turn != self._turn or not self._is_writing:
            self._reload()
            self._turn, self._is_writing = turn, True
        if self._patient:
            self._require_next()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Be the only writer for one change that writes no rows, of the present entry."""
        self.begin()
        try:
            yield
        finally:
            self._backend.end_writes()
            self._is_writing = False

    def upsert(self, entities: Sequence[Entity], changed: Sequence[str]) -> None:
        """Write entities with different ids, of which only the `changed` fields did, if any."""
        self.begin()
        if changed and CHECKSUM in entities[0]:
            changed = (*changed, CHECKSUM)
        self._backend.upsert(self.info.milvus_name, entities, changed)
        self._flushed = False
        self._uncounted += len(entities)
        if self._uncounted >= COUNT_ROWS:
            self._raise_lower_bound()
        self._pause()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete the entities with these different ids, and their texts."""
        if ids:
            self.begin()
            if not self._patient:  # the next generation shares the texts of the present one
                self.texts.delete(ids)  # first: a kill leaves no text of a deleted image
            self._set_lower_bound(max(0, self.info.rows - len(ids)))
            self._backend.delete(self.info.milvus_name, ids)
            self._pause()

    def add_roots(self, roots: Sequence[Path], mounts: Sequence[Path]) -> None:
        """Remember folders that were ingested, and the mount points of their disks."""
        self.begin()
        self._catalog.add_roots(self.info.milvus_name, roots, mounts)
        self.info = replace(
            self.info,
            roots=tuple(sorted({*self.info.roots, *roots})),
            mounts=tuple(sorted({*self.info.mounts, *mounts})),
        )
        self._pause()

    def remove_roots(self, paths: Sequence[Path]) -> None:
        """Forget folders and mount points."""
        self.begin()
        self._catalog.remove_roots(self.info.milvus_name, paths)
        roots = tuple(root for root in self.info.roots if root not in set(paths))
        mounts = tuple(point for point in self.info.mounts if point not in set(paths))
        self.info = replace(self.info, roots=roots, mounts=mounts)
        self._pause()

    def finish(self) -> None:
        """Note the row count, let a server index what was written, and let others write."""
        # A local store checks that its file is still the one that was opened.
        if not self._flushed or self._backend.path:
            self._backend.flush(self.info.milvus_name)
            self._flushed = True
        self.begin()
        self._raise_lower_bound()
        self._backend.end_writes()
        self._is_writing = False
        # A server does not keep others from switching meanwhile.
        if self._backend.path is None and self._catalog.strong.info(*self._names) is None:
            self._refuse()

    @property
    def _names(self) -> tuple[str, str]:
        return self.info.name, self.info.milvus_name

    def _reload(self) -> None:
        info = self._catalog.strong.info(*self._names)
        if info is None or info.model != self.info.model:
            self._refuse()
        self.info = info

    def _require_next(self) -> None:
        """Raise ReindexedError unless nobody uses the next generation yet, or canceled it."""
        name, milvus_name = self._names
        # Reads of a session take 7 ms on a server, strong ones 200 ms.
        if all(
            catalog.next_name(name) != milvus_name
            for catalog in (self._session, self._catalog.strong)
        ):
            self._refuse()

    def _refuse(self) -> Never:
        name = self.info.name
        if self._catalog.strong.info(name) is None:
            raise StoreError(f"the collection {name!r} was dropped by another process")
        raise ReindexedError(
            f"the collection {name!r} was reindexed by another process meanwhile: run the command "
            "again"
        )

    def _pause(self) -> None:
        """Let others write between two writes."""
        if self._patient:
            self._backend.end_writes()

    def _raise_lower_bound(self) -> None:
        # Once a server has answered this, weaker reads of others include the rows, too.
        self._set_lower_bound(self._backend.count(self.info.milvus_name, consistency="strong"))
        self._uncounted = 0

    def _set_lower_bound(self, rows: int) -> None:
        if rows != self.info.rows:
            self._catalog.set_rows(self.info.milvus_name, rows)
            self.info = replace(self.info, rows=rows)
