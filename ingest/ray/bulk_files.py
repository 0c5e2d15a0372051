"""Parquet files in the layout that Milvus imports: one column for each field of the collection."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipsearch.errors import UsageError, describe_error
from clipsearch.images.hashing import content_hash
from clipsearch.store.schema import to_entity
from clipsearch.types import ImageRow

SUFFIX = ".parquet"
FILE_BYTES = 128 << 20
"""Of a file, about: few enough to be gathered in a worker's memory. Milvus takes up to 16 GB, and
1,024 files in one request."""

ROW_BYTES = 600
"""Of a row without its vector, about."""


def rows_per_file(dim: int) -> int:
    """Return how many rows with vectors of so many dimensions make one file."""
    return FILE_BYTES // (4 * dim + ROW_BYTES)


@dataclass(frozen=True, slots=True)
class BulkFolder:
    """A folder or a prefix of an object store, and the files of one or more runs in it."""

    location: str

    def system(self) -> tuple[Any, str]:
        """Return the file system of fsspec and the path in it; raises UsageError."""
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.location)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.location} cannot be used: {describe_error(error)}") from error
        return system, str(path).rstrip("/")

    def create(self) -> None:
        """Make the folder; raises UsageError."""
        try:
            system, path = self.system()
            system.makedirs(path, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self.location} cannot be made: {describe_error(error)}") from error

    def names(self) -> list[str]:
        """The names of the complete files, those of earlier runs first."""
        system, path = self.system()
        names = [str(name).rpartition("/")[2] for name in system.ls(path, detail=False)]
        return sorted(name for name in names if name.endswith(SUFFIX))

    def next_run(self) -> int:
        """A number greater than those of all files."""
        runs = [int(name.partition("-")[0]) for name in self.names() if name[0].isdigit()]
        return max(runs, default=0) + 1

    def write(self, rows: Sequence[ImageRow], version: int, run: int) -> str:
        """Write rows as one file that is complete or not there; return its name.

        The name follows from the rows, so that a task that runs again replaces its file.
        """
        digest = content_hash("".join(sorted(row.record.id for row in rows)).encode())
        name = f"{run:04}-{digest}{SUFFIX}"
        self.replace(name, to_bulk_table(rows, version))
        return name

    def replace(self, name: str, table: Any) -> None:
        """Write a table as a file of this name."""
        import pyarrow.parquet as pq

        system, path = self.system()
        part = f"{path}/{name}.part-{os.getpid()}"
        with system.open(part, "wb") as file:
            pq.write_table(table, file, row_group_size=10_000)
        system.mv(part, f"{path}/{name}")

    def remove(self, name: str) -> None:
        """Delete a file."""
        system, path = self.system()
        system.rm(f"{path}/{name}")

    def read(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """Return the table in a file, or some of its columns."""
        import pyarrow.parquet as pq

        system, path = self.system()
        with system.open(f"{path}/{name}", "rb") as file:
            return pq.read_table(file, columns=columns and list(columns))

    def stats(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield id and (size in bytes, mtime in ns) of every row, as of `scan_file_stats`."""
        for name in self.names():
            table = self.read(name, ("id", "size", "mtime_ns"))
            for row in table.to_pylist():
                yield row["id"], (row["size"], row["mtime_ns"])

    def count_rows(self) -> int:
        """Count the rows of all files."""
        import pyarrow.parquet as pq

        system, path = self.system()
        total = 0
        for name in self.names():
            with system.open(f"{path}/{name}", "rb") as file:
                total += pq.ParquetFile(file).metadata.num_rows
        return total

    def server_paths(self) -> list[str]:
        """The files as the server names them: keys in its bucket, or paths in its file system."""
        _, path = self.system()
        is_remote = "://" in self.location
        folder = path.partition("/")[2] if is_remote else path
        return [f"{folder}/{name}" if folder else name for name in self.names()]


def to_bulk_table(rows: Sequence[ImageRow], version: int) -> Any:
    """Return the entities of some rows as a table of pyarrow, with the types that Milvus reads."""
    import pyarrow as pa

    entities = [to_entity(row, version) for row in rows]
    columns = {}
    for name, first in entities[0].items():
        values = [entity[name] for entity in entities]
        if isinstance(first, np.ndarray):
            columns[name] = pa.array(values, pa.list_(pa.float32()))
        elif isinstance(first, list):
            columns[name] = pa.array(values, pa.list_(pa.string()))
        elif isinstance(first, dict):
            columns[name] = pa.array([json.dumps(value) for value in values], pa.string())
        else:
            columns[name] = pa.array(values, pa.int64() if isinstance(first, int) else pa.string())
    return pa.table(columns)
