"""`check` finds texts that are damaged or of no image, and a repair removes them."""

import sqlite3
from pathlib import Path

import pytest

from clipsearch.errors import ModelError
from clipsearch.models.base import Encoder
from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.texts.schema import texts_name
from ingest.check import check
from ingest.restore import Load
from ingest.text_check import TextCheck
from tests.helpers.records import MODEL, row
from tests.helpers.texts import text_row


def no_model(_: str) -> Load:
    def load() -> Encoder:
        raise ModelError("no model is needed")

    return load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "images.db"
    with Store.open(path) as store:
        collection = store.create("images", MODEL)
        collection.upsert([row(f"/a/{n}.png", content=f"{n}") for n in range(9)])
        collection.texts.upsert([text_row(f"/a/{n}.png", ["a"], content=f"{n}") for n in range(6)])
        collection.finish_writes()
    return path


def checked(path: Path, *, repair: bool = False, through_milvus: bool = False) -> TextCheck:
    with open_store(path, create=False, single_query=not through_milvus) as store:
        [report] = check(store, no_model, repair=repair)
        return report.texts


@pytest.mark.parametrize("through_milvus", [False, True])
def test_texts_without_an_image_are_found_and_removed(path: Path, *, through_milvus: bool) -> None:
    assert checked(path, through_milvus=through_milvus) == TextCheck(read=6)
    with Store.open(path) as store:
        texts = store.collection("images").texts
        texts.upsert([text_row("/gone.png", ["a"]), text_row("/a/3.png", ["b"], content="other")])
    found = TextCheck(read=7, outdated=2)
    assert checked(path, through_milvus=through_milvus) == found
    assert checked(path, repair=True, through_milvus=through_milvus) == found
    assert checked(path, through_milvus=through_milvus) == TextCheck(read=5)


@pytest.mark.skipif(native_library() is None, reason="the file is that of Milvus Lite 2.5")
def test_a_damaged_text_is_found_and_removed(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        table = texts_name("images")
        connection.execute(
            f'UPDATE "{table}" SET data = substr(data, 1, 40) '
            f'WHERE id = (SELECT min(id) FROM "{table}")'
        )
    assert checked(path) == TextCheck(damaged=1)
    assert checked(path, repair=True) == TextCheck(read=6, damaged=1)
    assert checked(path) == TextCheck(read=5)
