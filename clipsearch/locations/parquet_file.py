"""Parquet files with images: which column holds them, rows in order, and one row."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError, describe_error
from clipsearch.locations.object_store import open_object
from clipsearch.locations.tar_archive import DamagedArchiveError
from clipsearch.remote_path import RemotePath

BATCH_ROWS = 16
"""Rows in memory at once: each may hold an image of some MB."""

BUFFER_BYTES = 1 << 20
"""Of one column, read at once. By default pyarrow reads a row group as a whole, which may be all of
a file."""

_NAMES = ("image", "images", "jpg", "png", "bytes", "image_bytes", "content", "img", "photo")
_PATH_NAMES = ("path", "file", "file_name", "filename", "image_path", "uri", "url", "image", "key")


def image_column(schema: Any, given: str | None = None) -> str:
    """Return the column of a schema of pyarrow that holds images, or paths of images.

    It is one of bytes, or of {bytes, path} as datasets of Hugging Face have it, else of strings. Of
    several, one with a usual name. Raises UsageError if there is none, or not the one given.
    """
    if given is not None:
        if given not in schema.names:
            names = ", ".join(schema.names)
            raise UsageError(f"no column {given!r} in the Parquet file; it has {names}")
        return given
    types = {column.name: column.type for column in schema}
    binary = [name for name in types if is_binary(types[name])]
    if name := _choose(binary, _NAMES, alone=True):
        return name
    texts = [name for name in types if _is_text(types[name])]
    if name := _choose(texts, _PATH_NAMES, alone=False):
        return name
    raise UsageError(
        f"no column of the Parquet file seems to hold images: name it with --image-column, one of "
        f"{', '.join(schema.names)}"
    )


def is_binary(kind: Any) -> bool:
    """Whether a type of pyarrow is bytes, or a struct with bytes."""
    import pyarrow.types as types

    if types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and is_binary(kind.field(index).type)
    is_bytes = (
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
        types.is_fixed_size_binary,
    )
    return any(is_kind(kind) for is_kind in is_bytes)


def read_rows(
    file: Path, is_needed: Callable[[str, Any], bool]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number of each row, from 0, and its values by column.

    `is_needed` tells from the name and the type of pyarrow which columns to read. Raises
    DamagedArchiveError where the file is damaged, and UsageError without pyarrow.
    """
    number = 0
    with open_parquet(file) as parquet:
        schema = parquet.schema_arrow
        columns = [column.name for column in schema if is_needed(column.name, column.type)]
        for batch in _batches(parquet, columns):
            for row in batch.to_pylist():
                yield number, row
                number += 1


def read_row(file: Path, number: int, column: str) -> bytes:
    """Return the image in a row; raises OSError if there is none."""
    with open_parquet(file) as parquet:
        name = image_column(parquet.schema_arrow, column)
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if number >= rows:
                number -= rows
                continue
            for batch in _batches(parquet, [name], [group]):
                if number < batch.num_rows:
                    if (data := cell_bytes(batch.column(0)[number].as_py())) is not None:
                        return data
                    break
                number -= batch.num_rows
            break
    raise FileNotFoundError(None, "the Parquet file has no image in this row")


def cell_bytes(value: Any) -> bytes | None:
    """Return the bytes in a cell; None if there are none."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    return value if isinstance(value, bytes) and value else None


def require_pyarrow() -> None:
    """Raise UsageError if the package that reads Parquet is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs another package: pip install 'clipsearch[scale]'")


@contextmanager
def open_parquet(file: Path) -> Iterator[Any]:
    """Open a Parquet file with pyarrow; raises DamagedArchiveError, and UsageError without it."""
    require_pyarrow()
    import pyarrow.parquet as parquet  # late: an extra

    with open_object(file) if isinstance(file, RemotePath) else file.open("rb") as stream:
        try:
            opened = parquet.ParquetFile(stream, buffer_size=BUFFER_BYTES, pre_buffer=False)
        except Exception as error:
            raise DamagedArchiveError(None, f"not a Parquet file ({error})") from error
        yield opened


def _batches(parquet: Any, columns: list[str], groups: list[int] | None = None) -> Iterator[Any]:
    """Yield some columns of all row groups, or of some, as batches of few rows."""
    batches = parquet.iter_batches(
        BATCH_ROWS, row_groups=groups, columns=columns, use_threads=False
    )
    while True:
        try:
            batch = next(batches, None)
        except Exception as error:  # pyarrow raises its own classes, ValueError and OSError
            raise DamagedArchiveError(None, f"it is damaged ({describe_error(error)})") from error
        if batch is None:
            return
        yield batch


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _choose(names: list[str], usual: tuple[str, ...], *, alone: bool) -> str | None:
    found = sorted((usual.index(name.lower()), name) for name in names if name.lower() in usual)
    if found:
        return found[0][1]
    return names[0] if alone and len(names) == 1 else None
