"""Tags of a collection, on Milvus Lite and on a server."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from clipsearch import Filters, Index
from clipsearch.classify import ClassMatrix, LinearProbe
from clipsearch.classify.tags import clear_tags, tag_images
from clipsearch.errors import ModelMismatchError, StoreError, UsageError
from clipsearch.files.discover import FileSource
from clipsearch.query import Query, Term
from clipsearch.query.search import search
from clipsearch.store import Collection, Store, filters
from clipsearch.types import ImageRow, Vectors
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import MODEL, old_schema, row

AWKWARD = ["ねこ", "犬 と 人", "🐕‍🦺", "50% {x}_", 'it\'s "here" \\', "Łódź"]


@pytest.fixture(scope="module", params=["lite", "server"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    server = request.param == "server"
    file = tmp_path_factory.mktemp("tags") / "tags.db"
    with Store.open(request.getfixturevalue("milvus_server") if server else file) as store:
        yield store


@pytest.fixture
def stored(opened: Store) -> Iterator[Collection]:
    name = f"tags_{uuid4().hex[:12]}"
    yield opened.create(name, MODEL)
    opened.drop(name)


def colors(*labels: str) -> ClassMatrix:
    """A classifier whose first label is red, the second green and the third blue."""
    return ClassMatrix(labels, np.eye(4, dtype=np.float32)[: len(labels)], 20.0)


def tags_of(collection: Collection) -> dict[str, tuple[str, ...]]:
    return {record.path.name: record.tags for record in collection.scan()}


def fill(collection: Collection) -> None:
    collection.upsert(
        [
            row("/p/red.jpg", (1, 0, 0, 0)),
            row("/p/green.jpg", (0, 1, 0, 0)),
            row("/p/mixed.jpg", (1, 1, 0, 0)),
        ]
    )


def test_tags_are_stored_filtered_by_and_replaced(stored: Collection) -> None:
    fill(stored)
    before = {r.record.id: r for r in stored.scan_rows()}
    report = tag_images(stored, colors("ねこ", "a hot dog"), threshold=0.9)
    assert (dict(report.counts), report.untagged, report.changed) == (
        {"ねこ": 1, "a hot dog": 1},
        1,
        2,
    )
    assert tags_of(stored) == {
        "red.jpg": ("ねこ",),
        "green.jpg": ("a hot dog",),
        "mixed.jpg": (),
    }
    for r in stored.scan_rows():  # all else is as it was
        assert replace(r.record, tags=()) == before[r.record.id].record
        np.testing.assert_array_equal(r.embedding, before[r.record.id].embedding)

    query = np.array([0, 1, 1, 0], dtype=np.float32)
    # One request with ANN search and filter.
    [hits] = stored.search(query, limit=5, condition=filters.has_tag("ねこ"))
    assert [hit.path.name for hit in hits] == ["red.jpg"]
    assert stored.count(filters.has_tag("hot")) == 0  # letter by letter

    again = tag_images(stored, colors("warm", "cold"), threshold=0.9)
    assert again.changed == 2
    assert stored.tags() == {"warm": 1, "cold": 1}
    assert tag_images(stored, colors("warm", "cold"), threshold=0.9).changed == 0
    assert clear_tags(stored) == 2
    assert stored.tags() == {}
    assert stored.count() == 3


@pytest.mark.parametrize("label", AWKWARD)
def test_tags_of_any_characters_can_be_filtered(stored: Collection, label: str) -> None:
    fill(stored)
    tag_images(stored, colors(label, "other"), threshold=0.9)
    [record] = stored.scan(filters.has_tag(label))
    assert record.tags == (label,)


def test_add_keeps_tags_that_are_not_labels_of_the_classifier(stored: Collection) -> None:
    fill(stored)
    tag_images(stored, colors("warm", "cold"), threshold=0)
    tag_images(stored, colors("indoors", "outdoors"), threshold=0.9, add=True)
    assert tags_of(stored) == {
        "red.jpg": ("warm", "indoors"),
        "green.jpg": ("cold", "outdoors"),
        "mixed.jpg": ("warm",),
    }
    tag_images(stored, colors("cold", "warm"), threshold=0.9, add=True)
    assert tags_of(stored)["red.jpg"] == ("indoors", "cold")
    assert tags_of(stored)["mixed.jpg"] == ()
    assert stored.count(filters.all_of(filters.has_tag("indoors"), filters.has_tag("cold"))) == 1


def test_only_images_that_pass_the_filters_change(stored: Collection) -> None:
    fill(stored)
    tag_images(stored, colors("warm", "cold"), threshold=0)
    report = tag_images(stored, colors("a", "b"), threshold=0, filters=Filters(glob="red*"))
    assert report.changed == 1
    assert stored.tags() == {"a": 1, "warm": 1, "cold": 1}
    report = tag_images(stored, colors("x", "y"), threshold=0, filters=Filters(tags=("a",)))
    assert tags_of(stored)["red.jpg"] == ("x",)
    assert clear_tags(stored, filters=Filters(tags=("cold",))) == 1


def test_an_expression_cannot_reach_images_outside_the_other_filters(stored: Collection) -> None:
    fill(stored)
    tag_images(stored, colors("warm", "cold"), threshold=0)
    with pytest.raises(UsageError, match="character 10, at"):
        Filters(expression="width > 0) or (width > 0", tags=("cold",))
    either = Filters(expression="width > 0 or width == 0", tags=("cold",))
    [hits] = search([Query((Term("red"),), filters=either)], ColorEncoder, stored)
    assert [hit.record.tags for hit in hits] == [("cold",)]
    assert stored.tags() == {"warm": 2, "cold": 1}


def test_a_search_needs_all_tags_of_its_filters(stored: Collection) -> None:
    fill(stored)
    tag_images(stored, colors("warm", "cold"), threshold=0)
    tag_images(stored, colors("in", "out"), threshold=0.9, add=True)
    encoder = ColorEncoder()

    def found(*tags: str) -> list[str]:
        query = Query((Term("red"),), filters=Filters(tags=tags))
        [hits] = search([query], lambda: encoder, stored)
        return sorted(hit.path.name for hit in hits)

    assert found("warm") == ["mixed.jpg", "red.jpg"]
    assert found("warm", "in") == ["red.jpg"]
    assert found("warm", "out") == []


def test_a_collection_without_a_tag_field_works_and_refuses_tags(
    opened: Store,
) -> None:
    name = f"old_{uuid4().hex[:12]}"
    with old_schema(version=1):
        old = opened.create(name, MODEL)
    try:
        fill(old)
        opened_again = opened.collection(name)
        assert opened_again.info.schema_version == 1
        [hits] = opened_again.search(np.array([1, 0, 0, 0], dtype=np.float32), limit=1)
        assert hits[0].record.tags == ()
        assert len(list(opened_again.scan_rows())) == 3
        assert set(opened_again.get([hits[0].id])) == {hits[0].id}
        assert opened_again.find_by_content(["hash"])["hash"]
        for impossible in (
            lambda: tag_images(opened_again, colors("a", "b")),
            lambda: clear_tags(opened_again),
            lambda: opened_again.tags(),
            lambda: opened_again.upsert([tagged_row()]),
            lambda: search(
                [Query((Term("red"),), filters=Filters(tags=("a",)))],
                ColorEncoder,
                opened_again,
            ),
        ):
            with pytest.raises(StoreError, match=r"before there was .tags.*clipsearch reindex"):
                impossible()
        assert opened_again.count() == 3
    finally:
        opened.drop(name)


def tagged_row() -> ImageRow:
    plain = row("/p/new.jpg")
    return replace(plain, record=replace(plain.record, tags=("a",)))


def test_a_changed_image_loses_its_tags_and_a_moved_or_touched_one_keeps_them(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    image_folder = tmp_path / "photos"
    for name, color in (("a", "red"), ("b", "green"), ("c", "blue"), ("d", (255, 255, 0))):
        draw(image_folder / f"{name}.png", color)
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    tag_images(collection, colors("r", "g", "b"), threshold=0)
    assert tags_of(collection)["a.png"] == ("r",)

    draw(image_folder / "a.png", "blue", size=(40, 40))  # other content
    os.utime(image_folder / "b.png", ns=(1, 1))  # another date only
    (image_folder / "c.png").rename(image_folder / "moved.png")
    (image_folder / "d.png").write_bytes(b"no image any more")
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert tags_of(collection) == {"a.png": (), "b.png": ("g",), "moved.png": ("b",)}


def test_a_probe_of_another_model_cannot_tag(image_folder: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "photos.db", model="pocket") as index:
        index.ingest(image_folder)
        assert index.model is not None
        weights: Vectors = np.zeros((2, 512), dtype=np.float32)
        bias = np.array([0, 1], dtype=np.float32)
        probe = LinearProbe(("a", "b"), weights, bias, index.model, 10)
        report = index.tag(probe)
        assert dict(report.counts) == {"a": 0, "b": 3}
        assert index.tags() == {"b": 3}
        assert [hit.record.tags for hit in index.search("red", filters=Filters(tags=("b",)))] == [
            ("b",)
        ] * 3
        other = replace(probe, model=replace(index.model, weights="other"))
        with pytest.raises(ModelMismatchError, match="fitted to vectors of pocket"):
            index.tag(other)
        with pytest.raises(UsageError, match="is the only label"):
            index.tag(["dog"])
        assert index.clear_tags() == 3
