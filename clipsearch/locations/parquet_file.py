"""Parquet files with images: which column holds them, rows in order, and one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipsearch.errors import UsageError, describe_error
from clipsearch.locations.object_store import open_object
from clipsearch.locations.tar_archive import DamagedArchiveError
from clipsearch.remote_path import RemotePath

BATCH_ROWS = 64
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
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def read_rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the number of each row, from 0, and its values by column.

    Raises DamagedArchiveError where the file is damaged, and UsageError without pyarrow.
    """
    number = 0
    with open_parquet(file) as parquet:
        try:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                for row in batch.to_pylist():
                    yield number, row
                    number += 1
        except GeneratorExit:
            raise
        except Exception as error:  # pyarrow raises its own classes, ValueError and OSError
            raise DamagedArchiveError(None, f"it is damaged ({describe_error(error)})") from error


def read_row(file: Path, number: int, column: str) -> bytes:
    """Return the image in a row; raises OSError if there is none."""
    with open_parquet(file) as parquet:
        name = image_column(parquet.schema_arrow, column)
        first = 0
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if number < first + rows:
                values = _column(parquet, group, name)
                data = cell_bytes(values[number - first].as_py())
                if data is not None:
                    return data
                break
            first += rows
    raise FileNotFoundError(None, "the Parquet file has no image in this row")


def cell_bytes(value: Any) -> bytes | None:
    """Return the bytes in a cell; None if there are none."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    return value if isinstance(value, bytes) and value else None


@contextmanager
def open_parquet(file: Path) -> Iterator[Any]:
    """Open a Parquet file with pyarrow; raises DamagedArchiveError, and UsageError without it."""
    try:
        import pyarrow.parquet as parquet  # late: an extra
    except ImportError as error:
        raise UsageError(
            "Parquet needs another package: pip install 'clipsearch[scale]'"
        ) from error
    with open_object(file) if isinstance(file, RemotePath) else file.open("rb") as stream:
        try:
            opened = parquet.ParquetFile(stream)
        except Exception as error:
            raise DamagedArchiveError(None, f"not a Parquet file ({error})") from error
        yield opened


def _column(parquet: Any, group: int, name: str) -> Any:
    try:
        return parquet.read_row_group(group, columns=[name], use_threads=False).column(name)
    except Exception as error:  # pyarrow raises its own classes, ValueError and OSError
        raise DamagedArchiveError(None, f"it is damaged ({describe_error(error)})") from error


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _choose(names: list[str], usual: tuple[str, ...], *, alone: bool) -> str | None:
    found = sorted((usual.index(name.lower()), name) for name in names if name.lower() in usual)
    if found:
        return found[0][1]
    return names[0] if alone and len(names) == 1 else None
