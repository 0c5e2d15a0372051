"""Read Parquet files into a collection: exported ones, and embeddings made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clipsearch.errors import ModelMismatchError, UsageError
from clipsearch.files.progress import Progress
from clipsearch.store import Collection, Store
from clipsearch.transfer.bulk_layout import is_bulk_layout, read_bulk_rows
from clipsearch.transfer.catalog_facts import add_failures
from clipsearch.transfer.column_mapping import ColumnChoice, ColumnMapping
from clipsearch.transfer.export_facts import ExportFacts
from clipsearch.transfer.outdated_texts import remove_outdated
from clipsearch.transfer.parquet_rows import arrow_schema, require_pyarrow, to_rows
from clipsearch.transfer.row_import import ImportReport, NumberedRow, RowImport
from clipsearch.transfer.table_files import TableFile, find_files
from clipsearch.transfer.target import open_target
from clipsearch.transfer.text_columns import import_texts
from clipsearch.types import ImageRow

Read = Callable[[Any], tuple[list[ImageRow | str], int]]
"""Makes rows of a table, or says what is wrong; also returns how many vectors it normalized."""


def find_exported(paths: Sequence[Path]) -> tuple[list[TableFile], list[ExportFacts]]:
    """Return the files at some paths, and the facts in each; none if other programs wrote them.

    Raises UsageError if there are files of both kinds, or no pyarrow; ModelMismatchError if they
    are of different models.
    """
    require_pyarrow()
    files = find_files(paths)
    found = [ExportFacts.read(file.schema().metadata, file.path) for file in files]
    facts = [one for one in found if one is not None]
    if facts and len(facts) < len(files):
        other = files[found.index(None)].path
        raise UsageError(
            f"{other} was not exported by clipsearch, but others were: import it alone"
        )
    for file, one in zip(files, facts, strict=False):
        if not one.model.is_comparable(facts[0].model):
            raise ModelMismatchError(
                f"{file.path} has vectors of {one.model.name}, and {files[0].path} of "
                f"{facts[0].model.name}: import them into different collections"
            )
    return files, facts


def import_exported(
    files: Sequence[TableFile],
    facts: Sequence[ExportFacts],
    store: Store,
    name: str,
    progress: Progress | None = None,
) -> ImportReport:
    """Restore exported rows, bit for bit, and what the catalog knew.

    Rows that the collection has already are not written again, so an import that was interrupted
    goes on where it was. Raises as `find_target` does if the collection does not fit.
    """
    newest = max(one.schema_version for one in facts)
    collection = open_target(store, name, facts[0].model, newest)
    report = ImportReport()
    readers = (_exported_reader(file, one) for file, one in zip(files, facts, strict=True))
    _import(files, readers, collection, report, progress)
    import_texts(files, collection)
    remove_outdated(collection)
    for one in facts:
        collection.add_roots(one.roots, one.mounts)
        add_failures(collection, one.failures)
        if one.textness is not None and one.textness != collection.textness():
            collection.set_textness(one.textness)
        if one.calibration is not None and one.calibration != collection.calibration.read():
            collection.calibration.write(one.calibration)
    collection.finish_writes()
    return report


def import_embeddings(
    files: Sequence[TableFile],
    choice: ColumnChoice,
    collection: Collection,
    progress: Progress | None = None,
) -> ImportReport:
    """Store vectors that another program made with the model of the collection.

    Vectors are scaled to length 1. See `ColumnChoice` for the paths, from which the ids are made.
    Files of `clipsearch ingest --bulk` are read exactly. Raises UsageError if a column is missing,
    or vectors have another number of dimensions.
    """
    report = ImportReport()
    dim = collection.info.model.dim
    readers: list[Read] = []
    for file in files:
        schema = file.schema()
        mapping = ColumnMapping(schema, choice, dim)  # also tells whether the vectors fit
        if is_bulk_layout(schema):
            readers.append(read_bulk_rows)
        else:
            readers.append(mapping.read)
            report.unused |= set(mapping.unused(schema))
    _import(files, iter(readers), collection, report, progress)
    collection.finish_writes()
    return report


def _import(
    files: Sequence[TableFile],
    readers: Iterator[Read],
    collection: Collection,
    report: ImportReport,
    progress: Progress | None,
) -> None:
    if progress is not None:
        progress.total = sum(file.count() for file in files)
    rows = RowImport(collection, report)
    for file, read in zip(files, readers, strict=True):
        number = 0
        for table in file.tables():
            batch, normalized = read(table)
            report.normalized += normalized
            sound = []
            for row in batch:
                number += 1
                if isinstance(row, str):
                    report.fail(file.path, number, row)
                else:
                    sound.append(NumberedRow(number, row))
            rows.write(file.path, sound)
            if progress is not None:
                progress.update(len(batch))
    rows.verify()


def _exported_reader(file: TableFile, facts: ExportFacts) -> Read:
    actual = file.schema().remove_metadata()
    expected = (arrow_schema(facts.model.dim, with_texts=has_texts) for has_texts in (False, True))
    if not any(map(actual.equals, expected)):
        raise UsageError(
            f"{file.path} was changed after clipsearch wrote it: its columns are not those of an "
            "export"
        )
    return lambda table: (to_rows(table, facts.schema_version), 0)
