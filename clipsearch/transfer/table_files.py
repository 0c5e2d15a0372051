"""The Parquet files of an import, and their tables in batches of limited size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsearch.errors import UsageError, describe_error
from clipsearch.files.paths import describe_missing, expand_user

SUFFIX = ".parquet"
NPY_COLUMN = "embedding"
BATCH_ROWS = 2_000
_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A Parquet file; `vectors` is the .npy file with its vectors if they are in one of their own.

    clip-retrieval writes them so: img_emb/img_emb_0.npy and metadata/metadata_0.parquet.
    """

    path: Path
    vectors: Path | None = None

    def open(self) -> Any:
        """Return the file opened by pyarrow; raise UsageError if it cannot be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return pq.ParquetFile(self.path)
        except (OSError, pa.ArrowException) as error:
            raise UsageError(
                f"{self.path}: not a Parquet file ({describe_error(error)})"
            ) from error

    def schema(self) -> Any:
        """Return the columns, with that of the .npy file, and the metadata of the file."""
        import pyarrow as pa

        schema = self.open().schema_arrow
        if self.vectors is None:
            return schema
        array = self._load_vectors()
        kind = pa.list_(pa.from_numpy_dtype(array.dtype), array.shape[1])
        return schema.append(pa.field(NPY_COLUMN, kind))

    def count(self) -> int:
        """Return the number of rows."""
        return int(self.open().metadata.num_rows)

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield the rows as tables; raise UsageError where the file is damaged.

        With `columns`, only these are read.
        """
        import pyarrow as pa

        vectors, start = None if self.vectors is None else self._load_vectors(), 0
        try:
            for batch in self.open().iter_batches(BATCH_ROWS, columns=columns):
                table = pa.Table.from_batches([batch])
                if vectors is not None:
                    part = np.array(vectors[start : start + len(table)])
                    column = pa.FixedSizeListArray.from_arrays(
                        pa.array(part.reshape(-1)), part.shape[1]
                    )
                    table = table.append_column(NPY_COLUMN, column)
                start += len(table)
                yield table
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{self.path} is damaged ({describe_error(error)})") from error

    def _load_vectors(self) -> Any:
        assert self.vectors is not None
        try:
            array = np.load(self.vectors, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(f"{self.vectors}: not an array ({describe_error(error)})") from error
        if array.ndim != 2 or array.dtype.kind != "f" or len(array) != self.count():
            raise UsageError(
                f"{self.vectors} has {array.dtype} of shape {array.shape}, but {self.path} has "
                f"{self.count():,} rows: one vector of floats is needed for each"
            )
        return array


def find_files(paths: Sequence[Path]) -> list[TableFile]:
    """Return the files at some paths, those of a folder by name; raise UsageError without any."""
    files = []
    for path in map(expand_user, paths):
        if path.is_dir():
            files += _in_folder(path)
        elif path.exists():
            files.append(TableFile(path))
        else:
            raise UsageError(f"no such file: {describe_missing(path)}")
    return files


def _in_folder(folder: Path) -> list[TableFile]:
    if (folder / "img_emb").is_dir() and (folder / "metadata").is_dir():
        arrays = {_number(path): path for path in (folder / "img_emb").glob("*.npy")}
        tables = {_number(path): path for path in (folder / "metadata").glob(f"*{SUFFIX}")}
        if arrays.keys() != tables.keys() or not arrays:
            raise UsageError(f"{folder}: the files in img_emb and metadata do not belong together")
        return [TableFile(tables[number], arrays[number]) for number in sorted(tables)]
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))
    if not found:
        raise UsageError(f"{folder} has no files that end in {SUFFIX}")
    return [TableFile(path) for path in found]


def _number(path: Path) -> int:
    match = _NUMBER.search(path.stem)
    if match is None:
        raise UsageError(f"{path}: its name must end in a number")
    return int(match[1])
