"""Features of a Milvus server: an approximate index, and collections that are not in memory."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.store import Collection, Store
from clipsearch.store.index.wait import wait_for_index
from clipsearch.store.milvus import MilvusBackend
from clipsearch.types import Vectors
from clipsearch.vectors import normalize
from tests.helpers.records import MODEL, row

DIM = 64
INDEX_SECONDS = 120.0


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """(5000, DIM) float32 of length 1, without any structure, which is hard for a graph."""
    return normalize(np.random.default_rng(0).standard_normal((5_000, DIM), dtype=np.float32))


@pytest.fixture(scope="module")
def store(milvus_server: str) -> Iterator[Store]:
    with Store.open(milvus_server) as store:
        yield store


def milvus_of(store: Store) -> Any:
    """The client of pymilvus."""
    assert isinstance(store.backend, MilvusBackend)
    return store.backend._connection.client()


@pytest.fixture(scope="module")
def images(store: Store, vectors: Vectors) -> Iterator[Collection]:
    """A collection of these vectors, indexed; the size of each image is its number."""
    name = f"test_{uuid4().hex}"
    images = store.create(name, replace(MODEL, dim=DIM))
    images.upsert([row(f"/{n}.jpg", vector, size=n) for n, vector in enumerate(vectors)])
    images.finish_writes()
    assert wait_for_index(store.backend, name, seconds=INDEX_SECONDS) == 0
    yield images
    store.drop(name)


@pytest.mark.parametrize("limit", [10, 100, 1_000])
def test_the_index_finds_nearly_all_exact_results(
    images: Collection, vectors: Vectors, limit: int
) -> None:
    queries = np.random.default_rng(1).standard_normal((50, DIM), dtype=np.float32)
    best = np.argsort(-(queries @ vectors.T), axis=1)[:, :limit]
    found = images.search(queries, limit=limit)
    hits = [len({hit.record.size for hit in f} & set(b)) for f, b in zip(found, best, strict=True)]
    assert np.mean(hits) / limit >= 0.95


def test_pages_of_an_indexed_search_neither_repeat_nor_miss(
    images: Collection, vectors: Vectors
) -> None:
    def ids(limit: int, offset: int = 0) -> list[str]:
        return [hit.id for hit in images.search(vectors[7], limit=limit, offset=offset)[0]]

    deadline = time.monotonic() + INDEX_SECONDS
    first, again = ids(120), list[str]()
    while first != again:  # a busy server may still replace segments
        assert time.monotonic() < deadline, "the same search finds something else each time"
        pages = [found for start in range(70, 120, 10) for found in ids(10, start)]
        first, again = ids(120), first
    assert pages == first[70:]


def test_opening_a_collection_does_not_load_it(
    milvus_server: str, store: Store, images: Collection
) -> None:
    name = images.info.name
    milvus_of(store).release_collection(name)
    with Store.open(milvus_server) as second:
        again = second.collection(name)
        assert again.estimate_count() == again.info.rows == 5_000
        assert not second.backend.is_loaded(name)
        assert again.count() == 5_000
        assert second.backend.is_loaded(name)


@settings(max_examples=8)
@given(st.lists(st.sampled_from([5, 10, 50, 64, 100, 300]), min_size=2, max_size=8))
def test_pages_of_any_size_are_those_of_one_long_search(
    images: Collection, vectors: Vectors, limits: list[int]
) -> None:
    found: list[str] = []
    for limit in limits:
        [hits] = images.search(vectors[8], limit=limit, offset=len(found))
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        found += [hit.id for hit in hits]
    [long] = images.search(vectors[8], limit=sum(limits))
    assert len(set(found)) == len(found) == sum(limits)
    assert {hit.id for hit in long} == set(found)


def test_the_largest_search_of_an_index_returns_all_rows(
    images: Collection, vectors: Vectors
) -> None:
    [hits] = images.search(vectors[9], limit=16_384)
    assert len({hit.id for hit in hits}) == len(hits) == len(vectors)
