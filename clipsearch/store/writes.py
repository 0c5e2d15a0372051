"""Writes through a connection: what fails half-way is completed, now or by the next process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import RefusedRowsError, StoreError
from clipsearch.store import filters
from clipsearch.store.connection import MilvusConnection
from clipsearch.store.milvus_errors import refusing_rows
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.schema import Entity

T = TypeVar("T")

WRITE_ROWS = 2_000
"""Rows of one upsert: Milvus Lite 2.5.1 needs 25 s for 4,000."""

RESERVE_BYTES = 64 << 20
"""Disk space that a local write leaves free: Milvus Lite 2.5.1 hangs forever on a full disk."""

ROW_BYTES = 8_192
"""Disk space of a row without its vector, with the redo log, an upper estimate."""

MESSAGE_BYTES = 32 << 20
"""Texts and vectors of one upsert; a message of a server holds 64 MB."""

VECTOR_COPIES = 4
"""The store holds a vector about twice, and the redo log 1.4 times."""


class Writes:
    """Writes of one connection. A write within which Milvus Lite alone ends is repeated."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection

    def run(self, write: Callable[[], T], *, collection: str = "", size: int = 0) -> T:
        """Make a call that may be repeated and needs `size` bytes of disk space.

        Raises StoreError if that fails, or if the store's file was deleted or replaced.
        """
        server = self._connection.server
        with self._connection.translating(collection):
            if server is None:
                return self._connection.repeat(write)
            with server.guard.writing():
                self._require_space(size)
                try:
                    return self._write(write)
                except RefusedRowsError:
                    raise
                except StoreError:
                    # It counts and finds rows in its memory that could not be written.
                    server.end()
                    self._require_space(size)
                    raise

    def upsert(self, name: str, entities: Sequence[Entity]) -> None:
        """Write entities with different keys, their first field; replace those that exist.

        Raises RefusedRowsError if a value does not fit.
        """
        for batch in _split(entities):
            vector_bytes = sum(
                value.nbytes
                for entity in batch
                for value in entity.values()
                if isinstance(value, np.ndarray)
            )
            size = VECTOR_COPIES * vector_bytes + len(batch) * ROW_BYTES
            write = partial(self._upsert, name, batch)
            self.run(write, collection=name, size=size)

    def update(self, name: str, entities: Sequence[Entity], changed: Sequence[str]) -> None:
        """Write the changed fields of entities that exist, with their keys.

        If one was deleted meanwhile, a server refuses its part, and complete entities are written.
        """
        key = next(iter(entities[0])) if entities else ""
        for batch in _split(entities):
            parts = [{field: entity[field] for field in (key, *changed)} for entity in batch]
            try:
                self.run(partial(self._send, name, parts, partial_update=True), collection=name)
            except RefusedRowsError:
                self.upsert(name, batch)

    def delete(self, name: str, keys: Sequence[str]) -> None:
        """Delete entities by their keys; unknown keys are not an error."""
        for batch in batches(keys, WRITE_ROWS):
            self.run(partial(self._delete, name, batch), collection=name)

    def _write(self, write: Callable[[], T]) -> T:
        with self._connection.translating():
            self._connection.complete_write()  # of a call that failed
            return self._connection.repeat(write)

    def _delete(self, name: str, batch: Sequence[str]) -> None:
        seconds = self._connection.write_seconds(len(batch))
        client = self._connection.client_for(name)
        with self._connection.writing(name):
            client.delete(name, ids=batch, timeout=seconds)

    def _upsert(self, name: str, batch: Sequence[Entity]) -> None:
        server = self._connection.server
        redo = server.guard.redo if server is not None and self._replaces(name, batch) else None
        if redo is not None:
            redo.write(name, batch)
        try:
            self._send(name, batch)
        except RefusedRowsError:
            if redo is not None:
                redo.remove()  # pymilvus checks values before it sends them
            raise
        if redo is not None:
            redo.remove()

    def _send(self, name: str, batch: Sequence[Entity], **options: bool) -> None:
        client = self._connection.client_for(name)
        seconds = self._connection.write_seconds(len(batch))
        with refusing_rows(self._connection.uri), self._connection.writing(name):
            client.upsert(name, batch, timeout=seconds, **options)

    def _replaces(self, name: str, batch: Sequence[Entity]) -> bool:
        """Tell whether the collection has rows with these keys."""
        key_field = next(iter(batch[0]))
        condition = filters.text_in(key_field, [entity[key_field] for entity in batch])
        [result] = self._connection.client_for(name).query(
            name, filter=condition, output_fields=["count(*)"], timeout=self._connection.seconds
        )
        return int(result["count(*)"]) > 0

    def _require_space(self, size: int) -> None:
        path = self._connection.path
        if path is not None and local_store.free_bytes(path) < size + RESERVE_BYTES:
            raise StoreError(
                f"the disk of {path} is full: nothing was written; make room "
                f"({(size + RESERVE_BYTES) >> 20} MB) and run again"
            )


def _split(entities: Sequence[Entity]) -> Iterator[list[Entity]]:
    """Yield batches that fit into a message."""
    most = MESSAGE_BYTES // WRITE_ROWS  # of one row, in a batch of so many
    return batches(entities, WRITE_ROWS, weigh=lambda entity: 1 + _count_bytes(entity) // most)


def _count_bytes(entity: Entity) -> int:
    """Return about how many bytes an entity takes in a message; at most four for a character."""
    texts = (text for value in entity.values() for text in _texts(value))
    vectors = (value.nbytes for value in entity.values() if isinstance(value, np.ndarray))
    return sum(len(text) if text.isascii() else 4 * len(text) for text in texts) + sum(vectors)


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, list) else ()
