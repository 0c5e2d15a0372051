"""The p of hits: for texts of a calibrated model, and what --min-p does elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from clipsearch.calibration import Calibration
from clipsearch.calibration.features import TextBank
from clipsearch.calibration.moments import Moments
from clipsearch.calibration.network import Network
from clipsearch.files.discover import FileSource
from clipsearch.index import Index
from clipsearch.query import Query, StoredImage, Term, nearest, thresholds
from clipsearch.query import search as search_module
from clipsearch.query.empty_result import explain_empty_result
from clipsearch.query.probability import has_probability
from clipsearch.query.search import respond, search
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.vectors import normalize
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import row

FEATURES = 22


def score_calibration(encoder: ColorEncoder) -> Calibration:
    """p is above 0.5 where the score, the first feature, is above 0.8."""
    zeros = np.zeros(FEATURES, np.float32)
    first = np.zeros((1, FEATURES), np.float32)
    first[0, 0] = 1
    network = Network(
        zeros + np.float32(0.8) * first[0],
        zeros + 1,
        first,
        np.zeros(1, np.float32),
        np.full(1, 20, np.float32),
        np.zeros(1, np.float32),
    )
    draw = np.random.default_rng(0)
    vectors = normalize(draw.uniform(size=(50, 4)))
    moments = Moments.of(vectors)
    bank = TextBank(tuple(map(str, range(50))), vectors, moments)
    return Calibration(encoder.identity, "a test", bank, moments, network)


@pytest.fixture
def colors(collection: Collection, encoder: ColorEncoder, tmp_path: Path) -> Iterator[Collection]:
    """Sixty images from green to red, calibrated."""
    for number in range(60):
        draw(tmp_path / "p" / f"{number:02}.png", (4 * number, 250 - 4 * number, 0), size=(4, 4))
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())
    collection.calibration.write(score_calibration(encoder).to_text())
    yield collection
    collection.calibration.write(None)  # it belongs to all collections of the store


def find(
    collection: Collection, encoder: ColorEncoder, *terms: object, **options: object
) -> list[Hit]:
    query = Query(terms, **options)  # type: ignore[arg-type]
    return search([query], lambda: encoder, collection)[0]


def test_hits_of_a_text_have_p(colors: Collection, encoder: ColorEncoder) -> None:
    hits = find(colors, encoder, "red", limit=60)
    assert [hit.p is not None for hit in hits] == [True] * 60
    assert [(hit.p or 0) > 0.5 for hit in hits] == [hit.score > 0.8 for hit in hits]


def test_min_p_leaves_out_the_less_probable(colors: Collection, encoder: ColorEncoder) -> None:
    hits = find(colors, encoder, "red", limit=60)
    kept = find(colors, encoder, "red", limit=60, min_p=0.5)
    assert [hit.id for hit in kept] == [hit.id for hit in hits if (hit.p or 0) >= 0.5]
    assert 0 < len(kept) < 60


def test_min_p_finds_as_many_hits_as_the_limit(
    colors: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "FIRST_LOOK", 6)
    hits = find(colors, encoder, "red", limit=60)
    order = [hit.id for hit in hits]
    value_of = {id_: 0.9 if place % 4 == 3 else 0.1 for place, id_ in enumerate(order)}
    monkeypatch.setattr(search_module, "add_probabilities", partial(set_probabilities, value_of))
    expected = [id_ for id_ in order if value_of[id_] > 0.5]
    pages = [find(colors, encoder, "red", limit=4, offset=n, min_p=0.5) for n in range(0, 20, 4)]
    assert [hit.id for page in pages for hit in page] == expected
    assert [len(page) for page in pages] == [4, 4, 4, 3, 0]


def test_a_cut_of_p_looks_no_deeper_than_where_hits_pass(
    colors: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thresholds, "FIRST_LOOK", 6)
    order = [hit.id for hit in find(colors, encoder, "red", limit=60)]
    value_of = dict.fromkeys(order, 0.1) | {order[0]: 0.9, order[50]: 0.9}
    monkeypatch.setattr(search_module, "add_probabilities", partial(set_probabilities, value_of))
    assert [hit.id for hit in find(colors, encoder, "red", limit=4, min_p=0.5)] == order[:1]


def set_probabilities(
    value_of: Mapping[str, float], results: Sequence[Sequence[Hit]], *_: object
) -> list[list[Hit]]:
    return [[replace(hit, p=value_of[hit.id]) for hit in hits] for hits in results]


def test_p_is_the_same_on_every_page_and_in_every_batch(
    colors: Collection, encoder: ColorEncoder
) -> None:
    hits = find(colors, encoder, "red", limit=60)
    page = find(colors, encoder, "red", limit=5, offset=20)
    assert [hit.p for hit in page] == pytest.approx([hit.p for hit in hits[20:25]], abs=1e-5)
    both = search(
        [Query((Term("green"),)), Query((Term("red"),), limit=60)], lambda: encoder, colors
    )[1]
    assert [hit.p for hit in both] == pytest.approx([hit.p for hit in hits], abs=1e-5)


def test_a_query_does_not_read_its_hits_again(
    colors: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = find(colors, encoder, "red")
    monkeypatch.setattr(colors, "vectors", None)
    assert find(colors, encoder, "red") == expected


def test_embeddings_that_cost_much_with_the_search_are_read_apart(
    colors: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = find(colors, encoder, "red")
    monkeypatch.setattr(nearest, "WITH_EMBEDDINGS", 5)
    assert [hit.p for hit in find(colors, encoder, "red")] == [hit.p for hit in expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query((Term("red"),)), True),
        (Query((Term("red", 2), Term("green"))), True),
        (Query((Term("red"), Term(StoredImage("abcdef"), 0))), True),
        (Query((Term("red"), Term("green", -1))), False),
        (Query((Term("red"), Term(StoredImage("abcdef")))), False),
        (Query((Term("red"),), textness=-1), False),
        (Query((Term("red"),), textness=0), True),
        (Query((Term("red"),), max_textness=0.5), True),
    ],
)
def test_p_is_for_texts_that_are_added(query: Query, expected: bool) -> None:
    assert has_probability(query) is expected


def test_other_queries_have_no_p_and_say_so(colors: Collection, encoder: ColorEncoder) -> None:
    query = Query((Term("red"), Term("green", -0.5)), min_p=0.5)
    response = respond(query, lambda: encoder, colors)
    assert len(response.hits) == 10
    assert all(hit.p is None for hit in response.hits)
    assert "--min-p does not apply" in response.warnings[-1]
    limited = replace(query, min_z=1.0)  # applies where there is no p
    response = respond(limited, lambda: encoder, colors)
    assert all((hit.z or 0) >= 1 for hit in response.hits)
    assert not any("--min-p" in warning for warning in response.warnings)


def test_the_python_api_says_so_once_and_by_its_own_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw(tmp_path / "p" / "red.png", "red")
    with Index.open(tmp_path / "images.db", model=ColorEncoder(name="colors")) as index:
        index.ingest(tmp_path / "p")
        index.search_many([Query((Term("red"), Term("green", -1)), min_p=0.5)] * 2)
    [message] = [text for text in caplog.messages if "min_p" in text]
    assert message == "min_p does not apply: the collection is too small"


def test_without_a_calibration_the_command_for_it_is_named(
    colors: Collection, encoder: ColorEncoder
) -> None:
    colors.calibration.write(None)
    response = respond(Query((Term("red"),), min_p=0.5), lambda: encoder, colors)
    assert len(response.hits) == 10
    assert "clipsearch calibrate" in response.warnings[-1]


def test_a_calibration_of_other_weights_is_not_used(
    colors: Collection, encoder: ColorEncoder
) -> None:
    other = score_calibration(ColorEncoder(weights="other"))
    colors.calibration.write(other.to_text())
    assert all(hit.p is None for hit in find(colors, encoder, "red"))


def test_a_damaged_calibration_is_ignored(
    colors: Collection, encoder: ColorEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    colors.calibration.write("this is none")
    assert all(hit.p is None for hit in find(colors, encoder, "red"))
    assert "not used" in caplog.text


def test_a_small_collection_has_no_p(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    collection.calibration.write(score_calibration(encoder).to_text())
    response = respond(Query((Term("red"),), min_p=0.5), lambda: encoder, collection)
    collection.calibration.write(None)
    assert [hit.p for hit in response.hits] == [None] * 3
    assert response.warnings[-1] == "--min-p does not apply: the collection is too small"
    [warning] = respond(Query((Term("red"),), min_z=3), lambda: encoder, collection).warnings
    assert warning == "--min-z does not apply: the collection is too small"


def test_a_cut_that_leaves_nothing_says_what_the_best_had(
    colors: Collection, encoder: ColorEncoder
) -> None:
    response = respond(Query((Term("red"),), min_p=1), lambda: encoder, colors)
    assert not response.hits
    [reason] = response.reasons
    best = find(colors, encoder, "red", limit=1)[0]
    assert f"p {best.p:.2f}" in reason
    assert "try --min-p" in reason


def test_the_hit_with_the_largest_p_is_the_best_of_a_cut_by_p(collection: Collection) -> None:
    image = row("/a.png")
    collection.upsert([image])
    values = [(0.4, 5.0, 0.1), (0.3, 4.0, 0.4), (0.2, 3.0, None)]
    hits = [Hit(image.record, score, z, p=p) for score, z, p in values]

    def search_hits(query: Query) -> list[Hit]:
        return hits[: query.limit]

    query = Query((Term("red"),), min_p=0.5)
    [reason] = explain_empty_result(query, search_hits, collection)
    assert reason == "best hit: score 0.300, z +4.0, p 0.40; try --min-p 0.4"
