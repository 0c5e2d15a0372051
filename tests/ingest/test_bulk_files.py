"""Files for a bulk import."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.models.base import ModelIdentity
from clipsearch.store import Store
from clipsearch.store.pymilvus_schema import pymilvus_schema
from clipsearch.store.schema import SCHEMA_VERSION, image_schema
from clipsearch.transfer.column_mapping import ColumnChoice
from clipsearch.transfer.import_files import import_embeddings
from clipsearch.transfer.table_files import find_files
from clipsearch.types import ImageRow
from ingest.ray.bulk_duplicates import remove_duplicates
from ingest.ray.bulk_files import BulkFolder, to_bulk_table
from tests.helpers.full_rows import contents, full_rows

pytest.importorskip("pyarrow")


def test_columns_are_those_of_the_writer_of_pymilvus(tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    from pymilvus import MilvusClient
    from pymilvus.bulk_writer import BulkFileType, LocalBulkWriter

    from clipsearch.store.schema import to_entity

    rows = full_rows(20)
    dim = len(rows[0].embedding)
    schema = pymilvus_schema(MilvusClient, image_schema(dim))
    schema.verify()
    with LocalBulkWriter(schema, str(tmp_path), file_type=BulkFileType.PARQUET) as writer:
        for row in rows:
            entity = to_entity(row, SCHEMA_VERSION)
            writer.append_row({**entity, "embedding": entity["embedding"].tolist()})
        writer.commit()
    [expected] = [pq.read_table(file[0]) for file in writer.batch_files]
    table = to_bulk_table(rows, SCHEMA_VERSION)
    assert set(table.schema.names) == set(expected.schema.names)
    for name in table.schema.names:
        assert table.schema.field(name).type == expected.schema.field(name).type, name
        assert table.column(name).to_pylist() == expected.column(name).to_pylist(), name


def test_a_file_that_is_written_again_replaces_itself(tmp_path: Path) -> None:
    folder = BulkFolder(str(tmp_path))
    rows = full_rows(5)
    names = {folder.write(order, SCHEMA_VERSION, 1) for order in (rows, rows[::-1])}
    assert folder.names() == sorted(names)
    assert len(names) == 1
    assert folder.count_rows() == 5
    assert folder.next_run() == 2
    assert dict(folder.stats()) == {r.record.id: (r.record.size, r.record.mtime_ns) for r in rows}


FILES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=20), max_size=5)


@given(files=FILES, rows_at_once=st.integers(1, 40))
@settings(max_examples=30)
def test_the_last_row_of_each_id_is_kept(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], rows_at_once: int
) -> None:
    folder = BulkFolder(str(tmp_path_factory.mktemp("bulk")))
    rows = full_rows(31)
    for run, numbers in enumerate(files, 1):
        folder.write([marked(rows[number], run) for number in numbers], SCHEMA_VERSION, run)
    expected = {rows[number].record.id: run for run, ns in enumerate(files, 1) for number in ns}
    removed = remove_duplicates(folder, rows_at_once=rows_at_once)
    stored = [(id_, size) for id_, (size, _) in folder.stats()]
    assert dict(stored) == expected
    assert len(stored) == len(expected)
    assert removed == sum(map(len, files)) - len(expected)


def marked(row: ImageRow, run: int) -> ImageRow:
    return replace(row, record=replace(row.record, size=run))


def test_vectors_are_exact(tmp_path: Path) -> None:
    rows = full_rows(7)
    folder = BulkFolder(str(tmp_path))
    table = folder.read(folder.write(rows, SCHEMA_VERSION, 1))
    read = np.array(table.column("embedding").to_pylist(), dtype=np.float32)
    assert np.array_equal(read, np.stack([row.embedding for row in rows]))


def test_import_restores_the_rows(tmp_path: Path, store: Store) -> None:
    rows = full_rows(12)
    folder = BulkFolder(str(tmp_path / "bulk"))
    folder.create()
    folder.write(rows, SCHEMA_VERSION, 1)
    model = ModelIdentity("model", len(rows[0].embedding), "w", "p")
    collection = store.create("from_bulk", model)
    report = import_embeddings(find_files([tmp_path / "bulk"]), ColumnChoice(), collection)
    assert not report.failed
    assert not report.unused
    expected = {row.record.id: (row.record, row.embedding.tobytes()) for row in rows}
    assert {key: value[:2] for key, value in contents(collection).items()} == expected
    store.drop("from_bulk")
