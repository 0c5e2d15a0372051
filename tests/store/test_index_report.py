"""The index of a collection in Milvus Lite."""

import pytest

from clipsearch.errors import StoreError, UsageError
from clipsearch.evaluation import RecallMeter
from clipsearch.store import Collection, Store
from clipsearch.store.index.report import report_index
from clipsearch.store.index.settings import Tuning
from ingest.index_switch import replace_in_place


def test_milvus_lite_has_no_index_to_replace(store: Store, collection: Collection) -> None:
    with pytest.raises(UsageError, match="there is no index to replace"):
        replace_in_place(store, collection.info.name, "flat")


def test_an_exact_index_has_nothing_to_tune(store: Store, collection: Collection) -> None:
    report = report_index(collection, store.backend.capabilities())
    assert (report.rows, report.auto, report.suggested, report.pending_rows) == (0, "flat", None, 0)
    assert report.as_json()["kind"] == "flat"
    with pytest.raises(UsageError, match="is empty"):
        RecallMeter(collection)


def test_what_was_measured_on_a_replaced_index_is_refused(
    store: Store, collection: Collection
) -> None:
    tuning = Tuning("hnsw", 10, 0.98, 0.99, 10, 1.0, 1_000, "2026-01-01T00:00:00")
    with pytest.raises(StoreError, match="replaced by flat while hnsw was measured"):
        collection.index.set_tuning(tuning)
    assert store.collection(collection.info.name).index.settings.tuning is None


def test_a_local_store_refuses_an_index_of_servers(store: Store, collection: Collection) -> None:
    with pytest.raises(UsageError, match=r"'hnsw_sq8' needs a Milvus server.*2\.5\.0 or newer"):
        store.create("other", collection.info.model, index="hnsw_sq8")
    with pytest.raises(UsageError, match="recall must be above 0"):
        store.create("other", collection.info.model, recall=1.5)
    assert store.find("other") is None
