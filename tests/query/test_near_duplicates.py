"""Groups of near-duplicates, their order, exactness and memory."""

import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource
from clipsearch.query import near_duplicates as module
from clipsearch.query.near_duplicates import find_near_duplicates
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors
from clipsearch.vectors import normalize
from ingest.pipeline import IngestOptions, ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import row


def test_copies_and_resized_images_form_groups(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shutil.copy(image_folder / "red.png", image_folder / "copy of red.png")
    draw(image_folder / "small green.png", (0, 255, 9), size=(8, 8))
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection, 0.99)
    members = {tuple(record.path.name for record in group.records): group for group in groups}
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
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(5):
        shutil.copy(image_folder / "red.png", image_folder / f"{number}.png")
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    whole = find_near_duplicates(collection)
    monkeypatch.setattr(module, "BLOCK_ROWS", 2)
    assert find_near_duplicates(collection) == whole
    assert len(whole[0].records) == 6


class StubCollection:
    """Rows with different contents, all of one existing file."""

    def __init__(self, vectors: Vectors) -> None:
        file = Path(__file__)
        self.rows = [
            ImageRow(
                replace(row(str(file)).record, id=f"{number:032x}", content_hash=f"{number:032x}"),
                vector,
            )
            for number, vector in enumerate(vectors)
        ]

    def scan_rows(self) -> Iterator[ImageRow]:
        return iter(self.rows)


def test_memory_does_not_grow_with_the_pairs_of_alike_images() -> None:
    rng = np.random.default_rng(0)
    vectors = normalize(np.ones(8) + 0.01 * rng.standard_normal((4_000, 8)))
    collection = cast("Collection", StubCollection(vectors))
    tracemalloc.start()
    try:
        groups = find_near_duplicates(collection, 0.9)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(group.records) for group in groups] == [4_000]
    assert peak < 100e6  # one block of scores has 17 MB; 16 million pairs would take gigabytes


@pytest.mark.parametrize("block_rows", [3, 7, 1_000])
def test_groups_are_those_of_a_comparison_of_all_pairs(
    block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(0)
    vectors = normalize(rng.standard_normal((120, 3)))
    found = find_near_duplicates(cast("Collection", StubCollection(vectors)), 0.9)

    scores, remaining = vectors @ vectors.T, list(reversed(range(120)))  # by quality: higher id
    expected = []
    while remaining:
        leader = remaining[0]
        group = [i for i in remaining if i == leader or scores[leader, i] >= 0.9]
        remaining = [i for i in remaining if i not in group]
        if len(group) > 1:
            expected.append((tuple(group), scores[leader, group].min()))
    expected.sort(key=lambda group: -len(group[0]))
    assert [tuple(int(record.id, 16) for record in group.records) for group in found] == [
        group for group, _ in expected
    ]
    assert [group.similarity for group in found] == pytest.approx([s for _, s in expected])


def test_an_empty_collection_has_no_groups(collection: Collection) -> None:
    assert find_near_duplicates(collection) == []


@pytest.mark.parametrize("threshold", [0, -1, 1.1, float("nan")])
def test_an_invalid_threshold_raises_usage_error(collection: Collection, threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        find_near_duplicates(collection, threshold)
