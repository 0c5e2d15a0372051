"""The lock of a local store's file, in the way of Milvus Lite 2.5 and safe among three processes."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from clipsearch.errors import StoreError

if sys.platform != "win32":
    import fcntl

PATIENCE_SECONDS = 1.0
"""How long to wait for a process that is just ending."""


class FileLock:
    """Held from creation to `release`, by one process at a time; gone when the process dies.

    `orphan` is the number of the process that the last holder noted, where that one was killed.
    """

    def __init__(self, path: Path, guarded: Path) -> None:
        """Lock by the file `path`; raise StoreError where another process has it."""
        self.path = path
        self._fd: int | None = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (fd := self._attempt(guarded)) is None:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{guarded} is open in another process{self._holder()}: close that one first; "
                    "several at once can share it through `clipsearch warm`, or a Milvus server"
                )
            time.sleep(0.02)
        self._fd = fd
        noted = _numbers(
            os.pread(fd, 64, 0)
        )  # to open the file again, and close that, would unlock it
        self.orphan = noted[1] if len(noted) > 1 else None
        self._write(os.getpid())

    def note(self, process: int) -> None:
        """Tell the next holder of a process that may outlive this one."""
        self._write(os.getpid(), process)

    def release(self) -> None:
        """Give it free; more than once is fine."""
        if self._fd is not None:
            self.path.unlink(missing_ok=True)  # while it is held, see `_attempt`
            os.close(self._fd)
            self._fd = None

    def _attempt(self, guarded: Path) -> int | None:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StoreError(f"{guarded} cannot be locked: {error.strerror}") from error
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have deleted the file between our opening and our locking.
            if self.path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except (BlockingIOError, PermissionError, FileNotFoundError):
            pass
        except OSError as error:  # some network folders have no locks
            os.close(fd)
            raise StoreError(f"{guarded} cannot be locked: {error.strerror}") from error
        os.close(fd)
        return None

    def _holder(self) -> str:
        try:
            numbers = _numbers(self.path.read_bytes())
        except OSError:
            return ""
        return f" ({numbers[0]})" if numbers else ""

    def _write(self, *numbers: int) -> None:
        assert self._fd is not None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, "".join(f"{number}\n" for number in numbers).encode(), 0)


def _numbers(content: bytes) -> list[int]:
    words = content.split()
    return [int(word) for word in words] if all(map(bytes.isdigit, words)) else []
