"""The fields of a collection, and image records as entities of Milvus and back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

import numpy as np

from clipsearch.errors import RefusedRowsError
from clipsearch.records import ImageRecord, Metadata
from clipsearch.remote_path import locate
from clipsearch.store.checksum import row_checksum
from clipsearch.store.numbers import (
    NO_VALUE,
    decode_degrees,
    decode_time,
    encode_degrees,
    encode_time,
)
from clipsearch.types import ImageRow

Entity: TypeAlias = dict[str, Any]
"""One row in pymilvus's form: field name to value."""

LIST_TEXT_BYTES = 1_024
"""Maximum length of each string in a list field."""

CATALOG = "clipsearch_catalog"
"""The collection with the catalog; see `clipsearch.store.catalog`."""

ID_LENGTH = 32
PATH_BYTES = 16_384
"""Size of the path field: four times Linux's PATH_MAX, as a URI triples an escaped byte."""

CAMERA_BYTES = 256

TAGS = "tags"
_FIRST_FIELDS = (
    "id",
    "path",
    "content_hash",
    "size",
    "mtime_ns",
    "width",
    "height",
    "format",
    "taken_at",
)
CHECKSUM = "checksum"
METADATA = "metadata"
METADATA_BYTES = 65_536
"""Maximum size of a JSON field in Milvus."""

ADDED_FIELDS = {
    2: (TAGS,),
    3: ("taken_from", "camera", "latitude", "longitude"),
    4: (CHECKSUM,),
    5: (METADATA,),
}
"""The fields that a version of the schema added; a reindex adds them to older collections."""

SCHEMA_VERSION = max(ADDED_FIELDS)
_STORED_FIELDS = (*_FIRST_FIELDS, *(name for names in ADDED_FIELDS.values() for name in names))
RECORD_FIELDS = tuple(name for name in _STORED_FIELDS if name != CHECKSUM)
"""The fields of an ImageRecord."""

MAX_TAGS = 64
EMBEDDING = "embedding"

_NUMBERS = ("size", "mtime_ns", "width", "height", "taken_at", "latitude", "longitude")
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_URI_SCHEME = "file://"
_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class CollectionSchema:
    """The fields of a Milvus collection.

    `strings` are VARCHAR fields with their length in bytes; the first is the primary key.
    `integers` are INT64 fields. `vector` is a FLOAT_VECTOR of `dim`. `string_lists` are ARRAY
    fields with their capacity, of VARCHARs up to LIST_TEXT_BYTES. `objects` are JSON fields.
    `description` is a text that a server keeps with the collection.
    """

    strings: Mapping[str, int]
    integers: tuple[str, ...]
    vector: str
    dim: int
    string_lists: Mapping[str, int] = field(default_factory=dict)
    description: str = ""
    objects: tuple[str, ...] = ()

    @property
    def primary_key(self) -> str:
        """The name of the primary key."""
        return next(iter(self.strings))


@dataclass(frozen=True, slots=True)
class FileState:
    """Size, modification time and hash of a stored file, to tell whether it has changed."""

    size: int
    mtime_ns: int
    content_hash: str


def record_fields(version: int) -> tuple[str, ...]:
    """Return those of RECORD_FIELDS that collections of a version of the schema have."""
    return tuple(name for name in stored_fields(version) if name != CHECKSUM)


def stored_fields(version: int) -> tuple[str, ...]:
    """Return all fields but the embedding of collections of a version of the schema."""
    newer = {name for added, names in ADDED_FIELDS.items() if added > version for name in names}
    return tuple(name for name in _STORED_FIELDS if name not in newer)


def image_schema(dim: int, description: str = "") -> CollectionSchema:
    """Return the schema of a collection of images."""
    return CollectionSchema(
        strings={
            "id": ID_LENGTH,
            "path": PATH_BYTES,
            "content_hash": 128,
            "format": 32,
            "taken_from": 32,
            "camera": CAMERA_BYTES,
        },
        integers=(*_NUMBERS, CHECKSUM),
        vector=EMBEDDING,
        dim=dim,
        string_lists={TAGS: MAX_TAGS},
        description=description,
        objects=(METADATA,),
    )


def encode_path(path: Path) -> str:
    """Return the stored form of a path: itself, or a `file://` URI if Milvus cannot hold it.

    File names on Linux are bytes: names that are not UTF-8 cannot be stored, and a line break
    cannot be written in a filter of Milvus Lite. No absolute path starts with a scheme, so
    `decode_path` is exact. The URI of an object is its own stored form.
    """
    text = str(path)
    return as_uri(text) if needs_uri(text) else text


def decode_path(text: str) -> Path:
    """Return the path that `encode_path` encoded."""
    if text.startswith(_URI_SCHEME):
        text = os.fsdecode(unquote_to_bytes(text.removeprefix(_URI_SCHEME)))
    return locate(text)


def needs_uri(text: str) -> bool:
    """Tell whether a path holds bytes that are not UTF-8, or control characters."""
    return _NOT_PLAIN.search(text) is not None


def as_uri(text: str) -> str:
    """Return the `file://` URI of a path's bytes."""
    return _URI_SCHEME + quote_from_bytes(os.fsencode(text))


def to_entity(row: ImageRow, version: int) -> Entity:
    """Return the entity of an image with the fields of a version, among them its checksum.

    Raises RefusedRowsError if a field does not fit.
    """
    record = row.record
    if len(record.id) != ID_LENGTH or not _HEX_DIGITS.issuperset(record.id):
        raise RefusedRowsError(f"{record.path}: the id {record.id!r} is not {ID_LENGTH} hex digits")
    path = encode_path(record.path)
    if not record.path.is_absolute():
        raise RefusedRowsError(f"{record.path} is not an absolute path")
    if len(path.encode()) > PATH_BYTES:
        raise RefusedRowsError(f"{record.path} is too long to store")
    if record.metadata:
        _check_metadata(record)
    values = {
        "id": record.id,
        "path": path,
        "content_hash": record.content_hash,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "taken_at": encode_time(record.taken_at),
        TAGS: list(record.tags),
        "taken_from": record.taken_from,
        "camera": record.camera,
        "latitude": encode_degrees(record.latitude),
        "longitude": encode_degrees(record.longitude),
        METADATA: dict(record.metadata),
    }
    entity = {name: values[name] for name in record_fields(version)}
    if CHECKSUM in stored_fields(version):
        entity[CHECKSUM] = row_checksum(entity, row.embedding)
    return {**entity, EMBEDDING: row.embedding}


def to_record(entity: Mapping[str, Any]) -> ImageRecord:
    """Return the record of an entity with RECORD_FIELDS; old entities lack ADDED_FIELDS."""
    return ImageRecord(
        id=str(entity["id"]),
        path=decode_path(entity["path"]),
        content_hash=str(entity["content_hash"]),
        size=int(entity["size"]),
        mtime_ns=int(entity["mtime_ns"]),
        width=int(entity["width"]),
        height=int(entity["height"]),
        format=str(entity["format"]),
        taken_at=decode_time(int(entity["taken_at"])),
        tags=tuple(map(str, entity.get(TAGS, ()))),
        taken_from=str(entity.get("taken_from", "")),
        camera=str(entity.get("camera", "")),
        latitude=decode_degrees(entity.get("latitude", NO_VALUE)),
        longitude=decode_degrees(entity.get("longitude", NO_VALUE)),
        metadata=_decode_metadata(entity.get(METADATA)),
    )


def _check_metadata(record: ImageRecord) -> None:
    try:
        size = len(json.dumps(dict(record.metadata), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RefusedRowsError(f"{record.path}: its metadata is not JSON ({error})") from error
    if size > METADATA_BYTES:
        raise RefusedRowsError(f"{record.path}: its metadata is longer than {METADATA_BYTES:,}")


def _decode_metadata(values: Any) -> Metadata:
    return values if isinstance(values, dict) else {}


def to_image_row(entity: Mapping[str, Any]) -> ImageRow:
    """Return the record and its (d,) float32 embedding."""
    return ImageRow(to_record(entity), np.asarray(entity[EMBEDDING], dtype=np.float32))
