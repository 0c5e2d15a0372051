"""The textness of a collection: fitted, stored, and used by queries."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch import Index, Query, Term
from clipsearch.errors import ModelError, ModelMismatchError, UsageError
from clipsearch.files.discover import FileSource
from clipsearch.models import registry
from clipsearch.query import textness_filter
from clipsearch.query.query import TextnessScale
from clipsearch.query.search import rank_by_text, search
from clipsearch.records import Hit
from clipsearch.store import Collection, Store
from clipsearch.textness import (
    Textness,
    TextnessProbe,
    collection_textness,
    fit_vectors,
    shift_query,
)
from clipsearch.textness.collection_textness import load_bundled_probe
from clipsearch.textness.image_loading import embed_image_files
from clipsearch.textness.probe import TextnessFit
from clipsearch.types import Pixels, Vectors
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.text_encoder import (
    IMAGES_PER_CLASS,
    IMAGES_WITH_TEXT,
    IMAGES_WITHOUT_TEXT,
    EdgeEncoder,
)


class TextBlindEncoder(EdgeEncoder):
    """Embeds images at random, so that text makes no difference."""

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self.embedded_images += len(pixels)
        rng = np.random.default_rng(self.embedded_images)
        return rng.standard_normal((len(pixels), 5)).astype(np.float32)


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("store") / "textness.db") as store:
        yield store


@pytest.fixture(scope="module")
def filled(module_store: Store, folder: Path) -> Collection:
    """All images of `folder` in a collection with a probe."""
    collection = module_store.create("lettered", EdgeEncoder().identity)
    ingest(FileSource([folder]), collection, EdgeEncoder(), IngestOptions())
    Textness(collection, EdgeEncoder).fit()
    return collection


def find(collection: Collection, *terms: Term, **options: object) -> list[Hit]:
    query = Query(terms or (Term("red"),), **options)  # type: ignore[arg-type]
    return search([query], EdgeEncoder, collection)[0]


def lettered(hits: list[Hit]) -> int:
    return sum(hit.path.parent.name == "with" for hit in hits)


def test_a_collection_fits_its_probe_once_saves_it_and_logs_that(
    fresh: Collection, edge_encoder: EdgeEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clipsearch")
    assert Textness(fresh, lambda: edge_encoder).find() is None
    probe = Textness(fresh, lambda: edge_encoder).probe()
    assert "fitting one" in caplog.text
    assert probe.accuracy > 0.8
    embedded = edge_encoder.embedded_images
    assert embedded == 2 * IMAGES_PER_CLASS
    caplog.clear()
    for _ in range(2):
        again = Textness(fresh, lambda: edge_encoder).probe()
        assert again.bias.tobytes() == probe.bias.tobytes()
    assert edge_encoder.embedded_images == embedded
    assert caplog.text == ""


def test_two_concurrent_fits_end_with_one_probe(
    fresh: Collection, edge_encoder: EdgeEncoder
) -> None:
    slow, quick = Textness(fresh, lambda: edge_encoder), Textness(fresh, lambda: edge_encoder)

    def encoder() -> EdgeEncoder:
        quick.fit(seed=5)  # while the slow one is at it
        return edge_encoder

    slow = Textness(fresh, encoder)
    assert slow.probe().as_json() == quick.probe().as_json() == fresh.textness()


def test_a_probe_can_be_fitted_to_given_images(
    fresh: Collection, folder: Path, edge_encoder: EdgeEncoder
) -> None:
    kinds = [sorted((folder / name).iterdir()) for name in ("with", "without")]
    probe = Textness(fresh, lambda: edge_encoder).fit(*kinds)
    assert (probe.with_text, probe.without_text) == (IMAGES_WITH_TEXT, IMAGES_WITHOUT_TEXT)
    assert probe.bias[3] > 0
    with pytest.raises(UsageError, match="or neither"):
        Textness(fresh, lambda: edge_encoder).fit(kinds[0])


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize("scale", [-2, -1, "off", 1, 2])
def test_scales_favor_less_and_more_text(
    filled: Collection, folder: Path, image: bool, scale: TextnessScale
) -> None:
    terms = [Term("red text", 0.5)]
    if image:
        terms.append(Term(folder / "with" / "003.png"))
    plain, shifted = (
        [hit.textness or 0 for hit in find(filled, *terms, limit=15, textness=scale_)]
        for scale_ in (0, scale)
    )
    if scale in (1, 2):
        assert sum(shifted) > sum(plain)
    else:
        assert sum(shifted) < sum(plain)


def test_the_query_is_the_normalized_sum_of_terms_and_bias(filled: Collection) -> None:
    probe = Textness(filled, EdgeEncoder).probe()
    [row] = filled.get([find(filled, limit=1)[0].id]).values()
    terms = Term("red"), Term("blue", 0.5)
    red_and_blue = search([Query(terms, limit=100)], EdgeEncoder, filled)[0]
    by_vector = {hit.id: hit.score for hit in red_and_blue}
    shifted = {hit.id: hit.score for hit in find(filled, *terms, limit=100, textness=-1.5)}
    vector = EdgeEncoder().encode_texts(["red", "blue"])
    unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    query = unit[0] + 0.5 * unit[1]
    query = (query / np.linalg.norm(query)).astype(np.float32)
    assert by_vector[row.record.id] == pytest.approx(float(row.embedding @ query), abs=1e-4)
    expected = float(row.embedding @ shift_query(query, probe.bias, -1.5))
    assert shifted[row.record.id] == pytest.approx(expected, abs=1e-4)


def test_scale_0_only_adds_the_textness(filled: Collection) -> None:
    plain, zero = find(filled, limit=100), find(filled, limit=100, textness=0)
    assert [replace(hit, textness=None) for hit in zero] == plain
    assert all(hit.textness is None for hit in plain)
    scores = {hit.path.parent.name: [] for hit in zero}  # type: dict[str, list[float]]
    for hit in zero:
        scores[hit.path.parent.name].append(hit.textness or 0)
    assert np.mean(scores["with"]) > 0.8 > 0.2 > np.mean(scores["without"])


def test_z_is_that_of_the_shifted_query(filled: Collection) -> None:
    plain, shifted = (find(filled, limit=100, textness=scale) for scale in (0, -2))
    z = [{hit.id: hit.z or 0 for hit in hits} for hits in (plain, shifted)]
    falls = [z[0][hit.id] - z[1][hit.id] for hit in plain if hit.path.parent.name == "with"]
    assert np.median(falls) > 0.25
    below = np.percentile([hit.score for hit in shifted], [15.87, 50])
    for hit in shifted[:3]:
        assert hit.z == pytest.approx((hit.score - below[1]) / (below[1] - below[0]), rel=1e-3)


def test_max_textness_leaves_images_out_and_fills_the_limit(filled: Collection) -> None:
    term = Term("red text")
    assert lettered(find(filled, term, limit=10)) > 5
    hits = find(filled, term, limit=30, max_textness=0.5)
    assert len(hits) == 30
    assert all(hit.textness is not None and hit.textness <= 0.5 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    everything = find(filled, term, limit=100, textness=0)
    expected = [hit for hit in everything if (hit.textness or 0) <= 0.5]
    assert find(filled, term, limit=100, max_textness=0.5) == expected


def test_offset_counts_only_images_below_max_textness(filled: Collection) -> None:
    term = Term("red text")
    whole = find(filled, term, limit=25, max_textness=0.5)
    pages = [
        hit
        for start in range(0, 25, 5)
        for hit in find(filled, term, limit=5, offset=start, max_textness=0.5)
    ]
    assert pages == whole
    assert find(filled, term, offset=100, max_textness=0.5) == []


def test_all_rows_are_scanned_if_milvus_returns_too_few(
    filled: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = Term("red text")
    options = {"limit": 12, "offset": 3, "max_textness": 0.3, "textness": -0.5}
    from_pages = find(filled, term, **options)
    monkeypatch.setattr(textness_filter, "MAX_RESULTS", 20)
    scanned = find(filled, term, **options)
    assert [hit.id for hit in scanned] == [hit.id for hit in from_pages]
    assert [hit.score for hit in scanned] == pytest.approx([hit.score for hit in from_pages])


def test_images_are_ranked_by_their_text(filled: Collection) -> None:
    textness = Textness(filled, EdgeEncoder)
    best = rank_by_text(textness, limit=IMAGES_WITH_TEXT)
    assert lettered(best) >= IMAGES_WITH_TEXT - 3
    values = [hit.textness or 0 for hit in best]
    assert values == sorted(values, reverse=True)
    assert rank_by_text(textness, limit=5, offset=5) == best[5:10]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "none"])
def test_invalid_scales_raise_usage_error(wrong: TextnessScale) -> None:
    with pytest.raises(UsageError, match="textness"):
        Query((Term("red"),), textness=wrong)
    if not isinstance(wrong, str):
        with pytest.raises(UsageError, match="textness"):
            Query((Term("red"),), max_textness=wrong)


def test_a_probe_of_another_model_raises_model_mismatch_error(filled: Collection) -> None:
    probe = Textness(filled, EdgeEncoder).probe()
    other = replace(probe, model=replace(probe.model, weights="other"))
    with pytest.raises(ModelMismatchError, match="cannot be used"):
        Textness(filled, EdgeEncoder).save(other)


def test_a_model_that_does_not_recognize_text_raises_model_error(
    fresh: Collection, edge_encoder: EdgeEncoder
) -> None:
    blind = TextBlindEncoder(edge_encoder.identity.weights)
    with pytest.raises(ModelError, match="does not separate"):
        search([Query((Term("red"),), textness=-1)], lambda: blind, fresh)
    assert fresh.textness() is None


def test_an_invalid_stored_probe_is_fitted_again(
    fresh: Collection, edge_encoder: EdgeEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.set_textness({"version": 99})
    assert Textness(fresh, lambda: edge_encoder).probe().accuracy > 0.8
    assert "cannot be used" in caplog.text


def test_an_inaccurate_probe_replaces_none_without_force(
    fresh: Collection, folder: Path, edge_encoder: EdgeEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    textness = Textness(fresh, lambda: edge_encoder)
    good = textness.fit()
    mixed = sorted(folder.rglob("*.png"))
    kinds = mixed[0::2], mixed[1::2]
    assert TextnessFit(good, *embedded(edge_encoder, folder)).accuracy_of(good) > 0.8
    with pytest.raises(ModelError, match=r"kept|does not separate"):
        textness.fit(*kinds)
    assert Textness(fresh, lambda: edge_encoder).probe().as_json() == good.as_json()
    assert caplog.text == ""
    bad = replace(good, accuracy=0.57)
    textness.save(bad)
    assert "inaccurate (0.57" in caplog.text
    assert textness.restore().as_json() == good.as_json()
    assert textness.restore().as_json() == bad.as_json()
    assert textness.reset() is None
    assert not textness.is_stored()
    with pytest.raises(UsageError, match="no textness fit"):
        textness.reset()
    textness.save(good)
    assert textness.restore().as_json() == bad.as_json()


def embedded(encoder: EdgeEncoder, folder: Path) -> tuple[Vectors, Vectors]:
    kinds = [sorted((folder / name).iterdir()) for name in ("with", "without")]
    with_text, without_text = (embed_image_files(encoder, files) for files in kinds)
    return with_text, without_text


def test_the_bundled_probe_is_used_for_its_own_weights_only(
    edge_encoder: EdgeEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 5)).astype(np.float32)
    probe = fit_vectors(
        rows[:20] + np.eye(5, dtype=np.float32)[3] * 3, rows[20:], edge_encoder.identity
    )
    path = tmp_path / "textness.json"
    monkeypatch.setattr(collection_textness, "BUNDLED_PROBE", path)
    assert load_bundled_probe(edge_encoder.identity) is None
    probe.save(path)
    found = load_bundled_probe(edge_encoder.identity)
    assert isinstance(found, TextnessProbe)
    assert found.bias.tobytes() == probe.bias.tobytes()
    assert load_bundled_probe(replace(edge_encoder.identity, weights="others")) is None
    path.write_text("{", "utf-8")
    assert load_bundled_probe(edge_encoder.identity) is None
    assert "not a textness file" in caplog.text


def test_textness_works_on_a_server(
    milvus_server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    edge_encoder = EdgeEncoder("on a server")
    monkeypatch.setattr(registry, "load", lambda *_, **__: edge_encoder)
    shutil.copytree(folder, tmp_path / "photos")
    with Index.open(milvus_server, collection="lettered", model="pocket") as index:
        index.ingest(tmp_path / "photos")
        plain = index.search("red text", limit=15)
        shifted = index.search("red text", limit=15, textness=-2)
        assert lettered(shifted) < lettered(plain)
        probe = index.textness.probe()
        assert index.search("red", image=Image.new("RGB", (9, 9), "red"), textness="off")
        little = index.similar(plain[0].path, limit=10, max_textness=0.5)
        assert len(little) == 10
        assert lettered(index.rank_by_text(limit=10, min_textness=0.5)) == 10
    with Index.open(milvus_server, collection="lettered") as index:
        embedded = edge_encoder.embedded_images
        assert index.textness.probe().as_json() == probe.as_json()
        again = index.search("red text", limit=15, textness=-2)
        assert {hit.id for hit in again} == {hit.id for hit in shifted}
        assert edge_encoder.embedded_images == embedded
