"""Write a collection to Parquet files."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipsearch.cache import atomic_write
from clipsearch.errors import UsageError, write_error
from clipsearch.files.paths import expand_user
from clipsearch.files.progress import Progress
from clipsearch.query.condition import Selection, select
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.store import Collection, filters
from clipsearch.temporary_folder import NEW, TemporaryFolder
from clipsearch.transfer.copy_rows import id_ranges
from clipsearch.transfer.export_facts import KEY, ExportFacts
from clipsearch.transfer.parquet_rows import arrow_schema, require_pyarrow, to_table
from clipsearch.transfer.table_files import SUFFIX
from clipsearch.types import ImageRow

FILE_ROWS = 1_000_000
GROUP_BYTES = 16 << 20
"""Vectors of a row group, which is read and written at once."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """How many rows were written, to which files, and how many were left out as damaged."""

    rows: int
    files: tuple[Path, ...]
    damaged: int


def export_collection(
    collection: Collection,
    path: Path,
    *,
    choice: Filters = NO_FILTERS,
    file_rows: int = FILE_ROWS,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the rows that pass some filters, and the catalog's facts, to a file or a folder.

    A `path` that ends in .parquet is one file; any other is a new folder, with files of
    about `file_rows` rows each. Both appear when they are complete. Rows are in the order of their
    ids. Damaged rows are left out and counted. Only the user can read them, as with a local store:
    they hold paths and places. Raises UsageError without pyarrow, or if the folder
    exists and is not empty; OutputError if the disk is full.
    """
    require_pyarrow()
    path = expand_user(path).absolute()
    is_file = path.suffix.lower() == SUFFIX
    file_rows = sys.maxsize if is_file else file_rows
    writer = _Writer(collection, select(choice, collection), file_rows, progress)
    try:
        if is_file:
            with atomic_write(path) as temporary:
                writer.write_file(temporary)
            return writer.report([path])
        with _new_folder(path) as folder:
            while writer.is_incomplete:
                name = f"part-{len(writer.names):05d}{SUFFIX}"
                writer.write_file(folder / name)
                writer.names.append(name)
        return writer.report([path / name for name in writer.names])
    except OSError as error:
        raise write_error(path, error) from error


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` when the block succeeds."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(
            f"{path} exists: export to a file that ends in {SUFFIX}, or to a new folder"
        )
    work = TemporaryFolder(path.parent, NEW)
    try:
        yield work.path
        work.path.replace(path)  # an empty folder is replaced
    finally:
        work.remove()


class _Writer:
    """Writes ranges of ids, one after the other, to one file or several."""

    def __init__(
        self,
        collection: Collection,
        selection: Selection,
        file_rows: int,
        progress: Progress | None,
    ) -> None:
        self.names: list[str] = []
        self._collection = collection
        self._selection = selection
        self._progress = progress
        self._facts = ExportFacts.of(collection)
        self._has_texts = collection.texts.count() > 0
        self._rows = self._damaged = 0
        rows = collection.count(selection.condition)
        if progress is not None:
            progress.total = rows
        group_rows = max(1, GROUP_BYTES // (4 * collection.info.model.dim))
        self._ranges = deque(id_ranges(rows, min(group_rows, file_rows)))
        # A range belongs to the file that then has the nearest number of rows.
        self._full_rows = file_rows - rows / len(self._ranges) / 2

    @property
    def is_incomplete(self) -> bool:
        """Whether rows remain to be written."""
        return bool(self._ranges)

    def report(self, files: list[Path]) -> ExportReport:
        """Return the report of all that was written."""
        return ExportReport(self._rows, tuple(files), self._damaged)

    def write_file(self, path: Path) -> None:
        """Write a file of about `file_rows` rows, or of all that remain."""
        import pyarrow.parquet as pq

        facts = {KEY: self._facts.encode()}
        schema = arrow_schema(self._facts.model.dim, facts, with_texts=self._has_texts)
        # Only the first file has what may be large.
        self._facts = replace(self._facts, failures=(), textness=None, calibration=None)
        written = 0
        with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
            if path.is_file():  # not a pipe
                path.chmod(0o600)
            while self._ranges and (not written or written < self._full_rows):
                rows = self._read(*self._ranges.popleft())
                if rows:
                    writer.write_table(self._table(rows, schema))
                written += len(rows)

    def _table(self, rows: list[ImageRow], schema: Any) -> Any:
        rows.sort(key=lambda row: row.record.id)
        ids = [row.record.id for row in rows]
        texts = self._collection.texts.get(ids) if self._has_texts else None
        return to_table(rows, schema, self._facts.schema_version, texts)

    def _read(self, low: int, high: int) -> list[ImageRow]:
        condition = filters.all_of(self._selection.condition, filters.id_range(low, high))
        present = self._collection.count(condition)
        rows = list(self._collection.scan_rows(condition))
        self._damaged += max(0, present - len(rows))
        if self._progress is not None:
            self._progress.update(present)
        rows = [row for row in rows if self._selection.matches(row.record)]
        self._rows += len(rows)
        return rows
