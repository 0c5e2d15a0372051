"""A store on a file: damage, locks, processes, and leftovers."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from clipsearch.errors import (
    DamagedStoreError,
    MissingCollectionError,
    StoreError,
    UsageError,
)
from clipsearch.index import Index
from clipsearch.startup import import_pymilvus
from clipsearch.store import Store
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.native_server import PAGE_BYTES, NativeServer, native_library
from clipsearch.store.schema import (
    SCHEMA_VERSION,
    CollectionSchema,
    image_schema,
    stored_fields,
    to_entity,
)
from tests.helpers.records import MODEL, many

ROOT = Path(__file__).parents[2]
native = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

HOLD = """
import sys
from clipsearch.store import Store
store = Store.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def python(code: str, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open."""
    with python(HOLD, path) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def filled(path: Path, rows: int = 300) -> Path:
    with Store.open(path) as store:
        images = store.create("photos", MODEL)
        images.upsert(many(rows))
        images.finish_writes()
    return path


def refuses(path: Path, *, reason: str, kind: type[StoreError] = StoreError) -> None:
    """Opening fails for this reason, in one line that names the file, and leaves it as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(kind, match=reason) as raised:
        Store.open(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not list(path.parent.glob(".*.lock"))


@pytest.mark.parametrize(
    "uri",
    [
        *("photos", "photos.sqlite", "/tmp/", "s3://bucket/photos.db"),
        *("http://127.0.0.1:abc", "http://127.0.0.1:99999", "~no such user/photos.db"),
    ],
)
def test_a_uri_of_neither_kind_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match=uri):
        Store.open(uri)


def test_a_server_that_does_not_answer_is_named_within_seconds() -> None:
    start = time.monotonic()
    with pytest.raises(
        StoreError, match=r"no Milvus answers at http://127\.0\.0\.1:1: check that"
    ) as raised:
        Store.open("http://user:secret@127.0.0.1:1")
    assert time.monotonic() - start < 15
    assert "secret" not in str(raised.value)


def test_a_missing_store_is_created_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "photos.db"
    with pytest.raises(StoreError, match=r"no store at .*clipsearch ingest"):
        Store.open(path, create=False)
    assert not path.parent.exists()
    with Store.open(path) as store:
        assert store.collections() == []
        assert store.is_local
        assert store.uri == str(path)
        store.create("photos", MODEL)
    with Store.open(path, create=False) as store:
        assert (store.disk_bytes() or 0) > 0


@native
@pytest.mark.parametrize(
    "name", ["with space.db", "ünï日本.db", "x" * 200 + ".db", "q'uo\"te.db", "\udcff\udcfe.db"]
)
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    filled(tmp_path / name, rows=3)
    with Store.open(tmp_path / name, create=False) as store:
        assert store.collection("photos").count() == 3


@native
def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("dear diary")
    refuses(text, reason="not a Milvus Lite database")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE songs (name)")
        connection.commit()
    refuses(other, reason="another program")


@native
@pytest.mark.parametrize("name", ["Photos", "bm25_stats", "Collection_Meta", "sqlite_x"])
def test_a_name_of_another_table_of_the_file_is_refused(tmp_path: Path, name: str) -> None:
    with Store.open(filled(tmp_path / "photos.db", rows=3)) as store:
        with pytest.raises(UsageError, match="use another name"):
            store.create(name, MODEL)
        assert [info.name for info in store.collections()] == ["photos"]


@native
def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    refuses(tmp_path / "folder.db", reason="is a folder")
    (tmp_path / "three.db" / "collections").mkdir(parents=True)
    refuses(tmp_path / "three.db", reason="Milvus Lite 3")


@native
def test_pages_of_a_new_file_hold_several_rows_and_those_of_an_old_one_stay(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.execute("VACUUM")
    for name, page_bytes in (("new.db", PAGE_BYTES), ("old.db", 4_096)):
        path = filled(tmp_path / name)
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA page_size").fetchone() == (page_bytes,)
        with Store.open(path) as store:
            assert store.collection("photos").count() == 300


@native
def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "photos.db").touch()
    filled(tmp_path / "photos.db", rows=3)


@native
def test_a_file_without_its_end_is_damaged(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    os.truncate(path, path.stat().st_size // 2)
    refuses(path, reason="end is missing", kind=DamagedStoreError)


@native
def test_a_file_with_broken_pages_is_refused_before_any_write(
    tmp_path: Path,
) -> None:
    path = filled(tmp_path / "photos.db")
    with path.open("r+b") as file:
        file.seek(4 * 4096)
        file.write(os.urandom(2 * 4096))
    refuses(path, reason="damaged", kind=DamagedStoreError)


def test_a_file_with_a_broken_schema_is_damaged(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3_000)
    refuses(path, reason="damaged", kind=DamagedStoreError)


def test_rows_that_vanished_are_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    with Store.open(path) as store:
        store.backend.delete("photos", [row.record.id for row in many(300)[:5]])
    with Store.open(path) as store:
        with pytest.raises(
            DamagedStoreError, match=r"295 rows, but 300.*clipsearch check --repair"
        ):
            store.collection("photos")
        store.drop("photos")
        assert store.create("photos", MODEL).count() == 0


def test_a_collection_that_vanished_is_not_created_again(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    with Store.open(path) as store:
        store.backend.drop("photos")
        for look in (store.find, store.collection, lambda name: store.create(name, MODEL)):
            with pytest.raises(DamagedStoreError, match="0 rows, but 300"):
                look("photos")
        assert [info.name for info in store.collections()] == ["photos"]
    with pytest.raises(DamagedStoreError, match="0 rows, but 300"):
        Index.open(path, collection="photos")
    with Store.open(path) as store:
        store.drop("photos")
        assert store.find("photos") is None
        assert store.create("photos", MODEL).count() == 0


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_read_only_place_is_named(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db", rows=3)
    path.chmod(0o400)
    refuses(path, reason="not readable and writable")
    path.chmod(0o600)
    tmp_path.chmod(0o500)
    refuses(path, reason="not writable")
    tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(tmp_path / "file" / "photos.db")


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)
    for path in (tmp_path / ("x" * 300 + ".db"), loop):
        with pytest.raises(StoreError, match=path.name):
            Store.open(path)


@native
def test_a_milvus_lite_that_cannot_run_is_named_and_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "milvus").touch(mode=0o600)
    with monkeypatch.context() as patch:
        patch.setattr("clipsearch.store.milvus_lite.local_store.native_library", lambda: tmp_path)
        refuses(tmp_path / "photos.db", reason=r"Permission denied.*milvus")
    filled(tmp_path / "photos.db", rows=3)


@native
def test_no_room_for_temporary_files_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        refuses(tmp_path / "photos.db", reason="No such file or directory")
    filled(tmp_path / "photos.db", rows=3)


@native
def test_a_store_in_use_is_refused_to_every_other_process(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    with holder(path) as process:
        for _ in range(2):  # a refused attempt must not break the lock
            with pytest.raises(StoreError, match=f"open in another process .{process.pid}."):
                Store.open(path)
    with Store.open(path) as store:  # right after a SIGKILL
        assert store.collection("photos").count() == 300


def test_a_store_may_be_opened_twice_in_one_process(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    first, second = Store.open(path), Store.open(path)
    first.close()
    first.close()
    assert second.collection("photos").count() == 300
    second.close()
    with pytest.raises(StoreError, match="closed"):
        second.collections()


def test_a_store_finds_the_first_collection_that_another_creates(tmp_path: Path) -> None:
    with Store.open(tmp_path / "photos.db") as early, Store.open(tmp_path / "photos.db") as late:
        assert early.collections() == []
        late.create("photos", MODEL)
        assert [info.name for info in early.collections()] == ["photos"]


@native
def test_a_store_that_was_not_closed_is_unlocked_by_the_garbage_collector(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    store = Store.open(path)
    with Store.open(path):
        pass
    with pytest.raises(StoreError, match="open in another process"), open_elsewhere(path):
        pass
    del store
    gc.collect()
    with open_elsewhere(path):
        pass


@contextmanager
def open_elsewhere(path: Path) -> Iterator[None]:
    """Open the store in another process; raise StoreError with its output if it fails."""
    code = "import sys; from clipsearch.store import Store; Store.open(sys.argv[1]).close()"
    with python(code, path) as process:
        output = process.communicate()[0]
    if process.returncode:
        raise StoreError(output)
    yield


@native
def test_a_forked_child_does_not_end_the_store_of_its_parent(tmp_path: Path) -> None:
    code = """
import os, sys
from clipsearch.store import Store
store = Store.open(sys.argv[1])
if not os.fork():
    sys.exit()
os.wait()
print(store.collection("photos").count())
"""
    with python(code, filled(tmp_path / "photos.db", rows=7)) as process:
        assert process.communicate()[0].splitlines()[-1] == "7"


@native
def test_all_stores_on_a_file_survive_the_end_of_milvus_lite(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db", rows=7)
    with Store.open(path) as first, Store.open(path) as second:
        collections = [store.collection("photos") for store in (first, second)]
        server = local_store._servers[path.resolve()]
        assert isinstance(server, NativeServer)
        for _ in range(3):
            server._processes[-1].kill()
            server._processes[-1].wait()
            assert [images.count() for images in collections] == [7, 7]


@native
@pytest.mark.parametrize("end", ["store.close()", "del store", "", "1 / 0", "os._exit(0)"])
def test_no_process_and_no_file_is_left(tmp_path: Path, end: str) -> None:
    code = f"""
import os, sys
os.environ["TMPDIR"] = os.environ["HOME"] = sys.argv[2]
from clipsearch.store import Store
from tests.helpers.records import MODEL
store = Store.open(sys.argv[1])
store.create("photos", MODEL)
print(store.backend._connection.server._processes[0].pid, flush=True)
{end}
"""
    path, temporary = tmp_path / "photos.db", tmp_path / "temporary"
    temporary.mkdir()
    with python(code, path, temporary) as process:
        assert process.stdout
        child = int(process.stdout.readline())
    assert ends(child)
    if "_exit" not in end:
        assert [file.name for file in tmp_path.iterdir() if file != temporary] == ["photos.db"]
        assert list(temporary.iterdir()) == []


def ends(pid: int) -> bool:
    """Whether this process, which is not our child, ends within seconds."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


@native
def test_a_store_opens_once_the_database_of_a_killed_process_has_ended(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    with holder(path) as process:
        child = int((tmp_path / ".photos.db.lock").read_text().split()[1])
        os.kill(child, signal.SIGSTOP)  # as slow as on a busy machine
        process.kill()
        process.wait()
        awake = threading.Timer(0.5, os.kill, (child, signal.SIGCONT))
        awake.start()
        with Store.open(path) as store:
            assert not awake.is_alive()
            assert ends(child)
            assert store.collection("photos").count() == 300


@native
def test_ctrl_c_does_not_end_the_database(tmp_path: Path) -> None:
    code = """
import os, signal, sys, time
from clipsearch.store import Store
with Store.open(sys.argv[1]) as store:
    try:
        os.killpg(0, signal.SIGINT)
        time.sleep(5)
    except KeyboardInterrupt:
        time.sleep(0.2)
        print(store.collection("photos").count())
"""
    path = filled(tmp_path / "photos.db", rows=7)
    process = subprocess.run(
        [sys.executable, "-c", code, path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert (process.stdout, process.stderr) == ("7\n", "")


@native
def test_a_kill_loses_no_row_that_was_counted(tmp_path: Path) -> None:
    path = filled(tmp_path / "photos.db")
    code = """
import sys
from clipsearch.store import Store
from tests.helpers.records import many
photos = Store.open(sys.argv[1]).collection("photos")
print("open", flush=True)
while True:
    photos.upsert(many(300))
"""
    for pause in (0.05, 0.21, 0.43):
        with python(code, path) as process:
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
        with Store.open(path) as store:
            images = store.collection("photos")
            assert images.count() >= images.info.rows
            images.upsert(many(300))
            images.finish_writes()


def test_a_full_disk_is_detected_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "photos.db") as store:
        images = store.create("photos", MODEL)
        with monkeypatch.context() as patch:
            patch.setattr(
                "clipsearch.store.milvus_lite.local_store.free_bytes", lambda path: 1 << 20
            )
            with pytest.raises(StoreError, match=r"disk of .* is full"):
                images.upsert(many(3))
        assert images.count() == 0


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Store.open(tmp_path / "photos.db") as store:
        images = store.create("photos", MODEL)
        images.upsert(many(3))
        for where in ("size >", "path like 3", "nothing == 1"):
            with pytest.raises(UsageError):
                images.search(many(1)[0].embedding, limit=1, condition=where)
        assert images.count() == 3
    assert capfd.readouterr() == ("", "")


def test_settings_of_pymilvus_do_not_matter(tmp_path: Path) -> None:
    code = "import sys; from clipsearch.store import Store; Store.open(sys.argv[1]); print('fine')"
    output = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "photos.db"],
        cwd=ROOT,
        env={**os.environ, "MILVUS_URI": "./milvus.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (output.stdout, output.stderr) == ("fine\n", "")


def test_importing_the_store_imports_no_pymilvus() -> None:
    code = """
import sys, clipsearch.store
print({'pymilvus', 'grpc', 'milvus_lite'} & set(sys.modules))
"""
    with python(code) as process:
        assert process.communicate()[0] == "set()\n"


def test_a_collection_of_the_older_metric_is_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipsearch.store.index.operations.METRIC", "COSINE")
    rows = many(5)
    with Store.open(tmp_path / "old.db") as store:
        store.create("images", MODEL).upsert(rows)
    monkeypatch.undo()
    with Store.open(tmp_path / "old.db") as store:
        images = store.find("images")
        assert images is not None
        [[best, *_]] = images.search(3 * rows[2].embedding, limit=3)
    assert best.record == rows[2].record
    assert best.score == pytest.approx(1, abs=1e-5)


def test_a_temporary_failure_is_not_blamed_on_the_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(tmp_path / "s.db") as store:
        images = store.create("images", MODEL)
        images.upsert(many(3))
        client = store.backend._connection.client()  # type: ignore[attr-defined]
        query, failures = client.query, iter([True])

        def fail_once(*arguments: object, **options: object) -> object:
            if next(failures, False):
                raise import_pymilvus().MilvusException(message="overloaded")
            return query(*arguments, **options)

        monkeypatch.setattr(client, "query", fail_once)
        with pytest.raises(StoreError, match=r"failed: .*overloaded"):
            list(images.scan("size >= 0"))
        assert len(list(images.scan("size >= 0"))) == 3


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_collection_whose_creation_was_interrupted_is_completed_or_dropped(
    tmp_path: Path, version: int
) -> None:
    schema = image_schema(MODEL.dim)
    known = {*stored_fields(version), schema.vector}
    older = replace(
        schema,
        strings={name: size for name, size in schema.strings.items() if name in known},
        integers=tuple(name for name in schema.integers if name in known),
        string_lists={name: size for name, size in schema.string_lists.items() if name in known},
        objects=(),
    )
    with Store.open(tmp_path / "photos.db") as store:
        for name in ("dropped", "photos"):
            store.backend.create(name, older, "flat")  # without an entry in the catalog
            assert store.find(name) is None
            with pytest.raises(MissingCollectionError, match=r"interrupted.*clipsearch ingest"):
                store.collection(name)
        assert store.collections() == []
        store.drop("dropped")
        assert "dropped" not in store.backend.collection_names()
        images = store.create("photos", MODEL)
        images.upsert(many(3))
        assert images.count() == 3


def test_a_collection_of_another_program_is_not_taken(tmp_path: Path) -> None:
    schema = CollectionSchema({"id": 32}, (), "embedding", 4)
    with Store.open(tmp_path / "photos.db") as store:
        store.backend.create("other", schema, "flat")
        store.backend.create("filled", image_schema(MODEL.dim), "flat")
        store.backend.upsert("filled", [to_entity(many(1)[0], SCHEMA_VERSION)])
        for name in ("other", "filled"):
            for use in (store.collection, store.drop, lambda name: store.create(name, MODEL)):
                with pytest.raises(StoreError, match="not made by clipsearch"):
                    use(name)
