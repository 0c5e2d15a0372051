"""Photos as rows of Milvus, and back."""

from __future__ import annotations

import calendar
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

import numpy as np

from clipsearch.errors import StoreError, VectorError
from clipsearch.store.fields import Layout
from clipsearch.types import ImageRecord, ImageRow, Vectors
from clipsearch.vectors import normalize

Row: TypeAlias = dict[str, Any]
"""One entity as pymilvus takes and gives it: field name to value."""

ID_LENGTH = 32
PATH_BYTES = 16_384
"""What the path field holds: four times PATH_MAX of Linux, since a URI triples a strange byte."""

NO_TIME = -(2**53)
"""`taken_at` of a photo that does not say: before every date, and exact as a double."""

RECORD_FIELDS = (
    "id",
    "path",
    "content_hash",
    "size",
    "mtime_ns",
    "width",
    "height",
    "format",
    "taken_at",
    "tags",
)
MAX_TAGS = 64
TAGS = "tags"
EMBEDDING = "embedding"

_URI = "file://"
_EPOCH = datetime(1970, 1, 1)  # the camera's clock has no zone
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a changed file from an unchanged one."""

    size: int
    mtime_ns: int
    content_hash: str


def record_layout(dim: int) -> Layout:
    """The fields of a collection of photos."""
    return Layout(
        texts={"id": ID_LENGTH, "path": PATH_BYTES, "content_hash": 128, "format": 32},
        numbers=("size", "mtime_ns", "width", "height", "taken_at"),
        vector=EMBEDDING,
        dim=dim,
        graph=True,
        lists={TAGS: MAX_TAGS},
    )


def path_text(path: Path) -> str:
    """The path as stored: itself, or a `file://` URI where Milvus cannot hold or compare it.

    File names are bytes on Linux: those that are no UTF-8 cannot be stored, and a line break cannot
    be written in a filter of Milvus Lite. Absolute paths begin with no scheme, so it is reversible.
    """
    text = str(path)
    return as_uri(text) if needs_uri(text) else text


def needs_uri(text: str) -> bool:
    """Whether a path holds bytes that are no UTF-8, or control characters."""
    return any(ch < " " or ch == "\x7f" or "\ud800" <= ch <= "\udfff" for ch in text)


def as_uri(text: str) -> str:
    """The `file://` URI of a path's bytes."""
    return _URI + quote_from_bytes(os.fsencode(text))


def text_path(text: str) -> Path:
    """The path that `path_text` stored."""
    if text.startswith(_URI):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_URI))))
    return Path(text)


def seconds(taken_at: datetime | None) -> int:
    """Seconds of the camera's clock, read as if it were UTC; NO_TIME for None."""
    return NO_TIME if taken_at is None else calendar.timegm(taken_at.timetuple())


def to_row(row: ImageRow) -> Row:
    """The entity of a photo; raise StoreError where a field does not fit."""
    record = row.record
    if len(record.id) != ID_LENGTH or not _HEX.issuperset(record.id):
        raise StoreError(f"{record.path}: the id {record.id!r} is not {ID_LENGTH} hex digits")
    path = path_text(record.path)
    if not record.path.is_absolute() or len(path.encode()) > PATH_BYTES:
        what = "is too long to store" if record.path.is_absolute() else "is not an absolute path"
        raise StoreError(f"{record.path} {what}")
    return {
        "id": record.id,
        "path": path,
        "content_hash": record.content_hash,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "taken_at": seconds(record.taken_at),
        TAGS: list(record.tags),
        EMBEDDING: row.embedding,
    }


def to_record(row: Mapping[str, Any]) -> ImageRecord:
    """The photo of an entity that has all PHOTO_FIELDS; of one without tags, which old ones are."""
    taken = int(row["taken_at"])
    return ImageRecord(
        id=str(row["id"]),
        path=text_path(row["path"]),
        content_hash=str(row["content_hash"]),
        size=int(row["size"]),
        mtime_ns=int(row["mtime_ns"]),
        width=int(row["width"]),
        height=int(row["height"]),
        format=str(row["format"]),
        taken_at=None if taken == NO_TIME else _EPOCH + timedelta(seconds=taken),
        tags=tuple(map(str, row.get(TAGS, ()))),
    )


def to_image_row(row: Mapping[str, Any]) -> ImageRow:
    """The photo and its (d,) float32 embedding."""
    return ImageRow(to_record(row), np.asarray(row[EMBEDDING], dtype=np.float32))


def check_embeddings(rows: Sequence[ImageRow], dim: int) -> None:
    """Raise VectorError unless every embedding is (dim,) float32, finite, of length 1.

    Milvus stores NaN and zero vectors without a word, and says little about a wrong dimension.
    """
    for row in rows:
        vector, path = row.embedding, row.record.path
        if vector.shape != (dim,) or vector.dtype != np.float32:
            raise VectorError(
                f"{path}: an embedding must be ({dim},) float32, not {vector.shape} {vector.dtype}"
            )
    lengths = np.linalg.norm(np.stack([row.embedding for row in rows]), axis=1) if rows else []
    for row, length in zip(rows, lengths, strict=True):
        if not abs(length - 1) <= 1e-3:  # also true for NaN
            raise VectorError(
                f"{row.record.path}: an embedding must have length 1, not {length:.4g}"
            )


def check_queries(queries: Vectors, dim: int) -> Vectors:
    """(n, d) or (d,) of any length to (n, dim) float32 of length 1.

    Raises VectorError on another shape, NaN or zero rows.
    """
    vectors = np.atleast_2d(np.asarray(queries, dtype=np.float32))
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise VectorError(f"this collection has {dim} dimensions, the query {np.shape(queries)}")
    if not np.all(np.isfinite(vectors)) or not np.all(np.any(vectors, axis=1)):
        raise VectorError("a query vector is zero, NaN or infinite")
    return normalize(vectors)
