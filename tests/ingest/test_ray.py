"""Ingestion on a real Ray with two workers, compared with that of one process."""

import gzip
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clipsearch import Index
from clipsearch.errors import StoreError, UsageError
from clipsearch.images.hashing import image_id
from clipsearch.models.base import Encoder
from ingest.options import IngestOptions
from ingest.ray.options import RayEngine
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts
from tests.ingest.ray_cases import MortalEncoder

ENGINE = RayEngine(encoders=1, batch=8)


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[Path]:
    """One Ray for all tests: starting it takes seconds."""
    ray = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # a socket's path must be short
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_gcs_server_port_wait_time_s", "120")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # writes no token into the home folder
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=150 << 20,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        yield Path(folder)
        ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Forty images, one of them twice, a file that is broken, and one that is black."""
    folder = tmp_path / "images"
    for number in range(40):
        draw(folder / f"{number:02}.png", (number * 6, 255 - number, 7))
    shutil.copy(folder / "00.png", folder / "twin.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    draw(folder / "black.png", "black")
    return folder


def rows(index: Index) -> dict[str, object]:
    """The record of each row, by id."""
    return {record.id: record for record in index.collection.scan()}


def vectors(index: Index) -> np.ndarray:
    return np.stack(
        [r.embedding for r in sorted(index.collection.scan_rows(), key=lambda r: r.record.id)]
    )


def test_rows_and_report_are_those_of_one_process(images: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "local.db", model=ColorEncoder(name="color")) as local:
        expected = local.ingest(images)
        with Index.open(tmp_path / "ray.db", model=ColorEncoder(name="color")) as index:
            report = index.ingest(images, engine=ENGINE)
            assert counts(report) == counts(expected)
            assert {f.path.name for f in report.failed} == {"broken.jpg", "black.png"}
            assert rows(index) == rows(local)
            np.testing.assert_allclose(vectors(index), vectors(local), atol=1e-3)
            assert index.collection.failures() == local.collection.failures()
            assert index.collection.info.roots == local.collection.info.roots
            assert set(report.stages) == {"load", "encode", "write"}


def test_a_second_run_finds_what_changed(images: Path, tmp_path: Path) -> None:
    with Index.open(tmp_path / "a.db", model=ColorEncoder(name="color")) as index:
        index.ingest(images, engine=ENGINE)
        (images / "01.png").rename(images / "moved.png")
        draw(images / "02.png", (1, 2, 3))
        shutil.copy(images / "03.png", images / "copy.png")
        (images / "04.png").write_bytes(b"\x89PNG\r\n\x1a\n, then nothing")
        (images / "05.png").unlink()
        report = index.ingest(images, engine=ENGINE, options=IngestOptions(prune=True))
        assert counts(report) == {
            "stored": 1, "copied": 1, "moved": 1, "unchanged": 37, "removed": 1, "failed": 3
        }  # fmt: skip
        names = {record.path.name for record in index.collection.scan()}
        assert {"moved.png", "copy.png"} <= names
        assert names.isdisjoint({"01.png", "04.png", "05.png"})


@pytest.mark.parametrize("stage", ["load", "encode"])
def test_a_killed_worker_is_replaced(images: Path, tmp_path: Path, stage: str) -> None:
    encoder = MortalEncoder(tmp_path, stage)
    with Index.open(tmp_path / "a.db", model=encoder) as index:
        report = index.ingest(images, engine=ENGINE)
        assert encoder.died(stage)
        assert counts(report) == {"stored": 40, "copied": 1, "failed": 2}
        assert len(index) == len(rows(index)) == 41


def test_tar_archives_are_read(images: Path, tmp_path: Path) -> None:
    for number in range(3):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for path in sorted(images.iterdir())[number::3]:
                tar.add(path, path.name)
    with gzip.open(tmp_path / "2.tar.gz", "wb") as packed:
        packed.write((tmp_path / "2.tar").read_bytes())
    (tmp_path / "damaged.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:6_000])
    shards = [tmp_path / "{0..1}.tar", tmp_path / "2.tar.gz", tmp_path / "damaged.tar"]
    with (
        Index.open(tmp_path / "local.db", model=ColorEncoder(name="color")) as local,
        Index.open(tmp_path / "ray.db", model=ColorEncoder(name="color")) as index,
    ):
        expected = local.ingest(*shards)
        report = index.ingest(*shards, engine=ENGINE)
        assert report.found == expected.found > 43
        assert set(report.failed) == set(expected.failed)
        assert rows(index) == rows(local)
        archives = index.collection.archives
        assert archives.read() == local.collection.archives.read()
        assert len(archives.read()) == 3  # not the damaged one

        with tarfile.open(tmp_path / "0.tar", "w") as tar:
            for path in sorted(images.iterdir())[3::3]:  # without the first one
                tar.add(path, path.name)
        options = IngestOptions(prune=True)
        again = index.ingest(*shards[:2], engine=ENGINE, options=options)
        assert again.removed == 1
        left = rows(local).keys() - {image_id(tmp_path / "0.tar" / "00.png")}
        assert rows(index).keys() == left


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
        assert counts(report) == {"stored": 40, "copied": 1, "failed": 2}
        assert rows(index) == rows(local)
        (images / "07.png").rename(images / "moved.png")
        again = index.ingest(images, engine=ENGINE)
        assert counts(again) == {"unchanged": 40, "moved": 1, "failed": 2}
        assert image_id(images / "07.png") not in rows(index)
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
        assert counts(report) == {"stored": 40, "copied": 1, "failed": 2}
        assert len(index) == 41  # in another generation
        assert rows(index) == rows(local)
        np.testing.assert_allclose(vectors(index), vectors(local), atol=1e-3)
        assert index.collection.failures() == local.collection.failures()
        assert index.collection.info.roots == local.collection.info.roots
        assert index.search("red", limit=3)[0].path == local.search("red", limit=3)[0].path
        with pytest.raises(UsageError, match="fills new ones only"):
            index.ingest(images, engine=engine)
        index.store.drop(name)
        index = open_on(milvus_server, name, encoder)
        draw(images / "00.png", (9, 9, 9))  # with the files of before
        assert counts(index.ingest(images, engine=engine))["unchanged"] == 40
        assert len(index) == 41
        index.store.drop(name)
        index.close()
