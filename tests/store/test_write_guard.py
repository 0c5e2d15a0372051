"""A local store whose file is deleted, replaced or truncated while it is open."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.store import Store
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.native_server import NativeServer, native_library
from tests.helpers.records import MODEL, many

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    copy.replace(path)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


CHANGES = [(delete, "deleted"), (replace, "replaced"), (truncate, "truncated"), (empty, "trunc")]


@pytest.mark.parametrize(("change", "message"), CHANGES)
@pytest.mark.parametrize("kill", [False, True])
def test_nothing_is_written_to_another_file(
    tmp_path: Path, change: Callable[[Path], None], message: str, kill: bool
) -> None:
    path = tmp_path / "images.db"
    with Store.open(path) as store:
        images = store.create("images", MODEL)
        images.upsert(many(300))
        images.finish_writes()
        change(path)
        if kill:
            server = local_store._servers[path.resolve()]
            assert isinstance(server, NativeServer)
            server._processes[-1].kill()
        started = time.monotonic()
        for write in (
            lambda: images.upsert(many(3, seed=1)),
            lambda: images.delete([many(1)[0].record.id]),
            lambda: images.set_textness({}),
            lambda: store.create("other", MODEL),
            lambda: store.drop("images"),
            images.finish_writes,
        ):
            with pytest.raises(StoreError, match=message):
                write()
        assert time.monotonic() - started < 20
    assert path.exists() == (change is not delete)


def test_a_larger_file_is_the_same_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "images.db") as store:
        images = store.create("images", MODEL)
        for count in (300, 600, 900):
            images.upsert(many(count))
        images.finish_writes()
        assert images.count() == 900
