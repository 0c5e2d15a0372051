"""The memory that all threads that decode images may take together."""

import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from PIL.Image import Image

from clipsearch.config import parse_size
from clipsearch.errors import MemoryLimitError

VARIABLE = "CLIPSEARCH_MAX_MEMORY"
"""The environment variable with the limit in bytes, or with a suffix such as 500M or 2G."""

SHARE = 0.5
"""The default limit, as a share of the memory of the machine or its control group. The other half
is for the model, the store and the files that the system caches."""

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # versions 2 and 1

# Bytes per pixel, as measured, rounded up.
_PIXEL = 4
"""Of an image of Pillow's in most modes, RGB among them."""
_NARROW = {"1": 2, "L": 1, "P": 1}
_CONVERTED = {"F": 6, "I": 6, "I;16": 3, "I;16B": 3, "I;16L": 3, "I;16N": 3, "LA": 2, "RGBA": 2}
"""What a conversion to RGB needs beside both images."""
_DECODER = {"webp": 10, "avif": 8, "heif": 8, "jpeg2000": 18, "tiff": 4, "gif": 8}
_FRAME = 8
"""Of animated PNG: the frame before, and what is drawn over it."""
_COEFFICIENTS = 6
"""Of progressive JPEG, at the full size, even if it is decoded smaller."""


class Memory(Protocol):
    """Where a decoder gets memory from: a `Budget`, or that of another process."""

    def reserve(self, size: int) -> AbstractContextManager[None]:
        """Hold `size` bytes; raises MemoryLimitError if that is more than there can be."""


class Budget:
    """Bytes that several threads share; who asks for more than is left waits, first come first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Hold `size` bytes; raises MemoryLimitError if the budget is smaller.

        Must not be nested in one thread, since others may hold what the inner call waits for.
        """
        if size > self.limit:
            raise MemoryLimitError(
                f"decoding it needs about {_format(size)} of memory, the limit is "
                f"{_format(self.limit)}, three quarters of --max-memory"
            )
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._is_next(ticket, size))
                self._used += size
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()

    def _is_next(self, ticket: object, size: int) -> bool:
        # A limit that was lowered meanwhile must not block for ever.
        fits = self._used + size <= self.limit or self._used == 0
        return self._waiting[0] is ticket and fits


def decoding_cost(opened: Image, format_name: str, size: tuple[int, int]) -> int:
    """Estimate the bytes that decoding an open image takes, until it is upright RGB.

    `size` is the one in the header; a JPEG may be decoded smaller.
    """
    per_pixel = getattr(opened, "bytes_per_pixel", 0) or (
        _NARROW.get(opened.mode, _PIXEL)
        + _CONVERTED.get(opened.mode, 0)
        + _DECODER.get(format_name, 0)
        + (_FRAME if getattr(opened, "custom_mimetype", None) == "image/apng" else 0)
        + _PIXEL  # a copy, which is converted or upright
        + (_PIXEL if "icc_profile" in opened.info else 0)
    )
    cost = per_pixel * opened.width * opened.height
    if opened.info.get("progressive"):
        cost += _COEFFICIENTS * size[0] * size[1]
    return cost


def default_limit() -> int:
    """Return the limit by the environment variable, else half of the memory of this machine."""
    try:
        return parse_size(os.environ.get(VARIABLE, ""))
    except ValueError:
        return max(1 << 28, int(SHARE * total_memory()))


def total_memory() -> int:
    """Return the bytes of memory of the machine or, if less, of this process's control group."""
    sizes = [_physical_memory()]
    for name in _CGROUP_LIMITS:
        try:
            sizes.append(int((_CGROUP / name).read_text("ascii")))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    return min(sizes)


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


def _format(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


_FILE_SHARE = 0.25

PIXELS = Budget(0)
"""For the pixels of all images that are being decoded."""
FILES = Budget(0)
"""For the content of their files. Reserved first, so that no two threads wait for each other."""


def set_max_memory(limit: int) -> None:
    """Set the bytes that decoding may take in this process, in all threads together."""
    FILES.limit = int(_FILE_SHARE * limit)
    PIXELS.limit = limit - FILES.limit


set_max_memory(default_limit())
