"""Rows of a table that another program wrote: embeddings with paths, and whatever else is known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError
from clipsearch.files.paths import canonical
from clipsearch.images.hashing import image_id
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.records import ImageRecord
from clipsearch.remote_path import RemotePath
from clipsearch.store.schema import CHECKSUM, LIST_TEXT_BYTES, MAX_TAGS, decode_path
from clipsearch.transfer.vector_column import find_vector_column, read_vectors
from clipsearch.types import ImageRow

PATH_COLUMNS = ("path", "image_path", "filepath", "file_path", "file_name", "filename")
INTEGERS = ("size", "mtime_ns", "width", "height")
TEXTS = ("content_hash", "format", "taken_from", "camera")
DEGREES = ("latitude", "longitude")
KNOWN = (*INTEGERS, *TEXTS, *DEGREES, "taken_at", "tags")
UNKNOWN_CONTENT = "unknown:"
"""Start of the content hash of an image whose file was not read; the rest is its id."""


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Which columns hold the vectors and the paths, as far as the user says.

    `id` names the images if there are no paths: an id is then a path below `root`. Relative paths
    are below `root`, too; None is the current folder.
    """

    root: Path | None = None
    vector: str | None = None
    path: str | None = None
    id: str | None = None


class ColumnMapping:
    """Makes rows of tables with the same columns."""

    def __init__(self, schema: Any, choice: ColumnChoice, dim: int) -> None:
        """Find the columns; raise UsageError if one is missing, or vectors have another length."""
        import pyarrow.types as types

        self._vector = find_vector_column(schema, choice.vector)
        kind = schema.field(self._vector).type
        if types.is_fixed_size_list(kind):
            self._require_dim([kind.list_size], dim)
        self._location = _find_location(schema, choice)
        self._root = canonical(choice.root or Path())
        self._dim = dim
        self._has_read = False
        self._known = {
            field.name
            for field in schema
            if field.name in KNOWN
            and _fits(field.name, field.type)
            and field.name != self._location
        }
        self._checked = {self._vector, self._location, CHECKSUM}
        self._fields = FieldSelection()

    def read(self, table: Any) -> tuple[list[ImageRow | str], int]:
        """Return the rows of a table, or what is wrong instead; and how many were normalized.

        Raises UsageError if no row of the first table has as many dimensions as the model.
        """
        import pyarrow.compute as pc

        if not self._has_read:  # lists tell their length only now; later rows fail one by one
            lengths = pc.list_value_length(table.column(self._vector))
            self._require_dim(pc.unique(lengths).drop_null().to_pylist(), self._dim)
            self._has_read = True
        vectors, problems, normalized = read_vectors(table.column(self._vector), self._dim)
        records = table.drop_columns([self._vector]).to_pylist()
        rows: list[ImageRow | str] = []
        for values, vector, problem in zip(records, vectors, problems, strict=True):
            path = problem or self._find_path(values.get(self._location))
            rows.append(path if isinstance(path, str) else self._to_row(path, values, vector))
        return rows, normalized

    def unused(self, schema: Any) -> Iterator[str]:
        """Yield the columns of a schema whose values cannot be kept: bytes."""
        import pyarrow.types as types

        for field in schema:
            if types.is_binary(field.type) or types.is_large_binary(field.type):
                yield field.name

    def _require_dim(self, found: list[int], dim: int) -> None:
        if found and dim not in found:
            raise UsageError(
                f"the vectors of the column {self._vector!r} have {found[0]} dimensions, but those "
                f"of the model {dim}: another model made them"
            )

    def _find_path(self, value: Any) -> Path | str:
        """Return the canonical path of an image, or why there is none."""
        if value is None or value == "":
            return f"it has no {self._location}"
        path = decode_path(str(value))
        if isinstance(path, RemotePath):
            return path
        if "\0" in str(path):
            return "its path holds a NUL byte"
        path = self._root / path
        return Path(_resolve(str(path.parent)), path.name)

    def _to_row(self, path: Path, values: Mapping[str, Any], vector: Any) -> ImageRow | str:
        id_ = image_id(path)
        known = {name: values[name] for name in self._known if values[name] is not None}
        try:
            record = ImageRecord(
                id=id_,
                path=path,
                content_hash=known.get("content_hash") or UNKNOWN_CONTENT + id_,
                **{name: int(known.get(name, 0)) for name in INTEGERS},
                format=known.get("format", ""),
                taken_at=_to_local(known.get("taken_at")),
                taken_from=known.get("taken_from", ""),
                camera=known.get("camera", ""),
                latitude=known.get("latitude"),
                longitude=known.get("longitude"),
                tags=tuple(filter(None, known.get("tags", ()))),
                metadata=self._fields.choose(
                    {
                        name: value
                        for name, value in values.items()
                        if name not in self._known and name not in self._checked
                    }
                )[0],
            )
        except (TypeError, ValueError, OverflowError) as error:
            return f"a value does not fit ({error})"
        return _find_excess(record) or ImageRow(record, vector)


def _find_location(schema: Any, choice: ColumnChoice) -> str:
    for name in (choice.path, choice.id):
        if name is not None and name not in schema.names:
            raise UsageError(f"there is no column {name!r}; there are {', '.join(schema.names)}")
    found = next((name for name in PATH_COLUMNS if name in schema.names), None)
    if location := choice.path or (None if choice.id else found) or choice.id:
        return location
    raise UsageError(
        "which column holds the paths of the images? Use --path-column, or --id-column if there is "
        f"none; there are {', '.join(schema.names)}"
    )


def _fits(name: str, kind: Any) -> bool:
    """Whether a column of this name has the type that the record has."""
    import pyarrow.types as types

    if name in INTEGERS:
        return bool(types.is_integer(kind))
    if name in DEGREES:
        return bool(types.is_floating(kind))
    if name == "taken_at":
        return bool(types.is_timestamp(kind))
    text = kind.value_type if name == "tags" and hasattr(kind, "value_type") else kind
    if name == "tags" and not (types.is_list(kind) or types.is_large_list(kind)):
        return False
    return bool(types.is_string(text) or types.is_large_string(text))


def _to_local(moment: datetime | None) -> datetime | None:
    """Return a moment without a time zone and parts of a second, as records have it."""
    return None if moment is None else moment.replace(tzinfo=None, microsecond=0)


def _find_excess(record: ImageRecord) -> str | None:
    """Return which value exceeds what a server stores; Milvus Lite accepts more."""
    if len(record.tags) > MAX_TAGS:
        return f"it has {len(record.tags)} tags, and at most {MAX_TAGS} can be stored"
    if any(len(tag.encode()) > LIST_TEXT_BYTES for tag in record.tags):
        return f"one of its tags is longer than {LIST_TEXT_BYTES:,} bytes"
    if any(not 0 <= getattr(record, name) < 2**63 for name in ("size", "width", "height")):
        return "its size, width or height is out of range"
    return None


@lru_cache(maxsize=4_096)
def _resolve(folder: str) -> str:
    return os.path.realpath(folder)
