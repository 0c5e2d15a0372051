import gzip
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clipsearch.files.discover import ImageFile
from clipsearch.locations.open_location import open_location
from clipsearch.locations.source_fields import (
    MAX_FIELDS,
    NAME_BYTES,
    TEXT_BYTES,
    FieldSelection,
)
from clipsearch.store import Collection, Store
from clipsearch.types import Failure
from ingest.dry_run import preview
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.reindex.run import ReindexOptions, reindex
from ingest.removal import remove_images
from ingest.report import IngestReport
from ingest.sources.metadata_reader import MetadataReader
from ingest.sources.source import SourceOptions, open_source
from tests.helpers.archives import Mode, image_bytes, sample, write_tar
from tests.helpers.fakes import ColorEncoder
from tests.helpers.ingestion import counts, embedding
from tests.helpers.records import old_schema

SAMPLES = [
    *sample("000001", "red", license="cc0"),
    *sample("000002", "green", license="by", size=3),
    *sample("deep/000003", "blue"),
]


def run(collection: Collection, encoder: ColorEncoder, *paths: Path) -> IngestReport:
    return ingest(open_source(paths), collection, encoder, IngestOptions())


def locations(*paths: Path) -> list[str]:
    return [str(item.path) for item in open_source(paths) if isinstance(item, ImageFile)]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_are_stored_below_their_archive(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder, mode: Mode
) -> None:
    shard = write_tar(tmp_path / "0001.tar", SAMPLES, mode)
    assert counts(run(collection, encoder, shard)) == {"stored": 3}
    assert embedding(collection, shard / "000001.png") == [1, 0, 0, 0]
    assert embedding(collection, shard / "000002.png") == [0, 1, 0, 0]
    assert embedding(collection, shard / "deep/000003.png") == [0, 0, 1, 0]
    images = encoder.embedded_images
    assert counts(run(collection, encoder, shard)) == {"unchanged": 3}
    assert encoder.embedded_images == images


def test_zstandard_is_read(tmp_path: Path, collection: Collection, encoder: ColorEncoder) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    plain = write_tar(tmp_path / "plain.tar", SAMPLES)
    shard = tmp_path / "0001.tar.zst"
    with pyarrow.CompressedOutputStream(str(shard), "zstd") as stream:
        stream.write(plain.read_bytes())
    assert counts(run(collection, encoder, shard)) == {"stored": 3}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_member_opens_again_as_it_was(tmp_path: Path, mode: Mode) -> None:
    data = image_bytes("red", size=(700, 900), format_="BMP")  # more than is kept in memory
    shard = write_tar(tmp_path / "s.tar", [("a.bmp", data), *SAMPLES], mode)
    [file, *_] = [item for item in open_source([shard]) if isinstance(item, ImageFile)]
    assert file.origin is not None
    assert file.origin.read().read() == data
    with open_location(shard / "a.bmp") as stream:
        assert stream.read() == data
        assert os.fstat(stream.fileno()).st_mtime_ns == shard.stat().st_mtime_ns
    with pytest.raises(FileNotFoundError):
        open_location(shard / "b.bmp")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_cut_archive_gives_what_precedes_the_damage(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder, mode: Mode
) -> None:
    noise = os.urandom(5_000)
    members = [*SAMPLES[:1], ("x.png", noise), ("b.png", image_bytes("blue"))]
    shard = write_tar(tmp_path / "s.tar", members, mode)
    shard.write_bytes(shard.read_bytes()[:3_000])
    report = run(collection, encoder, shard)
    assert counts(report) == {"stored": 1, "failed": 1}
    assert report.failed[0].path == shard
    assert report.failed[0].reason.startswith("it ends within")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("damage", ["end", "one block", "header", "no header"])
def test_a_header_that_is_missing_or_damaged_does_not_count_as_the_end(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder, mode: Mode, damage: str
) -> None:
    members = [(f"{name}.png", image_bytes(name)) for name in ("red", "lime", "blue")]
    data = write_tar(tmp_path / "s.tar", members).read_bytes()
    size = len(data.rstrip(b"\0")) // 512 * 512 + 512  # of all members
    header = size // 3 * 2  # of the last one
    damaged, stored = {
        "end": (data[:size], 3),
        "one block": (data[: size + 512], 3),
        "header": (data[:header] + b"?" * 512 + data[header + 512 :], 2),
        "no header": (data[: header + 100], 2),
    }[damage]
    shard = tmp_path / "damaged.tar"
    shard.write_bytes(gzip.compress(damaged) if mode == "w:gz" else damaged)
    for outcome in ("stored", "unchanged"):
        report = run(collection, encoder, shard)
        if damage == "one block":  # GNU tar warns of it, and takes it for the end
            assert counts(report) == {outcome: stored}
        else:
            assert counts(report) == {outcome: stored, "failed": 1}
            assert report.failed[0].path == shard
            assert "damaged" in report.failed[0].reason or "cut" in report.failed[0].reason
    assert list(collection.archives.read()) == ([shard] if damage == "one block" else [])
    write_tar(shard, members[:1])
    shard.write_bytes(shard.read_bytes()[:1024])
    os.utime(shard, ns=(1, 1))
    ingest(open_source([shard]), collection, encoder, IngestOptions(prune=True))
    assert collection.count() == stored


def test_archives_of_common_writers_have_an_end(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image_bytes("red"))
    with (tmp_path / "stream.tar").open("wb") as file, tarfile.open(fileobj=file, mode="w|") as tar:
        tar.add(tmp_path / "a.png", "a.png")
    with tarfile.open(tmp_path / "more.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "long/" * 40 + "a.png")  # has headers before its header
    with tarfile.open(tmp_path / "more.tar", "a") as tar:
        tar.add(tmp_path / "a.png", "b.png")
    tarfile.open(tmp_path / "empty.tar", "w").close()
    shards = [tmp_path / name for name in ("stream.tar", "more.tar", "empty.tar")]
    if shutil.which("tar"):
        packed = subprocess.run(
            ["tar", "-C", tmp_path, "-cf", "-", "a.png"], stdout=subprocess.PIPE, check=True
        )
        (tmp_path / "program.tar").write_bytes(packed.stdout)
        shards.append(tmp_path / "program.tar")
    for shard in shards:
        count = {"more.tar": 2, "empty.tar": 0}.get(shard.name, 1)
        assert [type(item) for item in open_source([shard])] == [ImageFile] * count


def test_sizes_that_an_archive_claims_take_no_memory(tmp_path: Path) -> None:
    name, image = tarfile.TarInfo("x"), tarfile.TarInfo("a.png")
    name.type, name.size, image.size = tarfile.GNUTYPE_LONGNAME, 1 << 40, 1 << 40
    for number, info in enumerate((name, image)):
        for mode in ("w", "w:gz"):
            shard = tmp_path / f"{number}-{mode[2:]}.tar"
            data = info.tobuf(tarfile.GNU_FORMAT) + b"x" * 5_000
            shard.write_bytes(data if mode == "w" else gzip.compress(data))
            *_, failure = open_source([shard])
            assert isinstance(failure, Failure)
            assert failure.path == shard


def test_what_is_no_archive_is_a_failure(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    for name, data in (("a.tar", b"x" * 2_000), ("b.tar", gzip.compress(b"no tar"))):
        (tmp_path / name).write_bytes(data)
    items = list(open_source([tmp_path / "a.tar", tmp_path / "b.tar"]))
    assert [type(item) for item in items] == [Failure, Failure]
    good = write_tar(tmp_path / "good.tar", SAMPLES)
    report = run(collection, encoder, tmp_path / "a.tar", good)
    assert counts(report) == {"stored": 3, "failed": 1}


def test_links_devices_and_names_that_leave_are_left_out(tmp_path: Path) -> None:
    def special(name: str, kind: bytes) -> tuple[str, tarfile.TarInfo]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        return name, info

    red = image_bytes("red")
    shard = write_tar(
        tmp_path / "s.tar",
        [
            special("link.png", tarfile.SYMTYPE),
            special("hard.png", tarfile.LNKTYPE),
            special("device.png", tarfile.CHRTYPE),
            ("../outside.png", red),
            ("a/../../outside.png", red),
            ("/absolute.png", red),
            ("./dot//same.png", red),
            ("dot/same.png", image_bytes("blue")),
            ("notes.pdf", b"no image"),
        ],
    )
    assert locations(shard) == [f"{shard}/absolute.png", f"{shard}/dot/same.png"]
    source = open_source([shard])
    list(source)
    assert source.skipped.suffixes == {".pdf": 1}


def test_a_changed_archive_is_compared_member_by_member(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shard = write_tar(tmp_path / "s.tar", SAMPLES)
    run(collection, encoder, shard)
    images = encoder.embedded_images
    changed = [*SAMPLES[:2], *sample("000002", "yellow"), SAMPLES[-1]]
    write_tar(shard, changed)
    os.utime(shard, ns=(1, 1))
    report = run(collection, encoder, shard)
    assert counts(report) == {"stored": 1, "unchanged": 2}
    assert encoder.embedded_images == images + 1


def test_an_unchanged_archive_is_not_opened(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shard = write_tar(tmp_path / "s.tar", [*SAMPLES, ("bad.png", b"no image")])
    assert counts(run(collection, encoder, shard)) == {"stored": 3, "failed": 1}
    stamp = shard.stat()
    shard.write_bytes(b"x" * stamp.st_size)
    os.utime(shard, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    report = run(collection, encoder, shard)
    assert counts(report) == {"unchanged": 3, "failed": 1}
    assert report.failed[0].path == shard / "bad.png"


def test_a_removed_member_returns_with_the_next_run(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shard = write_tar(tmp_path / "s.tar", SAMPLES)
    run(collection, encoder, shard)
    assert remove_images(collection, [shard / "000001.png"]) == 1
    assert counts(run(collection, encoder, shard)) == {"unchanged": 2, "stored": 1}


def test_prune_removes_members_and_archives_that_are_gone(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shard = write_tar(tmp_path / "1.tar", SAMPLES)
    other = write_tar(tmp_path / "2.tar", sample("x", "yellow"))
    run(collection, encoder, shard, other)
    write_tar(shard, SAMPLES[2:])
    os.utime(shard, ns=(1, 1))
    other.unlink()
    options = IngestOptions(prune=True)
    assert preview(open_source([shard]), collection, options).removed == 2
    report = ingest(open_source([shard]), collection, encoder, options)
    assert counts(report) == {"unchanged": 2, "removed": 2}
    assert {record.path.name for record in collection.scan()} == {"000002.png", "000003.png"}
    assert list(collection.archives.read()) == [shard]


def test_descriptions_become_metadata(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    shard = write_tar(
        tmp_path / "s.tar",
        [
            *sample("a", "red", license="cc0", exif={"iso": 100}, tags=["x", "y"], none=None),
            ("a.txt", b" a red image\n"),
            ("a.cls", b"7"),
            *sample("b", "blue"),
            ("b.json", b"{broken"),
            *sample("c", "green", long="x" * 9_000, number=2**80, nan=float("nan")),
        ],
    )
    report = run(collection, encoder, shard)
    assert (report.metadata_cut, report.first_cut) == (1, shard / "c.png")
    assert any(str(shard / "c.png") in line for line in report.lines())
    metadata = {record.path.stem: record.metadata for record in collection.scan()}
    assert metadata["a"] == {
        "license": "cc0",
        "exif.iso": 100,
        "tags": "x, y",
        "caption": "a red image",
        "cls": 7,
    }
    assert metadata["b"] == {}
    assert metadata["c"]["number"] == str(2**80)
    assert str(metadata["c"]["long"]).endswith("x…")
    assert "nan" not in metadata["c"]
    chosen = SourceOptions(FieldSelection(("license",)))
    again = ingest(open_source([shard], options=chosen), collection, encoder, IngestOptions())
    assert again.metadata_cut == 0
    assert {str(record.metadata) for record in collection.scan()} == {"{'license': 'cc0'}", "{}"}


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "x" * (TEXT_BYTES + 1)},
        {"x" * (NAME_BYTES + 1): 1},
        {f"{number}": number for number in range(MAX_FIELDS + 1)},
        {f"{number}": "x" * 2_000 for number in range(9)},
        {"a": {"b": ["x" * 1_500, "y" * 1_500]}},
    ],
    ids=["text", "name", "fields", "all", "list"],
)
def test_cut_metadata_is_counted_where_it_is_chosen(fields: dict[str, Any]) -> None:
    reader = MetadataReader(FieldSelection())
    assert reader.read(Path("/whole"), {"a": "x" * TEXT_BYTES, "null": None})
    assert reader.cut == 0
    for name in ("/first", "/second"):
        assert reader.read(Path(name), fields | {"short": 1})
    assert (reader.images, reader.cut, reader.first_cut) == (3, 2, Path("/first"))
    chosen, is_cut = FieldSelection(("short",)).choose(fields | {"short": 1})
    assert (chosen, is_cut) == ({"short": 1}, False)


def test_an_older_collection_warns_once_and_gets_the_metadata_after_a_reindex(
    tmp_path: Path, encoder: ColorEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    shard = write_tar(tmp_path / "s.tar", SAMPLES)
    with Store.open(tmp_path / "old.db") as store:
        with old_schema(version=4):
            old = store.create("images", encoder.identity)
        options = IngestOptions(rehash=True)
        for count, given in (({"stored": 3}, IngestOptions()), ({"unchanged": 3}, options)):
            caplog.clear()
            assert counts(ingest(open_source([shard]), old, encoder, given)) == count
            [message] = [text for text in caplog.messages if "metadata" in text]
            assert "2 images" in message
            assert "clipsearch reindex" in message
        caplog.clear()
        assert counts(run(old, encoder, shard)) == {"unchanged": 3}
        assert not caplog.messages
        reindex(store, "images", None, lambda _: encoder, ReindexOptions())
        new = store.collection("images")
        images = encoder.embedded_images
        assert counts(ingest(open_source([shard]), new, encoder, options)) == {"unchanged": 3}
        assert encoder.embedded_images == images
        found = {record.path.stem: record.metadata for record in new.scan()}
        assert found["000002"] == {"license": "by", "size": 3}
        assert found["000003"] == {}


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(["\udcff", "a/b", "a//c", "x.tar/y"])
@given(st.lists(names, min_size=1, max_size=5))
def test_any_name_has_a_location_that_opens(tmp_path: Path, stems: list[str]) -> None:
    members = [(f"{stem}.png", image_bytes("red", size=(i + 1, 1))) for i, stem in enumerate(stems)]
    shard = write_tar(tmp_path / "s.tar", members)
    os.utime(shard, ns=(len(stems), hash(tuple(stems)) % 10**15))
    files = [item for item in open_source([shard]) if isinstance(item, ImageFile)]
    assert len({file.path for file in files}) == len(files)
    for file in files:
        assert file.origin is not None
        assert shard in file.path.parents
        with open_location(file.path) as stream:
            assert stream.read() == file.origin.read().read()
