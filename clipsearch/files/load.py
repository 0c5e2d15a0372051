"""What happens to one file: read and identified, then decoded. Each step runs in a worker thread."""

import os
import time
from dataclasses import dataclass
from typing import TypeAlias

from clipsearch.errors import ImageError
from clipsearch.files.discover import ImageFile
from clipsearch.images.decode import decode
from clipsearch.images.hashing import content_hash, file_hash, image_id
from clipsearch.models.base import Encoder
from clipsearch.types import ImageRecord, Pixels

# Bytes of a file for each pixel that a picture may have: 16 bits, four channels, nothing packed.
BYTES_A_PIXEL = 8
SHARPNESS = 1.4
"""A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as its shorter side keeps that many times the pixels
that the model takes: a vector then has a cosine of 0.997 or more to that of the full picture (see
benchmarks/decode.py), and a large photograph takes two thirds of the time or less."""

# A model scales the short side to its input: of a stripe 60,000 times as long, gigabytes remain.
LONGEST_SHAPE = 200

SETTLED_NS = 2_000_000_000
"""A file as young as that may change once more and keep its times: the coarsest clock of a file system
that is still in use ticks every two seconds."""

Version: TypeAlias = tuple[int, int, int, int]
"""Number, size and times of a file: as long as they stay, so does its content."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file and the hash of its content; `version` is None where that says nothing about it."""

    found: ImageFile
    content_hash: str
    version: Version | None = None

    @property
    def id(self) -> str:
        return image_id(self.found.path)


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A picture ready to be embedded."""

    item: HashedFile
    record: ImageRecord
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that could not be read, of whose content nothing is known."""

    found: ImageFile
    reason: str


@dataclass(frozen=True, slots=True)
class NotAnImage:
    """A file whose content is no picture: so are all files of that content."""

    item: HashedFile
    reason: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A file that could not be read a second time, or was another one by then."""

    item: HashedFile
    reason: str


def hash_file(found: ImageFile) -> HashedFile | Rejected:
    """Hash a file's content."""
    try:
        with found.path.open("rb") as file:  # in pieces: nothing says yet that it is a picture
            before = _version(file.fileno())
            content = file_hash(file)
            settled = time.time_ns() - max(before[2:]) > SETTLED_NS
            version = before if settled and before == _version(file.fileno()) else None
            return HashedFile(found, content, version)
    except OSError as error:
        return Rejected(found, _reason(error))


def load(
    item: HashedFile, *, encoder: Encoder, max_pixels: int
) -> LoadedImage | NotAnImage | Unsettled:
    """Decode and preprocess a file, after making sure that it still is what was identified."""
    if item.found.size > BYTES_A_PIXEL * max_pixels:
        return NotAnImage(item, f"too large to be a picture of {max_pixels:,} pixels at most")
    try:
        with item.found.path.open("rb") as file:
            data = file.read()
            unchanged = item.version is not None and item.version == _version(file.fileno())
    except OSError as error:
        return Unsettled(item, _reason(error))
    except MemoryError:
        return Unsettled(item, "not enough memory to read it")
    if not unchanged and content_hash(data) != item.content_hash:
        return Unsettled(item, "changed while it was read: ingest it again")
    try:
        decoded = decode(
            data, max_pixels=max_pixels, min_side=round(SHARPNESS * encoder.input_size)
        )
    except ImageError as error:
        return NotAnImage(item, str(error))
    if max(decoded.width, decoded.height) > LONGEST_SHAPE * min(decoded.width, decoded.height):
        return NotAnImage(item, f"too long a stripe: {decoded.width} x {decoded.height}")
    try:
        pixels = encoder.preprocess(decoded.image)
    except Exception as error:  # noqa: BLE001 - whatever a model's own code raises, for this file
        return NotAnImage(item, f"the model cannot take it ({error})")
    record = ImageRecord(
        id=item.id,
        path=item.found.path,
        content_hash=item.content_hash,
        size=item.found.size,
        mtime_ns=item.found.mtime_ns,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        taken_at=decoded.taken_at,
    )
    return LoadedImage(item, record, pixels)


def _version(descriptor: int) -> Version:
    stat = os.fstat(descriptor)
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
