"""Reindexing: another model or schema, verified before it is used."""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Never

import numpy as np
import pytest
from PIL import Image

from clipsearch.errors import StoreError
from clipsearch.models.base import Encoder
from clipsearch.store import Collection, Store
from clipsearch.store.schema import SCHEMA_VERSION
from clipsearch.types import Pixels, Vectors
from ingest.ocr.options import ReadOptions
from ingest.ocr.run import read_images
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.reindex import verify
from ingest.reindex.report import ReindexReport
from ingest.reindex.run import ReindexOptions, cancel, drop_old, reindex, roll_back
from ingest.sources.source import open_source
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import embedding, names
from tests.helpers.records import old_schema
from tests.helpers.texts import ColorReader, color_words

COLORS = [(9 * n + 20, 250 - 8 * n, 5 * n + 1) for n in range(24)]


class SwappedEncoder(ColorEncoder):
    """Another model of the same dimension: red and green are exchanged."""

    def __init__(self) -> None:
        super().__init__(weights="n3w", name="swapped")

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        return super().encode_images(pixels)[:, [1, 0, 2, 3]]


class InterruptedEncoder(SwappedEncoder):
    """Embeds some images, then behaves as if Ctrl-C was pressed."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.left = images

    def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
        self.left -= len(pixels)
        if self.left < 0:
            raise KeyboardInterrupt
        return super().encode_images(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, color in enumerate(COLORS):
        draw(tmp_path / "images" / f"{number}.png", color)
    return tmp_path / "images"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "photos.db") as opened:
        yield opened


@pytest.fixture
def images(store: Store, folder: Path) -> Collection:
    return _ingest(store, folder)


def _ingest(store: Store, *paths: Path) -> Collection:
    encoder = ColorEncoder()
    collection = store.find("images") or store.create("images", encoder.identity)
    ingest(open_source(paths), collection, encoder, IngestOptions())
    return collection


def _reindex(
    store: Store, model: Encoder | None, options: ReindexOptions | None = None
) -> ReindexReport:
    report = reindex(store, "images", model, _load_nothing, options or ReindexOptions())
    assert report is not None
    return report


def _load_nothing(name: str) -> Never:
    raise AssertionError(name)


def _vectors(collection: Collection) -> dict[str, list[float]]:
    return {row.record.path.name: row.embedding.tolist() for row in collection.scan_rows()}


def _swapped(images: Collection) -> dict[str, list[float]]:
    return {name: [v[1], v[0], *v[2:]] for name, v in _vectors(images).items()}


def test_every_image_is_embedded_again_by_the_new_model(
    store: Store, images: Collection, folder: Path
) -> None:
    draw(folder / "not ingested.png", "blue")
    encoder = SwappedEncoder()
    expected = _swapped(images)
    report = _reindex(store, encoder)
    new = store.collection("images")
    assert _vectors(new) == expected
    assert (report.images, report.embedded, report.lost) == (24, 24, ())
    assert report.switched
    assert report.previous == images.info.model.name
    assert new.info.model == encoder.identity
    assert (new.info.roots, new.info.rows) == (images.info.roots, 24)
    assert reindex(store, "images", encoder, _load_nothing, ReindexOptions()) is None

    assert roll_back(store, "images") == images.info.model.name
    assert _swapped(store.collection("images")) == expected
    roll_back(store, "images")
    assert drop_old(store, "images")
    assert not drop_old(store, "images")
    assert _vectors(store.collection("images")) == expected


def test_an_interrupted_reindex_continues_and_the_old_rows_stay_in_use(
    store: Store, images: Collection, folder: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _reindex(store, InterruptedEncoder(10))
    assert store.collection("images").info.model == images.info.model
    assert store.collection("images").count() == 24
    draw(folder / "0.png", "blue")  # a row that may be in the new generation already
    draw(folder / "new.png", "red")
    _ingest(store, folder)
    images.delete([record.id for record in images.scan() if record.path.name == "5.png"])
    images.finish_writes()
    encoder = SwappedEncoder()
    report = _reindex(store, encoder, ReindexOptions(drop_old=True))
    new = store.collection("images")
    assert names(new) == {f"{n}.png" for n in range(24) if n != 5} | {"new.png"}
    assert embedding(new, folder / "0.png") == [0, 0, 1, 0]
    assert embedding(new, folder / "new.png") == [0, 1, 0, 0]
    assert encoder.embedded_images < 24
    assert report.previous is None


def test_images_that_cannot_be_embedded_keep_the_old_rows_in_use(
    store: Store, images: Collection, folder: Path
) -> None:
    (folder / "3.png").unlink()
    (folder / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing")
    report = _reindex(store, SwappedEncoder())
    assert not report.switched
    assert {failure.path.name: failure.reason for failure in report.lost}.keys() == {
        "3.png",
        "4.png",
    }
    assert store.collection("images").info.model == images.info.model
    assert "2 images would be lost" in " ".join(report.lines())

    encoder = SwappedEncoder()
    report = _reindex(store, encoder, ReindexOptions(allow_missing=True))
    assert report.switched
    assert encoder.embedded_images == 0
    new = store.collection("images")
    assert new.count() == 22
    assert [failure.path.name for failure in new.failures()] == ["4.png"]


def test_failures_tags_and_copies_are_carried_over(
    store: Store, images: Collection, folder: Path
) -> None:
    (folder / "text.png").write_text("no image")
    draw(folder / "black.png", "black")  # the old model has no vector for it
    (folder / "copy.png").write_bytes((folder / "1.png").read_bytes())
    images = _ingest(store, folder)
    row = next(row for row in images.scan_rows() if row.record.path.name == "1.png")
    images.upsert([replace(row, record=replace(row.record, tags=("dog", "a b")))])
    images.finish_writes()
    assert {failure.path.name for failure in images.failures()} == {"text.png", "black.png"}

    class Light(SwappedEncoder):
        def encode_images(self, pixels: Sequence[Pixels]) -> Vectors:
            return super().encode_images(pixels) + np.float32(1)

    encoder = Light()
    report = _reindex(store, encoder)
    new = store.collection("images")
    assert {failure.path.name for failure in new.failures()} == {"text.png"}
    assert names(new) == {f"{n}.png" for n in range(24)} | {"copy.png", "black.png"}
    assert {r.path.name: r.tags for r in new.scan() if r.tags} == {"1.png": ("dog", "a b")}
    assert encoder.embedded_images == 25
    assert report.copied == 1


def test_tags_and_removals_during_a_reindex_are_not_lost(
    store: Store, images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come between the first pass and the last one, which keeps other writers out."""

    def change(*_: object) -> int:
        row = next(row for row in images.scan_rows() if row.record.path.name == "1.png")
        images.upsert([replace(row, record=replace(row.record, tags=("late",)))])
        images.delete([r.id for r in images.scan() if r.path.name == "2.png"])
        images.finish_writes()
        return 0

    monkeypatch.setattr("ingest.reindex.run.wait_for_index", change)
    _reindex(store, SwappedEncoder())
    new = store.collection("images")
    assert {r.path.name: r.tags for r in new.scan() if r.tags} == {"1.png": ("late",)}
    assert new.count() == 23


@pytest.mark.parametrize("version", [1, 2, 3, SCHEMA_VERSION])
def test_the_present_schema_is_reached_without_embedding(
    store: Store, folder: Path, version: int
) -> None:
    camera = folder / "camera.jpg"
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    Image.new("RGB", (40, 30), "blue").save(camera, exif=exif)
    with old_schema(version=version):
        images = _ingest(store, folder)
    gone = folder / "7.png"
    gone.unlink()
    before = _vectors(images)
    force = version == SCHEMA_VERSION
    report = _reindex(store, None, ReindexOptions(force=force))
    new = store.collection("images")
    assert new.info.schema_version == SCHEMA_VERSION
    assert _vectors(new) == before
    assert (report.embedded, report.copied, report.lost) == (0, 25, ())
    assert {r.path.name: r.camera for r in new.scan() if r.camera} == {
        "camera.jpg": "Maker Model 1"
    }
    assert reindex(store, "images", None, _load_nothing, ReindexOptions()) is None
    assert list(new.scan_damaged()) == []


def _pack(archive: Path, *files: Path) -> Path:
    with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
        for file in files:
            tar.add(file, f"a/{file.name}")
    return archive


def test_members_of_archives_are_embedded_again(store: Store, tmp_path: Path) -> None:
    archive = _pack(tmp_path / "images.tar", draw(tmp_path / "red.png", "red"))
    images = _ingest(store, archive)
    assert images.count() == 1
    report = _reindex(store, SwappedEncoder())
    assert report.switched
    assert embedding(store.collection("images"), archive / "a/red.png") == [0, 1, 0, 0]


def test_archives_are_read_once_and_not_for_each_image(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _pack(tmp_path / "images.tar.gz", *folder.iterdir())
    (damaged := tmp_path / "damaged.tar").write_bytes(b"no archive")
    images = _ingest(store, archive, damaged)
    assert images.count() == len(COLORS)
    opened: list[object] = []
    original = tarfile.open

    def count(*args: Any, **options: Any) -> tarfile.TarFile:
        opened.append(options)
        return original(*args, **options)

    monkeypatch.setattr("clipsearch.locations.tar_archive.tarfile.open", count)
    expected, failures = _swapped(images), images.failures()
    assert _reindex(store, SwappedEncoder()).switched
    new = store.collection("images")
    assert _vectors(new) == expected
    assert new.failures() == failures
    assert len(opened) <= 2  # to embed, and to find what has changed meanwhile


@pytest.mark.parametrize("model", [None, SwappedEncoder()])
def test_archives_whose_images_are_all_in_the_new_rows_are_skipped_then(
    store: Store, tmp_path: Path, model: Encoder | None
) -> None:
    (bad := tmp_path / "bad.png").write_text("no image")
    red, blue = draw(tmp_path / "red.png", "red"), draw(tmp_path / "blue.png", "blue")
    whole = _pack(tmp_path / "whole.tar", red, bad)
    gone = _pack(tmp_path / "gone.tar", blue)
    known = _ingest(store, whole, gone).archives.read()
    assert known.keys() == {whole, gone}
    if model is not None:
        gone.rename(tmp_path / "elsewhere.tar")
    _reindex(store, model, ReindexOptions(allow_missing=True, force=True))
    new = store.collection("images")
    assert new.archives.read() == {
        archive: state for archive, state in known.items() if model is None or archive == whole
    }
    assert [failure.path for failure in new.failures()] == [whole / "a/bad.png"]
    if model is not None:
        (tmp_path / "elsewhere.tar").rename(gone)
        ingest(open_source([whole, gone]), new, model, IngestOptions())
    assert new.count() == 2
    assert new.archives.read() == known


def test_a_generation_that_fails_its_checks_is_not_used(
    store: Store, images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(verify, "find_problem", lambda *_: "its checksum is wrong")
        with pytest.raises(StoreError, match=r"is not used: the row of .* is wrong"):
            _reindex(store, SwappedEncoder())
    assert store.collection("images").info.model == images.info.model
    assert cancel(store, "images")
    assert not cancel(store, "images")
    assert store.backend.collection_names() == ["clipsearch_catalog", "images"]


def test_another_model_does_not_continue_an_unfinished_reindex(
    store: Store, images: Collection
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _reindex(store, InterruptedEncoder(4))
    other = ColorEncoder(weights="third", name="third")
    with pytest.raises(StoreError, match="reindex of 'images' by swapped is unfinished"):
        _reindex(store, other)
    loaded: list[str] = []

    def load(name: str) -> Encoder:
        loaded.append(name)
        return SwappedEncoder()

    report = reindex(store, "images", None, load, ReindexOptions())
    assert report is not None
    assert report.switched
    assert loaded == ["swapped"]


def test_text_is_read_on_while_a_reindex_deletes_the_old_rows(
    store: Store, images: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reindexing:
        total: float | None = None
        done = 0.0

        def update(self, n: float) -> None:
            if not self.done:
                _reindex(store, None, ReindexOptions(force=True, drop_old=True))
            self.done += n

    monkeypatch.setattr("ingest.ocr.stored_files.CHUNK", 4)  # images whose rows are read at once
    options, progress = ReadOptions(min_textness=0), Reindexing()
    reader = ColorReader()
    reader.concurrency = 1  # with more, all images are loaded before the first one is done
    present = partial(store.collection, "images")
    report = read_images(present, reader, [], options, None, progress)
    assert report.read == progress.done == len(COLORS)
    stored = present()
    assert stored.info.milvus_name != images.info.milvus_name
    read = {row.id: row.text.text for row in stored.texts.scan()}
    assert {record.path.name: read[record.id] for record in stored.scan()} == {
        f"{number}.png": color_words(color) for number, color in enumerate(COLORS)
    }
