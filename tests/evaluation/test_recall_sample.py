"""The quick estimate of an index's recall."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipsearch.evaluation.recall_sample import ERROR, estimate_recall
from clipsearch.records import Hit
from clipsearch.store import Collection, Store
from tests.helpers.records import MODEL, many


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The smallest collection that gets an estimate."""
    with Store.open(tmp_path_factory.mktemp("store") / "s.db") as store:
        collection = store.create("images", MODEL)
        rows = many(8_000)
        for start in range(0, len(rows), 2_000):
            collection.upsert(rows[start : start + 2_000])
        yield collection


@pytest.mark.parametrize("missed", [0, 1, 3])
@pytest.mark.parametrize("error", [-0.2, 0, 0.2])
def test_the_estimate_does_not_depend_on_the_scores_of_the_index(
    large: Collection, monkeypatch: pytest.MonkeyPatch, missed: int, error: float
) -> None:
    """An index of compressed vectors returns scores that are only roughly right."""
    exact = large.search

    def search(queries: Any, *, limit: int) -> list[list[Hit]]:
        found = exact(queries, limit=limit)
        # The last hit stays the true tenth one. The first one is the query itself.
        kept = [[hits[0], *hits[1 + missed :]] for hits in found]
        return [[replace(hit, score=hit.score + error) for hit in hits] for hits in kept]

    monkeypatch.setattr(large, "search", search)
    assert estimate_recall(large) == pytest.approx(1 - missed / 9, abs=ERROR)


def test_a_small_collection_gets_no_estimate(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        collection = store.create("images", MODEL)
        collection.upsert(many(50))
        assert estimate_recall(collection) is None
