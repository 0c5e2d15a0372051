"""Search, on a real embedded store with a fake encoder."""

import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ImageError, UsageError, ZeroVectorError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import image_id
from clipsearch.query import Filters, Query, StoredImage, Term
from clipsearch.query.search import search
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.store.milvus import MilvusBackend
from clipsearch.vectors import normalize
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import many


@pytest.fixture
def filled(image_folder: Path, collection: Collection, encoder: ColorEncoder) -> Collection:
    """red.png, green.png and blue.png, ingested."""
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    encoder.embedded_images = 0
    return collection


def find(collection: Collection, encoder: ColorEncoder, *terms: Term, **options: Any) -> list[Hit]:
    return search([Query(terms, **options)], lambda: encoder, collection)[0]


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.name for hit in hits]


def test_the_nearest_image_comes_first(filled: Collection, encoder: ColorEncoder) -> None:
    hits = find(filled, encoder, Term("a green field"))
    assert names(hits)[0] == "green.png"
    assert hits[0].score == pytest.approx(1, abs=1e-4)
    assert hits[1].score == pytest.approx(0, abs=1e-4)


def test_terms_are_added_and_subtracted(filled: Collection, encoder: ColorEncoder) -> None:
    hits = find(filled, encoder, Term("red"), Term("green", 0.5), Term("blue", -1))
    assert names(hits) == ["red.png", "green.png", "blue.png"]
    expected = np.array([1, 0.5, -1]) / 1.5
    assert [hit.score for hit in hits] == pytest.approx(list(expected), abs=1e-2)


def test_text_and_image_vectors_are_added(
    filled: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    image = draw(tmp_path / "query.png", "blue")
    hits = find(filled, encoder, Term("red"), Term(image))
    assert set(names(hits)[:2]) == {"red.png", "blue.png"}
    assert hits[0].score == pytest.approx(np.sqrt(0.5), abs=1e-3)
    in_memory = find(filled, encoder, Term("red"), Term(Image.open(image)))
    assert [hit.score for hit in in_memory] == pytest.approx([hit.score for hit in hits])


def test_an_indexed_image_is_not_decoded_again(
    filled: Collection, encoder: ColorEncoder, image_folder: Path
) -> None:
    by_path = find(filled, encoder, Term(image_folder / "red.png"))
    by_id = find(filled, encoder, Term(StoredImage(image_id(image_folder / "red.png")[:8])))
    assert by_path == by_id
    assert names(by_path)[0] == "red.png"
    assert encoder.embedded_images == 0


def test_an_image_whose_file_is_gone_can_still_be_a_query(
    filled: Collection, encoder: ColorEncoder, image_folder: Path
) -> None:
    (image_folder / "red.png").unlink()
    assert names(find(filled, encoder, Term(image_folder / "red.png")))[0] == "red.png"


def test_a_changed_file_is_embedded_as_it_is_now(
    filled: Collection, encoder: ColorEncoder, image_folder: Path
) -> None:
    draw(image_folder / "red.png", "blue", size=(99, 99))
    assert names(find(filled, encoder, Term(image_folder / "red.png")))[0] == "blue.png"
    assert encoder.embedded_images == 1


def test_exclude_images_leaves_out_the_query_image_and_its_copies(
    filled: Collection, encoder: ColorEncoder, image_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(image_folder / "red.png", image_folder / "copy.png")
    ingest(FileSource([image_folder]), filled, encoder, IngestOptions())
    assert "red.png" in names(find(filled, encoder, Term(image_folder / "red.png")))
    hits = find(filled, encoder, Term(image_folder / "red.png"), exclude_images=True)
    assert set(names(hits)) == {"green.png", "blue.png"}
    elsewhere = Path(shutil.copy(image_folder / "red.png", tmp_path / "elsewhere.png"))
    hits = find(filled, encoder, Term(elsewhere), exclude_images=True)
    assert set(names(hits)) == {"green.png", "blue.png"}


def test_offset_returns_the_next_page(filled: Collection, encoder: ColorEncoder) -> None:
    query = Term("red"), Term("green", 0.5)
    pages = [names(find(filled, encoder, *query, limit=1, offset=page)) for page in range(4)]
    assert pages == [["red.png"], ["green.png"], ["blue.png"], []]


def test_many_queries_at_once_equal_one_by_one(filled: Collection, encoder: ColorEncoder) -> None:
    queries = [
        Query((Term("red"),)),
        Query((Term("green"),), limit=1),
        Query((Term("blue"),), filters=Filters(glob="b*")),
        Query((Term("red green"),)),
    ]
    together = search(queries, lambda: encoder, filled)
    assert together == [search([query], lambda: encoder, filled)[0] for query in queries]


def test_min_score_leaves_out_lower_scores(filled: Collection, encoder: ColorEncoder) -> None:
    assert names(find(filled, encoder, Term("red"), min_score=0.5)) == ["red.png"]


def test_filters_select_images(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2020:05:01 12:00:00"
    (tmp_path / "p" / "it's 100%_sure").mkdir(parents=True)
    Image.new("RGB", (64, 48), "red").save(tmp_path / "p" / "dated.jpg", exif=exif)
    draw(tmp_path / "p" / "it's 100%_sure" / "small.png", "green", size=(8, 8))
    draw(tmp_path / "p" / "large.png", "blue", size=(600, 400))
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())

    def matching(**conditions: object) -> set[str]:
        filters = Filters(**conditions)  # type: ignore[arg-type]
        return set(names(find(collection, encoder, Term("red green blue"), filters=filters)))

    everything = {"dated.jpg", "small.png", "large.png"}
    assert matching() == everything
    assert matching(under=tmp_path / "p" / "it's 100%_sure") == {"small.png"}
    assert matching(under=tmp_path) == everything
    assert matching(glob="*.png") == {"small.png", "large.png"}
    assert matching(glob="*/it's*/*") == {"small.png"}
    assert matching(glob="*.gif") == set()
    assert matching(taken_from=datetime(2020, 5, 1)) == {"dated.jpg"}
    assert matching(taken_before=datetime(2020, 5, 1, 12, 0, 1)) == {"dated.jpg"}
    assert matching(taken_before=datetime(2020, 5, 1, 12)) == set()
    assert matching(formats=("jpeg",)) == {"dated.jpg"}
    assert matching(min_width=64) == {"dated.jpg", "large.png"}
    assert matching(min_height=49) == {"large.png"}
    size = (tmp_path / "p" / "large.png").stat().st_size
    assert "large.png" in matching(min_bytes=size)
    assert "large.png" not in matching(min_bytes=size + 1)
    assert "large.png" not in matching(max_bytes=size - 1)
    assert matching(expression="width > 100 or height < 10") == {"small.png", "large.png"}
    assert matching(glob="*.png", expression="width > 100", formats=("png",)) == {"large.png"}


def test_a_glob_finds_the_best_among_very_many(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for number in range(60):
        draw(tmp_path / "p" / f"{number:02}.png", (number, 200, 0), size=(4, 4))
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())
    hits = find(collection, encoder, Term("red"), filters=Filters(glob="*[02468].png"), limit=3)
    assert names(hits) == ["58.png", "56.png", "54.png"]
    second = find(
        collection, encoder, Term("red"), filters=Filters(glob="*[02468].png"), limit=2, offset=1
    )
    assert names(second) == ["56.png", "54.png"]


def test_z_says_how_far_a_hit_stands_out(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for number in range(99):
        draw(tmp_path / "p" / f"{number:02}.png", (10, 100 + number, 0), size=(4, 4))
    draw(tmp_path / "p" / "red.png", "red")
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())
    hits = find(collection, encoder, Term("red"), limit=100)
    scores = np.array([hit.score for hit in hits])
    below, median = np.percentile(scores, (15.87, 50))
    expected = (scores - median) / (median - below)
    assert [hit.z for hit in hits] == pytest.approx(list(expected), abs=1e-3)
    assert names(find(collection, encoder, Term("red"), min_z=3)) == ["red.png"]


def test_a_small_collection_has_no_z(filled: Collection, encoder: ColorEncoder) -> None:
    assert all(hit.z is None for hit in find(filled, encoder, Term("red")))


def test_an_empty_collection_has_no_hits(collection: Collection, encoder: ColorEncoder) -> None:
    assert find(collection, encoder, Term("red")) == []


@pytest.mark.parametrize(
    "options",
    [{"limit": 0}, {"offset": -1}, {"min_score": float("nan")}, {"min_z": float("inf")}],
)
def test_invalid_options_raise_usage_error(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Query((Term("red"),), **options)  # type: ignore[arg-type]


def test_invalid_queries_raise_an_error_with_the_reason(
    filled: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="empty"):
        find(filled, encoder)
    with pytest.raises(UsageError, match="no such image"):
        find(filled, encoder, Term(tmp_path / "nowhere.jpg"))
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(ImageError, match=r"text\.jpg: "):
        find(filled, encoder, Term(tmp_path / "text.jpg"))
    with pytest.raises(ZeroVectorError, match="cancel"):
        find(filled, encoder, Term("red"), Term("red", -1))
    with pytest.raises(UsageError, match="no image has an id"):
        find(filled, encoder, Term(StoredImage("0" * 32)))
    with pytest.raises(UsageError, match="six or more"):
        find(filled, encoder, Term(StoredImage("xyz")))
    with pytest.raises(UsageError, match="nonsense"):
        find(filled, encoder, Term("red"), filters=Filters(expression="nonsense >"))
    with pytest.raises(UsageError):
        find(filled, encoder, Term("red"), limit=16_384, offset=1)


def test_file_names_that_are_not_utf8_come_back_exactly(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")
    try:
        shutil.copy(draw(tmp_path / "plain.png"), odd)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    ingest(FileSource([Path(odd)]), collection, encoder, IngestOptions())
    [hit] = find(collection, encoder, Term("red"))
    assert hit.path == Path(odd)
    assert hit.path.is_file()


def test_z_is_measured_on_a_sample_of_a_large_collection(
    collection: Collection, encoder: ColorEncoder
) -> None:
    images = many(5000)
    collection.upsert(images)  # and nobody settles it, as after a kill
    hits = find(collection, encoder, Term("red"))
    scores = np.stack([image.embedding for image in images]) @ normalize(
        encoder.encode_texts(["red"])[0]
    )
    below, median = np.percentile(scores, (15.87, 50))
    expected = (hits[0].score - median) / (median - below)
    assert hits[0].z == pytest.approx(expected, rel=0.15)


def test_a_repeated_search_makes_one_call(
    collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(many(3_000))
    for color in ("red", "green"):  # the second one reads the vectors of the z-score
        find(collection, encoder, Term(color))
    calls = []

    def record(name: str) -> None:
        method = getattr(MilvusBackend, name)

        def call(self: MilvusBackend, *arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return method(self, *arguments, **options)

        monkeypatch.setattr(MilvusBackend, name, call)

    for name in ("search", "query", "count", "capabilities", "is_loaded", "fields"):
        record(name)
    hits = find(collection, encoder, Term("blue"))
    assert calls == ["search"]
    assert all(hit.z is not None for hit in hits)
