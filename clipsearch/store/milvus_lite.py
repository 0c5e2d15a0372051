"""Milvus Lite as a child process that owns one file: checked, locked, started, ended.

pymilvus would start it too, but then waits half a second each time, passes on its noise and every
Ctrl-C of the terminal, and lets the second of three processes delete the lock of the first, so that
the third writes to the same file. The binary's arguments are those of 2.5.1, the last native one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from clipsearch.errors import DamagedStoreError, StoreError
from clipsearch.store.error_text import short
from clipsearch.store.lock import FileLock

READY_SECONDS = 60.0
END_SECONDS = 10.0
BUSY_SECONDS = 5.0
BUSY = "Init milvus failed"
"""What it says of a file in use: the Milvus Lite of a killed process may be writing its last batch."""

PARSER = "line "
"""How the parser of filters begins to say what is wrong: `line 1:5 no viable alternative at …`."""

PROCESSES = Path("/proc")
"""Where Linux tells of processes; macOS has no such folder."""

SOCKET_BYTES = 100
"""A Unix socket's address holds 108 bytes on Linux, 104 on macOS."""


def library() -> Path | None:
    """The folder of the native server; None where only the Python rewrite (3.x) is installed."""
    spec = importlib.util.find_spec("milvus_lite")  # importing it would warn about pkg_resources
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "lib" / "milvus").is_file():
            return Path(folder) / "lib"
    return None


class LiteServer:
    """A running native Milvus Lite; the file stays locked until `close`."""

    def __init__(self, path: Path, lib: Path) -> None:
        """Start it on this existing or new file; raise StoreError where that fails."""
        self.path = path
        self._lib = lib
        self._heard = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        with ExitStack() as ending:  # from its end: without the lock the process goes by itself
            self._folder = _short_folder()
            ending.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._log: IO[bytes] = ending.enter_context(tempfile.TemporaryFile())
            ending.callback(self._await_end)
            self._lock = _locked(path)
            ending.callback(self._lock.release)
            self.restart()
            self._ending = ending.pop_all()

    @property
    def address(self) -> str:
        """Where pymilvus connects; another one after each `restart`."""
        return f"unix:{self._socket}"

    def alive(self) -> bool:
        """Whether the process runs: 2.5.1 dies of some malformed filters."""
        return bool(self._processes) and self._processes[-1].poll() is None

    def restart(self) -> None:
        """Start the process (again) and wait until it listens; raise StoreError or OSError."""
        deadline = time.monotonic() + BUSY_SECONDS
        while (failure := self._start()) is not None:
            if BUSY not in str(failure) or time.monotonic() > deadline:
                raise failure
            time.sleep(0.1)

    def _start(self) -> StoreError | None:
        """Start the process and wait until it listens; what kept it from that, if anything did."""
        # A new name: for a second gRPC lets nobody connect to one where that has just failed.
        self._socket = f"{self._folder}/{len(self._processes)}"
        search = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
        libraries = os.pathsep.join(filter(None, (str(self._lib), os.environ.get(search))))
        # It scatters log files over TMPDIR, and needs HOME/.cache, which it clears when it ends.
        own = {search: libraries, "HOME": self._folder, "TMPDIR": self._folder}
        process = subprocess.Popen(
            # It ends by itself once nobody holds the lock, so that a kill leaves no orphan.
            [self._lib / "milvus", self.path, self.address, "ERROR", self._lock.path],
            env={**os.environ, **own},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # or Ctrl-C would end it under a batch being written
        )
        self._processes.append(process)
        self._lock.note(process.pid)
        deadline = time.monotonic() + READY_SECONDS
        while not _listens(self._socket):
            if not self.alive():
                return self._failure()
            if time.monotonic() > deadline:
                return StoreError(
                    f"{self.path}: Milvus Lite did not start within {READY_SECONDS:.0f} s"
                )
            time.sleep(0.004)
        return None

    def last_words(self) -> str:
        """What it last wrote since this was last asked; its filter parser's words come first."""
        size = os.fstat(self._log.fileno()).st_size
        # Reading at an offset: the process writes at the position that this file object shares.
        text = os.pread(self._log.fileno(), size - self._heard, self._heard)
        self._heard = size
        lines = [line.strip() for line in text.decode(errors="replace").split("\n") if line.strip()]
        parser = [line for line in lines if line.startswith(PARSER)]
        return parser[-1] if parser else lines[-1].split("[]", 1)[-1] if lines else ""

    def close(self) -> None:
        """End the process and give the file free; more than once is fine."""
        self._ending.close()

    def _await_end(self) -> None:
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _failure(self) -> StoreError:
        said = self.last_words()
        if "not a database" in said or "malformed" in said:
            return DamagedStoreError(
                f"{self.path} is damaged: restore it, or delete it and ingest again"
            )
        return StoreError(f"{self.path}: Milvus Lite did not start: {short(said) or 'no reason'}")


def _locked(path: Path) -> FileLock:
    """The lock, once no Milvus Lite of a killed process is at work on the file any more.

    One that is still writing its last batch would let another one start, and find nothing in it.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), path)
    if lock.orphan is None or not _serves(lock.orphan, path):
        return lock
    orphan = lock.orphan
    lock.release()  # while nobody holds it the orphan ends by itself
    deadline = time.monotonic() + END_SECONDS
    while _serves(orphan, path) and time.monotonic() < deadline:
        time.sleep(0.02)
    return FileLock(lock.path, path)


def _serves(process: int, path: Path) -> bool:
    """Whether this is the number of a Milvus Lite of this file: numbers are used again."""
    try:
        if PROCESSES.is_dir():
            return os.fsencode(path) in (PROCESSES / str(process) / "cmdline").read_bytes()
        os.kill(process, 0)
    except OSError:
        return False
    return True


def _short_folder() -> str:
    """A private folder whose socket has a short enough name."""
    folder = tempfile.mkdtemp(prefix="clipsearch-")
    if len(os.fsencode(folder)) + 8 > SOCKET_BYTES:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="clipsearch-", dir="/tmp")
    return folder


def _listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
