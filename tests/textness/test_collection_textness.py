"""Textness of a collection: fitted, kept, shared, and used by every kind of query."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from clipsearch import Index, Query, Term
from clipsearch.errors import ModelError, ModelMismatchError, UsageError
from clipsearch.files.discover import FileSource
from clipsearch.models import registry
from clipsearch.models.crop import CenterCrop
from clipsearch.query import search, textness_filter
from clipsearch.query.search import rank_by_text
from clipsearch.store import Collection, Store
from clipsearch.textness import (
    Textness,
    TextnessProbe,
    collection_textness,
    fit_vectors,
    self_supervised,
    shift_query,
)
from clipsearch.textness.collection_textness import load_bundled_probe
from clipsearch.textness.fit import MIN_IMAGES
from clipsearch.textness.self_supervised import embed_sample
from clipsearch.textness.steering import TextnessScale
from clipsearch.textness.synthetic_text import TextRenderer
from clipsearch.types import Hit, Pixels, Vectors
from ingest.pipeline import IngestOptions, ingest
from tests.helpers.text_encoder import ReadingEncoder, draw_pictures

WITH, WITHOUT = 20, 80
IMAGES_PER_CLASS = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures with text and one of pictures without."""
    folder = tmp_path_factory.mktemp("lettered")
    draw_pictures(folder / "with", WITH, text=True)
    draw_pictures(folder / "without", WITHOUT, text=False)
    return folder


class BlindReader(ReadingEncoder):
    """Sees colours at random, and no text."""

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self.embedded_images += len(pixels)
        rng = np.random.default_rng(self.embedded_images)
        return rng.standard_normal((len(pixels), 5)).astype(np.float32)


@pytest.fixture(autouse=True, scope="module")
def small_fits() -> Iterator[None]:
    """Fewer pictures than users get, and so less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_supervised, "IMAGES_PER_CLASS", IMAGES_PER_CLASS)
        yield


@pytest.fixture
def reader() -> ReadingEncoder:
    return ReadingEncoder()


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("store") / "textness.db") as store:
        yield store


@pytest.fixture(scope="module")
def filled(module_store: Store, folder: Path) -> Collection:
    """All of these, with a probe."""
    collection = module_store.create("lettered", ReadingEncoder().identity)
    ingest(FileSource([folder]), collection, ReadingEncoder(), IngestOptions())
    Textness(collection, ReadingEncoder).fit()
    return collection


@pytest.fixture
def fresh(store: Store, folder: Path, reader: ReadingEncoder) -> Iterator[Collection]:
    """All of these in a collection whose model nobody knows yet."""
    identity = replace(reader.identity, weights=f"fresh {np.random.default_rng().random()}")
    reader.identity = identity
    collection = store.create("fresh", identity)
    ingest(FileSource([folder]), collection, reader, IngestOptions())
    reader.embedded_images = 0
    yield collection
    store.drop("fresh")


def find(collection: Collection, *terms: Term, **wish: object) -> list[Hit]:
    query = Query(terms or (Term("red"),), **wish)  # type: ignore[arg-type]
    return search([query], ReadingEncoder, collection)[0]


def lettered(hits: list[Hit]) -> int:
    return sum(hit.path.parent.name == "with" for hit in hits)


def test_a_collection_fits_its_own_probe_keeps_it_and_says_so(
    fresh: Collection, reader: ReadingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "clipsearch")
    assert Textness(fresh, lambda: reader).find() is None
    probe = Textness(fresh, lambda: reader).probe()
    assert "fitting one" in caplog.text
    assert probe.accuracy > 0.8
    embedded = reader.embedded_images
    assert embedded == 2 * IMAGES_PER_CLASS
    caplog.clear()
    for _ in range(2):
        again = Textness(fresh, lambda: reader).probe()
        assert again.bias.tobytes() == probe.bias.tobytes()
    assert reader.embedded_images == embedded
    assert caplog.text == ""


def test_a_fit_says_that_it_had_to_draw_pictures(
    fresh: Collection, reader: ReadingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = fresh.count()
    self_supervised.fit_collection(reader, fresh, per_class=pictures)
    assert f"{pictures} of the fit's {2 * pictures} images are synthetic" in caplog.text


@pytest.mark.parametrize("seed", range(8))
def test_the_fewest_pictures_are_enough_whatever_they_show(
    fresh: Collection, reader: ReadingEncoder, seed: int
) -> None:
    probe = self_supervised.fit_collection(reader, fresh, per_class=MIN_IMAGES, seed=seed)
    assert probe.with_text == probe.without_text == MIN_IMAGES


def test_pictures_that_carry_text_do_not_poison_the_fit(
    fresh: Collection, reader: ReadingEncoder
) -> None:
    probe = Textness(fresh, lambda: reader).probe()
    assert probe.without_text <= IMAGES_PER_CLASS - 5  # a fifth of the collection shows text
    assert probe.bias[3] / np.linalg.norm(probe.bias) > 0.8
    assert probe.accuracy > 0.8


def test_two_processes_that_fit_at_once_end_up_with_one_probe(
    fresh: Collection, reader: ReadingEncoder
) -> None:
    slow, quick = Textness(fresh, lambda: reader), Textness(fresh, lambda: reader)

    def encoder() -> ReadingEncoder:
        quick.fit(seed=5)  # while the slow one is at it
        return reader

    slow = Textness(fresh, encoder)
    assert slow.probe().as_json() == quick.probe().as_json() == fresh.textness()


def test_files_that_are_gone_are_replaced_by_drawn_backgrounds(
    folder: Path, reader: ReadingEncoder, tmp_path: Path
) -> None:
    paths = [*sorted((folder / "without").iterdir())[:6], tmp_path / "gone.png"]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    found = embed_sample(reader, [*paths, tmp_path / "broken.png"], TextRenderer(fonts=()), 8)
    assert (len(found.with_text), len(found.without_text), found.synthetic) == (8, 8, 10)


@pytest.fixture
def given(reader: ReadingEncoder, monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The pictures that the reader gets."""
    found = []
    preprocess = reader.preprocess

    def noted(image: Image.Image) -> Pixels:
        found.append(image)
        return preprocess(image)

    monkeypatch.setattr(reader, "preprocess", noted)
    return found


@pytest.mark.parametrize(("side", "expected"), [(32, 160), (128, 183), (224, 320), (448, 640)])
def test_what_is_drawn_is_as_large_to_every_model(
    reader: ReadingEncoder, given: list[Image.Image], side: int, expected: int
) -> None:
    reader.input_size = side
    embed_sample(reader, [], TextRenderer(fonts=()), 2)
    assert [image.width for image in given] == [expected] * 4


def test_text_is_drawn_where_the_model_looks(
    reader: ReadingEncoder, given: list[Image.Image], tmp_path: Path
) -> None:
    reader.center_crop = CenterCrop(square=True)
    green = Image.new("RGB", (600, 300), "green")
    green.save(tmp_path / "wide.png")
    embed_sample(reader, [tmp_path / "wide.png"] * 20, TextRenderer(fonts=()), 10)
    for written, plain in zip(given[0::2], given[1::2], strict=True):
        assert plain.tobytes() == green.tobytes()
        left, _, right, _ = ImageChops.difference(written, green).getbbox() or (0, 0, 0, 0)
        assert 150 <= left < right <= 450


def test_own_pictures_with_and_without_text_can_be_given(
    fresh: Collection, folder: Path, reader: ReadingEncoder
) -> None:
    kinds = [sorted((folder / name).iterdir()) for name in ("with", "without")]
    probe = Textness(fresh, lambda: reader).fit(*kinds)
    assert (probe.with_text, probe.without_text) == (WITH, WITHOUT)
    assert probe.bias[3] > 0
    with pytest.raises(UsageError, match="or neither"):
        Textness(fresh, lambda: reader).fit(kinds[0])


@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize("scale", [-2, -1, "off", 1, 2])
def test_scales_ask_for_less_and_more_text(
    filled: Collection, folder: Path, picture: bool, scale: TextnessScale
) -> None:
    terms = [Term("red text", 0.5)]
    if picture:
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
    probe = Textness(filled, ReadingEncoder).probe()
    [row] = filled.get([find(filled, limit=1)[0].id]).values()
    terms = Term("red"), Term("blue", 0.5)
    red_and_blue = search([Query(terms, limit=100)], ReadingEncoder, filled)[0]
    by_vector = {hit.id: hit.score for hit in red_and_blue}
    shifted = {hit.id: hit.score for hit in find(filled, *terms, limit=100, textness=-1.5)}
    vector = ReadingEncoder().encode_texts(["red", "blue"])
    unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
    query = unit[0] + 0.5 * unit[1]
    query = (query / np.linalg.norm(query)).astype(np.float32)
    assert by_vector[row.record.id] == pytest.approx(float(row.embedding @ query), abs=1e-4)
    expected = float(row.embedding @ shift_query(query, probe.bias, -1.5))
    assert shifted[row.record.id] == pytest.approx(expected, abs=1e-4)


def test_scale_0_changes_nothing_but_tells_the_textness(filled: Collection) -> None:
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


def test_too_much_text_is_left_out_and_the_limit_is_filled(filled: Collection) -> None:
    term = Term("red text")
    assert lettered(find(filled, term, limit=10)) > 5
    hits = find(filled, term, limit=30, max_textness=0.5)
    assert len(hits) == 30
    assert all(hit.textness is not None and hit.textness <= 0.5 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    everything = find(filled, term, limit=100, textness=0)
    expected = [hit for hit in everything if (hit.textness or 0) <= 0.5]
    assert find(filled, term, limit=100, max_textness=0.5) == expected


def test_pages_without_text_follow_each_other(filled: Collection) -> None:
    term = Term("red text")
    whole = find(filled, term, limit=25, max_textness=0.5)
    pages = [
        hit
        for start in range(0, 25, 5)
        for hit in find(filled, term, limit=5, offset=start, max_textness=0.5)
    ]
    assert pages == whole
    assert find(filled, term, offset=100, max_textness=0.5) == []


def test_where_milvus_gives_too_few_every_row_is_looked_at(
    filled: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    term = Term("red text")
    wish = {"limit": 12, "offset": 3, "max_textness": 0.3, "textness": -0.5}
    from_pages = find(filled, term, **wish)
    monkeypatch.setattr(textness_filter, "MAX_RESULTS", 20)
    scanned = find(filled, term, **wish)
    assert [hit.id for hit in scanned] == [hit.id for hit in from_pages]
    assert [hit.score for hit in scanned] == pytest.approx([hit.score for hit in from_pages])


def test_pictures_are_ranked_by_their_text(filled: Collection) -> None:
    textness = Textness(filled, ReadingEncoder)
    best = rank_by_text(textness, limit=WITH)
    assert lettered(best) >= WITH - 3
    values = [hit.textness or 0 for hit in best]
    assert values == sorted(values, reverse=True)
    assert rank_by_text(textness, limit=5, offset=5) == best[5:10]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "none"])
def test_scales_that_are_none_are_usage_errors(wrong: TextnessScale) -> None:
    with pytest.raises(UsageError, match="textness"):
        Query((Term("red"),), textness=wrong)
    if not isinstance(wrong, str):
        with pytest.raises(UsageError, match="textness"):
            Query((Term("red"),), max_textness=wrong)


def test_a_probe_of_another_model_is_refused(filled: Collection) -> None:
    probe = Textness(filled, ReadingEncoder).probe()
    other = replace(probe, model=replace(probe.model, weights="other"))
    with pytest.raises(ModelMismatchError, match="cannot be used"):
        Textness(filled, ReadingEncoder).save(other)


def test_a_model_that_sees_no_text_says_so(fresh: Collection, reader: ReadingEncoder) -> None:
    blind = BlindReader(reader.identity.weights)
    with pytest.raises(ModelError, match="does not separate"):
        search([Query((Term("red"),), textness=-1)], lambda: blind, fresh)
    assert fresh.textness() is None


def test_a_kept_probe_that_is_broken_is_fitted_anew(
    fresh: Collection, reader: ReadingEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.set_textness({"version": 99})
    assert Textness(fresh, lambda: reader).probe().accuracy > 0.8
    assert "cannot be used" in caplog.text


def test_a_shipped_probe_serves_its_own_weights_only(
    reader: ReadingEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((40, 5)).astype(np.float32)
    probe = fit_vectors(rows[:20] + np.eye(5, dtype=np.float32)[3] * 3, rows[20:], reader.identity)
    path = tmp_path / "textness.json"
    monkeypatch.setattr(collection_textness, "BUNDLED_PROBE", path)
    assert load_bundled_probe(reader.identity) is None
    probe.save(path)
    found = load_bundled_probe(reader.identity)
    assert isinstance(found, TextnessProbe)
    assert found.bias.tobytes() == probe.bias.tobytes()
    assert load_bundled_probe(replace(reader.identity, weights="others")) is None
    path.write_text("{", "utf-8")
    assert load_bundled_probe(reader.identity) is None
    assert "not a textness file" in caplog.text


def test_the_same_on_a_server(
    milvus_server: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = ReadingEncoder("on a server")
    monkeypatch.setattr(registry, "load", lambda _name, **_options: reader)
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
        embedded = reader.embedded_images
        assert index.textness.probe().as_json() == probe.as_json()
        again = index.search("red text", limit=15, textness=-2)
        assert {hit.id for hit in again} == {hit.id for hit in shifted}
        assert reader.embedded_images == embedded
