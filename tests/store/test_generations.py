"""Generations of a collection: the next one is built beside the one in use, then replaces it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsearch.errors import MissingCollectionError, ReindexedError, StoreError, UsageError
from clipsearch.index import Index
from clipsearch.session import open_store
from clipsearch.store import Store
from clipsearch.store.catalog import Catalog
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.milvus_lite.pointer import read_pointer
from clipsearch.store.schema import SCHEMA_VERSION
from clipsearch.types import Failure
from tests.helpers.daemons import NEEDS_SOCKETS, serving
from tests.helpers.fakes import ColorEncoder
from tests.helpers.records import MODEL, many, row

ROWS = many(40)
NEW = replace(MODEL, name="other", weights="n3w", dim=3)
NEW_ROWS = [replace(item, embedding=np.array([0, 1, 0], np.float32)) for item in ROWS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "photos.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as opened:
        collection = opened.create("images", MODEL)
        collection.upsert(ROWS)
        collection.add_roots([Path("/many")])
        collection.finish_writes()
        yield opened


def _build(store: Store) -> None:
    generations = store.generations("images")
    following = generations.begin(NEW)
    following.upsert(NEW_ROWS)
    following.add_failures([Failure(Path("/many/bad.jpg"), "not an image")])
    following.finish_writes()
    generations.switch(following)


def test_the_old_generation_is_used_until_the_switch_and_then_the_new_one(store: Store) -> None:
    generations = store.generations("images")
    following = generations.begin(NEW)
    following.upsert(NEW_ROWS[:7])
    old = store.collection("images")
    assert (old.info.model, old.count(), old.info.milvus_name) == (MODEL, 40, "images")
    assert old.info.next == following.info.generation
    assert old.failures() == []

    following.upsert(NEW_ROWS)
    following.finish_writes()
    generations.switch(following)
    new = store.collection("images")
    assert (new.info.model, new.count(), new.info.rows) == (NEW, 40, 40)
    assert new.info.previous == old.info.generation
    assert new.info.next is None
    assert [info.name for info in store.collections()] == ["images"]
    assert not store.is_current(old)
    assert store.is_current(new)
    generations.switch(following)  # as if a kill came just after it
    assert generations.info.previous == old.info.generation


def test_a_switch_can_be_taken_back_and_the_replaced_generation_dropped(store: Store) -> None:
    _build(store)
    generations = store.generations("images")
    assert generations.roll_back().model == MODEL
    back = store.collection("images")
    assert (back.count(), back.info.roots, back.failures()) == (40, (Path("/many"),), [])
    assert generations.roll_back().model == NEW
    assert len(store.collection("images").failures()) == 1
    assert generations.drop_previous()
    assert not generations.drop_previous()
    assert "images" not in store.backend.collection_names()
    with pytest.raises(StoreError, match="no earlier generation"):
        generations.roll_back()
    store.drop("images")
    assert store.backend.collection_names() == ["clipsearch_catalog"]
    assert store.create("images", MODEL).count() == 0


@pytest.mark.skipif(native_library() is None, reason="needs the native Milvus Lite 2.5")
def test_the_generation_in_use_is_loaded_early(store: Store, path: Path) -> None:
    assert read_pointer(path, "images") == "images"
    _build(store)
    assert read_pointer(path, "images") == "images_g2"
    assert read_pointer(path, "unknown") == "unknown"
    assert read_pointer(path.with_name("none.db"), "images") == "images"
    store.close()
    with Store.open(path, preload="images") as again:
        assert again.collection("images").count() == 40


def test_an_unfinished_generation_is_continued_or_canceled(store: Store) -> None:
    store.generations("images").begin(NEW).upsert(NEW_ROWS[:7])
    assert store.generations("images").begin(NEW).count() == 7
    with pytest.raises(StoreError, match="reindex of 'images' by other is unfinished"):
        store.generations("images").begin(MODEL)
    with pytest.raises(StoreError, match="reindex of 'images' with the index flat is unfinished"):
        store.generations("images").begin(NEW, IndexSettings("hnsw", 0.9))
    assert store.generations("images").drop_next()
    assert not store.generations("images").drop_next()
    assert store.generations("images").begin(MODEL).count() == 0
    store.drop("images")
    assert store.backend.collection_names() == ["clipsearch_catalog"]


@pytest.mark.parametrize("killed_after", ["entry", "create"])
def test_a_kill_while_a_generation_is_created_does_no_harm(
    store: Store, killed_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = store.generations("images")
    with monkeypatch.context() as patch:
        method = {"entry": (store.backend, "create"), "create": (Catalog, "set_rows")}
        patch.setattr(*method[killed_after], lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            generations.begin(NEW)
    assert store.collection("images").count() == 40
    assert store.generations("images").begin(NEW).count() == 0


def test_generations_and_collections_do_not_take_each_others_names(store: Store) -> None:
    store.create("images_G2", MODEL)
    following = store.generations("images").begin(NEW)
    assert following.info.milvus_name == "images_g3"
    with pytest.raises(UsageError, match="holds a generation of 'images'"):
        store.create("images_g3", MODEL)
    with pytest.raises(StoreError):
        store.drop("images_g3")  # which is empty
    with pytest.raises(StoreError):
        store.collection("images_g3")
    assert following.count() == 0
    with pytest.raises(MissingCollectionError):
        store.generations("unknown")


def test_nothing_is_written_to_a_generation_that_was_replaced(store: Store) -> None:
    old = store.collection("images")
    old.upsert(ROWS[:1])
    old.finish_writes()
    _build(store)
    writes: tuple[Callable[[], None], ...] = (
        lambda: old.upsert([row("/many/late.jpg")]),
        lambda: old.delete([ROWS[0].record.id]),
        lambda: old.add_roots([Path("/late")]),
    )
    for write in writes:
        with pytest.raises(ReindexedError, match="run the command again"):
            write()
    assert old.count() == 40


def test_a_reindex_stops_writing_once_another_one_uses_its_generation(store: Store) -> None:
    """Two that continue one generation at once: the slower one must not delete new rows."""
    slow = store.generations("images").begin(NEW)
    slow.upsert(NEW_ROWS)
    fast = store.generations("images").begin(NEW)
    fast.finish_writes()
    store.generations("images").switch(fast)
    images = store.collection("images")
    late = NEW_ROWS[0].record.id
    writes: tuple[Callable[[], None], ...] = (
        lambda: slow.upsert(NEW_ROWS[:1]),
        lambda: slow.delete([late]),
        lambda: slow.add_roots([Path("/late")]),
        slow.finish_writes,
    )
    for write in writes:
        with pytest.raises(ReindexedError, match="run the command again"):
            write()
    with pytest.raises(ReindexedError, match="meanwhile"):
        store.generations("images").open_next(slow.info.generation)
    assert (images.count(), images.info.roots) == (40, ())


@pytest.mark.skipif(SCHEMA_VERSION < 5, reason="the version with generations is not out yet")
def test_a_reindexed_collection_is_refused_by_versions_without_generations(store: Store) -> None:
    """They have schema version 4, and would read the rows of the old generation."""
    _build(store)
    assert store.collection("images").info.schema_version == SCHEMA_VERSION > 4


def test_an_open_index_uses_the_new_generation_with_its_model(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = ColorEncoder("c0105", "pocket"), ColorEncoder("n3w", "pocket")
    store.drop("images")
    images = store.create("images", old.identity)
    images.upsert([row("/a/red.jpg", (1, 0, 0, 0)), row("/a/green.jpg", (0, 1, 0, 0))])
    images.finish_writes()
    with Index.open(path) as index:
        encoders = {old.identity: old, new.identity: new}
        monkeypatch.setattr(index, "_load_encoder", lambda _: encoders[index.collection.info.model])
        assert index.search("red")[0].path.name == "red.jpg"
        generations = store.generations("images")
        following = generations.begin(new.identity)
        # Of the same dimension: a query by the old model would find the wrong image.
        following.upsert([row("/a/red.jpg", (0, 1, 0, 0)), row("/a/green.jpg", (1, 0, 0, 0))])
        following.finish_writes()
        assert index.search("red")[0].path.name == "red.jpg"
        generations.switch(following)
        generations.drop_previous()
        assert index.search("red")[0].path.name == "green.jpg"  # at once, as the old one has gone
        assert (old.embedded_texts, new.embedded_texts) == (3, 1)
        assert index.model == new.identity
        assert len(index) == 2


def test_an_index_that_was_opened_with_a_model_refuses_another_one(
    store: Store, path: Path
) -> None:
    encoder = ColorEncoder(name="color")
    store.drop("images")
    store.create("images", encoder.identity).upsert(ROWS)
    with Index.open(path, model=encoder) as index:
        _build(store)
        assert index.refresh() is False  # looked less than a second ago
        with pytest.raises(StoreError, match="made by other"):
            index.refresh(now=True)


@NEEDS_SOCKETS
def test_a_patient_writer_lets_others_write_between_its_writes(store: Store, path: Path) -> None:
    store.close()
    with serving(path), open_store(path) as one, open_store(path) as other:
        following = one.generations("images").begin(NEW)
        following.upsert(NEW_ROWS[:5])
        images = other.collection("images")
        images.upsert([row("/many/new.jpg")])
        images.finish_writes()
        following.upsert(NEW_ROWS)
        images.delete([ROWS[0].record.id])
        images.finish_writes()
        following.finish_writes()
        assert (images.count(), following.count()) == (40, 40)
        with one.generations("images").writing():
            one.generations("images").switch(following)
        with pytest.raises(ReindexedError):
            images.upsert([row("/many/late.jpg")])
