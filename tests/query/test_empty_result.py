"""Reasons for an empty result."""

from pathlib import Path

import pytest

from clipsearch.files.discover import FileSource
from clipsearch.query import Filters, Query, Term
from clipsearch.query.search import respond
from clipsearch.store import Collection
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw


@pytest.fixture
def filled(collection: Collection, encoder: ColorEncoder, tmp_path: Path) -> Collection:
    for index in range(24):
        draw(tmp_path / f"{index}.png", (200, 10 * index, 3 * index))
    ingest(FileSource([tmp_path]), collection, encoder, IngestOptions())
    return collection


def _reasons(query: Query, collection: Collection, encoder: ColorEncoder) -> str:
    response = respond(query, lambda: encoder, collection)
    assert not response.hits
    return "; ".join(response.reasons)


def test_an_empty_collection_is_named(collection: Collection, encoder: ColorEncoder) -> None:
    assert "empty" in _reasons(Query((Term("red"),)), collection, encoder)


def test_the_best_hit_and_a_threshold_that_it_passes_are_named(
    filled: Collection, encoder: ColorEncoder
) -> None:
    for bound in ("min_z", "min_score"):
        query = Query((Term("green"),), **{bound: 50})  # type: ignore[arg-type]
        reason = _reasons(query, filled, encoder)
        assert "best hit: score 0." in reason
        threshold = float(reason.rpartition(" ")[2])
        again = Query((Term("green"),), **{bound: threshold})  # type: ignore[arg-type]
        assert respond(again, lambda: encoder, filled).hits


def test_each_filter_says_how_many_images_it_leaves(
    filled: Collection, encoder: ColorEncoder
) -> None:
    filters = Filters(formats=("png",), glob="2?.png", min_width=100)
    reason = _reasons(Query((Term("red"),), filters=filters), filled, encoder)
    assert "--type leaves 24 of 24" in reason
    assert "--glob leaves 4 of 24" in reason
    assert "--min-width leaves 0 of 24" in reason
    assert "together they leave 0" in reason


def test_an_offset_beyond_the_last_image_is_named(
    filled: Collection, encoder: ColorEncoder
) -> None:
    assert "--offset" in _reasons(Query((Term("red"),), offset=24), filled, encoder)


def test_an_offset_beyond_the_last_hit_above_a_threshold_is_named(
    filled: Collection, encoder: ColorEncoder
) -> None:
    terms = (Term("red"),)
    scores = [hit.score for hit in respond(Query(terms), lambda: encoder, filled).hits]
    reason = _reasons(Query(terms, min_score=scores[4], offset=20), filled, encoder)
    assert reason == "fewer than 21 images match: use a smaller --offset"
    assert "best hit" in _reasons(Query(terms, min_score=2, offset=3), filled, encoder)
