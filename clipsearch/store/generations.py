"""The generations of a collection: rows of other models or schemas, in collections of Milvus.

A reindex builds the next generation beside the one in use, and switches by one write of the
catalog's entry. The replaced one is kept as the previous generation until it is dropped. Each step
may be repeated after a kill.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from clipsearch.errors import MissingCollectionError, ReindexedError, StoreError
from clipsearch.models.base import ModelIdentity
from clipsearch.store.backend import Backend
from clipsearch.store.catalog import Catalog
from clipsearch.store.catalog_entry import CollectionInfo, Generation
from clipsearch.store.collection import Collection
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.schema import SCHEMA_VERSION, image_schema
from clipsearch.store.turns import wait_for_turn

NAME_LENGTH = 240
"""Of the user's name, so much begins the names of its generations: Milvus allows 255."""

SETTLE_SECONDS = 1.0
"""Of two processes that begin on a server at the same moment, both have written the entry after
this: the later one is in it, and the other one stops."""


class Generations:
    """The generations of one collection that exists. For one thread at a time."""

    def __init__(self, backend: Backend, catalog: Catalog, name: str) -> None:
        """Use `Store.generations` instead."""
        self._backend = backend
        self._catalog = catalog.strong
        self._name = name

    @property
    def info(self) -> CollectionInfo:
        """The catalog's entry, read anew; raises MissingCollectionError if it was dropped."""
        info = self._catalog.info(self._name)
        if info is None:
            raise MissingCollectionError(f"the collection {self._name!r} was dropped")
        return info

    def begin(self, model: ModelIdentity, index: IndexSettings | None = None) -> Collection:
        """Open the next generation to continue it, or create an empty one for a model.

        A new one has the given index, by default of the kind of the present one. Raises StoreError
        as `check_next` does, ReindexedError if another process begins one at the same moment.
        """
        info = self.check_next(model, index.kind if index else None)
        following = info.next
        if following is None:
            following = self._new(model)
            self._replace_next(None, following)
            if self._backend.path is None:
                time.sleep(SETTLE_SECONDS)
            self._require_next(following)
        exists = following.milvus_name in self._backend.collection_names()
        if not exists or not self._catalog.has_rows(following.milvus_name):  # killed within this
            if self._backend.path is not None:  # on a server, another process may be just here
                self._drop(following.milvus_name)
            settings = index or replace(info.index, tuning=None)
            self._backend.create(following.milvus_name, image_schema(model.dim), settings.kind)
            self._catalog.set_index(following.milvus_name, settings)
            self._catalog.set_rows(following.milvus_name, 0)
        return self.open_next(following, patient=True)

    def check_next(self, model: ModelIdentity, kind: str | None) -> CollectionInfo:
        """Return the entry; raise StoreError if the next generation is another one.

        It is if its model, its schema or the kind of its index differs; None is any kind.
        """
        info = self.info
        following = info.next
        if following is None:
            return info
        which, action = "", ""
        if (following.model, following.schema_version) != (model, SCHEMA_VERSION):
            which, action = f" by {following.model.name}", f" --model {following.model.name}"
        elif kind is not None and self._catalog.has_rows(following.milvus_name):
            index = self._catalog.generation_info(self._name, following).index
            which = f" with the index {index.kind}" if index.kind != kind else ""
        if which:
            raise StoreError(
                f"a reindex of {self._name!r}{which} is unfinished: `clipsearch reindex{action}` "
                "continues it, and `clipsearch reindex --cancel` deletes it"
            )
        return info

    def open_next(self, following: Generation, *, patient: bool = False) -> Collection:
        """Open the next generation; if `patient`, each write is a turn of its own.

        Raises ReindexedError if it is not the next one any more.
        """
        self._require_next(following)
        info = self._catalog.info(self._name, following.milvus_name)
        if info is None:
            raise self._lost()
        return Collection(self._backend, self._catalog, info, patient=patient)

    def switch(self, following: Collection) -> None:
        """Make the next generation the one in use, in one step; the present one is kept.

        An older one is dropped. On a server the new one is catching up until `settle`. Raises
        ReindexedError if another process canceled the reindex, or changes the entry just now.
        """
        info, generation = self.info, following.info.generation
        if info.milvus_name == generation.milvus_name:
            return
        if info.previous is not None:
            self.drop_previous()
        info = self._require_next(generation)
        is_server = self._backend.path is None
        self._catalog.set_generations(
            self._name, generation, previous=info.generation, next=None, is_catching_up=is_server
        )
        if is_server and self.info.milvus_name != generation.milvus_name:
            raise self._lost()

    def settle(self, current: Generation) -> None:
        """Note that a generation has what others wrote to the previous one until they noticed."""
        info = self.info
        if info.is_catching_up and info.generation == current:
            self._catalog.set_generations(
                self._name, current, previous=info.previous, next=info.next
            )

    def roll_back(self) -> CollectionInfo:
        """Exchange the generation in use and the previous one; raise StoreError without one."""
        info = self.info
        previous = info.previous
        if previous is None or previous.milvus_name not in self._backend.collection_names():
            raise StoreError(f"no earlier generation of the collection {self._name!r} is stored")
        self._catalog.set_generations(
            self._name, previous, previous=info.generation, next=info.next
        )
        return self.info

    def open_previous(self) -> Collection | None:
        """Open the previous generation to read it; None if there is none."""
        previous = self.info.previous
        if previous is None or previous.milvus_name not in self._backend.collection_names():
            return None
        info = self._catalog.generation_info(self._name, previous)
        return Collection(self._backend, self._catalog, info)

    def lower_bound(self, generation: Generation) -> int:
        """Return how many rows a generation has at least, as its catalog knows."""
        return self._catalog.generation_info(self._name, generation).rows

    def drop_previous(self) -> bool:
        """Delete the previous generation with its vectors; tell whether there was one."""
        dropped = self.info.previous
        if dropped is None:
            return False
        self._drop(dropped.milvus_name)
        info = self.info  # read anew: dropping takes seconds on a server
        if info.previous == dropped:
            self._catalog.set_generations(
                self._name, info.generation, previous=None, next=info.next
            )
        return True

    def drop_next(self) -> bool:
        """Delete the next generation, which is unfinished; tell whether there was one."""
        dropped = self.info.next
        if dropped is None:
            return False
        self._drop(dropped.milvus_name)
        self._replace_next(dropped, None)
        return True

    def drop_lost(self, generation: Generation) -> None:
        """Delete a generation that this process began, if another one took its place."""
        if generation.milvus_name not in self._catalog.generation_names(self._name):
            self._drop(generation.milvus_name)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Wait until no other process writes through the daemon, and keep others from it."""
        wait_for_turn(self._backend)
        try:
            yield
        finally:
            self._backend.end_writes()

    def _new(self, model: ModelIdentity) -> Generation:
        taken = {name.lower() for name in self._used_names()}
        number = 2
        # Two processes that begin at once must never write to one collection of a server.
        own = f"_{secrets.token_hex(3)}" if self._backend.path is None else ""
        while (name := f"{self._name[:NAME_LENGTH]}_g{number}{own}").lower() in taken:
            number += 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Generation(name, model, SCHEMA_VERSION, now)

    def _replace_next(self, present: Generation | None, following: Generation | None) -> None:
        """Replace the next generation, if it is still the one that the caller knows."""
        info = self.info
        if info.next == present:
            self._catalog.set_generations(
                self._name,
                info.generation,
                previous=info.previous,
                next=following,
                is_catching_up=info.is_catching_up,
            )

    def _require_next(self, following: Generation) -> CollectionInfo:
        info = self.info
        if info.next != following:
            raise self._lost()
        return info

    def _lost(self) -> ReindexedError:
        return ReindexedError(
            f"another process began, completed or canceled a reindex of {self._name!r} meanwhile: "
            "`clipsearch status` shows what is in use"
        )

    def _used_names(self) -> Sequence[str]:
        """Return names that no generation may have, as SQLite ignores their case."""
        return [
            *self._backend.collection_names(),
            *self._catalog.milvus_names(),
            *self._catalog.names(),
        ]

    def _drop(self, milvus_name: str) -> None:
        self._catalog.set_rows(milvus_name, 0)  # or a kill after the next line looks like damage
        self._backend.drop(milvus_name)
        self._catalog.remove_generation(milvus_name)
