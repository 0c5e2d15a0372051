"""The lock file of a local store, as Milvus Lite 2.5 expects it."""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from clipsearch.errors import BusyStoreError, StoreError

if sys.platform != "win32":
    import fcntl

WAIT_SECONDS = 1.0
"""How long to wait for a process that is just ending."""

ORPHAN_SECONDS = 10.0
"""How long to wait for Milvus Lite to end after its parent was killed."""

PROC = Path("/proc")
"""Process information on Linux; macOS has no such folder."""

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class FileLock:
    """A lock that one process at a time holds, until `release` or the end of the process.

    `orphan` is the id of the child process that the last holder noted, if that holder was killed.
    """

    def __init__(self, path: Path, guarded: Path) -> None:
        """Lock the file `guarded` by the file `path`; raise BusyStoreError if it is locked."""
        self.path = path
        self._fd: int | None = None
        deadline = time.monotonic() + WAIT_SECONDS
        while (fd := self._try_lock(guarded)) is None:
            if time.monotonic() > deadline:
                raise BusyStoreError(
                    f"{guarded} is open in another process{self._holder()}: close that one first; "
                    "several at once can share it through `clipsearch warm`, or a Milvus server"
                )
            time.sleep(0.02)
        self._fd = fd
        process_ids = _process_ids(os.pread(fd, 64, 0))
        self.orphan = process_ids[1] if len(process_ids) > 1 else None
        with suppress(OSError):  # a full disk: reading needs no note
            self._write(os.getpid())

    def note_child(self, process_id: int) -> None:
        """Note a child process that may outlive this one, for the next holder."""
        self._write(os.getpid(), process_id)

    def release(self) -> None:
        """Release the lock; may be called more than once."""
        if self._fd is not None:
            self.path.unlink(missing_ok=True)  # while it is held, see `_try_lock`
            os.close(self._fd)
            self._fd = None

    def _try_lock(self, guarded: Path) -> int | None:
        try:
            # Without following links: writing to the lock file would truncate their target.
            fd = os.open(self.path, _FLAGS, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StoreError(
                    f"{guarded} cannot be locked: its lock file {self.path} is a symbolic link; "
                    "delete that link"
                ) from error
            raise StoreError(f"{guarded} cannot be locked: {error.strerror}") from error
        try:
            _lock_file(fd)
            # The last holder may have deleted the file after we opened it and before we locked it.
            if self.path.stat(follow_symlinks=False).st_ino == os.fstat(fd).st_ino:
                return fd
        except (BlockingIOError, PermissionError, FileNotFoundError):
            pass
        except OSError as error:  # some network file systems have no locks
            os.close(fd)
            raise StoreError(f"{guarded} cannot be locked: {error.strerror}") from error
        os.close(fd)
        return None

    def _holder(self) -> str:
        try:
            process_ids = _process_ids(self.path.read_bytes())
        except OSError:
            return ""
        return f" ({process_ids[0]})" if process_ids else ""

    def _write(self, *process_ids: int) -> None:
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, "".join(f"{number}\n" for number in process_ids).encode(), 0)


def lock_store(path: Path) -> FileLock:
    """Lock a file once no Milvus Lite of a killed process works on it.

    While such a process writes its last batch, a second one would start and see an empty file.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), path)
    if lock.orphan is None or not _is_serving(lock.orphan, path):
        return lock
    orphan = lock.orphan
    lock.release()  # the orphan ends by itself while nobody holds the lock
    deadline = time.monotonic() + ORPHAN_SECONDS
    while _is_serving(orphan, path) and time.monotonic() < deadline:
        time.sleep(0.02)
    return FileLock(lock.path, path)


def _lock_file(fd: int) -> None:
    """Lock a file for this process; raise BlockingIOError or PermissionError if another has it.

    A POSIX lock is lost as soon as any descriptor of the file is closed in this process. On Linux
    a lock of the open file description is not, and conflicts with POSIX locks, as Milvus Lite's.
    """
    if sys.platform == "linux":
        whole_file = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, whole_file)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_serving(process_id: int, path: Path) -> bool:
    """Tell whether this process is a Milvus Lite of this file; process ids are reused."""
    try:
        if PROC.is_dir():
            return os.fsencode(path) in (PROC / str(process_id) / "cmdline").read_bytes()
        os.kill(process_id, 0)
    except OSError:
        return False
    return True


def _process_ids(content: bytes) -> list[int]:
    words = content.split()
    return [int(word) for word in words] if all(map(bytes.isdigit, words)) else []
