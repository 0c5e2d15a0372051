from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipsearch.arguments import paths
from clipsearch.cli.param_types import Location
from clipsearch.errors import ImageError, UsageError
from clipsearch.files.stored_file import open_stored_file
from clipsearch.images.decode import decode
from clipsearch.locations import object_store
from clipsearch.query.condition import select_rows
from clipsearch.query.filters import Filters
from clipsearch.query.near_duplicates import find_near_duplicates
from clipsearch.query.response import _hit_json, parse_hit
from clipsearch.records import Hit
from clipsearch.remote_path import locate
from clipsearch.render.json_csv import hit_paths
from clipsearch.store import Collection
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.report import IngestReport
from ingest.sources.source import open_source
from tests.helpers.archives import image_bytes, sample, write_tar
from tests.helpers.fakes import ColorEncoder
from tests.helpers.ingestion import counts, embedding

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A store in memory with three images and a text."""
    system = fsspec.filesystem("memory")
    for color in ("red", "green", "blue"):
        system.pipe_file(f"/bucket/photos/{color}.png", image_bytes(color))
    system.pipe_file("/bucket/photos/notes.txt", b"text")
    yield system
    system.rm("/", recursive=True)
    system.store.clear()


def run(
    collection: Collection, encoder: ColorEncoder, *uris: str, prune: bool = False
) -> IngestReport:
    return ingest(open_source(uris), collection, encoder, IngestOptions(prune=prune))


PREFIX = "memory://bucket/photos"


@pytest.mark.usefixtures("bucket")
def test_a_prefix_is_ingested(collection: Collection, encoder: ColorEncoder) -> None:
    report = run(collection, encoder, f"{PREFIX}/")
    assert counts(report) == {"stored": 3}
    assert report.skipped.suffixes == {".txt": 1}
    red = locate(f"{PREFIX}/red.png")
    assert embedding(collection, red) == [1, 0, 0, 0]
    assert {str(record.path) for record in collection.scan()} == {
        f"{PREFIX}/{color}.png" for color in ("red", "green", "blue")
    }
    assert collection.info.roots == (locate(PREFIX),)
    assert counts(run(collection, encoder, PREFIX)) == {"unchanged": 3}
    assert encoder.embedded_images == 3
    assert decode(red).format == "png"
    with open_stored_file(red, collection.info.roots) as file:
        assert file.read() == image_bytes("red")
    with pytest.raises(ImageError, match="missing"):
        open_stored_file(locate(f"{PREFIX}/none.png"), [])


def test_changed_and_deleted_objects(
    bucket: Any, collection: Collection, encoder: ColorEncoder
) -> None:
    run(collection, encoder, PREFIX)
    bucket.pipe_file("/bucket/photos/red.png", image_bytes("yellow"))
    bucket.rm("/bucket/photos/blue.png")
    assert counts(run(collection, encoder, PREFIX)) == {"stored": 1, "unchanged": 1}
    report = run(collection, encoder, PREFIX, prune=True)
    assert counts(report) == {"unchanged": 2, "removed": 1}


def test_an_empty_or_unreachable_bucket_removes_nothing(
    bucket: Any, collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(collection, encoder, PREFIX)
    monkeypatch.setattr(object_store, "FIRST_WAIT", 0)
    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "find", _fail)
        report = run(collection, encoder, PREFIX, prune=True)
    assert (report.removed, len(report.failed), len(report.refused)) == (0, 1, 1)
    bucket.rm("/bucket", recursive=True)
    report = run(collection, encoder, PREFIX, prune=True)
    assert (report.removed, len(report.refused)) == (0, 1)
    assert collection.count() == 3


def test_a_network_error_is_tried_again(
    bucket: Any, collection: Collection, encoder: ColorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "FIRST_WAIT", 0)
    calls = 0
    read = type(bucket).cat_file

    def flaky(self: Any, path: str, **options: Any) -> bytes:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise ConnectionError("reset by peer")
        return bytes(read(self, path, **options))

    monkeypatch.setattr(type(bucket), "cat_file", flaky)
    assert counts(run(collection, encoder, PREFIX)) == {"stored": 3}
    assert calls == 6


def test_shards_in_a_bucket(
    bucket: Any, tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    for number in (0, 1):
        color = ("red", "blue")[number]
        shard = write_tar(tmp_path / "s.tar", sample("x", color, license="cc0"))
        bucket.pipe_file(f"/bucket/shards/{number:03}.tar", shard.read_bytes())
    assert counts(run(collection, encoder, "memory://bucket/shards/*.tar")) == {"stored": 2}
    uris = "memory://bucket/shards/{000..001}.tar"
    assert counts(run(collection, encoder, uris)) == {"unchanged": 2}
    member = locate("memory://bucket/shards/001.tar/x.png")
    assert embedding(collection, member) == [0, 0, 1, 0]
    assert decode(member).format == "png"
    assert {str(record.metadata) for record in collection.scan()} == {"{'license': 'cc0'}"}


@pytest.mark.usefixtures("bucket")
def test_what_matches_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing matches"):
        open_source(["memory://bucket/*.tar"])
    with pytest.raises(UsageError, match="no images"):
        open_source(["memory://bucket/none"]).require_any()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs")

    monkeypatch.setattr(fsspec, "filesystem", refuse)
    object_store._file_system.cache_clear()
    with pytest.raises(UsageError, match="pip install 'clipsearch\\[scale\\]' s3fs"):
        open_source(["s3://b/photos"])
    object_store._file_system.cache_clear()


def _fail(*_: Any, **__: Any) -> None:
    raise ConnectionError("unreachable")


@pytest.mark.usefixtures("bucket")
def test_a_prefix_is_a_filter(collection: Collection, encoder: ColorEncoder) -> None:
    run(collection, encoder, PREFIX)
    under = Location(path_type=Path).convert(PREFIX, None, None)
    assert len(list(select_rows(collection, Filters(under=under)))) == 3
    assert len(list(select_rows(collection, Filters(under=locate(f"{PREFIX}/none"))))) == 0
    assert len(list(select_rows(collection, Filters(glob="*red*")))) == 1


def test_objects_are_compared_with_others_and_opened_where_they_are(
    bucket: Any,
    tmp_path: Path,
    collection: Collection,
    encoder: ColorEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    decoy = tmp_path / "memory:" / "bucket" / "photos"
    decoy.mkdir(parents=True)
    (decoy / "red.png").write_bytes(image_bytes("blue"))
    bucket.pipe_file("/bucket/photos/red.bmp", image_bytes("red", format_="BMP"))
    run(collection, encoder, *map(str, paths("paths", [locate(PREFIX)])))
    [group] = find_near_duplicates(collection, 0.99)
    assert {str(r.path) for r in group.records} == {f"{PREFIX}/red.png", f"{PREFIX}/red.bmp"}
    hits = [Hit(record, 1.0) for record in group.records]
    for hit in hits:
        assert parse_hit(_hit_json(hit)) == hit
    assert hit_paths(hits).decode().split() == [str(hit.path) for hit in hits]
