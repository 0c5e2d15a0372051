"""Groups of near-duplicates, their order, exactness and memory."""

import shutil
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import UsageError
from clipsearch.files.discover import FileSource
from clipsearch.query import duplicate_candidates, embedding_groups
from clipsearch.query.near_duplicates import find_near_duplicates
from clipsearch.records import ImageRecord
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors
from clipsearch.vectors import normalize
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import row


def test_copies_and_resized_images_form_groups(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shutil.copy(image_folder / "red.png", image_folder / "copy of red.png")
    draw(image_folder / "small green.png", (0, 130, 4), size=(16, 12))
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection)
    members = {tuple(record.path.name for record in group.records): group for group in groups}
    assert {frozenset(names) for names in members} == {
        frozenset({"red.png", "copy of red.png"}),
        frozenset({"green.png", "small green.png"}),
    }
    for names, group in members.items():
        assert group.identical == ("red.png" in names)
    assert ("green.png", "small green.png") in members  # most pixels first


def test_a_lossless_image_comes_before_a_larger_file(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    image = Image.new("L", (240, 240), 255)
    image.paste(0, (60, 60, 180, 180))
    for name in ("a.png", "b.png"):
        image.save(tmp_path / name, optimize=name == "a.png")
    image.save(tmp_path / "c.jpg", quality=95)
    assert (tmp_path / "c.jpg").stat().st_size > (tmp_path / "b.png").stat().st_size
    ingest(FileSource([tmp_path]), collection, encoder, IngestOptions())
    (group,) = find_near_duplicates(collection)
    assert [record.path.suffix for record in group.records] == [".png", ".png", ".jpg"]


def test_a_chain_of_small_differences_is_not_one_group(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for degrees in range(0, 90, 10):
        red, green = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        draw(tmp_path / "p" / f"{degrees:02}.png", (int(255 * red), int(255 * green), 0))
    ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection, float(np.cos(np.radians(11))), compare_pixels=False)
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
    by_embedding = find_near_duplicates(collection, compare_pixels=False)
    for module in (duplicate_candidates, embedding_groups):
        monkeypatch.setattr(module, "BLOCK_ROWS", 2)
        monkeypatch.setattr(module, "LATER_ROWS", 3)
    assert find_near_duplicates(collection) == whole
    assert find_near_duplicates(collection, compare_pixels=False) == by_embedding
    assert len(whole[0].records) == 6


class StubCollection:
    """Rows with different contents, all of one existing file."""

    def __init__(self, vectors: Vectors, file: Path = Path(__file__)) -> None:
        status = file.stat()
        self.rows = [
            ImageRow(
                replace(
                    row(str(file)).record,
                    id=f"{number:032x}",
                    content_hash=f"{number:032x}",
                    size=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                ),
                vector,
            )
            for number, vector in enumerate(vectors)
        ]

    def scan_rows(self) -> Iterator[ImageRow]:
        return iter(self.rows)

    def scan(self) -> Iterator[ImageRecord]:
        return (row.record for row in self.rows)

    def get(self, ids: Sequence[str]) -> dict[str, ImageRow]:
        return {row.record.id: row for row in self.rows if row.record.id in ids}


def test_memory_does_not_grow_with_the_pairs_of_alike_images() -> None:
    rng = np.random.default_rng(0)
    vectors = normalize(np.ones(8) + 0.01 * rng.standard_normal((4_000, 8)))
    collection = cast("Collection", StubCollection(vectors))
    tracemalloc.start()
    try:
        groups = find_near_duplicates(collection, 0.9, compare_pixels=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(group.records) for group in groups] == [4_000]
    assert peak < 100e6  # 16 million pairs would take gigabytes


def test_memory_is_bounded_if_thousands_of_images_look_the_same(tmp_path: Path) -> None:
    file = draw(tmp_path / "red.png", (255, 0, 0), size=(8, 8))
    rng = np.random.default_rng(0)
    vectors = normalize(np.ones(8) + 0.01 * rng.standard_normal((2_000, 8)))
    collection = cast("Collection", StubCollection(vectors, file))
    tracemalloc.start()
    try:
        groups = find_near_duplicates(collection)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(group.records) for group in groups] == [2_000]
    assert peak < 60e6


def test_different_images_of_equal_embeddings_are_no_duplicates(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for name, box in (("left", (0, 0, 50, 100)), ("right", (50, 0, 100, 100))):
        image = Image.new("RGB", (300, 300), "white")
        image.paste("red", box)
        image.save(tmp_path / f"{name}.png")
        image.resize((40, 40)).save(tmp_path / f"{name} small.png")
    ingest(FileSource([tmp_path]), collection, encoder, IngestOptions())
    groups = find_near_duplicates(collection)
    names = [[record.path.name for record in group.records] for group in groups]
    assert sorted(names) == [["left.png", "left small.png"], ["right.png", "right small.png"]]
    [alike] = find_near_duplicates(collection, compare_pixels=False)
    assert len(alike.records) == 4


def test_small_copies_are_found_below_the_threshold(tmp_path: Path) -> None:
    file = draw(tmp_path / "red.png", (255, 0, 0), size=(8, 8))
    vectors = normalize(np.array([[1, 0], [1, 0.9]], dtype=np.float32))  # cosine 0.74
    stub = StubCollection(vectors, file)
    assert find_near_duplicates(cast("Collection", stub)) == []  # the record says 640 x 480
    stub.rows = [
        replace(row, record=replace(row.record, width=8 << number, height=8 << number))
        for number, row in enumerate(stub.rows)
    ]
    [group] = find_near_duplicates(cast("Collection", stub))
    assert [record.width for record in group.records] == [16, 8]
    assert find_near_duplicates(cast("Collection", stub), 1) == []


def test_files_that_changed_or_are_gone_are_named(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(3):
        shutil.copy(image_folder / "red.png", image_folder / f"{number}.png")
    ingest(FileSource([image_folder]), collection, encoder, IngestOptions())
    (image_folder / "0.png").unlink()
    draw(image_folder / "1.png", (0, 0, 255), size=(7, 7))
    [group] = find_near_duplicates(collection)
    assert {record.path.name for record in group.records} == {"red.png", "2.png"}
    assert "unreadable: 2, such as" in caplog.text
    assert "0.png (no such file" in caplog.text or "1.png (changed" in caplog.text


def test_a_file_that_cannot_be_decoded_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    stub = StubCollection(normalize(np.ones((2, 8))), tmp_path / "bad.png")
    assert find_near_duplicates(cast("Collection", stub)) == []
    assert "unreadable: 1, such as" in caplog.text


@pytest.mark.parametrize("block_rows", [3, 7, 1_000])
def test_groups_are_those_of_a_comparison_of_all_pairs(
    block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_groups, "BLOCK_ROWS", block_rows)
    rng = np.random.default_rng(0)
    vectors = normalize(rng.standard_normal((120, 3)))
    collection = cast("Collection", StubCollection(vectors))
    found = find_near_duplicates(collection, 0.9, compare_pixels=False)

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
