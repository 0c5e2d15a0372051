"""The redo log: rows that are about to replace others, in a file beside a local store.

Milvus Lite replaces rows in two transactions: it deletes the old ones, then inserts the new ones.
If it ends in between, neither are left. So the new ones are on the disk before it starts, and
whoever opens the store next writes them again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import StoreError
from clipsearch.store.schema import METADATA, Entity

SUFFIX = "-redo"

MAX_TRANSACTIONS = 1_000
"""Transactions between writing a log and reading it. It has two, and as many again for each time
that its repetition is interrupted. A store with more of them is another one."""

_COUNTER = slice(24, 28)
"""Bytes of a SQLite file that count its transactions (sqlite.org/fileformat2.html, 1.3.7)."""

_VECTOR = "float32"

log = logging.getLogger("clipsearch")


def redo_path(store: Path) -> Path:
    """Return the path of a store's redo log, which exists only within a write or after a kill."""
    return store.with_name(store.name + SUFFIX)


class RedoLog:
    """The rows of at most one write; the holder of the store's lock uses it."""

    def __init__(self, store: Path) -> None:
        """Touch nothing."""
        self.path = redo_path(store)
        self._store = store

    def exists(self) -> bool:
        """Tell whether a write was interrupted."""
        return self.path.exists()

    def write(self, collection: str, entities: Sequence[Entity]) -> None:
        """Put rows of a collection on the disk; raise StoreError if that fails."""
        content = {
            "collection": collection,
            "transactions": _count_transactions(self._store),
            "rows": entities,
        }
        data = json.dumps(content, default=_encode_vector).encode()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
            fd = os.open(self.path, flags, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self.path.parent)
        except OSError as error:
            self.remove()
            raise StoreError(
                f"{self.path} cannot be written: {error.strerror}; nothing was changed"
            ) from error

    def read(self) -> tuple[str, list[Entity]] | None:
        """Return the collection and the rows; None if no write of this store was interrupted."""
        try:
            digest, _, data = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest().encode() != digest:
            return None  # a kill came before it was complete, and so before the write
        content = json.loads(data)
        since = _count_transactions(self._store) - content["transactions"]
        if not 0 <= since <= MAX_TRANSACTIONS:
            log.warning("%s is ignored: it belongs to another state of the store", self.path)
            return None
        return content["collection"], list(map(_decode_row, content["rows"]))

    def remove(self) -> None:
        """Remove the file, once the rows are written.

        The next transaction of SQLite puts this on the disk, too: it synchronizes the folder.
        """
        self.path.unlink(missing_ok=True)


def _count_transactions(store: Path) -> int:
    """Return a number that grows with each transaction; 0 for a folder of Milvus Lite 3."""
    if not store.is_file():
        return 0
    with store.open("rb") as file:
        return int.from_bytes(file.read(_COUNTER.stop)[_COUNTER])


def _sync_folder(folder: Path) -> None:
    """Put the name of a new file on the disk; Windows cannot, and does so itself."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _encode_vector(value: Any) -> dict[str, str]:
    """Return a float32 array for JSON."""
    return {_VECTOR: base64.b64encode(value.astype("<f4").tobytes()).decode()}


def _decode_row(row: Entity) -> Entity:
    # The metadata of an image may look like a vector.
    return {name: v if name == METADATA else _decode_vector(v) for name, v in row.items()}


def _decode_vector(value: Any) -> Any:
    """Return the array of a JSON object from `_encode_vector`; other values are unchanged."""
    if not isinstance(value, dict) or value.keys() != {_VECTOR}:
        return value
    return np.frombuffer(base64.b64decode(value[_VECTOR]), dtype="<f4").astype(np.float32)
