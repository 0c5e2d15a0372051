"""A store: the collections at one location."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from clipsearch.consistency import DEFAULT, Consistency
from clipsearch.errors import (
    DamagedStoreError,
    MissingCollectionError,
    ModelMismatchError,
    StoreError,
)
from clipsearch.models.base import ModelIdentity
from clipsearch.store import creation
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.collection import Collection
from clipsearch.store.generations import Generations
from clipsearch.store.index.choice import AUTO, choose_settings
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.names import check_name, foreign
from clipsearch.store.texts.rows import TextRows
from clipsearch.uri import parse_uri

T = TypeVar("T")

ATTEMPTS = 3
"""Reads of the row count before rows that seem to be missing count as damage."""


class Store:
    """The collections of one backend. A context manager; for one thread at a time.

    Do not use it in a child made by fork: start threads, or spawn processes.
    """

    def __init__(self, backend: Backend, *, sample: bool = False) -> None:
        """Use an open backend, which `close` closes; `sample` a collection's rows as it opens."""
        self.backend = backend
        self._catalog = Catalog(backend)
        self._samples = sample

    @classmethod
    def open(
        cls,
        uri: str | Path,
        *,
        token: str | None = None,
        create: bool = True,
        preload: str | None = None,
        consistency: Consistency = DEFAULT,
    ) -> Store:
        """Open a path that ends in .db, or the URI of a server, without a daemon.

        `clipsearch.session.open_store` uses a running daemon. `create` makes a missing file and
        its folder. A local store starts at once to load the collection `preload`, if it exists.
        `consistency` is that of reads from a server, see `Consistency`. Raises UsageError on any
        other URI; StoreError if the file is locked, foreign, read-only or (create=False) missing,
        or if the server does not answer; DamagedStoreError if the file is damaged.
        """
        backend = MilvusBackend(
            parse_uri(uri), token=token, create=create, preload=preload, consistency=consistency
        )
        return cls(backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def uri(self) -> str:
        """The server's URI without a password, or the absolute path of the file."""
        return self.backend.uri

    @property
    def is_local(self) -> bool:
        """Whether this is Milvus Lite."""
        return self.backend.path is not None

    def collections(self) -> list[CollectionInfo]:
        """List the collections by name, including damaged ones.

        Those only partly created or dropped are left out, and those of newer versions.
        """
        existing = set(self.backend.collection_names())
        return [info for info in self._catalog.infos() if info.rows or info.milvus_name in existing]

    def create(
        self, name: str, model: ModelIdentity, *, index: str = AUTO, recall: float | None = None
    ) -> Collection:
        """Create an empty collection for vectors of this model; for its index see `choose_kind`.

        Raises StoreError if it exists, ModelMismatchError if another process just created it for
        another model, and UsageError if this Milvus has no such index, or a local store cannot
        have this name.
        """
        if self.find(name) is not None:
            raise StoreError(f"the collection {name!r} exists already")
        collection = self.open_or_create(name, model, index=index, recall=recall)
        if (found := collection.info.model) != model:
            raise ModelMismatchError(
                f"another process has just created the collection {name!r} for {found.name}"
            )
        return collection

    def open_or_create(
        self, name: str, model: ModelIdentity, *, index: str = AUTO, recall: float | None = None
    ) -> Collection:
        """Open or create a collection. Compare the model: the first of all processes decides."""
        settings = choose_settings(index, self.backend.capabilities(), recall)
        if (collection := self.find(name)) is not None:
            return collection
        info = creation.create(self.backend, self._catalog, name, model, settings)
        return Collection(self.backend, self._catalog, info)

    def find(self, name: str) -> Collection | None:
        """Open a collection; return None if clipsearch has not made it.

        Raises StoreError on a collection of a newer version; DamagedStoreError if a collection
        with rows has vanished, or a local one lost rows.
        """
        check_name(name)
        if (collection := self._find(name, ATTEMPTS)) is not None and self._samples:
            collection.sample()
        return collection

    def collection(self, name: str) -> Collection:
        """Open a collection that must exist.

        Raises as `find` does; also MissingCollectionError, with the names of the existing ones,
        and StoreError on a collection that another program made.
        """
        if (collection := self.find(name)) is not None:
            return collection
        if name in self.backend.collection_names():
            if creation.is_unfinished(self.backend, self._catalog, name):
                raise MissingCollectionError(
                    f"the creation of the collection {name!r} in {self.uri} was interrupted: "
                    "`clipsearch ingest` completes it"
                )
            raise StoreError(foreign(name))
        names = ", ".join(repr(info.name) for info in self.collections())
        existing = f"there are {names}" if names else "there are none: ingest images first"
        raise MissingCollectionError(f"no collection {name!r} in {self.uri}; {existing}")

    def drop(self, name: str) -> None:
        """Delete a collection with its texts, vectors and catalog entries; image files stay."""
        check_name(name)
        existing = self.backend.collection_names()
        is_ours = name in self._catalog.names()
        if (
            name in existing
            and not is_ours
            and not creation.is_unfinished(self.backend, self._catalog, name)
        ):
            raise StoreError(foreign(name))
        if name not in existing and not is_ours:
            self.collection(name)  # raises with the names of those that exist
        TextRows(self.backend, name).drop()
        # The generation in use last: a kill before leaves a collection that is complete.
        for stored in reversed(self._catalog.generation_names(name)):
            # With its row count: or a kill after the next line would look like damage.
            self._catalog.remove_generation(stored)
            if stored in existing:
                self.backend.drop(stored)
        if name not in self.backend.collection_names():  # another process may have created it
            self._catalog.remove_entry(name)

    def generations(self, name: str) -> Generations:
        """Return the generations of a collection; raises as `collection` does."""
        self.collection(name)
        return Generations(self.backend, self._catalog, name)

    def is_current(self, collection: Collection, *, strong: bool = True) -> bool:
        """Tell whether a collection was neither reindexed nor dropped, by a strong read or not."""
        catalog, info = self._catalog.strong if strong else self._catalog, collection.info
        return catalog.current_name(info.name) == info.milvus_name

    def read(self, name: str, action: Callable[[Collection], T]) -> T:
        """Call a function that reads a collection; again if a reindex replaced it meanwhile."""
        collection = self.collection(name)
        try:
            return action(collection)
        except StoreError:
            if self.is_current(collection):
                raise
            return action(self.collection(name))

    def count_lost(self, name: str) -> int:
        """Count how many rows a local collection lacks of those that its catalog knows of."""
        if (info := self._catalog.info(name)) is None or not self.is_local:
            return 0
        exists = info.milvus_name in self.backend.collection_names()
        return max(0, info.rows - (self.backend.count(info.milvus_name) if exists else 0))

    def open_incomplete(self, name: str) -> Collection | None:
        """Open a collection to restore rows that are missing; None if all of it is.

        The catalog expects those rows until `finish_writes`, so that a kill does not hide the loss.
        """
        info = self._catalog.info(name)
        if info is None or info.milvus_name not in self.backend.collection_names():
            return None
        return Collection(self.backend, self._catalog, info)

    def accept_loss(self, name: str) -> None:
        """Let the catalog expect no more rows than there are, so that the collection opens."""
        info = self._catalog.info(name)
        stored = name if info is None else info.milvus_name
        exists = stored in self.backend.collection_names()
        self.backend.begin_writes()
        self._catalog.accept_loss(stored, self.backend.count(stored) if exists else 0)
        self.backend.end_writes()

    def disk_bytes(self) -> int | None:
        """Return the size of a local store; None for a server."""
        return local_store.disk_bytes(self.backend.path) if self.backend.path else None

    def close(self) -> None:
        """Disconnect, and end Milvus Lite; may be called more than once."""
        self.backend.close()

    def _find(self, name: str, attempts: int) -> Collection | None:
        info = self._catalog.info(name)
        if not self.is_local:
            info = creation.apply_claim(self.backend, self._catalog, name, info)
        if info is None:
            return None
        stored = info.milvus_name
        exists = stored in self.backend.collection_names()
        if not exists and not info.rows:
            return None  # left by a kill in `drop`
        # Only local files can lose rows silently, and a server may have to load all to count.
        rows = (self.backend.count(stored) if self.is_local else info.rows) if exists else 0
        if rows >= info.rows:
            return Collection(self.backend, self._catalog, info)
        if attempts > 1:
            # Another process may be deleting through the daemon; it lowers the bound first.
            return self._find(name, attempts - 1)
        raise DamagedStoreError(
            f"{self.uri} is damaged: the collection {name!r} has {rows} rows, but {info.rows} or "
            "more were written; restore a copy, or run `clipsearch check --repair` and ingest again"
        )
