"""Imports of embeddings that other programs made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clipsearch.errors import UsageError
from clipsearch.images.hashing import image_id
from clipsearch.store import Collection, Store
from clipsearch.transfer.column_mapping import ColumnChoice
from clipsearch.transfer.import_files import find_exported, import_embeddings
from clipsearch.transfer.row_import import ImportReport
from clipsearch.transfer.vector_column import read_vectors
from tests.helpers.records import MODEL

pa = pytest.importorskip("pyarrow", reason="pip install 'clipsearch[scale]'")
pq = pytest.importorskip("pyarrow.parquet")

VECTORS = np.random.default_rng(0).standard_normal((5, 4))
NAMES = [f"{number}.jpg" for number in range(5)]


@pytest.fixture
def target(target_store: Store) -> Collection:
    return target_store.create("images", MODEL)


def run(collection: Collection, *paths: Path, **choice: Any) -> ImportReport:
    files, exported = find_exported(paths)
    assert not exported
    return import_embeddings(files, ColumnChoice(**choice), collection)


def write(path: Path, /, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("kind", ["fixed", "list", "large_list"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_vectors_of_every_float_type_are_stored_with_length_1(
    target: Collection, tmp_path: Path, kind: str, dtype: str
) -> None:
    item = pa.from_numpy_dtype(np.dtype(dtype))
    types = {"fixed": pa.list_(item, 4), "list": pa.list_(item), "large_list": pa.large_list(item)}
    given_vectors = VECTORS.astype(dtype)
    column = pa.array(list(given_vectors), types[kind])
    file = write(tmp_path / "a.parquet", path=NAMES, v=column, caption=["a"] * 5)
    assert run(target, file, root=tmp_path) == ImportReport(stored=5, normalized=5)
    for name, vector in zip(NAMES, given_vectors.astype(np.float64), strict=True):
        path = tmp_path.resolve() / name
        row = target.get([image_id(path)])[image_id(path)]
        assert row.record.path == path
        np.testing.assert_allclose(row.embedding, vector / np.linalg.norm(vector), atol=1e-7)
    assert run(target, file, root=tmp_path) == ImportReport(unchanged=5, normalized=5)


def test_rows_without_a_usable_vector_or_path_are_reported_by_number(
    target: Collection, tmp_path: Path
) -> None:
    vectors = [
        [1.0, 0, 0, 0],
        [0.0, 0, 0, 0],
        [1.0, float("nan"), 0, 0],
        [1.0, None, 0, 0],
        [1.0, float("inf"), 0, 0],
        None,
        [1.0, 0, 0],
        [1.0, 0, 0, 0],
        [1.0, 0, 0, 0],
        [1e300, 0, 0, 0],
    ]
    paths = [f"{number}.jpg" for number in range(7)] + [None, "a\0b", "x.jpg"]
    file = write(tmp_path / "a.parquet", path=paths, v=vectors)
    report = run(target, file)
    assert (report.stored, report.failed, report.normalized) == (2, 8, 1)
    assert [failure.reason for failure in report.failures] == [
        "row 2: its vector is zero",
        "row 3: its vector is not finite",
        "row 4: its vector is not finite",
        "row 5: its vector is not finite",
        "row 6: it has no vector",
        "row 7: its vector has 3 dimensions, and the model 4",
        "row 8: it has no path",
        "row 9: its path holds a NUL byte",
    ]


@settings(max_examples=60)
@given(arrays(np.float64, (6, 3)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_each_vector_is_normalized_or_has_a_reason(matrix: Any, present: list[bool]) -> None:
    rows = [list(row) if here else None for row, here in zip(matrix, present, strict=True)]
    column = pa.chunked_array([pa.array(rows, pa.list_(pa.float64()))])
    vectors, problems, normalized = read_vectors(column, 3)
    assert vectors.shape == (6, 3)
    assert normalized <= problems.count(None)
    for row, vector, problem in zip(rows, vectors, problems, strict=True):
        usable = row is not None and np.isfinite(row).all() and bool(np.any(row))
        assert (problem is None) == usable
        if usable:
            assert abs(np.linalg.norm(vector.astype(np.float64)) - 1) < 1e-6


def test_known_columns_become_fields_and_others_metadata(
    target: Collection, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "a.parquet",
        path=["/a/b.jpg"],
        v=[[0.0, 1.0, 0, 0]],
        width=pa.array([640], pa.int32()),
        size=["large"],  # not a number, so not the size
        mtime_ns=[7],
        camera=["Leica"],
        latitude=[47.5],
        tags=[["sea", "sky"]],
        license=["CC0"],
        raw=[b"bytes"],
    )
    report = run(target, file)
    assert (report.stored, report.unused) == (1, {"raw"})
    [record] = target.scan()
    assert (record.path, record.width, record.size, record.mtime_ns) == (
        Path("/a/b.jpg"),
        640,
        0,
        7,
    )
    assert (record.camera, record.latitude, record.tags) == ("Leica", 47.5, ("sea", "sky"))
    assert record.content_hash == f"unknown:{record.id}"  # not equal to that of any other image


def test_rows_without_paths_are_named_by_their_ids(target: Collection, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", key=[1, 2, 3, 4, 5], v=list(VECTORS))
    with pytest.raises(UsageError, match="--path-column"):
        run(target, file)
    assert run(target, file, id="key", root=Path("/shards")).stored == 5
    assert {str(record.path) for record in target.scan()} == {f"/shards/{n}" for n in range(1, 6)}


def test_objects_of_a_bucket_keep_their_uri(target: Collection, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", url=["s3://bucket/a.jpg"], v=[[1.0, 0, 0, 0]])
    assert run(target, file, path="url").stored == 1
    [record] = target.scan()
    assert str(record.path) == "s3://bucket/a.jpg"


def test_rows_of_one_path_are_counted(target: Collection, tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", path=["/a.jpg", "/b/../a.jpg"], v=list(VECTORS[:2]))
    report = run(target, file)
    assert (report.stored, report.replaced) == (1, 1)


def test_a_row_that_the_store_refuses_harms_no_other(target: Collection, tmp_path: Path) -> None:
    tags = [["ok"], [f"tag {n}" for n in range(80)], ["x" * 2_000], ["ok"], None]
    sizes = pa.array([1, 2, 3, 2**64 - 1, 5], pa.uint64())
    file = write(tmp_path / "a.parquet", path=NAMES, v=list(VECTORS), tags=tags, size=sizes)
    report = run(target, file, root=tmp_path)
    assert (report.stored, report.failed) == (2, 3)
    assert [failure.reason.partition(":")[0] for failure in report.failures] == [
        "row 2",
        "row 3",
        "row 4",
    ]
    assert target.count() == 2


def test_arrays_beside_their_metadata_are_read(target: Collection, tmp_path: Path) -> None:
    for number in (0, 1, 10):
        (tmp_path / "img_emb").mkdir(exist_ok=True)
        np.save(tmp_path / "img_emb" / f"img_emb_{number}.npy", VECTORS.astype(np.float16) + number)
        paths = [f"/{number}/{name}" for name in NAMES]
        write(tmp_path / "metadata" / f"metadata_{number}.parquet", image_path=paths)
    assert run(target, tmp_path).stored == 15
    path = Path("/10/3.jpg")
    wanted = (VECTORS.astype(np.float16) + 10)[3].astype(np.float64)
    row = target.get([image_id(path)])[image_id(path)]
    np.testing.assert_allclose(row.embedding, wanted / np.linalg.norm(wanted), atol=2e-3)
    np.save(tmp_path / "img_emb" / "img_emb_1.npy", VECTORS[:3])
    with pytest.raises(UsageError, match="5 rows"):
        run(target, tmp_path)
    (tmp_path / "img_emb" / "img_emb_1.npy").unlink()
    with pytest.raises(UsageError, match="belong together"):
        run(target, tmp_path)


@pytest.mark.parametrize(
    ("columns", "choice", "message"),
    [
        ({"path": NAMES}, {}, "there is none"),
        ({"path": NAMES, "v": ["text"] * 5}, {"vector": "v"}, "has string, not vectors"),
        ({"path": NAMES, "a": list(VECTORS), "b": list(VECTORS)}, {}, "columns of vectors: a, b"),
        ({"path": NAMES, "v": list(VECTORS)}, {"vector": "w"}, "no column 'w'"),
        ({"path": NAMES, "v": list(VECTORS)}, {"path": "w"}, "no column 'w'"),
        ({"v": list(VECTORS)}, {}, "--path-column"),
        (
            {"path": NAMES, "v": pa.array([[1.0] * 8] * 5, pa.list_(pa.float32(), 8))},
            {},
            "8 dimensions, but those of the model 4",
        ),
    ],
)
def test_unusable_columns_are_refused_before_anything_is_written(
    target: Collection,
    tmp_path: Path,
    columns: dict[str, Any],
    choice: dict[str, Any],
    message: str,
) -> None:
    file = write(tmp_path / "a.parquet", **columns)
    with pytest.raises(UsageError, match=message):
        run(target, file, **choice)
    assert target.count() == 0
