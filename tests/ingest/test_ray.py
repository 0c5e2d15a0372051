"""Ingestion on a real Ray with two workers, compared with that of one process."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from clipsearch import Index
from clipsearch.errors import StoreError, UsageError
from clipsearch.images.hashing import image_id
from clipsearch.models.base import Encoder
from clipsearch.temporary_folder import TemporaryFolder
from ingest.options import IngestOptions
from ingest.ray.cluster import cluster
from ingest.ray.options import RayEngine
from tests.helpers.archives import Mode, sample, write_tar
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts
from tests.ingest.ray_cases import MortalEncoder

ENGINE = RayEngine(encoders=1, batch=8)


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[Path]:
    """One Ray for all tests, as starting it takes seconds; returns the folder with its files."""
    pytest.importorskip("ray")
    # The path of a socket must be short.
    with pytest.MonkeyPatch.context() as patch, TemporaryFolder(Path("/tmp"), "ray-") as folder:
        patch.setattr("ingest.ray.cluster.SHORT_FOLDER", folder)
        patch.setattr("ingest.ray.cluster.PREFIX", "c-")
        patch.setattr("clipsearch.cpu.available", lambda: 2)
        patch.setenv("HOME", str(folder / "home"))
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            patch.setenv(name, "")
            patch.delenv(name)
        with cluster(None):
            yield folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Sixteen JPEGs as of a camera, one of them twice, a broken file, and one that is black."""
    folder = tmp_path / "images"
    for number in range(16):
        draw_jpeg(folder / f"{number:02}.jpg", number)
    shutil.copy(folder / "00.jpg", folder / "twin.jpg")
    (folder / "broken.jpg").write_bytes((folder / "01.jpg").read_bytes()[:200])
    draw(folder / "black.png", "black")
    return folder


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Three archives, the last of them damaged."""
    folder = tmp_path / "shards"
    modes: tuple[Mode, ...] = ("w", "w:gz", "w")
    for number, mode in enumerate(modes):
        members = [m for n in range(6) for m in sample(f"{n}", (n * 40, number, 9), number=n)]
        write_tar(folder / f"{number}.tar", members, mode)
    damaged = folder / "2.tar"
    damaged.write_bytes(damaged.read_bytes()[:6_000])
    return sorted(folder.iterdir())


def draw_jpeg(path: Path, seed: int) -> None:
    """Draw noise in color, as large as is decoded at a smaller scale, turned by EXIF."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1 + seed % 8
    exif[ExifTags.Base.DateTime] = f"2024:01:{1 + seed % 28:02} 12:00:00"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(noise).resize((1_100, 750)).save(path, exif=exif)


def rows(index: Index) -> dict[str, object]:
    """The record of each row, by id."""
    return {record.id: record for record in index.collection.scan()}


def vectors(index: Index) -> np.ndarray:
    return np.stack(
        [r.embedding for r in sorted(index.collection.scan_rows(), key=lambda r: r.record.id)]
    )


def test_the_token_of_ray_is_private(local_ray: Path) -> None:
    [token] = local_ray.rglob("auth_token")
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert "RAY_AUTH_TOKEN_PATH" not in os.environ


def same_rows(one: Index, other: Index) -> None:
    """Check that two collections have the same rows and know the same of their sources."""
    assert rows(one) == rows(other)
    np.testing.assert_allclose(vectors(one), vectors(other), atol=1e-3)
    assert one.collection.failures() == other.collection.failures()
    assert one.collection.info.roots == other.collection.info.roots
    assert one.collection.archives.read() == other.collection.archives.read()


def test_rows_and_report_are_those_of_one_process(
    images: Path, shards: list[Path], tmp_path: Path
) -> None:
    encoder = MortalEncoder(tmp_path, "load", "encode")
    options = IngestOptions(prune=True)
    with (
        Index.open(tmp_path / "local.db", model=ColorEncoder(name="mortal")) as local,
        Index.open(tmp_path / "ray.db", model=encoder) as index,
    ):
        expected = local.ingest(images, *shards)
        report = index.ingest(images, *shards, engine=ENGINE)
        assert encoder.died("load")
        assert encoder.died("encode")
        assert counts(report) == counts(expected)
        assert set(report.failed) == set(expected.failed)
        assert {f.path.name for f in report.failed} == {"broken.jpg", "black.png", "2.tar"}
        assert set(report.stages) == {"load", "encode", "write"}
        same_rows(index, local)

        (images / "01.jpg").rename(images / "moved.jpg")
        draw_jpeg(images / "02.jpg", 99)
        shutil.copy(images / "03.jpg", images / "copy.jpg")
        (images / "04.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
        (images / "05.jpg").unlink()
        write_tar(shards[1], [*sample("0", (0, 1, 9), number=7), *sample("9", "red")])
        expected = local.ingest(images, *shards, options=options)
        report = index.ingest(images, *shards, engine=ENGINE, options=options)
        assert counts(report) == counts(expected)
        assert (report.moved, report.copied, report.removed) == (1, 1, 6)
        same_rows(index, local)


class BrokenEncoder(ColorEncoder):
    """Fails for a reason that no image has."""

    def encode_images(self, pixels):  # type: ignore[no-untyped-def]
        raise StoreError("the model is not well")


def test_an_error_of_a_worker_is_the_error_of_the_command(images: Path, tmp_path: Path) -> None:
    with (
        Index.open(tmp_path / "a.db", model=BrokenEncoder(name="broken")) as index,
        pytest.raises(StoreError, match="the model is not well"),
    ):
        index.ingest(images, engine=ENGINE)


SECRET = "root:a-word-that-nobody-sees"


def open_on(uri: str, name: str, model: Encoder) -> Index:
    return Index.open(uri, collection=name, model=model, token=SECRET, daemon=False)


def test_workers_write_to_a_server(
    images: Path, tmp_path: Path, milvus_server: str, local_ray: Path
) -> None:
    encoder = MortalEncoder(tmp_path, "encode")
    name = f"ray_{os.getpid()}"
    with (
        open_on(milvus_server, name, encoder) as index,
        Index.open(tmp_path / "local.db", model=ColorEncoder(name="mortal")) as local,
    ):
        local.ingest(images)
        report = index.ingest(images, engine=ENGINE)
        assert encoder.died("encode")
        assert counts(report) == {"stored": 16, "copied": 1, "failed": 2}
        assert rows(index) == rows(local)
        (images / "07.jpg").rename(images / "moved.jpg")
        again = index.ingest(images, engine=ENGINE)
        assert counts(again) == {"unchanged": 16, "moved": 1, "failed": 2}
        assert image_id(images / "07.jpg") not in rows(index)
        index.store.drop(name)
    logs = [path for path in local_ray.rglob("*") if path.is_file()]
    assert len(logs) > 10
    assert not [path for path in logs if SECRET.partition(":")[2].encode() in path.read_bytes()]


def test_a_server_imports_the_files_of_workers(
    images: Path, tmp_path: Path, milvus_server: str
) -> None:
    name, folder = f"bulk_{os.getpid()}", tmp_path / "bulk"
    encoder = MortalEncoder(tmp_path, "encode")
    engine = RayEngine(encoders=1, batch=8, bulk=str(folder))
    with (
        open_on(milvus_server, name, encoder) as index,
        Index.open(tmp_path / "local.db", model=ColorEncoder(name="mortal")) as local,
    ):
        local.ingest(images)
        report = index.ingest(images, engine=engine)
        assert counts(report) == {"stored": 16, "copied": 1, "failed": 2}
        assert len(index) == 17  # in another generation
        assert rows(index) == rows(local)
        np.testing.assert_allclose(vectors(index), vectors(local), atol=1e-3)
        assert index.collection.failures() == local.collection.failures()
        assert index.collection.info.roots == local.collection.info.roots
        assert index.search("red", limit=3)[0].path == local.search("red", limit=3)[0].path
        with pytest.raises(UsageError, match="fills new ones only"):
            index.ingest(images, engine=engine)
        index.store.drop(name)
        index = open_on(milvus_server, name, encoder)
        draw_jpeg(images / "00.jpg", 98)  # with the files of before
        assert counts(index.ingest(images, engine=engine))["unchanged"] == 16
        assert len(index) == 17
        index.store.drop(name)
        index.close()
