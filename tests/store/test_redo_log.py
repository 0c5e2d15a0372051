"""Rows that replace others survive the end of Milvus Lite between its two transactions."""

import json
import os
import stat
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsearch.errors import StoreError
from clipsearch.session import open_store
from clipsearch.startup import import_pymilvus
from clipsearch.store import Collection, Store
from clipsearch.store.milvus_lite import local_store
from clipsearch.store.milvus_lite.native_server import NativeServer, native_library
from clipsearch.store.milvus_lite.redo_log import RedoLog, redo_path
from clipsearch.store.schema import SCHEMA_VERSION, to_entity
from clipsearch.types import ImageRow
from tests.helpers.records import MODEL, many

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

ROWS = many(40)
NEW_ROWS = [replace(row, record=replace(row.record, tags=("new",))) for row in ROWS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of ROWS."""
    path = tmp_path / "images.db"
    with Store.open(path) as store:
        images = store.create("images", MODEL)
        images.upsert(ROWS)
        images.finish_writes()
    return path


def interrupt(path: Path, *, delete: bool = True) -> None:
    """Leave the store as a kill between deleting ROWS and inserting NEW_ROWS does."""
    RedoLog(path).write("images", [to_entity(row, SCHEMA_VERSION) for row in NEW_ROWS])
    if delete:
        with Store.open(path.with_name("unused.db")):
            pass
        log = redo_path(path).rename(path.with_name("log"))
        with Store.open(path) as store:
            store.backend.delete("images", [row.record.id for row in ROWS])
        log.rename(redo_path(path))


def rows_of(images: Collection) -> dict[str, ImageRow]:
    return {row.record.id: row for row in images.scan_rows()}


def check_new_rows(images: Collection) -> None:
    found = rows_of(images)
    assert images.count() == len(ROWS)
    for row in NEW_ROWS:
        assert found[row.record.id].record == row.record
        assert np.array_equal(found[row.record.id].embedding, row.embedding)


@pytest.mark.parametrize("delete", [False, True])
def test_an_interrupted_write_is_completed_at_the_next_opening(path: Path, delete: bool) -> None:
    interrupt(path, delete=delete)
    with Store.open(path) as store:
        check_new_rows(store.collection("images"))
        assert not redo_path(path).exists()
    with Store.open(path) as store:
        check_new_rows(store.collection("images"))


def test_a_single_query_does_not_answer_from_an_incomplete_file(path: Path) -> None:
    interrupt(path)
    with open_store(path, create=False, single_query=True) as store:
        images = store.collection("images")
        [hits] = images.search(ROWS[7].embedding, limit=1)
        assert hits[0].record == NEW_ROWS[7].record
        check_new_rows(images)


def test_a_log_without_its_end_is_ignored(path: Path) -> None:
    interrupt(path, delete=False)
    log = redo_path(path)
    whole = log.read_bytes()
    for size in (0, 10, 64, 65, len(whole) // 2, len(whole) - 1):
        log.write_bytes(whole[:size])
        with Store.open(path) as store:
            assert rows_of(store.collection("images"))[ROWS[0].record.id].record == ROWS[0].record
        assert not log.exists()


def test_a_log_of_another_state_of_the_store_is_ignored(path: Path) -> None:
    backup = path.read_bytes()
    with Store.open(path) as store:
        images = store.collection("images")
        images.delete([row.record.id for row in ROWS[20:]])
        images.finish_writes()
    interrupt(path, delete=False)
    path.write_bytes(backup)  # restored, without the log
    with Store.open(path) as store:
        assert {row.record.tags for row in rows_of(store.collection("images")).values()} == {()}


def test_a_log_of_a_dropped_collection_is_ignored(path: Path) -> None:
    interrupt(path, delete=False)
    log = redo_path(path).rename(path.with_name("log"))
    with Store.open(path) as store:
        store.drop("images")
    log.rename(redo_path(path))
    with Store.open(path) as store:
        assert store.find("images") is None
        assert not redo_path(path).exists()


def test_a_log_of_rows_that_do_not_fit_is_ignored(path: Path) -> None:
    RedoLog(path).write("images", [{**to_entity(ROWS[0], SCHEMA_VERSION), "size": 2**70}])
    with Store.open(path) as store:
        assert len(rows_of(store.collection("images"))) == len(ROWS)
    assert not redo_path(path).exists()


def test_a_log_that_cannot_be_repeated_is_named_and_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(path)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no more memory")

    with monkeypatch.context() as patch:
        patch.setattr(import_pymilvus().MilvusClient, "upsert", fail)
        with pytest.raises(StoreError, match=r"cannot be completed.*no more.*images\.db-redo"):
            Store.open(path)
    with Store.open(path) as store:
        check_new_rows(store.collection("images"))


def test_new_rows_need_no_log_and_replaced_rows_a_private_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[tuple[str, int, int]] = []
    write = RedoLog.write

    def watch(log: RedoLog, collection: str, entities: list[dict[str, object]]) -> None:
        write(log, collection, entities)
        logged.append((collection, len(entities), stat.S_IMODE(log.path.stat().st_mode)))

    monkeypatch.setattr(RedoLog, "write", watch)
    with Store.open(path) as store:
        images = store.collection("images")
        images.upsert(many(60)[40:])
        assert logged == []
        images.upsert(NEW_ROWS)
        assert logged == [("images", 40, 0o600)]
        images.set_textness({"n": 1})
        images.set_textness({"n": 2})
        assert [name for name, _, _ in logged[1:]] == ["clipsearch_catalog"]
        assert not redo_path(path).exists()


def test_a_write_within_which_milvus_lite_is_killed_is_repeated(path: Path) -> None:
    with Store.open(path) as store:
        images = store.collection("images")
        server = local_store._servers[path.resolve()]
        assert isinstance(server, NativeServer)
        for number in range(4):
            timer = threading.Timer(0.004 * number, server._processes[-1].kill)
            timer.start()
            tags = (f"t{number}",)
            images.upsert([replace(r, record=replace(r.record, tags=tags)) for r in ROWS])
            timer.join()
            assert {row.record.tags for row in rows_of(images).values()} == {tags}
            assert images.count() == len(ROWS)


def test_a_log_that_cannot_be_written_changes_nothing(path: Path) -> None:
    redo_path(path).symlink_to(path.with_name("elsewhere"))
    with Store.open(path) as store:
        images = store.collection("images")
        with suppress(StoreError):
            images.upsert(NEW_ROWS)
        assert len(rows_of(images)) == len(ROWS)
    assert not path.with_name("elsewhere").exists()


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    number=st.integers(-(2**63), 2**63 - 1),
    vector=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5),
    tags=st.lists(st.text(max_size=5), max_size=3),
)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_returns_every_value(
    tmp_path: Path, text: str, number: int, vector: list[float], tags: list[str]
) -> None:
    log = RedoLog(tmp_path / "s.db")
    entity: dict[str, Any] = {
        "id": text,
        "size": number,
        "tags": tags,
        "v": np.array(vector, dtype=np.float32),
    }
    log.write(text, [entity])
    content = log.read()
    assert content is not None
    name, [found] = content
    assert name == text
    assert np.array_equal(found.pop("v"), entity.pop("v"))
    assert found == entity
    data = log.path.read_bytes()
    assert json.loads(data.partition(b"\n")[2])["collection"] == text
    os.truncate(log.path, len(data) - 1)
    assert log.read() is None
