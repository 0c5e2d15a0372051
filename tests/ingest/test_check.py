"""`check` finds what is wrong in a store, and restores it from the image files."""

import logging
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import DamagedStoreError, StoreError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import image_id
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.session import open_store
from clipsearch.store import Collection, Store
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.schema import EMBEDDING, Entity
from clipsearch.types import ImageRow
from ingest.check import CheckReport, check
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.restore import WITHOUT_METADATA
from ingest.sources.source import SourceOptions, open_source
from tests.helpers.archives import image_bytes, sample, write_tar
from tests.helpers.daemons import NEEDS_SOCKETS, serving
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import old_schema

NATIVE = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
IMAGES, FLIPS = 24, 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    colors = random.Random(3)
    for number in range(IMAGES):
        color = (colors.randrange(1, 256), colors.randrange(256), colors.randrange(256))
        draw(tmp_path / "images" / f"{number}.png", color)
    return tmp_path / "images"


@pytest.fixture
def path(tmp_path: Path, folder: Path) -> Path:
    """A closed store with the images of the folder."""
    path = tmp_path / "images.db"
    with Store.open(path) as store:
        fill(store.create("images", ColorEncoder().identity), folder)
    return path


def fill(collection: Collection, folder: Path) -> None:
    ingest(FileSource([folder]), collection, ColorEncoder(), IngestOptions())


def run_check(path: Path, *, repair: bool = False) -> list[CheckReport]:
    with open_store(path, create=False, single_query=True) as store:
        return list(check(store, lambda _: ColorEncoder, repair=repair))


def read(path: Path) -> dict[Path, ImageRow]:
    with Store.open(path, create=False) as store:
        return {row.record.path: row for row in store.collection("images").scan_rows()}


def same(rows: dict[Path, ImageRow], others: dict[Path, ImageRow]) -> bool:
    return rows.keys() == others.keys() and all(
        row.record == others[key].record and np.array_equal(row.embedding, others[key].embedding)
        for key, row in rows.items()
    )


def tamper(path: Path, file: Path, /, **values: object) -> None:
    """Replace fields of a row, but not its checksum."""
    with Store.open(path) as store:
        images = store.collection("images")
        [entity] = [e for e in stored(images) if e["path"] == str(file)]
        store.backend.delete("images", [entity["id"]])
        store.backend.upsert("images", [{**entity, **values}])


def stored(images: Collection) -> Sequence[Entity]:
    rows = images._scanner.scan("", images._all_fields, vectors=True)
    return [{**row, EMBEDDING: np.asarray(row[EMBEDDING], np.float32)} for row in rows]


def row_bytes(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [row for (row,) in connection.execute("SELECT CAST(data AS BLOB) FROM images")]


@NATIVE
def test_each_flipped_bit_is_refused_harmless_or_found_and_repaired(
    path: Path, folder: Path
) -> None:
    sound, data, rows = read(path), path.read_bytes(), row_bytes(path)
    draws, seen, reasons = random.Random(18), Counter[str](), list[str]()
    for number in range(FLIPS):
        flipped = bytearray(data)
        position = draws.randrange(len(data))
        if number % 3:  # within a row
            row = draws.choice(rows)
            position = data.rindex(row) + draws.randrange(len(row))
        flipped[position] ^= 1 << draws.randrange(8)
        path.write_bytes(flipped)
        try:
            [report] = run_check(path)
        except StoreError as error:
            seen["refused"] += 1
            reasons.append(str(error))
            continue
        if report.is_clean:
            assert same(read(path), sound), f"byte {position} was not found"
            seen["harmless"] += 1
            continue
        seen["found"] += 1
        [repaired] = run_check(path, repair=True)
        assert repaired.restored == len(repaired.damaged) == 1
        assert all(report.is_clean for report in run_check(path))
        assert same(read(path), sound), f"byte {position} was not repaired"
    assert seen.total() == FLIPS
    assert all("damaged" in reason or "another program" in reason for reason in reasons), reasons
    assert seen["found"] >= FLIPS // 2


def test_wrong_fields_are_found_and_embedded_again(path: Path, folder: Path) -> None:
    sound = read(path)
    tamper(path, folder / "0.png", width=77)
    tamper(path, folder / "1.png", embedding=np.array([0, 0, 0, 1], np.float32))
    tamper(path, folder / "2.png", path=str(folder / "3.png"))
    [found] = run_check(path)
    assert (found.rows, found.lost, found.has_checksums) == (IMAGES, 0, True)
    assert [row.reason for row, _ in found.damaged] == ["its checksum is wrong"] * 3
    [repaired] = run_check(path, repair=True)
    assert repaired.restored == 3
    assert [report.is_clean for report in run_check(path)] == [True]
    assert same(read(path), sound)


def test_a_damaged_row_without_a_file_is_removed(path: Path, folder: Path) -> None:
    tamper(path, folder / "0.png", width=77)
    tamper(path, folder / "1.png", width=77)
    (folder / "0.png").unlink()
    (folder / "1.png").write_bytes(b"no image")
    [report] = run_check(path, repair=True)
    outcomes = {row.path: outcome for row, outcome in report.damaged}
    assert outcomes[folder / "0.png"].startswith("removed: ")
    assert outcomes[folder / "1.png"].startswith("removed: ")
    assert [report.is_clean for report in run_check(path)] == [True]
    assert len(read(path)) == IMAGES - 2


def test_lost_rows_are_counted_and_ingested_again(path: Path, folder: Path) -> None:
    sound = read(path)
    with Store.open(path) as store:
        store.backend.delete("images", [row.record.id for row in list(sound.values())[:3]])
    with pytest.raises(DamagedStoreError, match="clipsearch check --repair"):
        read(path)
    assert [report.lost for report in run_check(path)] == [3]
    assert [report.lost for report in run_check(path, repair=True)] == [3]
    with Store.open(path) as store:
        fill(store.collection("images"), folder)
    assert [report.is_clean for report in run_check(path)] == [True]
    assert same(read(path), sound)


@pytest.mark.parametrize("lost", [1, 2])
def test_lost_members_of_archives_are_ingested_again(
    path: Path, folder: Path, tmp_path: Path, lost: int
) -> None:
    shard = write_tar(tmp_path / "1.tar", [*sample("a", "red"), *sample("b", "blue")])
    other = write_tar(tmp_path / "2.tar", sample("c", "lime"))

    def ingest_all(store: Store) -> None:
        source = open_source([folder, shard, other])
        ingest(source, store.collection("images"), ColorEncoder(), IngestOptions())

    with Store.open(path) as store:
        ingest_all(store)
    sound = read(path)
    with Store.open(path) as store:
        store.backend.delete("images", [image_id(shard / n) for n in ("a.png", "b.png")[:lost]])
    assert [report.lost for report in run_check(path, repair=True)] == [lost]
    with Store.open(path) as store:
        ingest_all(store)
    assert same(read(path), sound)


@pytest.fixture
def described(path: Path, folder: Path, tmp_path: Path) -> dict[str, Path]:
    """Images with metadata: in a tar of which one field is chosen, in Parquet, and a file."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    shard = write_tar(tmp_path / "1.tar", sample("a", "red", license="cc0", views=3))
    rows = tmp_path / "rows.parquet"
    columns = {"image": [image_bytes("lime"), image_bytes("blue")], "caption": ["lime", "blue"]}
    parquet.write_table(pa.table(columns), rows)
    names = tmp_path / "names.parquet"
    columns = {"path": [str(folder / "0.png")], "caption": ["a file"]}
    parquet.write_table(pa.table(columns), names)
    (folder / "0.png").touch()  # so that it is read again
    chosen = SourceOptions(FieldSelection(("license",)))
    with Store.open(path) as store:
        images = store.collection("images")
        for source in (open_source([shard], options=chosen), open_source([rows, names])):
            ingest(source, images, ColorEncoder(), IngestOptions())
    return {"tar": shard / "a.png", "row": rows / "image" / "1", "file": folder / "0.png"}


@pytest.mark.parametrize("field", ["width", "metadata"])
@pytest.mark.parametrize("place", ["tar", "row", "file"])
def test_a_repaired_row_keeps_its_metadata(
    path: Path, described: dict[str, Path], place: str, field: str
) -> None:
    sound = read(path)
    tamper(path, described[place], **{field: 77 if field == "width" else {"licence": "cc1"}})
    [report] = run_check(path, repair=True)
    assert [outcome for _, outcome in report.damaged] == ["embedded again"]
    repaired = read(path)
    if field == "width":
        assert same(repaired, sound)
    else:  # only an archive tells it again
        metadata = repaired[described[place]].record.metadata
        assert metadata["license" if place == "tar" else "caption"] if place != "file" else metadata


@NATIVE
def test_metadata_that_is_lost_is_named_and_returns_with_rehash(
    path: Path, described: dict[str, Path]
) -> None:
    sound = read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE images SET data = x'0aff' WHERE milvus_id = ?",
            (image_id(described["file"]),),
        )
    [report] = run_check(path, repair=True)
    assert report.restored == 1
    assert [outcome for _, outcome in report.damaged] == [WITHOUT_METADATA]
    with Store.open(path) as store:
        source = open_source([path.parent / "names.parquet"])
        options = IngestOptions(rehash=True)
        ingest(source, store.collection("images"), ColorEncoder(), options)
    assert same(read(path), sound)


@NATIVE
def test_an_interrupted_repair_hides_no_lost_row(
    path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE images SET data = x'0aff' WHERE id IN (1, 2)")

    def interrupt(*_: object) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ingest.check.restore", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_check(path, repair=True)
    with Store.open(path) as store, pytest.raises(DamagedStoreError, match="check --repair"):
        store.find("images")
    assert [(report.lost, report.damaged) for report in run_check(path, repair=True)] == [(2, [])]
    with Store.open(path) as store:
        fill(store.collection("images"), folder)
    assert same(read(path), sound)
    assert run_check(path)[0].is_clean


KILLED_WITHIN = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_spill = 1")
connection.execute("PRAGMA cache_size = 1")
connection.execute("DELETE FROM images WHERE id < 20")
os._exit(9)
"""


def test_a_repair_that_was_killed_within_a_transaction_can_be_repeated(path: Path) -> None:
    sound = read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE images SET data = x'0aff' WHERE id IN (1, 2)")
    subprocess.run([sys.executable, "-c", KILLED_WITHIN, str(path)], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size
    [report] = run_check(path, repair=True)
    assert (report.rows, report.lost, len(report.damaged)) == (IMAGES, 0, 2)
    assert same(read(path), sound)


@NATIVE
@pytest.mark.parametrize("tables", [False, True])
def test_a_store_without_a_collection_is_not_damaged(tables: bool, tmp_path: Path) -> None:
    if tables:
        Store.open(tmp_path / "new.db").close()
        with closing(sqlite3.connect(tmp_path / "new.db")) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS clipsearch_catalog")
            connection.execute("DELETE FROM collection_meta")
    else:  # killed before Milvus Lite made its tables
        with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
            connection.execute("VACUUM")
    assert run_check(tmp_path / "new.db") == []


@NATIVE
def test_a_row_that_milvus_lite_cannot_load_is_named_by_other_commands(path: Path) -> None:
    row = row_bytes(path)[5]
    data = bytearray(path.read_bytes())
    data[path.read_bytes().rindex(row)] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedStoreError, match="clipsearch check --repair"):
        read(path)


@NATIVE
@pytest.mark.parametrize(("key", "is_spared"), [("root/", True), ("collection/", False)])
def test_a_damaged_catalog_is_repaired_if_it_can_be_written_again(
    path: Path, key: str, is_spared: bool
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        catalog = "SELECT CAST(data AS BLOB) FROM clipsearch_catalog WHERE milvus_id LIKE ?"
        [(row,), *_] = connection.execute(catalog, (f"{key}%",))
    data = bytearray(path.read_bytes())
    data[bytes(data).rindex(row)] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedStoreError, match="--repair" if is_spared else "restore a copy"):
        run_check(path)
    if is_spared:
        assert [report.is_clean for report in run_check(path, repair=True)] == [True]
        assert [report.is_clean for report in run_check(path)] == [True]
        assert len(read(path)) == IMAGES


def test_a_collection_without_checksums_is_checked_for_the_rest(
    tmp_path: Path, folder: Path
) -> None:
    path = tmp_path / "old.db"
    with old_schema(version=3), Store.open(path) as store:
        fill(store.create("images", ColorEncoder().identity), folder)
    [report] = run_check(path)
    assert (report.is_clean, report.has_checksums) == (True, False)
    tamper(path, folder / "4.png", path="/elsewhere.png")
    tamper(path, folder / "5.png", embedding=np.array([1, 1, 1, 1], np.float32))
    [report] = run_check(path, repair=True)
    assert sorted(row.reason for row, _ in report.damaged) == [
        "its id is not that of its path",
        "its vector has length 2 instead of 1",
    ]
    assert report.restored == 2
    assert [report.is_clean for report in run_check(path)] == [True]


@NEEDS_SOCKETS
def test_a_daemon_reads_the_rows_for_a_check(path: Path, folder: Path) -> None:
    sound = read(path)
    tamper(path, folder / "7.png", size=1)
    with serving(path):
        assert [len(report.damaged) for report in run_check(path)] == [1]
        assert [report.restored for report in run_check(path, repair=True)] == [1]
        assert [report.is_clean for report in run_check(path)] == [True]
    assert same(read(path), sound)


def test_damaged_rows_are_named_when_they_are_read_and_not_written_again(
    path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(path, folder / "7.png", size=1)
    with Store.open(path) as store, caplog.at_level(logging.WARNING, "clipsearch"):
        images = store.collection("images")
        rows = list(images.scan_rows())
        assert len(rows) == IMAGES - 1
        images.upsert([replace(row, record=replace(row.record, tags=("x",))) for row in rows])
        images.finish_writes()
    [message] = caplog.messages
    assert "7.png" in message
    assert "clipsearch check" in message
    assert [len(report.damaged) for report in run_check(path)] == [1]


@pytest.mark.parametrize("single_query", [True, False])
def test_damage_is_noticed_when_a_store_is_opened_or_a_hit_is_read(
    path: Path, folder: Path, single_query: bool, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(path, folder / "7.png", size=1)
    with (
        caplog.at_level(logging.WARNING, "clipsearch"),
        open_store(path, create=False, single_query=single_query) as store,
    ):
        images = store.collection("images")
        if single_query and native_library() is not None:
            images.search(np.ones(4, np.float32), limit=IMAGES)
    if not single_query or native_library() is not None:
        [message] = caplog.messages
        assert "clipsearch check" in message


@NATIVE
@NEEDS_SOCKETS
def test_a_row_that_cannot_be_loaded_needs_the_daemon_to_stop(path: Path) -> None:
    sound = read(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE images SET data = x'0aff' WHERE id = 1")
    with serving(path), pytest.raises(DamagedStoreError, match="clipsearch warm --stop"):
        run_check(path, repair=True)
    assert [report.lost for report in run_check(path, repair=True)] == [0]
    assert same(read(path), sound)
