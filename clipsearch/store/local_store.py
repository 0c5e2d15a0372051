"""Local stores: what is at a path, opened once a process, by whichever Milvus Lite is installed."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from clipsearch.errors import DamagedStoreError, StoreError
from clipsearch.store.error_text import line
from clipsearch.store.milvus_lite import LiteServer, library

SQLITE = b"SQLite format 3\x00"
CHECKED_BYTES = 32 << 20
"""Files up to this size are checked page by page before they may be written to: half a second."""

OUR_TABLE = "collection_meta"
"""A table that Milvus Lite 2.5 makes when it first opens a file."""


class LocalServer(Protocol):
    """A Milvus Lite that serves one path."""

    path: Path

    @property
    def address(self) -> str:
        """Where pymilvus connects."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def restart(self) -> None:
        """Start it again, maybe at another address; raise StoreError or OSError."""

    def last_words(self) -> str:
        """What it wrote to its log since this was last asked, or the line that matters of it."""

    def close(self) -> None:
        """End it and give the path free."""


class PythonServer:
    """Milvus Lite 3.x: threads of this process that serve a folder on a port of 127.0.0.1."""

    def __init__(self, path: Path) -> None:
        """Start it on this existing or new folder; raise StoreError where that fails."""
        try:
            manager: Any = importlib.import_module("milvus_lite.server_manager")
        except ImportError as error:
            raise StoreError(
                f"no Milvus Lite to open {path}: install milvus-lite ({line(error)})"
            ) from error
        self.path = path
        self._manager = manager.server_manager_instance
        log = logging.getLogger("milvus_lite")
        log.setLevel(logging.CRITICAL + 1)  # it logs tracebacks of what is translated here
        address = self._manager.start_and_get_uri(str(path))
        if address is None:
            raise StoreError(
                f"{path} cannot be opened: another process has it open, or it is damaged"
            )
        self.address: str = address

    def alive(self) -> bool:
        """Always: it is this process."""
        return True

    def restart(self) -> None:
        """Never needed."""
        raise StoreError(f"{self.path}: Milvus Lite does not answer any more")

    def last_words(self) -> str:
        """Nothing: its errors say it all."""
        return ""

    def close(self) -> None:
        """Stop its threads and give the folder free."""
        self._manager.release_server(str(self.path))


_servers: dict[Path, LocalServer] = {}
_users: Counter[Path] = Counter()
_guard = threading.RLock()  # the garbage collector may call `release` within a call of `acquire`


def acquire(path: Path, *, create: bool) -> LocalServer:
    """The server of this path, shared within the process; `release` it as often as acquired.

    Raises StoreError where it cannot be opened, or with create=False does not exist.
    """
    try:
        place = path.resolve()
        with _guard:
            _users[place] += 1  # first, so that a release of others meanwhile does not end it
            try:
                if place not in _servers:
                    _servers[place] = _start(place, create=create)
                return _servers[place]
            except BaseException:
                _users[place] -= 1
                raise
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise StoreError(f"{path} cannot be opened: {line(error)}") from error


def release(place: Path, owner: int) -> None:
    """Give back the server of this `path` in process `owner`; the last user ends it."""
    if os.getpid() != owner:  # a forked child must not end its parent's server
        return
    with _guard:
        _users[place] -= 1
        if not _users[place]:
            _servers.pop(place).close()


def _start(path: Path, *, create: bool) -> LocalServer:
    lib = library()
    check(path, native=lib is not None, create=create)
    return LiteServer(path, lib) if lib else PythonServer(path)


def disk_bytes(path: Path) -> int:
    """The size of the store: its file with SQLite's journal, or its folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    beside = [path.with_name(path.name + end) for end in ("", "-journal", "-wal", "-shm")]
    return sum(file.stat().st_size for file in beside if file.is_file())


def free_bytes(path: Path) -> int:
    """What the disk of this store has left."""
    return shutil.disk_usage(path.parent).free


def check(path: Path, *, native: bool, create: bool) -> None:
    """Raise StoreError unless a store can be opened or made here, without touching the file.

    Milvus Lite says "Open local milvus failed" to all of it, and adds its tables to any SQLite file.
    """
    folder = path.parent
    if not path.exists():
        if not create:
            raise StoreError(f"no store at {path}; `clipsearch ingest` makes one")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder} is not writable, but opening {path.name} writes beside it")
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(f"{path} is not readable and writable for you")
    if native:
        _check_file(path, every_page=create and path.stat().st_size <= CHECKED_BYTES)
    elif path.is_file():
        raise StoreError(
            f"{path} is a file; Milvus Lite 3 keeps a store in a folder: use another name"
        )
    elif any(path.iterdir()) and not (path / "collections").is_dir():
        raise StoreError(f"{path} is a folder of something else than Milvus Lite: use another name")


def _check_file(path: Path, *, every_page: bool) -> None:
    if not path.is_file():
        kind = "a store of Milvus Lite 3" if (path / "collections").is_dir() else "a folder"
        raise StoreError(f"{path} is {kind}, which Milvus Lite 2.5 cannot open: use another name")
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        return  # SQLite takes an empty file as a new one
    if not head.startswith(SQLITE):
        raise StoreError(
            f"{path} is no Milvus Lite database: use another name (it was not touched)"
        )
    if path.with_name(path.name + "-journal").exists():
        return  # SQLite repairs it first; until then its pages say nothing
    pages, page = int.from_bytes(head[28:32]), int.from_bytes(head[16:18])
    # Bytes 24 and 92 agree where the page count is valid (sqlite.org/fileformat2.html, 1.3.8).
    if head[24:28] == head[92:96] and path.stat().st_size < pages * (65536 if page == 1 else page):
        raise _damaged(path, "its end is missing")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if every_page:
                [(answer,)] = connection.execute("PRAGMA quick_check(1)")
                if answer != "ok":
                    raise _damaged(path, line(answer))
    except sqlite3.Error as error:
        raise _damaged(path, line(error)) from error
    if tables and OUR_TABLE not in tables:
        raise StoreError(
            f"{path} is a SQLite database of another program: use another name (it was not touched)"
        )


def _damaged(path: Path, reason: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"{path} is damaged ({reason}): restore it from a copy, or delete it and ingest again"
    )
