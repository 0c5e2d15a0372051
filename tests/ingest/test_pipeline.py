"""The ingestion pipeline, on a real embedded store and a fake encoder."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import StoreError
from clipsearch.files import load
from clipsearch.files.discover import FileSource
from clipsearch.files.walk import FileSelection
from clipsearch.images.hashing import content_hash, image_id
from clipsearch.store import Collection
from clipsearch.types import Pixels, Vectors
from ingest.dry_run import preview
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts, embedding, names

DEFAULT = IngestOptions()


def test_every_image_gets_its_own_vector_and_metadata(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert counts(report) == {"stored": 3}
    assert embedding(collection, image_folder / "red.png") == [1, 0, 0, 0]
    assert embedding(collection, image_folder / "blue.png") == [0, 0, 1, 0]
    row = collection.get([image_id(image_folder / "green.png")])[
        image_id(image_folder / "green.png")
    ]
    status = (image_folder / "green.png").stat()
    assert (row.record.width, row.record.height, row.record.format) == (32, 24, "png")
    assert (row.record.size, row.record.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert row.record.path == image_folder / "green.png"


def test_a_second_run_embeds_nothing(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "unchanged": 3
    }
    assert encoder.embedded_images == 3


def test_changed_content_is_embedded_again(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    draw(image_folder / "red.png", "blue", size=(40, 40))
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "stored": 1,
        "unchanged": 2,
    }
    assert embedding(collection, image_folder / "red.png") == [0, 0, 1, 0]
    assert collection.count() == 3


def test_a_new_mtime_alone_embeds_nothing_and_is_stored(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    os.utime(image_folder / "red.png", ns=(1, 1))
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "unchanged": 3
    }
    assert encoder.embedded_images == 3
    assert (
        collection.file_states([image_id(image_folder / "red.png")])[
            image_id(image_folder / "red.png")
        ].mtime_ns
        == 1
    )


def test_a_renamed_file_keeps_its_vector_and_loses_its_old_row(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    (image_folder / "red.png").rename(image_folder / "rouge.png")
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "moved": 1,
        "unchanged": 2,
    }
    assert names(collection) == {"rouge.png", "green.png", "blue.png"}
    assert embedding(collection, image_folder / "rouge.png") == [1, 0, 0, 0]
    assert encoder.embedded_images == 3


def test_a_renamed_folder_is_moved_as_a_whole(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    for number in range(20):
        draw(image_folder / "2020" / f"{number}.png", (number + 1, 9, 9))
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    (image_folder / "2020").rename(image_folder / "summer")
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert counts(report) == {"moved": 20, "unchanged": 3}
    assert not list((image_folder / "2020").parent.glob("2020"))
    assert collection.count() == 23


def test_a_copy_reuses_the_vector_and_both_stay(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    shutil.copy(image_folder / "red.png", image_folder / "copy.png")
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "copied": 1,
        "unchanged": 3,
    }
    assert embedding(collection, image_folder / "copy.png") == [1, 0, 0, 0]
    assert encoder.embedded_images == 3


def test_copies_within_one_run_are_embedded_once(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    for number in range(5):
        shutil.copy(image_folder / "red.png", image_folder / f"red{number}.png")
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "stored": 3,
        "copied": 5,
    }
    assert encoder.embedded_images == 3
    assert all(
        embedding(collection, image_folder / f"red{n}.png") == [1, 0, 0, 0] for n in range(5)
    )


def test_a_file_on_an_unplugged_disk_does_not_count_as_moved(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    disk = draw(tmp_path / "disk" / "camera" / "a.png", (9, 8, 7)).parent.parent
    ingest(FileSource([disk]), collection, encoder, DEFAULT)
    shutil.copy(disk / "camera" / "a.png", image_folder / "a.png")
    shutil.rmtree(disk / "camera")
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert report.copied == 1
    assert report.moved == 0


def test_bad_files_fail_alone_with_their_reasons(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    (image_folder / "a-empty.jpg").write_bytes(b"")
    (image_folder / "b-text.png").write_text("not a picture")
    (image_folder / "c-cut.png").write_bytes((image_folder / "red.png").read_bytes()[:40])
    (image_folder / "d-gone.png").symlink_to(image_folder / "nowhere.png")
    draw(image_folder / "e-black.png", "black")
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert report.stored == 3
    reasons = {failure.path.name: failure.reason for failure in report.failed}
    assert set(reasons) == {"a-empty.jpg", "b-text.png", "c-cut.png", "d-gone.png", "e-black.png"}
    assert "empty" in reasons["a-empty.jpg"]
    assert "zero or non-finite vector" in reasons["e-black.png"]
    assert embedding(collection, image_folder / "green.png") == [0, 1, 0, 0]
    assert {failure.path.name for failure in collection.failures()} == set(reasons)


def test_a_failure_is_forgotten_once_the_file_is_valid_or_deleted(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    (image_folder / "bad.png").write_bytes(b"")
    (image_folder / "worse.png").write_bytes(b"")
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    draw(image_folder / "bad.png", (1, 2, 3))
    (image_folder / "worse.png").unlink()
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert collection.failures() == []


def test_an_image_that_became_unreadable_loses_its_outdated_vector(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    (image_folder / "red.png").write_bytes(b"now something else")
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert counts(report) == {"unchanged": 2, "failed": 1}
    assert names(collection) == {"green.png", "blue.png"}


def test_pixels_are_limited(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    draw(image_folder / "huge.png", (3, 3, 3), size=(100, 100))
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(max_pixels=5000))
    assert [(f.path.name, "10,000" in f.reason) for f in report.failed] == [("huge.png", True)]


def test_an_interrupted_run_keeps_its_rows_and_the_next_one_continues(
    image_folder: Path, collection: Collection, tmp_path: Path
) -> None:
    for number in range(100):
        draw(image_folder / f"{number:03}.png", (number, 100, 50))

    class Interrupted(ColorEncoder):
        def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
            if self.embedded_images >= 64:
                raise KeyboardInterrupt
            return super().encode_images(pixels)

    with pytest.raises(KeyboardInterrupt):
        ingest(FileSource([image_folder]), collection, Interrupted(), DEFAULT)
    stored = collection.count()
    assert stored == 65  # a batch of one and a full one
    encoder = ColorEncoder()
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "stored": 38,
        "unchanged": 65,
    }
    assert encoder.embedded_images == 38


def test_every_copy_of_a_broken_image_fails_under_its_own_path(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    truncated = (image_folder / "red.png").read_bytes()[:40]
    broken = {image_folder / name for name in ("a.png", "m.png", "z.png")}
    for path in broken:
        path.write_bytes(truncated)
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert report.stored == 3
    assert len(report.failed) == 3
    assert {failure.path for failure in report.failed} == broken
    assert {failure.kind for failure in report.failed} == {"invalid"}


def test_the_error_of_a_failing_store_reaches_the_caller_and_nothing_counts_as_stored(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(message: str) -> Callable[..., None]:
        def method(*_: object) -> None:
            raise StoreError(message)

        return method

    monkeypatch.setattr(collection, "upsert", fail("disk full"))
    monkeypatch.setattr(collection, "add_failures", fail("cannot record failures"))
    monkeypatch.setattr(collection, "finish_writes", fail("cannot settle"))
    with pytest.raises(StoreError, match="disk full"):
        ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert "stopped with 0 stored" in caplog.text


def test_an_interruption_reaches_the_caller_although_the_last_rows_cannot_be_written(
    image_folder: Path, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ColorEncoder):
        def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
            if self.embedded_images:
                raise KeyboardInterrupt
            return super().encode_images(pixels)

    def fail(_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(collection, "upsert", fail)
    with pytest.raises(KeyboardInterrupt):
        ingest(FileSource([image_folder]), collection, Interrupted(), DEFAULT)


def test_a_file_of_no_known_format_is_not_hashed_and_its_failure_is_remembered(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    (image_folder / "red.png").write_bytes(b"plain text")
    with (image_folder / "zeros.png").open("wb") as stream:
        stream.truncate(1 << 30)

    def never(_: object) -> str:
        raise AssertionError("the content was read")

    monkeypatch.setattr(load, "file_hash", never)
    assert counts(preview(FileSource([image_folder]), collection, DEFAULT)) == {
        "unchanged": 2,
        "failed": 2,
    }
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert {(f.path.name, f.kind) for f in report.failed} == {
        ("red.png", "invalid"),
        ("zeros.png", "invalid"),
    }
    assert {f.path.name for f in collection.failures()} == {"red.png", "zeros.png"}
    assert names(collection) == {"green.png", "blue.png"}


@pytest.mark.parametrize("old", [True, False], ids=["old file", "new file"])
def test_a_file_that_changes_while_it_is_read_is_not_stored_wrongly(
    old: bool,
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "SETTLED_NS", -1 if old else 1 << 60)
    shutil.copy(image_folder / "red.png", image_folder / "twin.png")
    opened: Callable[..., BinaryIO] = Path.open
    seen: list[str] = []

    def shifting(self: Path, *arguments: Any, **options: Any) -> BinaryIO:
        seen.append(self.name)
        if (
            self.name == "red.png" and seen.count(self.name) == 2
        ):  # hashed before, now to be decoded
            draw(self, "green", size=(50, 50))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", shifting)
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert [(f.path.name, "changed while" in f.reason) for f in report.failed] == [
        ("red.png", True)
    ]
    assert embedding(collection, image_folder / "twin.png") == [
        1,
        0,
        0,
        0,
    ]  # it waited for the vector of red.png
    assert names(collection) == {"green.png", "blue.png", "twin.png"}


@pytest.mark.parametrize(("settled_ns", "hashed"), [(-1, 0), (1 << 60, 3)])
def test_a_file_is_hashed_again_only_if_its_timestamps_could_hide_a_change(
    settled_ns: int,
    hashed: int,
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes: list[int] = []

    def counted(data: bytes) -> str:
        hashes.append(len(data))
        return content_hash(data)

    monkeypatch.setattr(load, "SETTLED_NS", settled_ns)
    monkeypatch.setattr(load, "content_hash", counted)
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {"stored": 3}
    assert len(hashes) == hashed


def test_progress_counts_every_file_and_sets_the_total(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    class Bar:
        total: float | None = None
        done = 0.0

        def update(self, n: float) -> None:
            self.done += n

    (image_folder / "bad.png").write_bytes(b"")
    shutil.copy(image_folder / "red.png", image_folder / "copy.png")
    for _ in range(2):
        bar = Bar()
        ingest(FileSource([image_folder]), collection, encoder, DEFAULT, bar)
        assert bar.done == 5
        assert bar.total == 5


def test_the_selection_of_the_source_is_used(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    source = FileSource([image_folder], FileSelection(exclude=("red*",)))
    ingest(source, collection, encoder, DEFAULT)
    assert names(collection) == {"green.png", "blue.png"}


def test_vectors_of_a_thousand_files_stay_with_their_files(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    colors = {
        draw(tmp_path / "many" / f"{n}.png", (r, g, b), size=(4, 4)): (r, g, b)
        for n, (r, g, b) in enumerate(rng.integers(1, 256, (1000, 3)).tolist())
    }
    for path in list(colors)[::50]:
        path.write_bytes(b"broken")
        del colors[path]
    report = ingest(FileSource([tmp_path / "many"]), collection, encoder, DEFAULT)
    assert len(report.failed) == 20
    for row in collection.scan_rows():
        expected = np.array([*colors.pop(row.record.path), 0], float)
        np.testing.assert_allclose(row.embedding, expected / np.linalg.norm(expected), atol=1e-5)
    assert not colors


def test_a_copy_far_from_its_original_is_not_embedded_again(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for number in range(450):
        draw(
            tmp_path / "p" / f"{number:03}.png",
            (1 + number % 200, 1 + number // 200, 9),
            size=(4, 4),
        )
    shutil.copy(tmp_path / "p" / "000.png", tmp_path / "p" / "zzz.png")
    report = ingest(FileSource([tmp_path / "p"]), collection, encoder, DEFAULT)
    assert counts(report) == {"stored": 450, "copied": 1}
    assert encoder.embedded_images == 450


def test_a_linked_root_is_stored_as_its_target(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    link = tmp_path / "linked"
    link.symlink_to(image_folder)
    ingest(FileSource([link]), collection, encoder, DEFAULT)
    assert collection.info.roots == (image_folder,)
    (image_folder / "red.png").unlink()
    report = ingest(FileSource([link]), collection, encoder, IngestOptions(prune=True))
    assert counts(report) == {"unchanged": 2, "removed": 1}


def test_an_empty_mount_point_is_not_the_origin_of_a_moved_file(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    original = draw(tmp_path / "disk" / "a.png", (9, 8, 7))
    ingest(FileSource([tmp_path / "disk"]), collection, encoder, DEFAULT)
    shutil.copy(original, image_folder / "a.png")
    original.unlink()  # as if unplugged: the folder is there, and empty
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert (report.copied, report.moved) == (1, 0)


def test_an_image_that_the_model_cannot_preprocess_fails_alone(
    image_folder: Path, collection: Collection
) -> None:
    class Picky(ColorEncoder):
        def preprocess(self, image: Image.Image) -> Pixels:
            if image.getpixel((0, 0)) == (255, 0, 0):
                raise MemoryError("too large for me")
            return super().preprocess(image)

    draw(image_folder / "stripe.png", "red", size=(3000, 2))
    report = ingest(FileSource([image_folder]), collection, Picky(), DEFAULT)
    assert report.stored == 2
    reasons = {failure.path.name: failure.reason for failure in report.failed}
    assert "too large for me" in reasons["red.png"]
    assert "aspect ratio exceeds 200:1 (3000 x 2)" in reasons["stripe.png"]


def test_a_failure_is_not_forgotten_by_a_run_over_another_folder(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    (image_folder / "bad.png").write_bytes(b"")
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    elsewhere = draw(tmp_path / "elsewhere" / "x.png", (5, 6, 7)).parent
    ingest(FileSource([elsewhere]), collection, encoder, DEFAULT)
    assert [failure.path.name for failure in collection.failures()] == ["bad.png"]


def test_many_copies_cost_no_more_than_many_images(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[Path] = []
    lstat = Path.lstat

    def counted(self: Path) -> os.stat_result:
        looks.append(self)
        return lstat(self)

    for number in range(300):
        shutil.copy(image_folder / "red.png", image_folder / f"{number:03}.png")
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    for number in range(300):
        shutil.copy(image_folder / "red.png", image_folder / f"new {number:03}.png")
    monkeypatch.setattr(Path, "lstat", counted)
    assert ingest(FileSource([image_folder]), collection, encoder, DEFAULT).copied == 300
    assert len(looks) < 1000


def test_a_cut_image_is_stored_and_named_in_the_report(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    path = image_folder / "cut.ppm"
    path.write_bytes(b"P6 10 10 255\n" + bytes([255, 0, 0]) * 90)
    report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert report.stored == 4
    assert report.truncated == (path,)
    assert report.as_json()["truncated"] == [str(path)]
    assert f"stored, truncated: {path}" in report.lines()
    assert embedding(collection, path) == [1, 0, 0, 0]
