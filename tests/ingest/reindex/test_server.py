"""Reindexing on a server, where other processes write and read at the same time."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.errors import ReindexedError
from clipsearch.models.base import Encoder
from clipsearch.query.store_status import store_status
from clipsearch.store import Collection, Store
from clipsearch.store.generations import Generations
from ingest.reindex import run
from ingest.reindex.run import ReindexOptions, reindex
from tests.helpers.records import MODEL, many, row


@pytest.fixture
def name(milvus_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A collection with 30 rows, of which nothing may be left when it is dropped."""
    name = f"reindex_{uuid4().hex[:8]}"
    monkeypatch.setattr(run, "GRACE_SECONDS", 0.0)
    with Store.open(milvus_server) as store:
        images = store.create(name, MODEL)
        images.upsert(many(30))
        images.finish_writes()
        yield name
        store.drop(name)
        assert not [left for left in store.backend.collection_names() if left.startswith(name)]


def test_of_two_reindexes_that_begin_at_once_one_stops(
    milvus_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see no other one. If both wrote to one collection, it would mix two models."""
    with Store.open(milvus_server) as store, Store.open(milvus_server) as other:
        first, second = store.generations(name), other.generations(name)
        info = second.info

        def begin_too(_: float) -> None:
            monkeypatch.setattr(time, "sleep", lambda _: None)
            with monkeypatch.context() as patch:
                patch.setattr(Generations, "info", info)
                second._replace_next(None, second._new(OTHER))

        monkeypatch.setattr(time, "sleep", begin_too)
        with pytest.raises(ReindexedError, match="another process began"):
            first.begin(MODEL)
        assert second.begin(OTHER).info.model == OTHER
        assert second.drop_next()


def test_rows_that_a_kill_after_the_switch_left_behind_are_taken_over(
    milvus_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(milvus_server) as store, Store.open(milvus_server) as other:
        writer = other.collection(name)
        switch = Generations.switch

        def switch_late(generations: Generations, following: Collection) -> None:
            """Come after the last pass, without an error for the writer, and before a kill."""
            writer.upsert([row("/many/late.jpg", (0, 1, 0, 0))])
            writer.finish_writes()
            switch(generations, following)
            raise KeyboardInterrupt

        monkeypatch.setattr(Generations, "switch", switch_late)
        with pytest.raises(KeyboardInterrupt):
            reindex(store, name, None, _no_model, ReindexOptions(force=True))
        killed = store.collection(name)
        assert (killed.count(), killed.info.is_up_to_date) == (30, False)
        [status] = [c for c in store_status(store)["collections"] if c["name"] == name]
        assert [one["kind"] for one in status["generations"]] == ["catching up"]
        report = reindex(store, name, None, _no_model, ReindexOptions(drop_old=True))
        assert report is not None
        assert (report.images, report.copied, report.switched, report.previous) == (
            *(31, 1, True),
            None,
        )
        assert store.collection(name).info.is_up_to_date


def _no_model(name: str) -> Encoder:
    pytest.fail(f"loads {name}")


OTHER = replace(MODEL, name="other", weights="0ther")


def test_writes_to_the_old_rows_are_taken_over_and_late_ones_refused(
    milvus_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(milvus_server) as store, Store.open(milvus_server) as other:
        writer, reader = other.collection(name), other.collection(name)

        def write_late(*_: object) -> int:
            """Come between the first pass and the last one, in the middle of a run."""
            writer.upsert([row("/many/late.jpg", (0, 1, 0, 0))])
            return 0

        with monkeypatch.context() as patch:
            patch.setattr(run, "wait_for_index", write_late)
            report = reindex(store, name, None, _no_model, ReindexOptions(force=True))
        assert report is not None
        assert report.switched
        new = store.collection(name)
        assert new.info.milvus_name.startswith(f"{name}_g2_")
        assert not new.info.is_catching_up
        assert new.count() == 31
        with pytest.raises(ReindexedError, match="run the command again"):
            writer.finish_writes()
        assert not other.is_current(reader)
        [[hit]] = reader.search(np.array([0, 1, 0, 0], np.float32), limit=1)
        assert hit.path == Path("/many/late.jpg")  # the old rows answer until they are dropped
        assert run.drop_old(store, name)
        assert other.read(name, lambda collection: collection.count()) == 31
