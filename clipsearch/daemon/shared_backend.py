"""The connection to Milvus that the daemon holds for its sessions."""

import logging
import os
import threading
from dataclasses import dataclass
from typing import Any, TypeAlias

from clipsearch.daemon.remote_backend import READS, WRITES
from clipsearch.errors import BusyStoreError, StoreError
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.uri import StoreURI

log = logging.getLogger("clipsearch.daemon")

WRITER_SECONDS = 1.0
"""How long a writer waits for another one, as for a file that another process has open."""

FileStamp: TypeAlias = tuple[int, int, int, int] | None


class ShutdownError(Exception):
    """The daemon is stopping and does nothing more."""


@dataclass
class Session:
    """One command's use of the daemon; `session_id` is the same for all its connections."""

    session_id: str
    pid: int
    create: bool
    is_checked: bool = False


class SharedBackend:
    """A connection to Milvus that sessions use in turn; one of them at a time may write."""

    def __init__(self, uri: StoreURI, token: str | None) -> None:
        """Open nothing before the first call."""
        self._uri = uri
        self._token = token
        self._call_lock = threading.Lock()
        self._backend: MilvusBackend | None = None
        self._stamp: FileStamp = None
        self._is_closed = False
        self._writer_changed = threading.Condition()
        self._writer: Session | None = None
        # No turn of another daemon that a session may have used has the same number.
        self._writer_turns = os.getpid() << 32

    @property
    def is_closed(self) -> bool:
        """Whether the daemon is stopping."""
        return self._is_closed

    @property
    def writer_pid(self) -> int | None:
        """The process that is writing, if any."""
        writer = self._writer
        return None if writer is None else writer.pid

    def call(self, session: Session, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of a Backend; raise AttributeError on any other name."""
        if method == "begin_writes":
            return self._begin_writes(session)
        if method == "end_writes":
            return self.end_writes(session)
        if method in WRITES:
            self._begin_writes(session)
        elif method not in READS:
            raise AttributeError(method)
        with self._call_lock:
            is_new = self._backend is None
            backend = self._open(session)
            try:
                result = getattr(backend, method)(*arguments, **options)
            except StoreError:
                if is_new or self._uri.path is not None:
                    raise
                # An old connection may have outdated data about a server's collections.
                self._disconnect()
                result = getattr(self._open(session), method)(*arguments, **options)
            finally:
                self._note_stamp()
        return result

    def end_writes(self, session: Session) -> None:
        """Let other sessions write."""
        with self._writer_changed:
            if self._writer is not None and self._writer.session_id == session.session_id:
                self._writer = None
                self._writer_changed.notify_all()

    def close(self) -> None:
        """Wait for the current call and disconnect; later calls raise ShutdownError."""
        self._is_closed = True
        with self._call_lock:
            self._disconnect()

    def _begin_writes(self, session: Session) -> int:
        def is_free() -> bool:
            return self._writer is None or self._writer.session_id == session.session_id

        with self._writer_changed:
            if not self._writer_changed.wait_for(is_free, WRITER_SECONDS):
                assert self._writer is not None
                raise BusyStoreError(
                    f"{self._uri.display} is being written by another process "
                    f"({self._writer.pid}): wait until that has finished"
                )
            if self._writer is None:
                self._writer = session
                self._writer_turns += 1
            return self._writer_turns

    def _open(self, session: Session) -> MilvusBackend:
        if self._is_closed:
            raise ShutdownError
        path = self._uri.path
        if not session.is_checked and self._backend is not None and path is not None:
            if self._file_stamp() != self._stamp:
                log.info("%s was changed or replaced by another process: reopening it", path)
                self._disconnect()
            elif session.create:  # the check that a direct opening makes before any write
                is_native = native_library() is not None
                local_store.check_path(path, native=is_native, create=True)
        if self._backend is None:
            self._backend = MilvusBackend(self._uri, token=self._token, create=session.create)
            self._stamp = self._file_stamp()
        session.is_checked = True
        return self._backend

    def _disconnect(self) -> None:
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _note_stamp(self) -> None:
        """Note the file's state after a call, unless another one has replaced the open file."""
        stamp = self._file_stamp()
        if stamp and self._stamp and stamp[:2] == self._stamp[:2]:
            self._stamp = stamp

    def _file_stamp(self) -> FileStamp:
        """Return what changes if the store's file is replaced or written by another process."""
        path = self._uri.path
        if path is None:
            return None
        try:
            status = path.stat()
        except OSError:
            return None
        if path.is_dir():  # Milvus Lite 3, whose threads write at any time
            return (status.st_dev, status.st_ino, 0, 0)
        return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
