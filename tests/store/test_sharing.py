"""One store used by several processes: two writers at once, and many readers beside a writer."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.milvus_lite.native_server import native_library
from tests.helpers.daemons import NEEDS_SOCKETS, serving
from tests.helpers.records import MODEL, many

NATIVE = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
ROOT = Path(__file__).parents[2]
READERS = 16

WRITE = """
import sys, time
from clipsearch.errors import StoreError
from clipsearch.session import open_store
from tests.helpers.records import many
try:
    with open_store(sys.argv[1], create=False) as store:
        images = store.collection(sys.argv[2])
        for number in range(5):
            images.upsert(many(300, seed=number))
            time.sleep(0.05)
        images.finish_writes()
        print("written")
except StoreError as error:
    print("refused:", error)
"""

READ = """
import sys
import numpy as np
from clipsearch.session import open_store
with open_store(sys.argv[1], create=False) as store:
    images = store.collection(sys.argv[2])
    for number in range(5):
        [hits] = images.search(np.ones(4, dtype=np.float32), limit=300)
        ids = {hit.record.id for hit in hits}
        assert len(ids) == len(hits), "an image was found twice"
        assert images.count() >= images.info.rows
print("read")
"""


def run(code: str, path: Path | str, name: str = "images") -> str:
    process = subprocess.run(
        [sys.executable, "-c", code, str(path), name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.stderr == ""
    return process.stdout.strip()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "images.db") as store:
        images = store.create("images", MODEL)
        images.upsert(many(300))
        images.finish_writes()
    return tmp_path / "images.db"


def check(path: Path) -> None:
    with open_store(path) as store:
        rows = list(store.collection("images").scan_rows())
    assert len(rows) == len({row.record.id for row in rows}) == 300


@NATIVE
def test_of_two_writers_without_a_daemon_the_second_is_refused(path: Path) -> None:
    with Store.open(path):
        refused = run(WRITE, path)
    assert "is open in another process" in refused
    assert "clipsearch warm" in refused
    check(path)


@NATIVE
@NEEDS_SOCKETS
def test_two_writers_through_a_daemon_take_turns_or_are_refused(path: Path) -> None:
    with serving(path), ThreadPoolExecutor() as threads:
        outputs = list(threads.map(lambda _: run(WRITE, path), range(2)))
    assert "written" in outputs
    assert all(text == "written" or "being written by another" in text for text in outputs)
    check(path)


@NATIVE
@NEEDS_SOCKETS
def test_readers_beside_a_writer(path: Path) -> None:
    with serving(path), ThreadPoolExecutor(READERS + 1) as threads:
        writer = threads.submit(run, WRITE, path)
        readers = [threads.submit(run, READ, path) for _ in range(READERS)]
        assert [reader.result() for reader in readers] == ["read"] * READERS
        assert writer.result() == "written"
    check(path)


def test_two_writers_and_readers_at_once_on_a_server(milvus_server: str) -> None:
    name = f"shared_{uuid4().hex}"
    with Store.open(milvus_server) as store:
        images = store.create(name, MODEL)
        images.upsert(many(300))
        images.finish_writes()
        with ThreadPoolExecutor(READERS + 2) as threads:
            writers = [threads.submit(run, WRITE, milvus_server, name) for _ in range(2)]
            readers = [threads.submit(run, READ, milvus_server, name) for _ in range(READERS)]
            assert [writer.result() for writer in writers] == ["written"] * 2
            assert [reader.result() for reader in readers] == ["read"] * READERS
        rows = list(images.scan_rows())
        assert images.count() == len(rows) == len({row.record.id for row in rows}) == 300
        store.drop(name)
