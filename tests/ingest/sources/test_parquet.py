from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clipsearch.errors import UsageError
from clipsearch.files.discover import ImageFile
from clipsearch.locations.open_location import open_location
from clipsearch.locations.source_fields import FieldSelection
from clipsearch.remote_path import locate
from clipsearch.store import Collection
from ingest.options import IngestOptions
from ingest.pipeline import ingest
from ingest.sources.parquet_source import ParquetOptions
from ingest.sources.source import SourceOptions, open_source
from tests.helpers.archives import image_bytes
from tests.helpers.fakes import ColorEncoder, draw
from tests.helpers.ingestion import counts, embedding

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(path: Path, columns: dict[str, Any]) -> Path:
    parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return path


def test_rows_with_bytes(tmp_path: Path, collection: Collection, encoder: ColorEncoder) -> None:
    images = [image_bytes(color) for color in ("red", "green", "blue")]
    file = write(
        tmp_path / "part-0.parquet",
        {"image": [*images, b"no image", None], "license": ["cc0", "by", "cc0", "x", "y"]},
    )
    report = ingest(open_source([file]), collection, encoder, IngestOptions())
    assert counts(report) == {"stored": 3, "failed": 2}
    assert embedding(collection, file / "image/2") == [0, 0, 1, 0]
    licenses = {record.path.name: record.metadata["license"] for record in collection.scan()}
    assert licenses == {"0": "cc0", "1": "by", "2": "cc0"}
    for number, data in enumerate(images):
        with open_location(file / f"image/{number}") as stream:
            assert stream.read() == data
    for name in ("image/3x", "image/9", "other/0", "0"):
        with pytest.raises((OSError, UsageError)):
            open_location(file / name)


def test_rows_of_hugging_face(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    cells = [{"bytes": image_bytes("red"), "path": "a.png"}, {"bytes": None, "path": "b.png"}]
    draw(tmp_path / "b.png", "blue")
    file = write(tmp_path / "x.parquet", {"label": [1, 2], "image": cells})
    report = ingest(open_source([file]), collection, encoder, IngestOptions())
    assert counts(report) == {"stored": 2}
    assert embedding(collection, file / "image/0") == [1, 0, 0, 0]
    assert embedding(collection, tmp_path / "b.png") == [0, 0, 1, 0]


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
def test_any_type_of_bytes_is_an_image(tmp_path: Path, kind: str) -> None:
    data = image_bytes("red")
    column = pyarrow.array([data], getattr(pyarrow, kind)())
    file = write(tmp_path / "x.parquet", {"blob": column})
    fixed = pyarrow.array([data], pyarrow.binary(len(data)))
    other = write(tmp_path / "y.parquet", {"img": fixed, "mask": [b"0"]})
    paths = [item.path for item in open_source([file, other])]
    assert paths == [file / "blob/0", other / "img/0"]
    for path in paths:
        with open_location(path) as stream:
            assert stream.read() == data


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_any_type_of_text_is_a_path(tmp_path: Path, kind: str) -> None:
    draw(tmp_path / "a.png", "red")
    column = pyarrow.array(["a.png"], getattr(pyarrow, kind)())
    file = write(tmp_path / "x.parquet", {"path": column})
    assert [item.path for item in open_source([file])] == [tmp_path / "a.png"]


def test_other_columns_become_metadata(tmp_path: Path) -> None:
    columns = {
        "image": [image_bytes("red")],
        "mask": [b"0" * 1_000],
        "price": [Decimal("1.50")],
        "count": [Decimal(7)],
        "day": [date(2024, 1, 2)],
        "hour": [time(12, 30)],
        "kind": pyarrow.array(["x"]).dictionary_encode(),
        "embedding": [[0.5] * 512],
        "box": [[1, 2, 3, 4]],
        "inner": [{"a": 1, "b": {"c": True}}],
        "a.b": ["dot"],
    }
    file = write(tmp_path / "x.parquet", columns)

    def metadata(names: tuple[str, ...] | None) -> object:
        [item] = open_source([file], options=SourceOptions(FieldSelection(names)))
        assert isinstance(item, ImageFile)
        return item.metadata

    assert metadata(None) == {
        "price": 1.5,
        "count": 7,
        "day": "2024-01-02",
        "hour": "12:30:00",
        "kind": "x",
        "box": "1, 2, 3, 4",
        "inner.a": 1,
        "inner.b.c": True,
        "a.b": "dot",
    }
    assert metadata(("inner.b.c", "a.b", "none")) == {"inner.b.c": True, "a.b": "dot"}
    assert metadata(()) == {}


def test_any_row_opens_again(tmp_path: Path) -> None:
    images = [b"%d" % number for number in range(100)]
    table = pyarrow.table({"image": images})
    for size in (1, 7, 33, 100):
        file = tmp_path / f"{size}.parquet"
        parquet.write_table(table, file, row_group_size=size)
        for number in (0, 6, 7, 15, 16, 50, 99):
            with open_location(file / f"image/{number}") as stream:
                assert stream.read() == images[number]


def test_rows_with_paths(tmp_path: Path, collection: Collection, encoder: ColorEncoder) -> None:
    draw(tmp_path / "in" / "a.png", "red")
    names = ["in/a.png", str(tmp_path / "missing.png"), "https://h/a.png", "memory://none/a.png"]
    file = write(tmp_path / "x.parquet", {"file_name": names, "n": [1, 2, 3, 4]})
    report = ingest(open_source([file]), collection, encoder, IngestOptions())
    assert counts(report) == {"stored": 1, "failed": 3}
    [record] = collection.scan()
    assert record.path == tmp_path / "in/a.png"
    assert record.metadata == {"file_name": "in/a.png", "n": 1}
    assert locate("memory://none/a.png") in {failure.path for failure in report.failed}


def test_a_missing_package_is_an_error_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "x.parquet", {"image": [b"x"]})
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="pip install 'clipsearch\\[scale\\]'"):
        open_source([file])


def test_a_wrong_column_or_file_is_a_failure(
    tmp_path: Path, collection: Collection, encoder: ColorEncoder
) -> None:
    file = write(tmp_path / "x.parquet", {"n": [1]})
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 no")
    options = SourceOptions(parquet=ParquetOptions("wrong"))
    for source in (open_source([file, bad]), open_source([file, bad], options=options)):
        report = ingest(source, collection, encoder, IngestOptions())
        assert [failure.path for failure in report.failed] == [file, bad]
