"""A file that failed is read again only if it, a limit or a package has changed."""

import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from clipsearch.files import load
from clipsearch.files.discover import FileSource, ImageFile
from clipsearch.files.load import HashedFile
from clipsearch.store import Collection
from clipsearch.types import Failure
from ingest import diff
from ingest.dry_run import preview
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts

DEFAULT = IngestOptions()


@pytest.fixture
def bad(image_folder: Path) -> Path:
    """An image that ends early, in a folder with three usable ones."""
    path = draw(image_folder / "bad.png", (9, 99, 199), size=(300, 300))
    path.write_bytes(path.read_bytes()[:60])
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose content ingestions read."""
    names: list[str] = []
    hash_file = load.hash_file

    def counting(file: ImageFile, *, max_pixels: int) -> HashedFile | Failure:
        names.append(file.path.name)
        return hash_file(file, max_pixels=max_pixels)

    monkeypatch.setattr(diff, "hash_file", counting)
    return names


def test_it_is_not_read_again_but_still_reported(
    bad: Path, collection: Collection, encoder: ColorEncoder, read: list[str]
) -> None:
    (bad.parent / "text.jpg").write_text("no image")
    first = ingest(FileSource([bad.parent]), collection, encoder, DEFAULT)
    assert counts(first) == {"stored": 3, "failed": 2}
    remembered = collection.failures()
    read.clear()
    for _ in range(2):
        again = ingest(FileSource([bad.parent]), collection, encoder, DEFAULT)
        assert counts(again) == {"unchanged": 3, "failed": 2}
        assert {f.path: f.reason for f in again.failed} == {f.path: f.reason for f in first.failed}
        assert collection.failures() == remembered
    assert counts(preview(FileSource([bad.parent]), collection, DEFAULT)) == {
        "unchanged": 3,
        "failed": 2,
    }
    assert read == []


def repair(path: Path, _: pytest.MonkeyPatch) -> None:
    draw(path, (9, 99, 199))


def touch(path: Path, _: pytest.MonkeyPatch) -> None:
    os.utime(path, ns=(1, 1))


def update(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "99" if name.lower() == "pillow" else version(name)
    )


def nothing(_: Path, __: pytest.MonkeyPatch) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (repair, DEFAULT),
        (touch, DEFAULT),
        (update, DEFAULT),
        (nothing, IngestOptions(max_pixels=10**6)),
        (nothing, IngestOptions(rehash=True)),
    ],
)
def test_it_is_read_again_after_a_change(
    bad: Path,
    collection: Collection,
    encoder: ColorEncoder,
    read: list[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], None],
    options: IngestOptions,
) -> None:
    ingest(FileSource([bad.parent]), collection, encoder, DEFAULT)
    read.clear()
    change(bad, monkeypatch)
    report = ingest(FileSource([bad.parent]), collection, encoder, options)
    assert "bad.png" in read
    assert report.stored == (change is repair)
    assert len(collection.failures()) == (change is not repair)


def test_a_file_that_cannot_be_read_now_is_tried_again(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:

        def fail(file: ImageFile, *, max_pixels: int) -> Failure:
            return Failure(file.path, f"input/output error {max_pixels and ''}")

        patch.setattr(diff, "hash_file", fail)
        report = ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    assert counts(report) == {"failed": 3}
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {"stored": 3}
    assert len(read) == 3
    assert collection.failures() == []


def test_rehash_finds_content_that_changed_without_a_new_date(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, read: list[str]
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    path = image_folder / "red.png"
    before = path.stat()
    draw(path, "blue", size=(20, 20))
    path.write_bytes(path.read_bytes().ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "unchanged": 3
    }
    read.clear()
    options = IngestOptions(rehash=True)
    expected = {"stored": 1, "unchanged": 2}
    assert counts(preview(FileSource([image_folder]), collection, options)) == expected
    assert counts(ingest(FileSource([image_folder]), collection, encoder, options)) == expected
    assert sorted(read) == sorted(2 * ["blue.png", "green.png", "red.png"])
    assert encoder.embedded_images == 4


def test_rehash_writes_nothing_for_equal_content(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    writes: list[int] = []
    monkeypatch.setattr(collection, "upsert", lambda rows: writes.append(len(rows)))
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(rehash=True))
    assert counts(report) == {"unchanged": 3}
    assert writes == []


def test_rehash_removes_the_row_of_a_file_that_is_no_image_any_more(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    path = image_folder / "red.png"
    before = path.stat()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(rehash=True))
    assert counts(report) == {"unchanged": 2, "failed": 1}
    assert collection.count() == 2
