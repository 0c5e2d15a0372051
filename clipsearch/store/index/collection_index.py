"""The ANN index of one collection: its state, its tuning, and another index in its place."""

from __future__ import annotations

from dataclasses import replace

from clipsearch.errors import StoreError
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.collection_writer import CollectionWriter
from clipsearch.store.index.coverage import IndexCoverage
from clipsearch.store.index.kinds import IndexKind
from clipsearch.store.index.operations import IndexState
from clipsearch.store.index.settings import IndexSettings, Tuning
from clipsearch.store.schema import EMBEDDING
from clipsearch.store.vector_search import search_entities
from clipsearch.types import Vectors


class CollectionIndex:
    """The index of a collection. `settings` are those of the catalog, which searches use."""

    def __init__(self, backend: Backend, catalog: Catalog, writer: CollectionWriter) -> None:
        """Use `Collection.index` instead."""
        self._backend = backend
        self._catalog = catalog
        self._writer = writer

    @property
    def settings(self) -> IndexSettings:
        """The kind of the index, the recall that is wanted, and what was measured."""
        return self._writer.info.index

    def describe(self) -> IndexState:
        """Ask Milvus for the index."""
        return self._backend.describe_index(self._writer.info.milvus_name, EMBEDDING)

    def coverage(self) -> IndexCoverage:
        """Ask Milvus which rows the index covers."""
        return self._backend.index_coverage(self._writer.info.milvus_name)

    def find_ids(
        self, queries: Vectors, *, limit: int, effort: int | None = None
    ) -> list[list[str]]:
        """Return the ids of the nearest images for each of (n, d) queries, best first.

        `effort` replaces the value of the search parameter, see `IndexKind.effort`. Raises as
        `Collection.search` does.
        """
        settings = self.settings if effort is None else self.settings.with_effort(effort, limit)
        params = settings.search_params(limit)
        results = search_entities(
            self._backend, self._writer.info, queries, limit, 0, "", ["id"], params
        )
        return [[str(entity["id"]) for _, entity in hits] for hits in results]

    def set_tuning(self, tuning: Tuning) -> None:
        """Let searches use what was measured; the recall is wanted from now on.

        Raises StoreError if another process replaced the index by one of another kind meanwhile.
        """
        with self._writer.change():
            if tuning.kind != self.settings.kind:
                raise StoreError(
                    f"the index of {self._writer.info.name!r} was replaced by {self.settings.kind} "
                    f"while {tuning.kind} was measured: run `clipsearch tune` again"
                )
            self._set(replace(self.settings, recall=tuning.wanted, tuning=tuning))

    def replace(self, kind: IndexKind) -> None:
        """Build an index of this kind in the place of the present one, in the background.

        The collection answers no search until it is loaded again. What was measured on another kind
        is forgotten.
        """
        with self._writer.change():
            self._backend.replace_index(self._writer.info.milvus_name, EMBEDDING, kind.name)
            self._set(IndexSettings(kind.name, self.settings.recall))

    def set_options(self, *, mmap: bool | None, warmup: bool | None) -> None:
        """Set where data lies and what is loaded first, unless None; the collection is reloaded."""
        with self._writer.change():
            name = self._writer.info.milvus_name
            self._backend.set_index_options(name, mmap=mmap, warmup=warmup)

    def _set(self, settings: IndexSettings) -> None:
        self._catalog.set_index(self._writer.info.milvus_name, settings)
        self._writer.info = replace(self._writer.info, index=settings)
