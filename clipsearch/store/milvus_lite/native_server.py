"""Milvus Lite 2.5, the native version, as a child process.

pymilvus can start the native one too, but then waits half a second each time, passes on its output
and every Ctrl-C of the terminal, and lets the second of three processes delete the lock of the
first, so that the third writes to the same file. The arguments of the binary are those of 2.5.1,
the last native version.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from clipsearch.config import child_environment
from clipsearch.errors import DamagedStoreError, StoreError, describe_error, shorten
from clipsearch.store.milvus_lite.folder import lite_folder
from clipsearch.store.milvus_lite.lock import lock_store
from clipsearch.store.milvus_lite.write_guard import WriteGuard
from clipsearch.store.open_files import require_open_files

START_SECONDS = 60.0
STOP_SECONDS = 10.0
END_SECONDS = 0.2
BUSY_SECONDS = 5.0
BUSY_MESSAGE = "Init milvus failed"
"""Printed for a file in use: the child of a killed process may still write its last batch."""

PARSER_PREFIX = "line "
"""Start of a message of its filter parser: `line 1:5 no viable alternative at …`."""

PAGE_BYTES = 16_384
"""Page size of a new file. SQLite's default of 4,096 holds one row of 512 dimensions, and leaves a
third empty; reading and writing take a fifth longer."""


def native_library() -> Path | None:
    """Return the folder of the native server; None if only the Python version 3.x is installed."""
    spec = importlib.util.find_spec("milvus_lite")  # importing it would warn about pkg_resources
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "lib" / "milvus").is_file():
            return Path(folder) / "lib"
    return None


class NativeServer:
    """A native Milvus Lite, started when it is first needed; the file is locked until `close`."""

    def __init__(self, path: Path, library: Path) -> None:
        """Lock this existing or new file; raise StoreError if another process has it open."""
        self.path = path
        self.guard = WriteGuard(path)
        self._starting = threading.Lock()
        self._library = library
        self._log_position = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        with ExitStack() as cleanup:  # in reverse order: without the lock the process ends itself
            folder = lite_folder()
            cleanup.callback(folder.remove)
            self._folder, self._folder_fd = str(folder.path), folder.fd
            self._log: IO[bytes] = cleanup.enter_context(tempfile.TemporaryFile())
            cleanup.callback(self._wait_for_processes)
            self._lock = lock_store(path)
            cleanup.callback(self._lock.release)
            self._cleanup = cleanup.pop_all()

    @property
    def address(self) -> str:
        """The address for pymilvus; it changes with each start.

        Starts the process unless it runs: 2.5.1 crashes on some malformed filters. Raises
        StoreError if that fails.
        """
        with self._starting:
            if not self.is_alive():
                self._start()
        return f"unix:{self._socket}"

    @contextmanager
    def unstarted(self) -> Iterator[bool]:
        """Keep the process from starting meanwhile; yields False if it has started already."""
        with self._starting:
            yield not self._processes

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return bool(self._processes) and self._processes[-1].poll() is None

    def has_ended(self) -> bool:
        """Tell whether the process has ended; one that was killed closes its sockets first."""
        with suppress(subprocess.TimeoutExpired):
            for process in self._processes[-1:]:
                process.wait(END_SECONDS)
        return not self.is_alive()

    def end(self) -> None:
        """End the process, as by a kill; the next call starts it again."""
        with self._starting:
            for process in self._processes[-1:]:
                process.kill()
                process.wait()

    def read_log(self) -> str:
        """Return the last new line of its log; a message of its filter parser comes first."""
        size = os.fstat(self._log.fileno()).st_size
        # Read at an offset: the process writes at the position that this file object shares.
        text = os.pread(self._log.fileno(), size - self._log_position, self._log_position)
        self._log_position = size
        lines = [line.strip() for line in text.decode(errors="replace").split("\n") if line.strip()]
        parser_lines = [line for line in lines if line.startswith(PARSER_PREFIX)]
        if parser_lines:
            return parser_lines[-1]
        return lines[-1].split("[]", 1)[-1] if lines else ""

    def close(self) -> None:
        """End the process and unlock the file; may be called more than once."""
        self._cleanup.close()

    def _start(self) -> None:
        """Start the process (again) and wait until it listens; raise StoreError."""
        if self._processes:
            self.guard.check()  # or it would continue with another file
        require_open_files(str(self.path))
        is_new = not self.path.exists()
        deadline = time.monotonic() + BUSY_SECONDS
        try:
            _create_database(self.path)
            while (failure := self._try_start()) is not None:
                if BUSY_MESSAGE not in str(failure) or time.monotonic() > deadline:
                    raise failure
                time.sleep(0.1)
            self.guard.opened()
        except (OSError, sqlite3.Error) as error:
            if is_new:
                self.path.unlink(missing_ok=True)
            raise StoreError(f"{self.path} cannot be opened: {describe_error(error)}") from error

    def _try_start(self) -> StoreError | None:
        """Start the process and wait until it listens; return the error if it does not."""
        # A new name each time: for a second gRPC refuses an address whose connection just failed.
        self._socket = f"{self._folder}/{len(self._processes)}"
        search_path = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
        libraries = os.pathsep.join(filter(None, (str(self._library), os.environ.get(search_path))))
        # It writes log files to TMPDIR, and needs HOME/.cache, which it clears when it ends.
        variables = {search_path: libraries, "HOME": self._folder, "TMPDIR": self._folder}
        process = subprocess.Popen(
            # It ends by itself once nobody holds the lock, so that a kill leaves no orphan.
            [self._library / "milvus", self.path, f"unix:{self._socket}", "ERROR", self._lock.path],
            env={**child_environment(), **variables},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[fd for fd in (self._folder_fd,) if fd is not None],  # keeps the folder locked
            umask=0o077,
            start_new_session=True,  # or Ctrl-C would end it while it writes
        )
        self._processes.append(process)
        self._lock.note_child(process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not _is_listening(self._socket):
            if not self.is_alive():
                return self._start_error()
            if time.monotonic() > deadline:
                return StoreError(
                    f"{self.path}: Milvus Lite did not start within {START_SECONDS:.0f} s"
                )
            time.sleep(0.004)
        return None

    def _wait_for_processes(self) -> None:
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start_error(self) -> StoreError:
        message = self.read_log()
        if "not a database" in message or "malformed" in message:
            return DamagedStoreError(
                f"{self.path} is damaged: restore a copy, or delete it and ingest again"
            )
        reason = shorten(message) or "it gave no reason"
        return StoreError(f"{self.path}: Milvus Lite did not start: {reason}")


def _create_database(path: Path) -> None:
    """Make a missing or empty file a database without tables, with pages of PAGE_BYTES."""
    if not path.exists() or not path.stat().st_size:
        # SQLite gives its journal the permissions of the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("VACUUM")


def _is_listening(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
