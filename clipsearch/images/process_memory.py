"""The memory of this process, of its children, and of the machine or its control group."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # versions 2 and 1

_TYPICAL = 500_000_000
"""Bytes of a process with a model and a store, where the system does not tell."""

_LARGE_BLOCK = 4 << 20
_M_MMAP_THRESHOLD = -3  # of malloc.h


def return_freed_memory() -> None:
    """Make the C library return large blocks to the system as soon as they are freed.

    glibc keeps blocks of up to 32 MB, in each thread, once such blocks were freed: the images of
    one thread then cannot be used by others. With 24 images of 24 megapixels and a limit of 600 MB
    an ingestion took 1.41 GB, and now 0.71 GB.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def used_memory() -> int:
    """Return the bytes in memory of this process and its children, such as Milvus Lite."""
    total = 0
    for pid in (os.getpid(), *_children()):
        with suppress(OSError, ValueError, IndexError):  # not Linux, or it has ended
            pages = int((_PROC / str(pid) / "statm").read_text("ascii").split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
    return total or _TYPICAL


def total_memory() -> int:
    """Return the bytes of memory of the machine or, if less, of this process's control groups."""
    sizes = [_physical_memory()]
    for path in _cgroup_limits():
        with suppress(OSError, ValueError):  # not Linux, or "max"
            sizes.append(int(path.read_text("ascii")))
    return min(sizes)


def _children() -> Iterator[int]:
    with suppress(OSError):
        for path in (_PROC / "self" / "task").glob("*/children"):
            yield from map(int, path.read_text("ascii").split())


def _cgroup_limits() -> Iterator[Path]:
    """The files with the limits of this process's control group and of those above it."""
    yield from (_CGROUP / name for name in _CGROUP_LIMITS)  # in a container, the own group
    with suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text("utf-8", "replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                group = _CGROUP / controllers / path.strip("/")
                name = Path(_CGROUP_LIMITS[bool(controllers)]).name
                while group != _CGROUP / controllers and _CGROUP in group.parents:
                    yield group / name
                    group = group.parent


def _physical_memory() -> int:
    if sys.platform == "win32":
        import ctypes

        kilobytes = ctypes.c_ulonglong()
        ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
        return kilobytes.value << 10 or 4 << 30
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 4 << 30
