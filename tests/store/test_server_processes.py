"""Several processes on a server: creating, dropping, releasing what another one uses."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from uuid import uuid4

import numpy as np
import pytest
from pymilvus import MilvusClient

from clipsearch.errors import MissingCollectionError, ModelMismatchError, StoreError
from clipsearch.models.base import ModelIdentity
from clipsearch.store import Store, creation
from clipsearch.store.schema import image_schema
from tests.helpers.records import DIM, MODEL, many, row

OTHER = replace(MODEL, weights="f00d", name="other")


@pytest.fixture
def name(milvus_server: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    yield name
    with Store.open(milvus_server) as store:
        if store.find(name) is not None:
            store.drop(name)


def at_once(uri: str, actions: list[Callable[[Store], object]]) -> list[object]:
    """The results of actions, each on a store of its own, or their errors."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[Store], object]) -> object:
        with Store.open(uri) as store:
            barrier.wait()
            try:
                return action(store)
            except StoreError as error:
                return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def fill(name: str, model: ModelIdentity, number: int) -> Callable[[Store], object]:
    """Create a collection, unless another one does, and write 20 rows."""

    def action(store: Store) -> object:
        images = store.open_or_create(name, model)
        if images.info.model != model:
            return "other model"
        vectors = [item.embedding.tolist() for item in many(20)]
        images.upsert([row(f"/{number}/{n}.jpg", vector) for n, vector in enumerate(vectors)])
        images.finish_writes()
        return "stored"

    return action


def test_first_writers_at_once_lose_nothing(milvus_server: str, name: str) -> None:
    results = at_once(milvus_server, [fill(name, MODEL, number) for number in range(4)])
    assert results == ["stored"] * 4
    with Store.open(milvus_server) as store:
        images = store.collection(name)
        assert len({r.record.path for r in images.scan_rows()}) == images.count() == 80
        assert images.info.model == MODEL


def test_of_two_models_one_wins(milvus_server: str, name: str) -> None:
    results = at_once(milvus_server, [fill(name, MODEL, 1), fill(name, OTHER, 2)])
    assert sorted(map(str, results)) == ["other model", "stored"]
    with Store.open(milvus_server) as store:
        images = store.collection(name)
        assert images.info.model == (MODEL, OTHER)[results.index("stored")]
        assert images.count() == 20


def test_a_creation_by_another_process_is_completed(
    milvus_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with Store.open(milvus_server) as store, monkeypatch.context() as patch:
        patch.setattr(store._catalog, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            store.create(name, MODEL)
    with Store.open(milvus_server) as store:
        other = store.open_or_create(name, OTHER)
        assert other.info.model == MODEL
        with pytest.raises(StoreError, match="exists"):
            store.create(name, OTHER)


def test_create_says_that_another_model_was_faster(
    milvus_server: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(milvus_server) as store, Store.open(milvus_server) as second:
        store.create(name, MODEL)
        # As if this process had looked before.
        monkeypatch.setattr(second, "find", lambda _: None)
        with pytest.raises(ModelMismatchError, match="another process"):
            second.create(name, OTHER)


def test_a_collection_without_a_claim_is_not_taken(milvus_server: str, name: str) -> None:
    with Store.open(milvus_server) as store:
        store.backend.create(name, image_schema(DIM), "flat")
        with pytest.raises(StoreError, match=f"clipsearch drop {name}"):
            store.create(name, MODEL)
        store.drop(name)
        assert store.create(name, MODEL).count() == 0


def test_a_lost_entry_is_written_again(milvus_server: str, name: str) -> None:
    with Store.open(milvus_server) as store:
        store.create(name, MODEL).upsert(many(5))
        store._catalog.remove(name)
        images = store.collection(name)
        assert images.info.model == MODEL
        assert images.count() == 5
        assert name in [info.name for info in store.collections()]


def test_drops_at_once(milvus_server: str, name: str) -> None:
    with Store.open(milvus_server) as store:
        store.create(name, MODEL).upsert(many(5))
    results = at_once(milvus_server, [lambda store: store.drop(name)] * 2)
    assert all(r is None or isinstance(r, MissingCollectionError) for r in results), results
    with Store.open(milvus_server) as store:
        assert store.find(name) is None
        assert not store._catalog._values.read(f"rows/{name}")


def test_a_collection_that_was_released_is_loaded_again(milvus_server: str, name: str) -> None:
    client = MilvusClient(milvus_server)
    with Store.open(milvus_server) as store:
        images = store.create(name, MODEL)
        images.upsert(many(50))
        client.release_collection(name)
        assert len(images.search(np.ones(DIM, dtype=np.float32), limit=10)[0]) == 10
        client.release_collection(name)
        assert images.count() == 50
        client.release_collection(name)
        images.upsert(many(60))
        images.delete([many(1)[0].record.id])
        images.finish_writes()
        assert images.count() == 59
    client.close()


def test_a_collection_that_was_dropped_is_an_error_that_says_so(
    milvus_server: str, name: str
) -> None:
    with Store.open(milvus_server) as store, Store.open(milvus_server) as other:
        images = store.create(name, MODEL)
        images.upsert(many(5))
        other.drop(name)
        for call in (
            lambda: images.count(),
            lambda: images.search(np.ones(DIM, dtype=np.float32), limit=1),
            lambda: images.upsert(many(5)),
        ):
            with pytest.raises(MissingCollectionError, match="another process dropped it"):
                call()
        other.create(name, MODEL).upsert(many(7))
        assert images.count() == 7


@pytest.mark.parametrize("text", ["", "photos", "{}", '{"clipsearch": 3}', '{"clipsearch": {}}'])
def test_a_description_of_another_program_is_no_claim(text: str) -> None:
    assert creation.read_claim(text) is None
