"""The index of a collection on a server: tuned, described, and replaced over the same rows."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from clipsearch.errors import StoreError, UsageError
from clipsearch.evaluation import RecallMeter, tune_index
from clipsearch.store import Collection, Store
from clipsearch.store.index.report import report_index
from clipsearch.store.index.wait import wait_for_index
from clipsearch.store.milvus import MilvusBackend
from clipsearch.store.schema import EMBEDDING, to_entity
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from ingest.index_switch import replace_by_copy, replace_in_place
from tests.helpers.records import MODEL, many, row

DIM = 64
ROWS = 5_000


@pytest.fixture(scope="module")
def store(milvus_server: str) -> Iterator[Store]:
    with Store.open(milvus_server) as store:
        yield store


@pytest.fixture(scope="module")
def images(store: Store) -> Iterator[Collection]:
    """A collection of vectors without any structure, which is hard for a graph, indexed."""
    vectors: Vectors = normalize(
        np.random.default_rng(0).standard_normal((ROWS, DIM), dtype=np.float32)
    )
    name = f"test_{uuid4().hex}"
    images = store.create(name, replace(MODEL, dim=DIM), recall=0.9)
    images.upsert([row(f"/{n}.jpg", vector, size=n) for n, vector in enumerate(vectors)])
    images.finish_writes()
    assert wait_for_index(store.backend, images.info.milvus_name) == 0
    yield images
    store.drop(name)


def test_an_index_is_tuned_to_a_recall_and_searches_use_that(
    store: Store, images: Collection
) -> None:
    meter = RecallMeter(images, queries=100)
    low, high = (tune_index(images.index, meter, recall=recall) for recall in (0.7, 0.99))
    assert low.reached
    assert high.reached
    assert low.tuning is not None
    assert high.tuning is not None
    assert 10 <= low.tuning.effort < high.tuning.effort
    assert tune_index(images.index, meter).tuning.wanted == 0.9  # type: ignore[union-attr]
    # Smaller values were tried, and did not reach it.
    smaller = [trial for trial in high.trials if trial.effort < high.tuning.effort]
    assert smaller
    assert all(trial.recall < 0.99 for trial in smaller)

    images.index.set_tuning(high.tuning)
    again = store.collection(images.info.name)
    assert again.index.settings.tuning == high.tuning
    assert again.index.settings.search_params(10) == {"ef": high.tuning.effort}
    assert meter.measure(again.index).recall >= 0.98
    report = report_index(again, store.backend.capabilities())
    assert report.tuning == high.tuning
    assert not report.is_stale
    assert report.as_json()["kind"] == "hnsw"
    assert report.pending_rows == 0


def test_an_index_is_replaced_in_place_and_tuned_again(store: Store, images: Collection) -> None:
    name = images.info.name
    report = replace_in_place(store, name, "ivf_sq8")
    assert (report.before, report.after) == ("hnsw", "ivf_sq8")
    assert not report.is_worse or report.recall_before > 0.99
    again = store.collection(name)
    assert again.index.describe().kind == again.index.settings.kind == "ivf_sq8"
    assert again.index.settings.tuning is not None
    assert again.index.settings.tuning.kind == "ivf_sq8"
    assert again.count() == ROWS
    assert report.recall_after >= 0.9


@pytest.fixture
def few(store: Store) -> Iterator[Collection]:
    """A collection of 50 images, which need no index: Milvus builds none for so few."""
    images = store.create(f"test_{uuid4().hex}", MODEL, recall=0.9)
    images.upsert(many(50))
    images.finish_writes()
    yield images
    store.drop(images.info.name)


def test_an_index_is_replaced_beside_the_old_one(
    store: Store, few: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.reindex.run.GRACE_SECONDS", 0.0)
    name, old = few.info.name, few.info.milvus_name
    with monkeypatch.context() as patch:  # as if the new index found little
        patch.setattr("ingest.index_switch._tune", lambda *_: 0.1)
        with pytest.raises(StoreError, match=r"the index hnsw stays: ivf_sq8 finds 0\.100"):
            replace_by_copy(store, name, "ivf_sq8")
    assert store.collection(name).info.milvus_name == old
    assert store.generations(name).info.next is None

    damaged = to_entity(many(50)[3], few.info.schema_version)
    damaged[EMBEDDING] = np.array([0, 1, 0, 0], dtype=np.float32)
    store.backend.upsert(old, [damaged])
    with pytest.raises(StoreError, match=r"the index hnsw stays: damaged rows \(1\) cannot"):
        replace_by_copy(store, name, "ivf_sq8")
    few.upsert([many(50)[3]])
    few.finish_writes()
    report = replace_by_copy(store, name, "ivf_sq8")
    assert (report.before, report.after, report.offline_seconds) == ("hnsw", "ivf_sq8", 0)
    again = store.collection(name)
    assert again.info.milvus_name != old
    assert again.index.describe().kind == again.index.settings.kind == "ivf_sq8"
    assert again.index.settings.tuning is not None
    assert again.index.settings.recall == 0.9
    assert again.count() == 50
    assert store.generations(name).info.previous is None


def test_a_collection_whose_index_a_kill_dropped_gets_another_one(
    store: Store, few: Collection
) -> None:
    assert isinstance(store.backend, MilvusBackend)
    milvus, stored = store.backend._connection.client(), few.info.milvus_name
    milvus.release_collection(stored)
    milvus.drop_index(stored, EMBEDDING)
    with Store.open(store.uri) as second:
        report = replace_in_place(second, few.info.name, None)
        again = second.collection(few.info.name)
        assert (report.after, again.index.describe().kind) == ("hnsw", "hnsw")
        assert again.search(many(50)[3].embedding, limit=1)[0][0].record.size == 3


def test_a_kind_that_the_server_lacks_is_refused_before_anything_changes(
    store: Store, images: Collection
) -> None:
    name = images.info.name
    before = store.collection(name).index.describe()
    for switch in (replace_in_place, replace_by_copy):
        with pytest.raises(UsageError, match=r"'aisaq' needs Milvus 2\.6\.4 or newer"):
            switch(store, name, "aisaq")
    assert store.collection(name).index.describe() == before
    name = f"test_{uuid4().hex}"
    with pytest.raises(UsageError, match="'gpu_cagra' needs"):
        store.create(name, MODEL, index="gpu_cagra")
    assert store.find(name) is None
    assert name not in store.backend.collection_names()


def test_every_kind_of_the_server_is_created_and_searched(store: Store) -> None:
    vectors = np.stack([row.embedding for row in many(50)])
    wide = np.tile(vectors, (1, 8)) / np.sqrt(8)  # DISKANN needs 32 dimensions
    for kind in sorted(store.backend.capabilities().index_kinds - {"gpu_cagra"}):
        name = f"test_{kind}_{uuid4().hex}"
        images = store.create(name, replace(MODEL, dim=wide.shape[1]), index=kind)
        try:
            images.upsert([row(f"/{n}.jpg", v, size=n) for n, v in enumerate(wide)])
            assert images.index.describe().kind == kind
            for limit in (1, 10, 50):
                hits = images.search(wide[7], limit=limit)[0]
                assert hits[0].record.size == 7
                assert len(hits) == limit
        finally:
            store.drop(name)
