"""The bytes of an image that can be read only once, and where to read them."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

IN_MEMORY = 1 << 20
"""Bytes; larger content is kept in a temporary file, as many images wait for the decoder."""

CHUNK = 1 << 20


class ChangedError(OSError):
    """What is read has changed since it was listed."""


class ShortError(OSError):
    """What is read ends too early."""


class Content:
    """Bytes in memory, or in an unnamed temporary file that goes with this object."""

    def __init__(self, data: bytes | BinaryIO, size: int) -> None:
        """Keep bytes, or an open file of `size` bytes."""
        self._data = data
        self.size = size

    @classmethod
    def of(cls, read: Callable[[int], bytes], size: int) -> Content:
        """Keep the next `size` bytes that a function reads; raise ShortError if there are fewer."""
        if size <= IN_MEMORY:
            return cls(_read_exactly(read, size), size)
        file = temporary_file()
        left = size
        while left:
            data = _read_exactly(read, min(CHUNK, left))
            file.write(data)
            left -= len(data)
        return cls(file, size)

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        """Keep bytes."""
        return cls.of(io.BytesIO(data).read, len(data))

    def read(self) -> bytes:
        """Return all bytes."""
        if isinstance(self._data, bytes):
            return self._data
        self._data.seek(0)
        return self._data.read()

    def __reduce__(self) -> tuple[type[Content], tuple[bytes, int]]:
        """Travel to another process as bytes."""
        return Content, (self.read(), self.size)


def temporary_file() -> BinaryIO:
    """Return an open file without a name, which ends with the object."""
    return tempfile.TemporaryFile(prefix="clipsearch-")


def _read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = read(size)
    while len(data) < size:
        more = read(size - len(data))
        if not more:
            raise ShortError("it ends within this image")
        data += more
    return data


class Origin(Protocol):
    """Where the bytes of an image are. Can be pickled."""

    def read(self) -> Content:
        """Read them; raises OSError."""


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that were read while their archive was listed."""

    content: Content

    def read(self) -> Content:
        """Return them."""
        return self.content


@dataclass(frozen=True, slots=True)
class Unread:
    """Bytes that were left where they are, for a reason."""

    reason: str

    def read(self) -> Content:
        """Raise OSError with the reason."""
        raise OSError(None, self.reason)


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes within a local file that has this size and mtime."""

    file: Path
    offset: int
    size: int
    stamp: tuple[int, int]

    def read(self) -> Content:
        """Read them; raises ChangedError if the file has changed since."""
        with self.file.open("rb") as stream:
            status = os.fstat(stream.fileno())
            if (status.st_size, status.st_mtime_ns) != self.stamp:
                raise ChangedError(None, "changed while it was read: try again")
            stream.seek(self.offset)
            return Content.of(stream.read, self.size)
