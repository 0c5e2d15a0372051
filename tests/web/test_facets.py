"""Counts of the values that images have."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from clipsearch.records import ImageRecord
from clipsearch.web.facets import MAX_VALUES, count_facets
from tests.helpers.records import row


def record(
    path: str,
    *,
    tags: tuple[str, ...] = (),
    camera: str = "",
    taken_at: datetime | None = None,
    latitude: float | None = None,
) -> ImageRecord:
    return replace(row(path).record, tags=tags, camera=camera, taken_at=taken_at, latitude=latitude)


def test_values_are_counted_the_most_frequent_first() -> None:
    facets = count_facets(
        [
            record("/a/1.jpg", tags=("cat", "old"), camera="Canon", latitude=1.0),
            record("/a/2.jpg", tags=("cat",)),
            record("/a/3.jpg", tags=("dog",), camera="Apple"),
        ],
        [],
    )
    assert facets["images"] == 3
    assert facets["located"] == 1
    assert facets["tags"] == [
        {"value": "cat", "images": 2},
        {"value": "dog", "images": 1},
        {"value": "old", "images": 1},
    ]
    assert [camera["value"] for camera in facets["cameras"]] == ["Apple", "Canon"]
    assert facets["formats"] == [{"value": "jpeg", "images": 3}]


def test_dates_have_years_and_ends() -> None:
    dates = [datetime(2019, 5, 1), None, datetime(2015, 1, 2, 3, 4, 5), datetime(2019, 1, 1)]
    facets = count_facets([record("/a.jpg", taken_at=date) for date in dates], [])
    assert facets["years"] == [{"year": 2015, "images": 1}, {"year": 2019, "images": 2}]
    assert facets["taken_first"] == "2015-01-02T03:04:05"
    assert facets["taken_last"] == "2019-05-01T00:00:00"


def test_a_folder_counts_the_images_below_it() -> None:
    records = [record("/p/a/b/1.jpg"), record("/p/a/2.jpg"), record("/p/c/3.jpg")]
    assert count_facets(records, [Path("/p"), Path("/p/a")])["folders"] == [
        {"path": "/p", "images": 3, "root": True},
        {"path": "/p/a", "images": 2, "root": True},
        {"path": "/p/a/b", "images": 1, "root": False},
        {"path": "/p/c", "images": 1, "root": False},
    ]


def test_nothing_above_the_roots_is_a_folder() -> None:
    records = [record("/home/me/photos/1.jpg"), record("/tmp/single/2.jpg")]
    folders = count_facets(records, [Path("/home/me/photos")])["folders"]
    assert [folder["path"] for folder in folders] == ["/home/me/photos", "/tmp/single"]


def test_an_empty_collection_has_no_values() -> None:
    facets = count_facets([], [])
    assert facets["images"] == 0
    assert facets["taken_first"] is facets["taken_last"] is None


def test_only_the_most_frequent_values_are_listed() -> None:
    names = [f"tag {number}" for number in range(MAX_VALUES + 5)]
    facets = count_facets([record("/a.jpg", tags=(name, "all")) for name in names], [])
    assert len(facets["tags"]) == MAX_VALUES
    assert facets["tags"][0] == {"value": "all", "images": len(names)}
