"""What killed processes left: temporary files and folders that no process has locked any more.

A process locks what it creates, and the system unlocks that when the process ends in any way. On
Windows nothing is locked or removed.
"""

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


def create_locked(path: Path, mode: int = 0o666) -> int | None:
    """Create and lock an empty file; return its descriptor, None if it exists or was removed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    try:
        fd = os.open(path, flags, mode)
    except FileExistsError:
        return None
    return _lock_new(path, fd)


def lock_folder(path: Path) -> int | None:
    """Lock a folder with a random name that this process has just created.

    Returns a descriptor to close. None means that another process has removed the folder as
    abandoned, before it was locked: create another one.
    """
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    return _lock_new(path, fd)


def _lock_new(path: Path, fd: int) -> int | None:
    if sys.platform != "win32":
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(fd, fcntl.LOCK_SH)
        if not _is_at(path, fd):
            os.close(fd)
            return None
    return fd


def is_abandoned(path: Path) -> bool:
    """Whether no process has locked a file or folder of this user."""
    fd = _lock_abandoned(path)
    if fd is not None:
        os.close(fd)
    return fd is not None


def remove_abandoned(path: Path) -> None:
    """Remove a file or folder of this user if no process has locked it; errors are ignored."""
    fd = _lock_abandoned(path)
    if fd is not None:
        with suppress(OSError):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
        os.close(fd)


def remove_all_abandoned(folder: Path, prefix: str) -> None:
    """Remove everything abandoned in a folder whose name starts with `prefix`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix):
                remove_abandoned(Path(entry.path))


def _lock_abandoned(path: Path) -> int | None:
    """Return a descriptor with the only lock; None if it is locked, a link or another user's."""
    if sys.platform == "win32":
        return None
    try:
        fd = os.open(path, _OPEN)
    except OSError:
        return None
    try:
        if os.fstat(fd).st_uid == os.getuid():
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, fd):  # its owner may have moved it to its final name
                return fd
    except OSError:
        pass
    os.close(fd)
    return None


def _is_at(path: Path, fd: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.lstat(), os.fstat(fd))
    return False
