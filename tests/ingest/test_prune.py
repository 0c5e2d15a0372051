"""Rows of deleted files are removed, unless a disk may not be mounted."""

import os
import shutil
from pathlib import Path

import pytest

from clipsearch.files.discover import FileSource
from clipsearch.files.mounts import Mount
from clipsearch.files.walk import FileSelection
from clipsearch.store import Collection
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts, names
from tests.helpers.small_disk import run_with_mounts

DEFAULT = IngestOptions()


def test_prune_removes_rows_of_deleted_files_under_the_given_roots_only(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    elsewhere = draw(tmp_path / "elsewhere" / "x.png", (5, 6, 7))
    ingest(FileSource([image_folder, elsewhere]), collection, encoder, DEFAULT)
    elsewhere.unlink()
    (image_folder / "red.png").unlink()
    assert counts(ingest(FileSource([image_folder]), collection, encoder, DEFAULT)) == {
        "unchanged": 2
    }
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert counts(report) == {"unchanged": 2, "removed": 1}
    assert names(collection) == {"green.png", "blue.png", "x.png"}


def test_prune_refuses_a_root_that_is_suddenly_empty(
    image_folder: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    for path in image_folder.iterdir():
        path.unlink()
    report = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert "not mounted" in report.refused[0]
    assert "--force" in report.refused[0]
    assert collection.count() == 3
    forced = ingest(
        FileSource([image_folder]), collection, encoder, IngestOptions(prune=True, force=True)
    )
    assert counts(forced) == {"removed": 3}
    assert collection.count() == 0


def test_prune_keeps_files_that_cannot_be_examined(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    lstat = Path.lstat

    def locked(self: Path) -> os.stat_result:
        if self.parent == image_folder:
            raise PermissionError(13, "Permission denied")
        return lstat(self)

    monkeypatch.setattr(Path, "lstat", locked)
    report = ingest(
        FileSource([image_folder]), collection, encoder, IngestOptions(prune=True, force=True)
    )
    assert report.removed == 0
    assert collection.count() == 3


def test_prune_keeps_rows_of_a_disk_that_is_not_mounted(
    collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    for disk, images in (("nas1", 20), ("nas2", 12)):
        for number in range(images):
            draw(tmp_path / "p" / disk / f"{number}.png", (number + 1, 9, images))
    draw(tmp_path / "p" / "album" / "one.png", "red")
    ingest(FileSource([tmp_path / "p"]), collection, encoder, DEFAULT)
    before = collection.count()
    shutil.rmtree(tmp_path / "p" / "nas2")
    (tmp_path / "p" / "nas2").mkdir()
    shutil.rmtree(tmp_path / "p" / "album")
    report = ingest(FileSource([tmp_path / "p"]), collection, encoder, IngestOptions(prune=True))
    assert report.removed == 1  # a deleted album leaves no empty folder
    assert "nas2" in report.refused[0]
    assert collection.count() == before - 1
    forced = ingest(
        FileSource([tmp_path / "p"]), collection, encoder, IngestOptions(prune=True, force=True)
    )
    assert (forced.removed, forced.refused) == (12, ())


def test_rows_of_deleted_files_are_counted_without_prune(
    image_folder: Path, collection: Collection, encoder: ColorEncoder, tmp_path: Path
) -> None:
    elsewhere = draw(tmp_path / "elsewhere" / "x.png", (5, 6, 7))
    draw(image_folder / "sub" / "y.png", (8, 9, 10))
    first = ingest(FileSource([image_folder, elsewhere]), collection, encoder, DEFAULT)
    assert first.gone == 0
    elsewhere.unlink()  # in no given folder
    (image_folder / "red.png").unlink()
    (image_folder / "sub" / "y.png").unlink()
    for paths in ([image_folder], [image_folder, image_folder / "sub"]):
        report = ingest(FileSource(paths), collection, encoder, DEFAULT)
        assert report.gone == 2
        assert any("2 gone" in line and "--prune" in line for line in report.lines())
    excluding = FileSource([image_folder], FileSelection(exclude=("blue.png",)))
    assert ingest(excluding, collection, encoder, DEFAULT).gone == 2
    pruned = ingest(FileSource([image_folder]), collection, encoder, IngestOptions(prune=True))
    assert (pruned.removed, pruned.gone) == (2, 0)
    assert ingest(FileSource([image_folder]), collection, encoder, DEFAULT).gone == 0


def test_images_of_a_small_disk_that_is_not_mounted_are_kept(
    image_folder: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Mount(1, image_folder / "disk", "ext4")
    mounted = [disk]
    monkeypatch.setattr("clipsearch.files.disks.read_mounts", lambda: mounted)
    for name in ("1", "2"):
        draw(disk.point / f"{name}.png", (int(name), 3, 3))
    ingest(FileSource([image_folder]), collection, encoder, DEFAULT)
    mounted.clear()
    shutil.rmtree(disk.point)
    disk.point.mkdir()
    (image_folder / "red.png").unlink()
    prune = IngestOptions(prune=True)
    report = ingest(FileSource([image_folder]), collection, encoder, prune)
    assert report.removed == 1
    assert names(collection) == {"green.png", "blue.png", "1.png", "2.png"}
    assert f"nothing removed under {disk.point}: 2 images" in report.refused[0]
    elsewhere = IngestOptions(prune=True, force=True)
    draw(image_folder.parent / "other" / "x.png", (9, 9, 9))
    ingest(FileSource([image_folder.parent / "other"]), collection, encoder, elsewhere)
    assert list(collection.info.mounts) == [disk.point]
    forced = ingest(FileSource([image_folder]), collection, encoder, elsewhere)
    assert forced.removed == 2
    assert not collection.info.mounts


UNMOUNTED = """
folder, store = Path(sys.argv[1]), sys.argv[2]
from tests.helpers.fakes import draw
mount(folder / "disk", 1_000)
for number in range(3):
    draw(folder / "disk" / f"{number}.png", (number, 2, 3))
for number in range(4):
    draw(folder / f"{number}.png", (number, 8, 8))
assert run("ingest", folder, "--uri", store, "--model", "pocket").returncode == 0
subprocess.run(["umount", folder / "disk"], check=True)
(folder / "1.png").unlink()
prune = run("ingest", folder, "--prune", "--uri", store)
assert prune.returncode == 1, prune.stderr
assert f"nothing removed under {folder}/disk: 3 images" in prune.stderr, prune.stderr
assert "1 removed" in prune.stderr, prune.stderr
forced = run("ingest", folder, "--prune", "--force", "--uri", store)
assert forced.returncode == 0 and "3 removed" in forced.stderr, forced.stderr
print("done")
"""


def test_a_real_disk_that_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "images" / "disk").mkdir(parents=True)
    done = run_with_mounts(UNMOUNTED, tmp_path / "images", tmp_path / "images.db")
    assert done.stdout == "done\n", done.stderr
