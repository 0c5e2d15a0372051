"""Hash, decode and preprocess one image file."""

import dataclasses
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from typing import TypeAlias

from clipsearch.errors import (
    DecoderProcessError,
    ImageError,
    MemoryLimitError,
    MissingDecoderError,
)
from clipsearch.files.decoding_journal import note_decoding
from clipsearch.files.discover import ImageFile
from clipsearch.files.name_date import with_name_date
from clipsearch.files.walk import os_failure
from clipsearch.images.decode import MAX_PIXELS, decode
from clipsearch.images.decoded_image import DecodedImage
from clipsearch.images.formats import HEADER_SIZE, describe_unknown, sniff
from clipsearch.images.hashing import content_hash, file_hash, image_id
from clipsearch.images.memory import FILES
from clipsearch.locations.content import ChangedError, Content, Origin
from clipsearch.models.base import Encoder
from clipsearch.records import ImageRecord
from clipsearch.types import Failure, Pixels

MAX_BYTES_PER_PIXEL = 8
"""Larger files are rejected: four channels of 16 bits, uncompressed."""

DRAFT_SCALE = 1.4
"""A JPEG is decoded at 1/2, 1/4 or 1/8 if its shorter side keeps this many times the model's input.
The vector then has a cosine of at least 0.997 to that of the full image (see benchmarks/decode.py),
and decoding a large image takes at most two thirds of the time."""

SETTLED_NS = 2_000_000_000
"""A younger file may change again without new timestamps: the coarsest clock of a file system that
is still in use (FAT) ticks every two seconds."""

Version: TypeAlias = tuple[int, int, int, int]
"""Inode, size, mtime and ctime of a file; while they stay the same, so does its content."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file, and the hash and size (bytes) of its content.

    `version` is None if the file's timestamps do not prove that its content is unchanged. Content
    from an origin was read once, and is kept until it is decoded.
    """

    file: ImageFile
    content_hash: str
    size: int
    version: Version | None
    content: Content | None = None

    @property
    def id(self) -> str:
        return image_id(self.file.path)


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded and preprocessed image, ready for the encoder; `truncated` as in DecodedImage."""

    record: ImageRecord
    pixels: Pixels
    truncated: bool = False


def hash_file(file: ImageFile, *, max_pixels: int = MAX_PIXELS) -> HashedFile | Failure:
    """Hash the content of an image file.

    A file that is too large for `max_pixels`, or of no known format, is an "invalid" Failure before
    more than its first bytes are read. An image from an origin is read.
    """
    if file.origin is not None:
        return _hash_origin(file, file.origin, max_pixels)
    try:
        with file.path.open("rb") as stream:
            before = _version(stream)
            _, size, *times = before
            if reason := size_problem(size, max_pixels):
                return Failure(file.path, reason, "invalid")
            head = stream.read(HEADER_SIZE)
            if sniff(head) is None:
                return Failure(file.path, describe_unknown(head), "invalid")
            stream.seek(0)
            digest = file_hash(stream)
            settled = time.time_ns() - max(times) > SETTLED_NS
            version = before if settled and before == _version(stream) else None
            return HashedFile(file, digest, size, version)
    except OSError as error:
        return os_failure(file.path, error)


def _hash_origin(file: ImageFile, origin: Origin, max_pixels: int) -> HashedFile | Failure:
    if reason := size_problem(file.size, max_pixels):
        return Failure(file.path, reason, "invalid")
    try:
        content = origin.read()
        data = content.read()
    except ChangedError as error:
        return Failure(file.path, str(error.strerror), "changed")
    except OSError as error:
        return os_failure(file.path, error)
    if sniff(data[:HEADER_SIZE]) is None:
        return Failure(file.path, describe_unknown(data[:HEADER_SIZE]), "invalid")
    return HashedFile(file, content_hash(data), len(data), None, content)


def load_image(
    hashed: HashedFile, *, encoder: Encoder, max_pixels: int = MAX_PIXELS
) -> LoadedImage | Failure:
    """Decode and preprocess a file whose content is still the one that was hashed.

    A Failure is one of `decode_file`, or of kind "invalid" if the model cannot preprocess the
    image.
    """
    min_side = round(DRAFT_SCALE * encoder.input_size)
    file = hashed.file
    with ExitStack() as held:
        decoded = decode_file(hashed, max_pixels=max_pixels, min_side=min_side, held=held)
        if isinstance(decoded, Failure):
            return decoded
        try:
            pixels = encoder.preprocess(decoded.image)
        except Exception as error:  # noqa: BLE001 - a model's own code may raise anything
            return Failure(file.path, f"the model cannot preprocess it ({error})", "invalid")
    record = ImageRecord(
        id=hashed.id,
        path=file.path,
        content_hash=hashed.content_hash,
        size=file.size,
        mtime_ns=file.mtime_ns,
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        **dataclasses.asdict(decoded.metadata),
        metadata=file.metadata,
    )
    return LoadedImage(with_name_date(record), pixels, decoded.truncated)


def decode_file(
    hashed: HashedFile,
    *,
    max_pixels: int = MAX_PIXELS,
    min_side: int | None = None,
    held: ExitStack | None = None,
) -> DecodedImage | Failure:
    """Decode a file whose content is still the one that was hashed; options as for `decode`.

    A Failure of kind "invalid" applies to every file with this content; the other kinds apply to
    this file only.
    """
    path = hashed.file.path
    if reason := size_problem(hashed.size, max_pixels):
        return Failure(path, reason, "invalid")
    try:
        with ExitStack() as own:
            held = own if held is None else held
            held.enter_context(FILES.reserve(hashed.size))
            data = _read(hashed)
            if isinstance(data, Failure):
                return data
            with note_decoding(hashed.content_hash) as is_suspect:
                return decode(
                    data,
                    max_pixels=max_pixels,
                    min_side=min_side,
                    held=held,
                    isolated=is_suspect,
                )
    except (MissingDecoderError, MemoryLimitError, DecoderProcessError) as error:
        return Failure(path, str(error))  # the file may be fine, and is tried again
    except ImageError as error:
        return Failure(path, str(error), "invalid")


def _read(hashed: HashedFile) -> bytes | Failure:
    """Return the content of a file if it is still the one that was hashed."""
    path = hashed.file.path
    if hashed.content is not None:
        return hashed.content.read()
    changed = Failure(path, "changed while it was read: try again", "changed")
    if hashed.file.origin is not None:
        return _read_origin(hashed.file.origin, hashed, changed)
    try:
        with path.open("rb") as stream:
            if _version(stream)[1] != hashed.size:
                return changed
            data = stream.read()
            unchanged = hashed.version is not None and hashed.version == _version(stream)
    except OSError as error:
        return os_failure(path, error)
    except MemoryError:
        return Failure(path, "not enough memory to read it")
    if not unchanged and content_hash(data) != hashed.content_hash:
        return changed
    return data


def _read_origin(origin: Origin, hashed: HashedFile, changed: Failure) -> bytes | Failure:
    try:
        data = origin.read().read()
    except OSError as error:
        return os_failure(hashed.file.path, error)
    return data if content_hash(data) == hashed.content_hash else changed


def size_problem(size: int, max_pixels: int) -> str | None:
    """Say why a file of `size` bytes is too large for an image of `max_pixels`; None if not."""
    if size > MAX_BYTES_PER_PIXEL * max_pixels:
        return f"too large for an image of at most {max_pixels:,} pixels"
    return None


def _version(stream: BufferedReader) -> Version:
    status = os.fstat(stream.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
