"""Texts are copied, exported and imported with their images."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from clipsearch.store import Collection, Store
from clipsearch.store.texts import TextRow
from clipsearch.transfer.copy_collection import copy_collections
from clipsearch.transfer.export import export_collection
from clipsearch.transfer.import_files import find_exported, import_exported
from clipsearch.transfer.outdated_texts import find_outdated
from tests.helpers.records import MODEL, row
from tests.helpers.texts import image_text, text_row

ROWS = [row(f"/a/{n}.png", content=f"hash {n}") for n in range(40)]
TEXTS = [
    text_row(f"/a/{n}.png", ["Straße", f"{n}"] if n % 2 else [], content=f"hash {n}")
    for n in range(30)  # the others were not read
]


@pytest.fixture
def source(source_store: Store) -> Collection:
    collection = source_store.create("images", MODEL)
    collection.upsert(ROWS)
    collection.texts.upsert(TEXTS)
    collection.finish_writes()
    return collection


def by_id(rows: Sequence[TextRow]) -> dict[str, TextRow]:
    return {row.id: row for row in rows}


def test_a_copy_has_the_texts(source: Collection, source_store: Store, target_store: Store) -> None:
    outdated = text_row("/a/35.png", ["earlier"], content="another hash")
    source.texts.upsert([outdated, text_row("/gone.png", ["gone"])])
    [copied] = copy_collections(source_store, target_store)
    assert copied.texts == 30
    target = target_store.collection("images")
    assert by_id(list(target.texts.scan())) == by_id(TEXTS)
    [again] = copy_collections(source_store, target_store)
    assert again.texts == 0
    newer = replace(TEXTS[3], text=image_text("newer", reader="newer reader"))
    source.texts.upsert([newer])
    [again] = copy_collections(source_store, target_store)
    assert again.texts == 1
    assert target.texts.get([newer.id]) == {newer.id: newer}


def test_a_copy_removes_the_text_of_replaced_content(
    source: Collection, source_store: Store, target_store: Store
) -> None:
    list(copy_collections(source_store, target_store))
    source.upsert([row("/a/1.png", content="new content")])
    source.texts.delete([TEXTS[1].id])
    list(copy_collections(source_store, target_store))
    target = target_store.collection("images")
    assert by_id(list(target.texts.scan())) == by_id([TEXTS[0], *TEXTS[2:]])


@pytest.mark.parametrize("name", ["all.parquet", "folder"])
def test_an_export_has_the_texts(
    source: Collection, target_store: Store, tmp_path: Path, name: str
) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'clipsearch[scale]'")
    source.texts.upsert([text_row("/a/35.png", ["earlier"], content="another hash")])
    export_collection(source, tmp_path / name, file_rows=15)
    table = pq.read_table(tmp_path / name)
    words = dict(zip(*(table[column].to_pylist() for column in ("id", "text")), strict=True))
    assert words[TEXTS[1].id] == "Straße\n1"
    assert words[TEXTS[0].id] == ""
    assert words[ROWS[35].record.id] is None
    files, facts = find_exported([tmp_path / name])
    for _ in range(2):
        import_exported(files, facts, target_store, "images")
        target = target_store.collection("images")
        assert by_id(list(target.texts.scan())) == by_id(TEXTS)
    assert not list(find_outdated(target))


def test_an_export_without_texts_has_no_columns_for_them(
    source: Collection, target_store: Store, tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'clipsearch[scale]'")
    source.texts.delete([text.id for text in TEXTS])
    export_collection(source, tmp_path / "all.parquet")
    assert "text" not in pq.read_schema(tmp_path / "all.parquet").names
    files, facts = find_exported([tmp_path / "all.parquet"])
    import_exported(files, facts, target_store, "images")
    assert target_store.collection("images").count() == 40
