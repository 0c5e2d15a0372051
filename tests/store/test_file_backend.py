"""A backend that reads the file of Milvus Lite itself, compared with Milvus Lite."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import DamagedStoreError, StoreError, UsageError
from clipsearch.session import open_store
from clipsearch.store import Store, filters
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite import row as lite_row
from clipsearch.store.milvus_lite.key_condition import compile_condition
from clipsearch.store.milvus_lite.native_server import NativeServer, native_library
from clipsearch.store.schema import SCHEMA_VERSION, to_entity
from clipsearch.types import Failure
from tests.helpers.records import DIM, MODEL, many, row

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

ROWS = [
    *many(600),
    *(row(f"/copy/{n}.jpg", (1, 1, 1, n % 3)) for n in range(40)),
    row("/ü/\N{FIRE}.png", (0, 1, 0, 0), content="", size=2**40, mtime_ns=-(2**62), format="png"),
    row("/b.jpg", (0, 0, 1, 0), taken_at=datetime(1950, 2, 3, 4, 5, 6)),  # before 1970: negative
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of ROWS, some of which were written twice, and of an empty collection."""
    path = tmp_path_factory.mktemp("store") / "it's 100 %.db"
    with Store.open(path) as store:
        images = store.create("photos", MODEL)
        images.upsert(many(700, seed=5))
        images.upsert(ROWS)
        images.delete([row.record.id for row in many(700)[600:]])
        images.add_roots([Path("/many"), Path("/ü")])
        images.add_failures([Failure(Path("/x.jpg"), "no image")])
        images.finish_writes()
        store.create("empty", MODEL)
        store.create("a", MODEL).upsert([row("/c.jpg")])
    return path


@pytest.fixture
def direct(path: Path) -> Iterator[Store]:
    with open_store(path, create=False, single_query=True) as store:
        yield store


def is_started(path: Path) -> bool:
    server = local_store._servers[path.resolve()]
    assert isinstance(server, NativeServer)
    return bool(server._processes)


def test_the_file_gives_what_milvus_lite_gives(path: Path, direct: Store) -> None:
    queries = np.random.default_rng(1).standard_normal((3, DIM)).astype(np.float32)
    queries[0] = 1  # nearest to the copies
    ids = [row.record.id for row in ROWS[::7]]
    sample = filters.random_share(0.25)

    def read(store: Store) -> tuple[list[object], list[float]]:
        images = store.collection("photos")
        pages = [
            images.search(queries, limit=limit, offset=offset, condition=condition)
            for limit, offset in ((1, 0), (10, 595), (7, 3), (100, 0))
            for condition in ("", sample)
        ]
        hits = [hit for page in pages for hits in page for hit in hits]
        cosines = images.scores(queries, limit=50, condition=sample)
        return [
            images.info,
            [hit.record for hit in hits],
            (images.count(), images.count(sample), images.failures(), images.textness()),
            {key: row.record for key, row in images.get([*ids, "unknown"]).items()},
            {key: row.embedding.tolist() for key, row in images.get(ids).items()},
            sorted(images.scan(sample), key=str),
            images.file_states(ids),
            (store.collections(), store.find("missing")),
            (store.collection("empty").count(), store.collection("empty").search(queries, limit=5)),
        ], [*(hit.score for hit in hits), *np.concatenate(cosines).tolist()]

    found, scores = read(direct)
    assert not is_started(path)
    with Store.open(path) as store:
        expected, expected_scores = read(store)
        assert found == expected
        assert scores == pytest.approx(expected_scores, abs=1e-5)
        assert {record.id for record in direct.collection("photos").scan()} == {
            row.record.id for row in ROWS
        }


def test_a_filter_on_another_field_starts_milvus_lite(path: Path, direct: Store) -> None:
    photos = direct.collection("photos")
    query = np.ones(DIM, dtype=np.float32)
    assert photos.count() == len(ROWS)
    assert not is_started(path)
    [hits] = photos.search(query, limit=9, condition=filters.at_most("size", 5))
    assert {hit.record.size for hit in hits} == set(range(6))
    assert is_started(path)
    with pytest.raises(UsageError, match="cannot read the filter"):
        photos.count("size >")
    assert photos.count() == len(ROWS)


def test_writes_of_this_store_and_of_others_are_seen(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.create("photos", MODEL).upsert(many(3))
    for writer_reads_directly in (True, False):
        with open_store(tmp_path / "s.db", single_query=True) as store:
            photos = store.collection("photos")
            before = photos.count()
            if writer_reads_directly:
                photos.upsert([row("/new.jpg")])
            else:
                with Store.open(tmp_path / "s.db") as other:
                    other.collection("photos").upsert([row("/newer.jpg")])
            assert photos.count() == before + 1
            assert len(photos.search(np.ones(DIM, dtype=np.float32), limit=9)[0]) == before + 1


def test_a_file_that_another_replaces_is_read_to_the_end(tmp_path: Path) -> None:
    for name in ("s.db", "other.db"):
        with Store.open(tmp_path / name) as store:
            store.create("photos", MODEL).upsert([row(f"/{name}.jpg")])
    with open_store(tmp_path / "s.db", single_query=True) as store:
        photos = store.collection("photos")
        (tmp_path / "other.db").replace(tmp_path / "s.db")
        assert [record.path.name for record in photos.scan()] == ["s.db.jpg"]


def test_a_new_file_and_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(tmp_path / "s.db", single_query=True, create=False)
    with open_store(tmp_path / "s.db", single_query=True) as store:
        assert store.collections() == []
        store.create("photos", MODEL).upsert(many(3))
        assert store.collection("photos").count() == 3


def test_the_file_is_locked_until_the_store_is_closed(path: Path) -> None:
    code = "import sys; from clipsearch.store import Store; Store.open(sys.argv[1])"
    command = [sys.executable, "-c", code, str(path)]
    store = open_store(path, single_query=True)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"is open in another process ({os.getpid()})" in refused.stderr
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.find("photos")
    subprocess.run(command, check=True)
    assert not list(path.parent.glob(".*.lock"))


def test_rows_that_vanished_are_damage(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.create("photos", MODEL).upsert(many(9))
        store.collection("photos").finish_writes()
        store.backend.delete("photos", [many(1)[0].record.id])
    with (
        open_store(tmp_path / "s.db", single_query=True) as store,
        pytest.raises(DamagedStoreError, match="8 rows, but 9"),
    ):
        store.collection("photos")


@pytest.mark.parametrize("name", ["decode_row", "vector_layout", "_scan"])
def test_an_unknown_format_is_left_to_milvus_lite(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: object) -> None:
        raise ValueError

    module = "row" if name == "_scan" else "file"
    monkeypatch.setattr(f"clipsearch.store.milvus_lite.{module}.{name}", fail)
    with open_store(path, single_query=True) as store:
        assert store.collection("photos").count() == len(ROWS)
        assert is_started(path)


def test_rows_of_another_dimension_are_not_read(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.create("photos", MODEL).upsert(many(3))
    with closing(sqlite3.connect(tmp_path / "s.db")) as database, database:
        database.text_factory = bytes
        [*_, (number, data)] = database.execute("SELECT id, data FROM photos")
        changed = data.replace(b"embedding", b"embeddinG")
        database.execute("UPDATE photos SET data = ? WHERE id = ?", (changed, number))
    with open_store(tmp_path / "s.db", single_query=True) as store:
        store.find("photos")
        assert is_started(tmp_path / "s.db")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE photos SET data = NULL WHERE id = 1",
        "UPDATE photos SET data = x'' WHERE id = 1",
        "UPDATE photos SET data = 7 WHERE id = 1",
        "UPDATE photos SET data = x'1001' WHERE id = 1",
        "UPDATE collection_meta SET collection_name = NULL WHERE id = 1",
    ],
)
def test_damage_gives_the_error_of_milvus_lite(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        store.create("photos", MODEL).upsert(many(3))
        store.collection("photos").finish_writes()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    with open_store(path, single_query=True) as store, pytest.raises(StoreError):
        store.collection("photos").count()


def test_a_damaged_entry_of_the_catalog_is_reported(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        store.create("photos", MODEL)
    with closing(sqlite3.connect(tmp_path / "s.db")) as database, database:
        database.text_factory = bytes
        for number, data in database.execute("SELECT id, data FROM clipsearch_catalog").fetchall():
            changed = data.replace(b'"model"', b'?model"')
            database.execute(
                "UPDATE clipsearch_catalog SET data = ? WHERE id = ?", (changed, number)
            )
    for direct in (False, True):
        with (
            open_store(tmp_path / "s.db", single_query=direct) as store,
            pytest.raises(DamagedStoreError, match="catalog"),
        ):
            store.find("photos")


def test_of_rows_with_the_same_key_only_one_is_a_hit(tmp_path: Path) -> None:
    """Another program may insert a row that exists; clipsearch replaces it."""
    old, new = row("/a.jpg", (1, 0, 0, 0)), row("/a.jpg", (0, 1, 0, 0))
    with Store.open(tmp_path / "s.db") as store:
        store.create("photos", MODEL).upsert([old])
        assert isinstance(store.backend, MilvusBackend)
        client = store.backend._connection.client_for("photos")
        client.insert("photos", [to_entity(new, SCHEMA_VERSION)])
    with open_store(tmp_path / "s.db", single_query=True) as store:
        [hits] = store.collection("photos").search(old.embedding, limit=9)
        assert [hit.score for hit in hits] == [1]


def test_a_write_that_a_kill_interrupted_is_undone(tmp_path: Path) -> None:
    """SQLite keeps the old pages in a journal, which only Milvus Lite may apply."""
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        store.create("photos", MODEL).upsert(many(300))
        store.collection("photos").finish_writes()
    code = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA cache_size = 1")
database.execute("DELETE FROM photos")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.with_name("s.db-journal").stat().st_size
    with open_store(path, single_query=True) as store:
        assert store.collection("photos").count() == 300
        assert is_started(path)


def test_a_search_imports_no_pymilvus(path: Path) -> None:
    code = """
import sys
import numpy as np
from clipsearch.session import open_store
with open_store(sys.argv[1], single_query=True) as store:
    [[hit]] = store.collection("photos").search(np.ones(4, dtype=np.float32), limit=1)
print({"pymilvus", "grpc"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code, str(path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", "abcd"),
        ('id < "c"', "ab"),
        ('id >= "b" and id <= "c"', "bc"),
        ('(id >= "b" and id < "d") and (id != "c")', "b"),
        ('id in ["a", "d", "x"]', "ad"),
        ('id == "a"', "a"),
        ('id in ["a\\"]", "b"]', "b"),
        ('id < "c" or id == "d"', None),
        ('not (id < "c")', None),
        ('size < "c"', None),
        ("id < 'c'", None),
        ('id < "\\x63"', None),
        ('id < "c" and size > 3', None),
        ('id < "c" and', None),
        ('id < "c" id < "b"', None),
        ('"c" > id', None),
    ],
)
def test_conditions_on_the_key(condition: str, expected: str | None) -> None:
    matches = compile_condition(condition, "id")
    keys = np.array([b"a", b"b", b"c", b"d"])
    assert (None if matches is None else b"".join(keys[matches(keys)]).decode()) == expected


def test_a_damaged_row_is_an_error_or_other_values() -> None:
    fields = [
        b"\x08\x15\x12\x02id\x1a\x05\x32\x03\x0a\x01a",
        b"\x08\x05\x12\x04size\x1a\x0e\x1a\x0c\x0a\x0a" + b"\xff" * 9 + b"\x01",
        b"\x08\x16\x12\x04tags\x1a\x0aB\x08\x0a\x06\x32\x04\x0a\x00\x0a\x00",
        b"\x08e\x12\x01v\x22\x0a\x08\x01\x12\x06\x0a\x04\x00\x00\x80\x3f",
    ]
    row = b"".join(b"\x0a" + bytes([len(field)]) + field for field in fields)
    assert lite_row.decode_row(row) == {"id": "a", "size": -1, "tags": ["", ""], "v": [1]}
    layout = lite_row.vector_layout(row)
    assert (layout.from_end, layout.dim) == (4, 1)
    for position in range(len(row)):
        with suppress(ValueError):
            lite_row.decode_row(row[:position])
        for value in range(256):
            damaged = row[:position] + bytes([value]) + row[position + 1 :]
            for read in (lite_row.decode_row, lite_row.vector_layout):
                with suppress(ValueError):
                    read(damaged)
