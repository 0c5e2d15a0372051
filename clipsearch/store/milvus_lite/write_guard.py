"""Writes of this process to a local store: one at a time, and only to the file that was opened."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipsearch.errors import DamagedStoreError, StoreError, describe_error
from clipsearch.store.milvus_lite.redo_log import RedoLog


class WriteGuard:
    """The lock, the redo log and the identity of the store at a path.

    Milvus Lite keeps its file open: it would write to one that was deleted, and hangs on one that
    was truncated.
    """

    def __init__(self, path: Path) -> None:
        """Touch nothing; `opened` notes which file it is."""
        self.redo = RedoLog(path)
        self._path = path
        self._lock = threading.RLock()
        self._identity: tuple[int, int] | None = None
        self._is_file = True
        self._size = 0

    def opened(self) -> None:
        """Note the file that Milvus Lite has opened, for the first time or again."""
        status = self._path.stat()
        self._identity = (status.st_dev, status.st_ino)
        self._is_file = stat.S_ISREG(status.st_mode)  # Milvus Lite 3 has a folder, of any size
        self._size = 0  # a transaction that was interrupted is taken back, and the file shrinks

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let other threads wait; raise StoreError if the file was replaced before or meanwhile."""
        with self._lock:
            self.check()
            try:
                yield
            finally:
                self.check()

    def check(self) -> None:
        """Raise StoreError unless the path has the file that was opened, with all its bytes."""
        if self._identity is None:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError as error:
            raise StoreError(
                f"{self._path} was deleted while it was open; what was written since is lost: "
                "run the command again"
            ) from error
        except OSError as error:
            raise StoreError(f"{self._path} cannot be used: {describe_error(error)}") from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise StoreError(
                f"{self._path} was replaced by another file while it was open; what was written "
                "since is lost: run the command again"
            )
        if self._is_file and status.st_size < self._size:
            raise DamagedStoreError(
                f"{self._path} was truncated while it was open: restore a copy, or delete it and "
                "ingest again"
            )
        self._size = status.st_size
