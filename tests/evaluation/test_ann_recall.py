"""Recall of a collection's search, exact and made to miss."""

from pathlib import Path

import pytest

from clipsearch.errors import UsageError
from clipsearch.evaluation import evaluate_ann_recall
from clipsearch.files.discover import FileSource
from clipsearch.store import Collection
from clipsearch.store.index.collection_index import CollectionIndex
from clipsearch.types import Vectors
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.evaluation.conftest import CountingProgress
from tests.helpers.fakes import ColorEncoder


def test_an_exact_search_misses_nothing(
    shades: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([shades]), collection, encoder, IngestOptions())
    progress = CountingProgress()
    evaluation = evaluate_ann_recall(collection, progress=progress)
    assert dict(evaluation.counts) == {"images": 30, "queries": 30}
    assert [measure.value for measure in evaluation.measures] == [1.0, 1.0]  # recall@1 and @10
    assert progress.done == 30


def test_an_index_that_misses_half_has_half_the_recall(
    shades: Path, collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(FileSource([shades]), collection, encoder, IngestOptions())
    find_ids = CollectionIndex.find_ids

    def every_second(self: CollectionIndex, queries: Vectors, *, limit: int) -> list[list[str]]:
        return [ids[::2] for ids in find_ids(self, queries, limit=limit)]

    monkeypatch.setattr(CollectionIndex, "find_ids", every_second)
    evaluation = evaluate_ann_recall(collection)
    assert evaluation.measure("approximate search", "recall@1").value == 1
    recall_at_10 = evaluation.measure("approximate search", "recall@10").value
    assert recall_at_10 == pytest.approx(0.5, abs=0.01)


def test_an_empty_collection_is_an_error(collection: Collection) -> None:
    with pytest.raises(UsageError, match="is empty"):
        evaluate_ann_recall(collection)
