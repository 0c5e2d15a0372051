"""The pass that reads the text in stored images."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import ModelError, UsageError
from clipsearch.images.hashing import image_id
from clipsearch.ocr.image_text import ImageText
from clipsearch.remote_path import locate
from clipsearch.store import Collection
from clipsearch.textness.probe import TextnessProbe
from ingest.ocr.options import ReadOptions
from ingest.ocr.report import ReadReport
from ingest.ocr.run import read_images
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.removal import remove_images
from ingest.sources.source import open_source
from tests.helpers.archives import sample, write_tar
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.records import row
from tests.helpers.texts import READER, ColorReader, text_row

ALL = ReadOptions(min_textness=0)


def read(
    collection: Collection,
    reader: ColorReader,
    *paths: Path,
    options: ReadOptions = ALL,
    probe: TextnessProbe | None = None,
    dry_run: bool = False,
) -> ReadReport:
    return read_images(lambda: collection, reader, paths, options, probe, dry_run=dry_run)


def counts(report: ReadReport) -> dict[str, int]:
    """The counts that are not zero."""
    values = report.as_json() | {"failed": len(report.failed)}
    return {k: v for k, v in values.items() if type(v) is int and v}


def texts(collection: Collection) -> dict[str, str]:
    """The stored texts by file name; each is of the present content of its image."""
    names = {record.id: record for record in collection.scan()}
    found = {}
    for text in collection.texts.scan():
        assert text.content_hash == names[text.id].content_hash
        found[names[text.id].path.name] = text.text.text
    return found


@pytest.fixture
def reader() -> ColorReader:
    return ColorReader()


Store = Callable[..., None]


@pytest.fixture
def store_images(collection: Collection, encoder: ColorEncoder) -> Store:
    """Ingest some folders or archives."""

    def store_images(*paths: Path, prune: bool = False, rehash: bool = False) -> None:
        options = IngestOptions(prune=prune, rehash=rehash)
        ingest(open_source(paths), collection, encoder, options)

    return store_images


@pytest.fixture
def folder(tmp_path: Path, store_images: Store) -> Path:
    """Three stored images: red, dark red, and white, which shows no text."""
    folder = tmp_path / "images"
    draw(folder / "red.png", (200, 0, 0))
    draw(folder / "dark.png", (60, 0, 0))
    draw(folder / "white.png", (255, 255, 255))
    store_images(folder)
    return folder


def test_every_image_gets_its_own_text(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    assert counts(read(collection, reader)) == {"read": 3, "with_text": 2}
    assert texts(collection) == {"red.png": "200 0 0", "dark.png": "60 0 0", "white.png": ""}


def test_a_second_run_reads_nothing(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    assert counts(read(collection, reader)) == {"unchanged": 3}
    assert len(reader.read_colors) == 3


def test_texts_of_many_images_stay_with_their_images(
    collection: Collection, store_images: Store, tmp_path: Path, reader: ColorReader
) -> None:
    colors = [(n % 250, n // 2 % 250, 7) for n in range(400)]
    for number, color in enumerate(colors):
        draw(tmp_path / "many" / f"{number}.png", color, size=(4, 4))
    store_images(tmp_path / "many")
    report = read(collection, reader)
    assert report.read == len(set(colors))
    assert report.read + report.copied == len(colors)
    assert texts(collection) == {
        f"{number}.png": " ".join(map(str, color)) for number, color in enumerate(colors)
    }


def test_equal_content_is_read_once(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    shutil.copy(folder / "red.png", folder / "copy.png")
    store_images(folder)
    assert counts(read(collection, reader)) == {"read": 3, "with_text": 2, "copied": 1}
    shutil.copy(folder / "dark.png", folder / "later.png")
    store_images(folder)  # which takes the text along
    assert counts(read(collection, reader)) == {"unchanged": 5}
    collection.texts.delete([image_id(folder / "later.png")])
    assert counts(read(collection, reader)) == {"copied": 1, "unchanged": 4}
    assert texts(collection)["copy.png"] == "200 0 0"
    assert texts(collection)["later.png"] == "60 0 0"


def test_a_moved_image_takes_its_text_along(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    (folder / "red.png").rename(folder / "moved.png")
    store_images(folder)
    assert texts(collection) == {"moved.png": "200 0 0", "dark.png": "60 0 0", "white.png": ""}
    assert counts(read(collection, reader)) == {"unchanged": 3}


def test_the_text_of_earlier_content_is_deleted_and_the_new_content_read(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    draw(folder / "red.png", (0, 99, 0))
    store_images(folder)
    assert texts(collection) == {"dark.png": "60 0 0", "white.png": ""}
    assert counts(read(collection, reader)) == {"read": 1, "with_text": 1, "unchanged": 2}
    assert texts(collection)["red.png"] == "0 99 0"


def test_content_that_was_read_elsewhere_brings_its_text(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    shutil.copy(folder / "dark.png", folder / "red.png")
    store_images(folder)
    assert texts(collection) == {"red.png": "60 0 0", "dark.png": "60 0 0", "white.png": ""}


def test_a_file_that_changed_since_it_was_ingested_is_not_read(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    draw(folder / "red.png", (0, 99, 0))
    assert counts(read(collection, reader)) == {"read": 2, "with_text": 1, "changed": 1}
    assert "red.png" not in texts(collection)


def test_the_texts_of_removed_images_are_deleted(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    remove_images(collection, [folder / "red.png"])
    (folder / "dark.png").unlink()
    store_images(folder, prune=True)
    assert texts(collection) == {"white.png": ""}
    assert collection.texts.count() == 1


def test_texts_without_an_image_are_removed(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    lost = text_row("/gone.png", ["secret"])
    collection.texts.upsert([lost])
    assert counts(read(collection, reader, folder)) == {"unchanged": 3}
    assert counts(read(collection, reader)) == {"unchanged": 3, "removed": 1}
    assert collection.texts.get([lost.id]) == {}


def test_only_images_at_the_paths_are_read(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    assert counts(read(collection, reader, folder / "red.png")) == {"read": 1, "with_text": 1}
    with pytest.raises(UsageError, match="no image of the collection is at"):
        read(collection, reader, folder / "green.png")
    assert counts(read(collection, reader, folder)) == {"read": 2, "with_text": 1, "unchanged": 1}


def red_probe(encoder: ColorEncoder) -> TextnessProbe:
    """Takes redness for text: white, dark and pure red have 0.06, 0.5 and 0.94 or so."""
    return TextnessProbe(
        bias=np.array([1, -0.5, -0.5, 0], dtype=np.float32),
        threshold=0.7,
        slope=4,
        accuracy=1,
        auc=1,
        with_text=1,
        without_text=1,
        model=encoder.identity,
        created_at="2026-01-01T00:00:00",
    )


def test_images_with_most_text_come_first_and_those_with_little_are_skipped(
    collection: Collection,
    encoder: ColorEncoder,
    store_images: Store,
    folder: Path,
    reader: ColorReader,
) -> None:
    reader.concurrency = 1
    draw(folder / "pink.png", (200, 80, 80))
    store_images(folder)
    probe = red_probe(encoder)
    options = ReadOptions(min_textness=0.1)
    first = read(collection, reader, options=ReadOptions(min_textness=0.1, limit=2), probe=probe)
    assert counts(first) == {"read": 2, "with_text": 2, "skipped": 1, "remaining": 1}
    assert set(reader.read_colors) == {"200 0 0", "60 0 0"}
    second = read(collection, reader, options=options, probe=probe)
    assert counts(second) == {"read": 1, "with_text": 1, "skipped": 1, "unchanged": 2}
    everything = read(collection, reader, probe=probe)
    assert counts(everything) == {"read": 1, "unchanged": 3}
    assert reader.read_colors[2:] == ["200 80 80", "255 255 255"]


def test_another_reader_reads_again_only_if_told(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader, folder / "red.png")
    other = ColorReader("another reader")
    report = read(collection, other)
    assert counts(report) == {"read": 2, "with_text": 1, "unchanged": 1, "other_reader": 1}
    again = ReadOptions(min_textness=0, again=True)
    assert counts(read(collection, other, options=again)) == {
        "read": 1,
        "with_text": 1,
        "unchanged": 2,
    }
    assert {state.reader for state in collection.texts.scan_states()} == {"another reader"}
    assert other.name != READER


def test_a_dry_run_reads_nothing(collection: Collection, folder: Path, reader: ColorReader) -> None:
    assert counts(read(collection, reader, dry_run=True)) == {"read": 3}
    assert not reader.read_colors
    assert not collection.texts.exist()


def test_failures_are_remembered_and_tried_again(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    hidden = folder / "red.png"
    hidden.rename(folder / "away")
    report = read(collection, reader)
    assert [(failure.path, failure.kind) for failure in report.failed] == [(hidden, "missing")]
    assert [failure.path for failure in collection.texts.failures()] == [hidden]
    assert not collection.failures()  # an ingestion would try these again, or forget them
    assert report.read == 2
    (folder / "away").rename(hidden)
    assert counts(read(collection, reader)) == {"read": 1, "with_text": 1, "unchanged": 2}
    assert not collection.texts.failures()


def test_failures_of_removed_images_are_forgotten(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    (folder / "red.png").unlink()
    read(collection, reader)
    remove_images(collection, [folder / "red.png"])
    assert not collection.texts.failures()


class Broken(ColorReader):
    """Fails at images of some colors."""

    def __init__(self, *colors: str) -> None:
        super().__init__()
        self.broken = colors

    def read(self, image: Image.Image) -> ImageText:
        text = super().read(image)
        if text.text in self.broken:
            raise ModelError("no such layer")
        return text


def test_an_image_that_the_reader_cannot_read_fails_alone_with_its_copies(
    collection: Collection, store_images: Store, folder: Path
) -> None:
    shutil.copy(folder / "red.png", folder / "copy.png")
    store_images(folder)
    report = read(collection, Broken("200 0 0"))
    assert counts(report) == {"read": 2, "with_text": 1, "failed": 2}
    assert {failure.path.name for failure in report.failed} == {"red.png", "copy.png"}
    assert all("no such layer" in failure.reason for failure in report.failed)


def test_a_reader_that_never_works_stops_the_run(
    collection: Collection, store_images: Store, tmp_path: Path
) -> None:
    colors = [f"{n} 9 0" for n in range(9)]
    for n in range(9):
        draw(tmp_path / "a" / f"{n}.png", (n, 9, 0))
    store_images(tmp_path / "a")
    with pytest.raises(ModelError, match="fake reader 1 does not work: no such layer"):
        read(collection, Broken(*colors))
    assert collection.texts.count() == 0


def test_the_copy_of_a_file_that_cannot_be_read_is_read(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    for name in ("a", "b", "c"):
        shutil.copy(folder / "red.png", folder / f"{name}.png")
    store_images(folder)
    draw(folder / "a.png", (1, 1, 1))
    draw(folder / "c.png", (2, 2, 2))
    report = read(collection, reader)
    assert report.read == 3
    # A changed file keeps the text of what its row describes, once that was read elsewhere.
    assert report.copied + report.changed == 3
    assert texts(collection)["b.png"] == texts(collection)["red.png"] == "200 0 0"


def test_an_interrupted_run_keeps_what_was_read_and_the_next_one_goes_on(
    collection: Collection,
    store_images: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(150):
        draw(tmp_path / "a" / f"{number}.png", (number, 9, 0), size=(4, 4))
    store_images(tmp_path / "a")

    class Interrupted(ColorReader):
        def read(self, image: Image.Image) -> ImageText:
            if len(self.read_colors) >= 100:
                raise KeyboardInterrupt
            return super().read(image)

    with pytest.raises(KeyboardInterrupt):
        read(collection, Interrupted())
    stored = collection.texts.count()
    assert 90 < stored <= 101
    assert f"stopped with {stored} images read; `clipsearch read` goes on" in caplog.text
    again = ColorReader()
    assert counts(read(collection, again))["unchanged"] == stored
    assert len(again.read_colors) == 150 - stored
    assert len(texts(collection)) == 150


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_images_in_archives_are_read(
    collection: Collection,
    store_images: Store,
    tmp_path: Path,
    reader: ColorReader,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    colors = [(n, 50, 0) for n in range(90)]
    members: Sequence[tuple[str, bytes]] = [
        member for n, color in enumerate(colors) for member in sample(f"{n}", color)
    ]
    suffix = "tar" if mode == "w" else "tar.gz"
    archive = write_tar(tmp_path / f"shard.{suffix}", members, mode)  # type: ignore[arg-type]
    store_images(archive)
    opened: list[Path] = []
    real_open = Path.open

    def spy(path: Path, *arguments: str, **options: str) -> object:
        if path == archive:
            opened.append(path)
        return real_open(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", spy)
    assert read(collection, reader).read == 90
    if mode == "w:gz":
        assert len(opened) <= 2  # once, not for each member
    assert texts(collection) == {
        f"{n}.png": " ".join(map(str, color)) for n, color in enumerate(colors)
    }


@pytest.mark.parametrize("where", ["", "photos", "photos/red.png", "photos/shard.tar"])
def test_images_in_object_stores_are_read(
    collection: Collection, store_images: Store, tmp_path: Path, reader: ColorReader, where: str
) -> None:
    system = pytest.importorskip("fsspec").filesystem("memory")
    shard = write_tar(tmp_path / "shard.tar", sample("green", (0, 90, 0)))
    files = {"red.png": draw(tmp_path / "red.png", (200, 0, 0)), "shard.tar": shard}
    for name, file in files.items():
        system.pipe_file(f"/readable/photos/{name}", file.read_bytes())
    try:
        prefix = "memory://readable"
        store_images(f"{prefix}/photos", f"{prefix}/photos/shard.tar")
        read(collection, reader, *([locate(f"{prefix}/{where}")] if where else []))
        written = {"red.png": "200 0 0", "green.png": "0 90 0"}
        assert texts(collection) == {
            name: text
            for name, text in written.items()
            if where in ("", "photos") or (name == "red.png") == (where == "photos/red.png")
        }
    finally:
        system.rm("/readable", recursive=True)


def test_a_text_is_not_written_if_its_image_was_removed_meanwhile(
    collection: Collection, folder: Path
) -> None:
    class Removing(ColorReader):
        def read(self, image: Image.Image) -> ImageText:
            text = super().read(image)
            if len(self.read_colors) == 3:
                collection.delete([image_id(folder / "red.png")])
                changed = row(folder / "dark.png", content="other content")
                collection.upsert([changed])
            return text

    report = read(collection, Removing())
    assert counts(report) == {"read": 1, "changed": 1}
    assert [state.id for state in collection.texts.scan_states()] == [
        image_id(folder / "white.png")
    ]


def test_progress_counts_every_image(
    collection: Collection, store_images: Store, folder: Path, reader: ColorReader
) -> None:
    class Bar:
        total: float | None = None
        done = 0.0

        def update(self, n: float) -> None:
            self.done += n

    shutil.copy(folder / "red.png", folder / "copy.png")
    store_images(folder)
    (folder / "dark.png").unlink()
    bar = Bar()
    read_images(lambda: collection, reader, [], ALL, None, bar)
    assert (bar.done, bar.total) == (4, 4)


def test_thousands_of_paths_are_read(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    collection.upsert([row(folder / f"sub-{n}" / "x.jpg", content=f"{n}") for n in range(50)])
    collection.upsert([row(folder / f"{n}.jpg", content=f"{n}") for n in range(2000)])
    files = [folder / f"{n}.jpg" for n in range(2000)]
    folders = [folder / f"sub-{n}" for n in range(50)]
    report = read(collection, reader, folder / "red.png", *files, *folders, dry_run=True)
    assert report.read == 2051


def test_a_failure_of_an_image_that_was_removed_meanwhile_is_not_kept(
    collection: Collection, folder: Path
) -> None:
    class Removing(Broken):
        def read(self, image: Image.Image) -> ImageText:
            collection.delete([image_id(folder / "red.png")])
            return super().read(image)

    assert counts(read(collection, Removing("200 0 0")))["failed"] == 1
    assert not collection.texts.failures()


def test_a_text_that_is_renewed_while_others_are_removed_stays(
    collection: Collection, folder: Path, reader: ColorReader
) -> None:
    read(collection, reader)
    known = collection.texts.get([image_id(folder / "red.png")])
    collection.texts.upsert([text_row(folder / "red.png", ["old"], content="earlier")])
    calls = 0

    def present() -> Collection:
        nonlocal calls
        calls += 1
        if calls == 2:  # after the search for outdated texts
            collection.texts.upsert(list(known.values()))
        return collection

    report = read_images(present, reader, [], ALL, None)
    assert report.removed == 0
    assert texts(collection)["red.png"] == "200 0 0"
