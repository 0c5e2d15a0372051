"""Groups of pictures that are the same to the eye."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource
from clipsearch.query import near_duplicates as module
from clipsearch.query.near_duplicates import find_near_duplicates
from clipsearch.store import Collection
from ingest.pipeline import IngestOptions, ingest
from tests.helpers.fakes import ColorEncoder, draw


def test_copies_and_resized_pictures_form_groups(
    photos: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shutil.copy(photos / "red.png", photos / "copy of red.png")
    draw(photos / "small green.png", (0, 255, 9), size=(8, 8))
    ingest(FileSource([photos]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection, 0.99)
    members = {tuple(photo.path.name for photo in group.records): group for group in groups}
    assert {frozenset(names) for names in members} == {
        frozenset({"red.png", "copy of red.png"}),
        frozenset({"green.png", "small green.png"}),
    }
    for names, group in members.items():
        assert group.identical == ("red.png" in names)
    assert ("green.png", "small green.png") in members  # most pixels first


def test_a_chain_of_small_differences_is_not_one_group(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for degrees in range(0, 90, 10):
        red, green = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        draw(tmp_path / "p" / f"{degrees:02}.png", (int(255 * red), int(255 * green), 0))
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection, float(np.cos(np.radians(11))))
    assert max(len(group.records) for group in groups) <= 3
    assert all(group.similarity >= np.cos(np.radians(11)) - 1e-4 for group in groups)


def test_pairs_across_blocks_are_found(
    photos: Path, collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        shutil.copy(photos / "red.png", photos / f"{number}.png")
    ingest(FileSource([photos]), collection, encoder, IngestOptions())
    whole = find_near_duplicates(collection)
    monkeypatch.setattr(module, "BLOCK_ROWS", 2)
    assert find_near_duplicates(collection) == whole
    assert len(whole[0].records) == 6


def test_no_pictures_no_groups(collection: Collection) -> None:
    assert find_near_duplicates(collection) == []


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_an_impossible_threshold_is_a_usage_error(collection: Collection, threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        find_near_duplicates(collection, threshold)
