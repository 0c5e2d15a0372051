"""Stores of every version of the schema open, answer and take new rows.

`fixtures/version-N.db.gz` was written by the code of that version. A change of the schema adds one.
"""

import gzip
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import StoreError
from clipsearch.images.hashing import image_id
from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.schema import SCHEMA_VERSION
from clipsearch.types import Failure
from clipsearch.vectors import normalize
from tests.helpers.records import row

pytestmark = pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = range(1, SCHEMA_VERSION + 1)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(version: int, tmp_path: Path) -> Path:
    path = tmp_path / "images.db"
    path.write_bytes(gzip.decompress((FIXTURES / f"version-{version}.db.gz").read_bytes()))
    return path


@pytest.mark.parametrize("single_query", [True, False])
def test_an_old_store_is_read(path: Path, version: int, single_query: bool) -> None:
    with open_store(path, create=False, single_query=single_query) as store:
        images = store.collection("images")
        assert images.info.schema_version == version
        assert images.info.roots == (Path("/images"),)
        assert images.failures() == [Failure(Path("/images/x.jpg"), "no image")]
        ids = {n: image_id(Path(f"/images/{n}.jpg")) for n in range(5)}
        rows = images.get(list(ids.values()))
        for n, id_ in ids.items():
            record = rows[id_].record
            assert record.path == Path(f"/images/{n}.jpg")
            assert (record.content_hash, record.size) == (f"hash {n}", n)
            assert (record.width, record.height, record.format) == (640, 480, "jpeg")
            assert record.taken_at == (datetime(2015, 6, 7, 8, 9, n) if version > 1 else None)
            assert record.tags == (("cat",) if version > 1 else ())
            assert record.metadata == ({"license": "cc0", "n": n} if version > 4 else {})
            expected = normalize(np.array([1, n, n * n, 2]))
            assert rows[id_].embedding == pytest.approx(expected, abs=1e-6)
            [[hit]] = images.search(expected, limit=1)
            assert hit.record == record
        assert images.count() == 5


def test_an_old_store_is_written(path: Path, version: int) -> None:
    with Store.open(path) as store:
        images = store.collection("images")
        new = row("/images/new.jpg", (0, 0, 0, 1))
        images.upsert([new, row("/images/1.jpg", (0, 1, 0, 0), size=77)])
        images.delete([image_id(Path("/images/2.jpg"))])
        images.finish_writes()
        tagged = replace(new, record=replace(new.record, tags=("dog",)))
        if version == 1:
            with pytest.raises(StoreError, match="before there was 'tags'"):
                images.upsert([tagged])
        else:
            images.upsert([tagged])
            images.finish_writes()
    with Store.open(path) as store:
        images = store.collection("images")
        records = {record.path.name: record for record in images.scan()}
        assert sorted(records) == ["0.jpg", "1.jpg", "3.jpg", "4.jpg", "new.jpg"]
        assert records["1.jpg"].size == 77
        assert records["new.jpg"].tags == (() if version == 1 else ("dog",))
        store.drop("images")
        assert store.collections() == []
