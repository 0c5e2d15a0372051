"""Local stores: checks of the path, and one Milvus Lite for each path within a process."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

from clipsearch.errors import DamagedStoreError, StoreError, describe_error, shorten
from clipsearch.store.milvus_lite.native_server import NativeServer, native_library
from clipsearch.store.milvus_lite.python_server import PythonServer
from clipsearch.store.milvus_lite.redo_log import SUFFIX
from clipsearch.store.milvus_lite.write_guard import WriteGuard

SQLITE_MAGIC = b"SQLite format 3\x00"
CHECKED_BYTES = 32 << 20
"""Files up to this size are checked page by page before writing to them: half a second."""

LITE_TABLE = "collection_meta"
"""A table that Milvus Lite 2.5 creates when it first opens a file."""

LITE_TABLES = (LITE_TABLE, "bm25_stats", "token_doc_count")
"""The tables of Milvus Lite 2.5 beside those of collections, which have the collections' names."""


class LiteServer(Protocol):
    """A Milvus Lite for one path."""

    path: Path
    guard: WriteGuard

    @property
    def address(self) -> str:
        """The address for pymilvus; starts it unless it runs, possibly at another address."""

    def unstarted(self) -> AbstractContextManager[bool]:
        """Keep it from starting meanwhile; yields False if it has started already."""

    def is_alive(self) -> bool:
        """Tell whether it runs."""

    def has_ended(self) -> bool:
        """Tell whether it has ended, also if it is just ending."""

    def end(self) -> None:
        """End its process, if it has one; the next call starts it again."""

    def read_log(self) -> str:
        """Return the line that matters among those logged since the last call."""

    def close(self) -> None:
        """End it and unlock the path."""


_servers: dict[Path, LiteServer] = {}
_users: Counter[Path] = Counter()
_lock = threading.RLock()  # the garbage collector may call `release` within `acquire`


def acquire(path: Path, *, create: bool) -> LiteServer:
    """Return the server of this path, shared within the process; pair each call with `release`.

    Raises StoreError if it cannot be opened, or does not exist and `create` is False.
    """
    try:
        resolved = path.resolve()
        with _lock:
            _users[resolved] += 1  # first, so that a concurrent release does not end it
            try:
                if resolved not in _servers:
                    _servers[resolved] = _start(resolved, create=create)
                return _servers[resolved]
            except BaseException:
                _users[resolved] -= 1
                raise
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise StoreError(f"{path} cannot be opened: {describe_error(error)}") from error


def release(path: Path, owner: int) -> None:
    """Give back the server of this resolved path in process `owner`; the last user ends it."""
    if os.getpid() != owner:  # a forked child must not end its parent's server
        return
    with _lock:
        _users[path] -= 1
        if not _users[path]:
            _servers.pop(path).close()


def find_table(name: str, collections: Iterable[str]) -> str | None:
    """Return the table that this name of a collection would share, or None.

    SQLite ignores the case of table names: `Cats` would be stored in the table of `cats`, and
    dropping one would delete the rows of both.
    """
    if name.lower().startswith("sqlite_"):
        return "sqlite_…"
    tables = (*LITE_TABLES, *(other for other in collections if other != name))
    return next((table for table in tables if table.lower() == name.lower()), None)


def disk_bytes(path: Path) -> int:
    """Return the size of the store: its file with SQLite's journal, or its folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    files = [
        path.with_name(path.name + suffix) for suffix in ("", "-journal", "-wal", "-shm", SUFFIX)
    ]
    return sum(file.stat().st_size for file in files if file.is_file())


def free_bytes(path: Path) -> int:
    """Return the free space of the disk that holds this store."""
    return shutil.disk_usage(path.parent).free


def check_path(path: Path, *, native: bool, create: bool) -> None:
    """Raise StoreError unless a store can be opened or created here, without touching the file.

    Milvus Lite reports only "Open local milvus failed" for every problem, and adds its tables to
    any SQLite file.
    """
    folder = path.parent
    if not path.exists():
        if not create:
            raise StoreError(f"no store at {path}; `clipsearch ingest` makes one")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"{folder} is not writable, but opening {path.name} writes beside it: copy it elsewhere"
        )
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} is not readable and writable for you")
    if native:
        _check_file(path, every_page=create and path.stat().st_size <= CHECKED_BYTES)
    elif path.is_file():
        raise StoreError(
            f"{path} is a file, but Milvus Lite 3 keeps a store in a folder: use another name"
        )
    elif any(path.iterdir()) and not (path / "collections").is_dir():
        raise StoreError(f"{path} is a folder, but not of Milvus Lite: use another name")


def _start(path: Path, *, create: bool) -> LiteServer:
    library = native_library()
    check_path(path, native=library is not None, create=create)
    return NativeServer(path, library) if library else PythonServer(path)


def _check_file(path: Path, *, every_page: bool) -> None:
    if not path.is_file():
        kind = "a store of Milvus Lite 3" if (path / "collections").is_dir() else "a folder"
        raise StoreError(f"{path} is {kind}, which Milvus Lite 2.5 cannot open: use another name")
    with path.open("rb") as file:
        header = file.read(100)
    if not header:
        return  # SQLite takes an empty file as a new database
    if not header.startswith(SQLITE_MAGIC):
        raise StoreError(
            f"{path} is not a Milvus Lite database: use another name (nothing was changed)"
        )
    if path.with_name(path.name + "-journal").exists():
        return  # SQLite repairs the file first; until then its pages may be inconsistent
    pages, page_bytes = int.from_bytes(header[28:32]), int.from_bytes(header[16:18])
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    # Bytes 24 and 92 agree if the page count is valid (sqlite.org/fileformat2.html, 1.3.8).
    if header[24:28] == header[92:96] and path.stat().st_size < pages * page_bytes:
        raise _damaged(path, "its end is missing")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if every_page:
                [(result,)] = connection.execute("PRAGMA quick_check(1)")
                if result != "ok":
                    raise _damaged(path, shorten(result))
    except sqlite3.Error as error:
        raise _damaged(path, describe_error(error)) from error
    if tables and LITE_TABLE not in tables:
        raise StoreError(
            f"{path} is a SQLite database of another program: use another name "
            "(nothing was changed)"
        )


def _damaged(path: Path, reason: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"{path} is damaged ({reason}): restore a copy, or delete it and ingest again"
    )
