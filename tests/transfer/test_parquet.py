"""Exports to Parquet and imports of them: the same rows and facts, bit for bit."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch import Index
from clipsearch.errors import ModelMismatchError, StoreError, UsageError
from clipsearch.models.base import ModelIdentity
from clipsearch.query import Filters
from clipsearch.store import Collection, Store
from clipsearch.store.schema import EMBEDDING, to_entity
from clipsearch.transfer import export as exporting
from clipsearch.transfer.export import export_collection
from clipsearch.transfer.export_facts import KEY
from clipsearch.transfer.import_files import find_exported, import_exported
from clipsearch.transfer.row_import import ImportReport
from ingest.reindex.run import ReindexOptions, reindex
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.full_rows import contents, full_rows
from tests.helpers.records import MODEL
from tests.transfer.test_copy_collection import facts, fill

pa = pytest.importorskip("pyarrow", reason="pip install 'clipsearch[scale]'")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = full_rows(300)


@pytest.fixture
def source(source_store: Store, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr(exporting, "GROUP_BYTES", 50 * 16)  # six row groups
    collection = fill(source_store)
    collection.upsert(ROWS)
    collection.finish_writes()
    return collection


def restore(store: Store, *paths: Path, name: str = "images") -> ImportReport:
    files, found = find_exported(paths)
    return import_exported(files, found, store, name)


@pytest.mark.parametrize("file_rows", [10, 100, 299, 300, 1_000])
def test_files_have_about_as_many_rows_as_wanted(
    source: Collection, tmp_path: Path, file_rows: int
) -> None:
    report = export_collection(source, tmp_path / "folder", file_rows=file_rows)
    sizes = [pq.ParquetFile(path).metadata.num_rows for path in report.files]
    assert sum(sizes) == 300
    assert len(sizes) == pytest.approx(300 / file_rows, rel=0.35, abs=1)
    assert max(sizes) <= 2 * file_rows  # chance decides where ids lie


@pytest.mark.parametrize("target", ["all.parquet", "folder"])
def test_an_export_is_restored_bit_for_bit(
    source: Collection, target_store: Store, tmp_path: Path, target: str
) -> None:
    report = export_collection(source, tmp_path / target, file_rows=100)
    assert (report.rows, report.damaged) == (300, 0)
    assert (len(report.files) == 1) == (target == "all.parquet")
    if os.name == "posix":
        assert {path.stat().st_mode & 0o077 for path in (*report.files, tmp_path / target)} == {0}
    assert restore(target_store, tmp_path / target) == ImportReport(stored=300)
    restored = target_store.collection("images")
    assert contents(restored) == contents(source)
    assert facts(restored) == facts(source)
    assert restore(target_store, tmp_path / target) == ImportReport(unchanged=300)


def test_other_programs_read_the_columns(source: Collection, tmp_path: Path) -> None:
    export_collection(source, tmp_path / "a.parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert file.num_row_groups > 3
    table = file.read()
    rows = {row.record.id: row for row in ROWS}
    assert table.column("id").to_pylist() == sorted(rows)
    assert table.schema.field(EMBEDDING).type == pa.list_(pa.float32(), 4)
    for values in table.to_pylist():
        record = rows[values["id"]].record
        for name in ("width", "tags", "taken_at", "latitude", "camera", "content_hash"):
            stored = getattr(record, name)
            assert values[name] == (list(stored) if name == "tags" else stored)
    assert json.loads(file.schema_arrow.metadata[KEY])["model"]["weights"] == MODEL.weights


def test_an_export_of_filtered_rows_has_only_those(source: Collection, tmp_path: Path) -> None:
    choice = Filters(tags=("tag 0 ü",), glob="*3.jpg")
    report = export_collection(source, tmp_path / "some.parquet", choice=choice)
    wanted = [r for r in ROWS if r.record.tags and r.record.path.name.endswith("3.jpg")]
    assert report.rows == len(wanted) > 10
    assert pq.read_metadata(tmp_path / "some.parquet").num_rows == len(wanted)


def test_an_empty_collection_is_exported_and_restored(
    source_store: Store, target_store: Store, tmp_path: Path
) -> None:
    export_collection(source_store.create("images", MODEL), tmp_path / "folder")
    assert restore(target_store, tmp_path / "folder") == ImportReport()
    assert target_store.collection("images").info.model == MODEL


def test_a_failed_export_leaves_no_file_and_an_old_one_as_it_was(
    source: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.parquet").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "to_table", fail)
    for name in ("a.parquet", "folder"):
        with pytest.raises(KeyboardInterrupt):
            export_collection(source, tmp_path / name)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("a.parquet", b"old")
    ]


def test_a_folder_with_files_is_not_written(source: Collection, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    export_collection(source, tmp_path / "folder")  # it is empty
    with pytest.raises(UsageError, match="exists"):
        export_collection(source, tmp_path / "folder")
    with pytest.raises(UsageError, match="cannot be written"):
        export_collection(source, tmp_path / "nowhere" / "a.parquet")


def test_damaged_rows_are_left_out_of_an_export_and_counted(
    source_store: Store, source: Collection, tmp_path: Path
) -> None:
    entity = to_entity(ROWS[3], source.info.schema_version)
    entity[EMBEDDING] = np.array([0, 1, 0, 0], dtype=np.float32)
    source_store.backend.upsert("images", [entity])
    report = export_collection(source, tmp_path / "a.parquet")
    assert (report.rows, report.damaged) == (299, 1)


def test_rows_that_were_changed_in_the_file_fail_one_by_one(
    source: Collection, target_store: Store, tmp_path: Path
) -> None:
    export_collection(source, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    sizes = table.column("size").to_pylist()
    sizes[6] += 1
    position = table.schema.get_field_index("size")
    changed = table.set_column(position, "size", pa.array(sizes, pa.int64()))
    pq.write_table(changed, tmp_path / "a.parquet")
    report = restore(target_store, tmp_path / "a.parquet")
    assert (report.stored, report.failed) == (299, 1)
    assert report.failures[0].reason == "row 7: its checksum is wrong"


def test_files_that_cannot_be_restored_are_refused(
    source: Collection, target_store: Store, tmp_path: Path
) -> None:
    export_collection(source, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.drop_columns(["size"]), tmp_path / "columns.parquet")
    pq.write_table(table.replace_schema_metadata(), tmp_path / "foreign.parquet")
    described = json.loads(table.schema.metadata[KEY])
    for name, other in {"newer": described | {"format": 9}, "broken": {"format": 1}}.items():
        metadata = {KEY: json.dumps(other).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / f"{name}.parquet")
    (tmp_path / "text.parquet").write_text("no")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:4_000] + bytes(500) + whole[4_500:])
    for paths, message in {
        ("columns",): "was changed",
        ("newer",): "newer version",
        ("broken",): "damaged",
        ("text",): "not a Parquet file",
        ("cut",): "damaged",
        ("a", "foreign"): "not exported",
        ("missing",): "no such file",
    }.items():
        with pytest.raises(UsageError, match=message):
            restore(target_store, *(tmp_path / f"{name}.parquet" for name in paths))


def test_exports_of_different_models_are_not_mixed(
    source: Collection, source_store: Store, target_store: Store, tmp_path: Path
) -> None:
    other = source_store.create("other", ModelIdentity("other", 4, "w", "p"))
    export_collection(source, tmp_path / "a.parquet")
    export_collection(other, tmp_path / "b.parquet")
    with pytest.raises(ModelMismatchError, match="different collections"):
        restore(target_store, tmp_path)
    target_store.create("images", replace(MODEL, weights="w"))
    with pytest.raises(ModelMismatchError, match="other weights"):
        restore(target_store, tmp_path / "a.parquet")


def test_an_import_into_a_collection_replaces_what_differs(
    source: Collection, target_store: Store, tmp_path: Path
) -> None:
    export_collection(source, tmp_path / "a.parquet")
    restore(target_store, tmp_path / "a.parquet")
    target = target_store.collection("images")
    target.upsert([replace(ROWS[5], embedding=-ROWS[5].embedding)])
    target.delete([ROWS[6].record.id])
    report = restore(target_store, tmp_path / "a.parquet")
    assert report == ImportReport(stored=1, replaced=1, unchanged=298)
    assert contents(target_store.collection("images")) == contents(source)


def test_what_is_verified_in_the_end_must_be_there(
    source: Collection, target_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_collection(source, tmp_path / "a.parquet")
    monkeypatch.setattr(Collection, "upsert", lambda *_: None)
    with pytest.raises(StoreError, match="300 of 300 imported rows"):
        restore(target_store, tmp_path / "a.parquet")


def test_an_open_index_exports_and_imports_the_rows_in_use(tmp_path: Path) -> None:
    """Another program has reindexed the collection and dropped the old rows, before each call."""
    draw(tmp_path / "images" / "red.png", "red")
    encoder, options = ColorEncoder(name="colors"), ReindexOptions(force=True, drop_old=True)
    with Index.open(tmp_path / "a.db", model=encoder, daemon=False) as index:
        index.ingest(tmp_path / "images")
        reindex(index.store, index.name, encoder, lambda _: encoder, options)
        assert index.export(tmp_path / "a.parquet").rows == 1
        table = pq.read_table(tmp_path / "a.parquet").select(["path", EMBEDDING])
        table = table.set_column(0, "path", pa.array(["/other.png"])).replace_schema_metadata()
        pq.write_table(table, tmp_path / "b.parquet")
        reindex(index.store, index.name, encoder, lambda _: encoder, options)
        assert index.import_embeddings(tmp_path / "b.parquet").stored == 1
        assert index.store.collection(index.name).count() == 2
