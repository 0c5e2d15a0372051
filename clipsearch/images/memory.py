"""The memory that all threads that decode images may take together."""

import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from PIL.Image import Image

from clipsearch.config import parse_size
from clipsearch.errors import MemoryLimitError
from clipsearch.images.process_memory import return_freed_memory, total_memory, used_memory

log = logging.getLogger("clipsearch")

VARIABLE = "CLIPSEARCH_MAX_MEMORY"
"""The environment variable with the limit in bytes, or with a suffix such as 500M or 2G."""

SHARE = 0.75
"""The default limit, as a share of the memory of the machine or its control group. The rest is for
the files that the system caches."""

GROWTH = 120_000_000
"""Bytes by which the model and Milvus Lite grow while images are embedded and stored, as measured:
the results of one batch, and rows that are not on the disk yet."""

_AMPLE = 4_000_000_000

LEAST = 100_000_000
"""Bytes for decoding, whatever the limit: enough for an image of 4 megapixels in any format."""

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
                f"decoding it needs about {_format(size)} of memory, and --max-memory leaves "
                f"{_format(self.limit)} for that"
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
    """Return the limit by the environment variable, else a share of the memory there is."""
    try:
        return parse_size(os.environ.get(VARIABLE, ""))
    except ValueError:
        return max(1 << 28, int(SHARE * total_memory()))


def _format(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


_FILE_SHARE = 0.25

PIXELS = Budget(0)
"""For the pixels of all images that are being decoded."""
FILES = Budget(0)
"""For the content of their files. Reserved first, so that no two threads wait for each other."""

_max_memory = 0


def set_max_memory(limit: int) -> None:
    """Set the bytes that this process and its children may take; see `fit_to_process`."""
    global _max_memory
    _max_memory = limit
    _divide(limit)


def fit_to_process() -> None:
    """Give decoding what this process and its children leave of the limit.

    Call it when the store is open, before many images are decoded; if `is_tight`, after the model
    has embedded an image.
    """
    return_freed_memory()
    used = used_memory()
    rest = _max_memory - used - (GROWTH if is_tight() else int((1 - SHARE) * _max_memory))
    _divide(max(LEAST, rest))
    if rest < LEAST:
        log.warning(
            "--max-memory is %s, and the model and the store take %s of it: decoding gets %s",
            _format(_max_memory),
            _format(used + GROWTH),
            _format(LEAST),
        )


def is_tight() -> bool:
    """Whether the limit must be divided exactly; otherwise a quarter is more than a model needs."""
    return _max_memory < _AMPLE


def _divide(limit: int) -> None:
    FILES.limit = int(_FILE_SHARE * limit)
    PIXELS.limit = limit - FILES.limit


set_max_memory(default_limit())
