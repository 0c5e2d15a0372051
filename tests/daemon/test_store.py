"""The store through a daemon, which is a thread of this process."""

import inspect
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from clipsearch.daemon import shared_backend
from clipsearch.daemon.remote_backend import METHODS
from clipsearch.errors import (
    DamagedStoreError,
    MissingCollectionError,
    StoreError,
    UsageError,
    VectorError,
)
from clipsearch.session import open_store
from clipsearch.store.backend import Backend
from clipsearch.store.milvus_lite import local_store
from clipsearch.types import Failure
from tests.helpers.daemons import NEEDS_SOCKETS, serving, uses_daemon
from tests.helpers.records import MODEL, many, row

pytestmark = NEEDS_SOCKETS


def test_two_commands_read_and_write_one_file_at_once(path: Path) -> None:
    with serving(path), open_store(path) as first, open_store(path) as second:
        assert uses_daemon(first)
        assert uses_daemon(second)
        a, b = first.collection("photos"), second.collection("photos")
        query = np.ones(4, np.float32)
        for number in range(3):
            a.upsert([row(f"/new/{number}.jpg", (1, 1, 1, 1))])
            assert b.count() == 8 + number
            assert b.search(query, limit=1)[0][0].path.parent == Path("/new")
        a.finish_writes()
        assert uses_daemon(first)
        assert uses_daemon(second)


def test_daemon_holds_the_file_between_commands_and_unlocks_it_when_it_stops(path: Path) -> None:
    with serving(path):
        with open_store(path) as store:
            rows = list(store.collection("photos").scan_rows())
        assert path.resolve() in local_store._servers
    assert path.resolve() not in local_store._servers
    with open_store(path) as store:
        assert not uses_daemon(store)
        direct = list(store.collection("photos").scan_rows())
    by_id = {row.record.id: row for row in rows}
    assert by_id.keys() == {row.record.id for row in direct}
    for expected in direct:
        stored = by_id[expected.record.id]
        assert stored.record == expected.record
        np.testing.assert_array_equal(stored.embedding, expected.embedding)


def test_errors_keep_their_type(path: Path, tmp_path: Path) -> None:
    with serving(path), open_store(path) as store:
        with pytest.raises(MissingCollectionError, match="'photos'"):
            store.collection("cats")
        with pytest.raises(UsageError, match="wdth"):
            store.collection("photos").search(np.ones(4, np.float32), limit=1, condition="wdth > 3")
        with pytest.raises(VectorError):
            store.collection("photos").search(np.zeros(4, np.float32), limit=1)
        store.backend.drop("photos")
        with pytest.raises(DamagedStoreError):
            store.find("photos")
        assert uses_daemon(store)


def test_a_closed_store_raises(path: Path) -> None:
    with serving(path):
        store = open_store(path)
        images = store.collection("photos")
        store.close()
        store.close()
        with pytest.raises(StoreError, match="is closed"):
            images.count()


def test_only_one_command_at_a_time_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_backend, "WRITER_SECONDS", 0.05)
    with serving(path), open_store(path) as first, open_store(path) as second:
        a, b = first.collection("photos"), second.collection("photos")
        a.upsert(many(1))
        with pytest.raises(StoreError, match=f"written by another process .{os.getpid()}"):
            b.delete([many(1)[0].record.id])
        assert b.count() == 7
        a.finish_writes()
        b.delete([many(1)[0].record.id])
        with pytest.raises(StoreError, match="being written"):
            a.add_failures([Failure(Path("/a"), "why")])
        second.close()
        deadline = time.monotonic() + 5
        while True:  # the daemon notices the end of a session a moment later
            try:
                a.upsert(many(1))
                break
            except StoreError:
                assert time.monotonic() < deadline


def test_the_lower_bound_of_rows_stays_true_with_several_writers(path: Path) -> None:
    with serving(path), open_store(path) as first, open_store(path) as second:
        a, b = first.collection("photos"), second.collection("photos")
        everything = many(7)
        a.delete([item.record.id for item in everything[:3]])
        a.finish_writes()
        b.delete([everything[3].record.id])  # b last read a count of seven rows
        b.finish_writes()
        a.upsert(everything[:2])
        a.finish_writes()
        found = open_store(path).find("photos")
        assert found is not None
        assert (found.info.rows, found.count()) == (5, 5)


def test_a_concurrent_deletion_is_not_reported_as_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(path), open_store(path) as writer, open_store(path) as reader:
        images = writer.collection("photos")
        names = reader.backend.collection_names

        def meanwhile() -> list[str]:
            images.delete([many(1)[0].record.id])
            return names()

        # Between reading the lower bound and counting.
        monkeypatch.setattr(reader.backend, "collection_names", meanwhile)
        found = reader.find("photos")
        assert found is not None
        assert found.info.rows == 6


def test_a_store_that_was_deleted_or_replaced_is_noticed(path: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "other.db") as other:
        other.create("photos", MODEL).upsert(many(2))
    with serving(path):
        with open_store(path) as store:
            assert store.collection("photos").count() == 7
        (tmp_path / "other.db").replace(path)
        with open_store(path) as store:
            assert uses_daemon(store)
            assert store.collection("photos").count() == 2
        path.write_bytes(b"")  # written by another process, same name and inode
        with open_store(path) as store:
            assert store.collections() == []
        path.unlink()
        with (
            open_store(path, create=False) as store,
            pytest.raises(StoreError, match=r"no store at .*photos\.db"),
        ):
            store.collections()
        assert not path.exists()
        with open_store(path) as store:
            store.create("photos", MODEL)
            assert uses_daemon(store)
        assert path.exists()


def test_own_writes_do_not_reopen_the_file(path: Path) -> None:
    with serving(path) as server:
        with open_store(path) as store:
            store.collection("photos").upsert(many(2_000))
            kept = server._store._backend
        for _ in range(3):
            with open_store(path) as store:
                store.collection("photos").finish_writes()
        assert server._store._backend is kept


def test_damage_is_checked_before_the_first_write(path: Path) -> None:
    with serving(path):
        with open_store(path, create=False) as store:
            assert store.collection("photos").count() == 7
        size = path.stat()
        with path.open("r+b") as file:
            file.seek(size.st_size // 2)
            file.write(b"\xff" * (size.st_size // 4))
        os.utime(path, ns=(size.st_atime_ns, size.st_mtime_ns))
        with open_store(path, create=True) as store, pytest.raises(DamagedStoreError):
            store.collections()


def test_two_threads_share_a_session(path: Path) -> None:
    with serving(path), open_store(path) as store:
        images = store.collection("photos")
        counted: list[int] = []
        conditions = [f"size >= {number}" for number in range(7)]
        threads = [
            threading.Thread(
                target=lambda condition=condition: counted.append(images.count(condition))
            )
            for condition in conditions
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(counted) == list(range(1, 8))


def test_every_method_of_a_backend_is_called_in_the_daemon() -> None:
    methods = {name for name, member in vars(Backend).items() if inspect.isfunction(member)}
    assert {name for name in methods if not name.startswith("_")} == METHODS | {"close"}
