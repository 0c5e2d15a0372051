"""The images of a Parquet file: their bytes, or paths and URIs of them, and the other columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipsearch.errors import UsageError
from clipsearch.files.discover import ImageFile
from clipsearch.files.paths import canonical
from clipsearch.files.walk import os_failure
from clipsearch.locations.content import Content, Held
from clipsearch.locations.object_store import find_object
from clipsearch.locations.parquet_file import (
    cell_bytes,
    image_column,
    is_binary,
    open_parquet,
    read_rows,
)
from clipsearch.records import Metadata
from clipsearch.remote_path import RemotePath, locate
from clipsearch.types import Failure
from ingest.sources.metadata_reader import MetadataReader
from ingest.sources.object_source import RemoteObject


@dataclass(frozen=True, slots=True)
class ParquetOptions:
    """`image_column` holds the images; None stands for the one that seems to."""

    image_column: str | None = None


def parquet_images(
    file: Path, mtime_ns: int, reader: MetadataReader, options: ParquetOptions
) -> Iterator[ImageFile | Failure]:
    """Yield the images of a Parquet file, row by row.

    Bytes in a row have the location FILE/COLUMN/ROW, with rows counted from 0. A path is relative
    to the folder of the Parquet file. Damage ends the file with a Failure.
    """
    try:
        with open_parquet(file) as parquet:
            column = image_column(parquet.schema_arrow, options.image_column)
            has_bytes = is_binary(parquet.schema_arrow.field(column).type)

        def is_needed(name: str, kind: object) -> bool:
            return name == column or (reader.selection.may_choose(name) and not is_binary(kind))

        for number, row in read_rows(file, is_needed):
            location = file / column / str(number)
            metadata = reader.read(location, row)
            if has_bytes and (data := cell_bytes(row[column])) is not None:
                content = Content.of_bytes(data)
                yield ImageFile(location, content.size, mtime_ns, Held(content), metadata)
            else:
                yield _referred(row[column], file.parent, location, metadata)
    except UsageError as error:
        yield Failure(file, str(error))
    except OSError as error:
        yield os_failure(file, error)


def _referred(
    cell: object, folder: Path, location: Path, metadata: Metadata
) -> ImageFile | Failure:
    """Return the file or object that a cell names."""
    name = cell.get("path") if isinstance(cell, dict) else cell
    if not isinstance(name, str) or not name:
        return Failure(location, "the row has no image")
    path = locate(name)
    if "://" in name and not isinstance(path, RemotePath):
        return Failure(location, f"{name}: download it first, such URIs are not read")
    path = canonical(path if path.is_absolute() else folder / name)
    try:
        if not isinstance(path, RemotePath):
            file = ImageFile.of(path, path.stat())
            return ImageFile(path, file.size, file.mtime_ns, None, metadata)
        stored = find_object(path)
    except (OSError, ValueError) as error:
        return os_failure(path, error) if isinstance(error, OSError) else Failure(path, str(error))
    if stored is None:
        return Failure(path, "no such object", "missing")
    return ImageFile(path, stored.size, stored.mtime_ns, RemoteObject(path), metadata)
