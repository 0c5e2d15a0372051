"""Pages of a search, and answers that are too large for a message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsearch.errors import TooLargeError, UsageError
from clipsearch.store.backend import Backend
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.index.settings import IndexSettings
from clipsearch.store.paging import Scanner
from clipsearch.store.schema import Entity
from clipsearch.store.vector_search import TIERS, search_entities
from clipsearch.types import Vectors
from tests.helpers.records import MODEL

ROWS = 6_000
QUERY = np.array([1, 0, 0, 0], np.float32)


@dataclass(frozen=True)
class Info:
    """An entry of the catalog."""

    milvus_name = "images"
    model = MODEL
    index = IndexSettings("hnsw")


INFO = cast("CollectionInfo", Info())


@dataclass
class Graph:
    """A server with one row of each score, whose index misses more the less broad the search is.

    Answers with more than `most` fields are too large.
    """

    rows: int = ROWS
    most: int = 10**9
    path: Path | None = None
    sizes: list[int] = field(default_factory=list)
    """Entities of each answer."""
    ends: list[int] = field(default_factory=list)
    """Limit + offset of each search."""

    def search(
        self, name: str, queries: Vectors, *, limit: int, offset: int, **options: Any
    ) -> list[list[tuple[float, Entity]]]:
        fields, [breadth] = options["fields"], options["params"].values()
        self.ends.append(limit + offset)
        assert breadth >= limit + offset  # Milvus refuses fewer candidates than results
        chance = np.random.default_rng(breadth).random(self.rows)
        found = np.flatnonzero(chance > (2 / breadth**0.5 if self.rows == ROWS else 0))
        hits = found[offset : offset + limit].tolist()
        self._send(len(hits) * len(queries) * len(fields))
        return [[(1 - n / ROWS, self._entity(n, fields)) for n in hits] for _ in queries]

    def query(self, name: str, condition: str, fields: Sequence[str], limit: int) -> list[Entity]:
        keys = [int(key, 16) for key in re.findall(r'"([0-9a-f]{32})"', condition)]
        assert limit == len(keys)
        self._send(len(keys) * len(fields))
        return [self._entity(key, fields) for key in keys]

    def _send(self, size: int) -> None:
        if size > self.most:
            raise TooLargeError("too large")
        self.sizes.append(size)

    def _entity(self, number: int, fields: Sequence[str]) -> Entity:
        return {name: f"{number:032x}" if name == "id" else number for name in fields}


def page(graph: Graph, limit: int, offset: int = 0, queries: Vectors = QUERY) -> list[list[int]]:
    fields = ["id", "size", "width"]
    results = search_entities(
        cast("Backend", graph), INFO, queries, limit, offset, "", fields, pages=True
    )
    return [[entity["size"] for _, entity in hits] for hits in results]


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([1, 7, 10, 60, 64, 65, 192, 300, 1_000]), min_size=1, max_size=5),
    st.sampled_from([None, Path("images.db")]),  # Milvus Lite 3 has graphs, too
)
def test_pages_neither_repeat_nor_miss_a_hit(limits: list[int], path: Path | None) -> None:
    graph, found = Graph(path=path), list[int]()
    for limit in limits:
        [hits] = page(graph, limit, len(found))
        assert len(hits) == limit
        assert hits == sorted(hits)  # best first
        found += hits
    assert len(set(found)) == len(found)
    [long] = page(graph, len(found))
    assert set(long) == set(found)


def test_lists_end_where_the_index_has_no_more_results() -> None:
    graph = Graph(rows=5_000)
    index = IndexSettings("gpu_cagra")
    info = cast("CollectionInfo", SimpleNamespace(milvus_name="images", model=MODEL, index=index))

    def count(limit: int, offset: int, *, pages: bool) -> int:
        [hits] = search_entities(
            cast("Backend", graph), info, QUERY, limit, offset, "", ["id"], pages=pages
        )
        return len(hits)

    for pages in (False, True):
        assert count(5_000, 0, pages=pages) == 1_024
        assert count(100, 1_000, pages=pages) == 24
        assert count(10, 1_024, pages=pages) == count(10, 9_000, pages=pages) == 0
    assert max(graph.ends) == 1_024


def test_short_pages_need_one_call() -> None:
    graph = Graph()
    page(graph, 10)
    page(graph, 10, TIERS[0] - 10)
    assert len(graph.sizes) == 2


@pytest.mark.parametrize("most", [3, 8, 100, 500])
@pytest.mark.parametrize("limit", [1, 10, 64, 400])
@pytest.mark.parametrize("is_local", [False, True])
def test_answers_that_are_too_large_are_split(most: int, limit: int, is_local: bool) -> None:
    path = Path("images.db") if is_local else None
    whole = page(Graph(path=path, rows=500), limit, queries=np.tile(QUERY, (5, 1)))
    most = max(most, limit)  # the ids of one query must fit
    parts = page(Graph(path=path, most=most, rows=500), limit, queries=np.tile(QUERY, (5, 1)))
    assert parts == whole


def test_pages_of_a_scan_become_smaller_when_an_answer_is_too_large() -> None:
    graph = Graph(most=50)
    scanner = Scanner(cast("Backend", graph), "images", 4)
    ids = [f"{number:032x}" for number in range(300)]
    found = [entity["id"] for entity in scanner.by_ids(ids, ["id", "size"], vectors=False)]
    assert found == ids
    assert max(graph.sizes) <= 50


def test_a_row_that_is_too_large_alone_is_an_error() -> None:
    scanner = Scanner(cast("Backend", Graph(most=1)), "images", 4)
    with pytest.raises(TooLargeError):
        list(scanner.by_ids([f"{1:032x}"], ["id", "size"], vectors=False))


def test_an_offset_beyond_the_limit_names_filters() -> None:
    with pytest.raises(UsageError, match=r"at most 16,384: limit is 10, offset 16380; filters"):
        page(Graph(), 10, 16_380)
