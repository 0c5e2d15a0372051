"""A disk that becomes full at any write of an ingestion: a clear error, no loss, and it resumes."""

from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import image_id
from clipsearch.store import Store
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.milvus_lite.redo_log import RedoLog, redo_path
from ingest import pipeline
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.small_disk import run_with_mounts

FILES = 12


def update(path: Path, folder: Path, encoder: ColorEncoder) -> None:
    with Store.open(path) as store:
        images = store.find("images") or store.create("images", encoder.identity)
        ingest(FileSource([folder]), images, encoder, IngestOptions(prune=True, force=True))


def colors_of(path: Path) -> dict[str, tuple[float, ...]]:
    with Store.open(path) as store:
        rows = store.collection("images").scan_rows()
        return {row.record.id: tuple(row.embedding.round(4).tolist()) for row in rows}


@pytest.mark.parametrize("full_at", range(1, 7))
def test_a_disk_that_becomes_full_at_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: int
) -> None:
    path, folder = tmp_path / "images.db", tmp_path / "images"
    monkeypatch.setattr(pipeline, "WRITE", 4)
    files = [draw(folder / f"{n}.png", (20 * n, 100, 50)) for n in range(FILES)]
    update(path, folder, ColorEncoder())
    before = colors_of(path)
    for n, file in enumerate(files[:9]):
        draw(file, (20 * n, 10, 200))
    calls = iter(range(1, 1_000))
    with monkeypatch.context() as patch:
        patch.setattr(
            "clipsearch.store.milvus_lite.local_store.free_bytes",
            lambda _: 1 << (20 if next(calls) >= full_at else 40),
        )
        encoder = ColorEncoder()
        with pytest.raises(StoreError, match=r"the disk of .* is full"):
            update(path, folder, encoder)
    between = colors_of(path)
    assert between.keys() == before.keys()
    changed = sum(between[key] != before[key] for key in before)
    assert changed % 4 in (0, 1)
    encoder = ColorEncoder()
    update(path, folder, encoder)
    assert encoder.embedded_images == 9 - changed
    after = colors_of(path)
    assert after.keys() == {image_id(file) for file in files}
    assert sum(after[key] != before[key] for key in before) == 9


def test_a_redo_log_that_does_not_fit_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "images.db", tmp_path / "images"
    for n in range(3):
        draw(folder / f"{n}.png", (20 * n, 100, 50))
    update(path, folder, ColorEncoder())
    before = colors_of(path)
    draw(folder / "1.png", "blue")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("clipsearch.store.milvus_lite.redo_log.os.fsync", fail)
        with pytest.raises(StoreError, match=r"images\.db-redo cannot be written: No space left"):
            update(path, folder, ColorEncoder())
    assert not redo_path(path).exists()
    assert RedoLog(path).read() is None
    assert colors_of(path) == before


FULL_WITHIN_A_WRITE = """
from dataclasses import replace
import numpy as np
from clipsearch.errors import StoreError
from clipsearch.store import Store
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite import recovery
from clipsearch.store.milvus_lite.native_server import NativeServer
from tests.helpers.records import MODEL, row

folder = Path(sys.argv[1])
path = folder / "images.db"
recovery.LITE_CALL_SECONDS, recovery.LITE_ROW_SECONDS = 2.0, 0.0
free, end, ended = local_store.free_bytes, NativeServer.end, []
# As if the disk filled up between the look at it and the end of the write.
local_store.free_bytes = lambda path: free(path) if ended else 1 << 40
NativeServer.end = lambda server: (ended.append(True), end(server))

def rows(number, tag=""):
    images = [row(f"/{number}/{n}.jpg", np.ones(4), content=f"{number} {n}") for n in range(300)]
    return [replace(image, record=replace(image.record, tags=(tag,))) for image in images]

def write(batches):
    written = 0
    ended.clear()
    try:
        with Store.open(path) as store:
            images = store.find("images") or store.create("images", MODEL)
            for batch in batches:
                images.upsert(batch)
                written += 1
            images.finish_writes()
    except StoreError as error:
        return written, str(error)
    return written, ""

def stored():
    with Store.open(path, create=False) as store:
        images = store.collection("images")  # not "damaged"
        tags = {row.record.id: row.record.tags for row in images.scan_rows()}
        assert images.count() == len(tags)
        return tags

mount(folder, 1_500)
written, message = write(rows(number) for number in range(100))
assert "the disk of" in message and "is full" in message and str(path) in message, message
assert len(stored()) == 300 * written > 0
replaced = rows(0)
messages = []
for room in (40, 160, 400):
    resize(folder, shutil.disk_usage(folder).used // 1024 + room)
    messages.append(write([rows(0, f"room {room}")])[1])
    assert not messages[-1] or str(path) in messages[-1], messages
    resize(folder, 100_000)
    tags = stored()
    assert len(tags) == 300 * written, (room, len(tags))
    assert len({tags[row.record.id] for row in replaced}) == 1, room
assert "the disk of" in messages[0] and "the disk of" in messages[1], messages
assert not write([rows(0, "end")])[1]
tags = stored()
assert {tags[row.record.id] for row in replaced} == {("end",)}
print("done")
"""


@pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
def test_a_disk_that_becomes_full_within_a_write(tmp_path: Path) -> None:
    done = run_with_mounts(FULL_WITHIN_A_WRITE, tmp_path)
    assert done.stdout == "done\n", done.stderr


QUERY_ON_A_FULL_DISK = """
folder, images = Path(sys.argv[1]), sys.argv[2]
mount(folder, 100_000)
path = folder / "images.db"
assert run("ingest", images, "--uri", path, "--model", "pocket").returncode == 0
fill(folder)
query = run("query", "red", "--uri", path, "--paths")
assert query.returncode == 0, query.stderr
assert len(query.stdout.splitlines()) == 3
ingest = run("ingest", images, "--uri", path, "--rehash")
assert ingest.returncode == 1, ingest.stderr
assert str(path) in ingest.stderr and "full" in ingest.stderr, ingest.stderr
assert "Traceback" not in ingest.stderr
new = run("ingest", images, "--uri", folder / "new.db")
assert new.returncode == 1 and str(folder / "new.db") in new.stderr, new.stderr
(folder / "filler").unlink()
for again in (path, folder / "new.db"):
    done = run("ingest", images, "--uri", again, "--model", "pocket")
    assert done.returncode == 0, done.stderr
print("done")
"""


@pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
def test_queries_on_a_full_disk(tmp_path: Path, image_folder: Path) -> None:
    (tmp_path / "disk").mkdir()
    done = run_with_mounts(QUERY_ON_A_FULL_DISK, tmp_path / "disk", image_folder)
    assert done.stdout == "done\n", done.stderr
