"""Thumbnails in WebP, made when they are first wanted, and kept on disk up to a total size."""

import contextlib
import io
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from clipsearch import config
from clipsearch.cache import atomic_write, make_cache_folder
from clipsearch.errors import DecoderProcessError, ImageError
from clipsearch.files.paths import modified_ns
from clipsearch.files.stored_file import decode_stored
from clipsearch.records import ImageRecord
from clipsearch.web.problems import Problem
from clipsearch.web.stored_images import StoredImage

log = logging.getLogger("clipsearch")

WIDTHS = (128, 256, 384, 512, 768, 1024, 1536, 2048)
"""Widths in pixels; a request gets the next larger one."""

MAX_RATIO = 3
"""Height by width: long images, such as receipts, are narrower than asked for."""

QUALITY = 80
MAX_BYTES = 1 << 30
"""On disk; the least recently used thumbnails are deleted, down to KEPT of it."""
KEPT = 0.8
VERSION = "1"
"""A part of the keys, to change with what is drawn."""


def round_width(width: int) -> int:
    """Return the smallest of WIDTHS that is not below a width, or the largest."""
    return next((step for step in WIDTHS if step >= width), WIDTHS[-1])


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The bytes of a WebP file, and what changes with its image."""

    data: bytes
    etag: str


class Thumbnails:
    """The thumbnails of a collection; thread-safe."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        """Use a folder of the user's cache folder by default."""
        self._folder = folder or config.cache_folder() / "thumbnails"
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._written: int | None = None  # bytes on disk, counted at the first write

    def get(self, image: StoredImage, width: int) -> Thumbnail:
        """Return the thumbnail of one of WIDTHS; raise Problem if it cannot be made.

        It is the file's as it is now; of a missing file, that of the stored content if it is kept.
        """
        key = _key(image.record.content_hash, width)
        try:
            file = image.open()
        except Problem:
            if (data := self._read(key)) is not None:
                return Thumbnail(data, f'"{key}"')
            raise
        with file:
            status = os.fstat(file.fileno())
            if not _is_unchanged(image.record, status):
                key = _key(f"{image.record.id}-{status.st_size}-{status.st_mtime_ns}", width)
            if (data := self._read(key)) is None:
                data = _draw(file, width)
                self._write(key, data)
        return Thumbnail(data, f'"{key}"')

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.webp"

    def _read(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)  # it was used
        except OSError:
            return None
        return data or None

    def _write(self, key: str, data: bytes) -> None:
        try:
            make_cache_folder(self._path(key).parent)
            with atomic_write(self._path(key)) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            log.info("thumbnails are not kept in %s: %s", self._folder, error.strerror or error)
            return
        with self._lock:
            if self._written is None:
                self._written = sum(size for _, size, _ in self._files())
            self._written += len(data)
            if self._written > self._max_bytes:
                self._written = self._delete_oldest()

    def _delete_oldest(self) -> int:
        """Delete files until KEPT of the limit is left; return the bytes on disk."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= KEPT * self._max_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size
        return total

    def _files(self) -> list[tuple[float, int, Path]]:
        """Return the time of use, the size and the path of each file."""
        found = []
        for path in self._folder.glob("??/*.webp"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found


def _key(content: str, width: int) -> str:
    return f"{content}-{width}-{VERSION}"


def _is_unchanged(record: ImageRecord, status: os.stat_result) -> bool:
    return (status.st_size, modified_ns(status)) == (record.size, record.mtime_ns)


def _draw(file: BinaryIO, width: int) -> bytes:
    try:
        image = decode_stored(file, min_side=width)
    except DecoderProcessError:
        raise
    except ImageError as error:
        raise Problem(422, f"the image cannot be shown: {error}") from error
    image.thumbnail((width, MAX_RATIO * width), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=3)
    return out.getvalue()
