"""A disk that becomes full at any write of an ingestion: a clear error, no loss, and it resumes."""

from pathlib import Path

import pytest

from clipsearch.errors import StoreError
from clipsearch.files.discover import FileSource
from clipsearch.images.hashing import image_id
from clipsearch.store import Store
from clipsearch.store.redo_log import RedoLog, redo_path
from ingest import pipeline
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw

FILES = 12


def update(path: Path, folder: Path, encoder: ColorEncoder) -> None:
    with Store.open(path) as store:
        images = store.find("images") or store.create("images", encoder.identity)
        ingest(FileSource([folder]), images, encoder, IngestOptions(prune=True, force=True))


def colors_of(path: Path) -> dict[str, tuple[float, ...]]:
    with Store.open(path) as store:
        rows = store.collection("images").scan_rows()
        return {row.record.id: tuple(row.embedding.round(4).tolist()) for row in rows}


@pytest.mark.parametrize("full_at", range(1, 7))
def test_a_disk_that_becomes_full_at_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: int
) -> None:
    path, folder = tmp_path / "images.db", tmp_path / "images"
    monkeypatch.setattr(pipeline, "WRITE", 4)
    files = [draw(folder / f"{n}.png", (20 * n, 100, 50)) for n in range(FILES)]
    update(path, folder, ColorEncoder())
    before = colors_of(path)
    for n, file in enumerate(files[:9]):
        draw(file, (20 * n, 10, 200))
    calls = iter(range(1, 1_000))
    with monkeypatch.context() as patch:
        patch.setattr(
            "clipsearch.store.local_store.free_bytes",
            lambda _: 1 << (20 if next(calls) >= full_at else 40),
        )
        encoder = ColorEncoder()
        with pytest.raises(StoreError, match=r"the disk of .* is full"):
            update(path, folder, encoder)
    between = colors_of(path)
    assert between.keys() == before.keys()
    changed = sum(between[key] != before[key] for key in before)
    assert changed % 4 in (0, 1)
    encoder = ColorEncoder()
    update(path, folder, encoder)
    assert encoder.embedded_images == 9 - changed
    after = colors_of(path)
    assert after.keys() == {image_id(file) for file in files}
    assert sum(after[key] != before[key] for key in before) == 9


def test_a_redo_log_that_does_not_fit_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "images.db", tmp_path / "images"
    for n in range(3):
        draw(folder / f"{n}.png", (20 * n, 100, 50))
    update(path, folder, ColorEncoder())
    before = colors_of(path)
    draw(folder / "1.png", "blue")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("clipsearch.store.redo_log.os.fsync", fail)
        with pytest.raises(StoreError, match=r"images\.db-redo cannot be written: No space left"):
            update(path, folder, ColorEncoder())
    assert not redo_path(path).exists()
    assert RedoLog(path).read() is None
    assert colors_of(path) == before
