"""Searching a collection: pages that fit together, and answers that fit into a message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clipsearch.errors import TooLargeError, UsageError
from clipsearch.records import MAX_RESULTS
from clipsearch.store.backend import Backend
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.index.kinds import Params
from clipsearch.store.paging import Scanner
from clipsearch.store.schema import EMBEDDING, Entity
from clipsearch.store.vector_checks import check_queries
from clipsearch.types import Vectors

HITS = 100_000
"""Hits of one call: more queries than that are split into several calls."""

LOCAL_HITS = 2_000
"""The same for Milvus Lite 2.5.1: 0.05 ms a hit up to here, 0.12 ms for 5,000, and so on."""

_ID = "id"

TIERS = (64, 256, 1_024, 4_096, MAX_RESULTS)
"""Ranks up to which a search of an approximate index has the same breadth, see `_rank`."""


def search_entities(
    backend: Backend,
    info: CollectionInfo,
    queries: Vectors,
    limit: int,
    offset: int,
    condition: str,
    fields: Sequence[str],
    params: Params | None = None,
    *,
    pages: bool = False,
) -> Iterator[list[tuple[float, Entity]]]:
    """Yield cosines and fields of the nearest rows for each of (n, d) or (d,) queries.

    With `pages`, those of one search neither repeat nor miss a hit, whatever their limits and
    offsets, unless rows change between them; that takes up to five calls. Some kinds of index have
    no results beyond a rank, see `IndexKind.most_results`: there the lists end. `params` are those
    of the index; None takes what the collection was tuned to, or a safe default.
    Raises as `Collection.search` does.
    """
    if limit < 1 or offset < 0 or offset + limit > MAX_RESULTS:
        raise UsageError(
            f"limit must be at least 1, offset at least 0, and offset + limit at most "
            f"{MAX_RESULTS:,}: limit is {limit}, offset {offset}; filters, such as --under or "
            "--after, reach the images beyond"
        )
    vectors = check_queries(queries, info.model.dim)
    limit = min(limit, info.index.most_results - offset)
    if limit < 1:
        yield from ([] for _ in vectors)
        return
    search = _Search(backend, info, condition, tuple(fields))
    if params is None:
        params = info.index.search_params(TIERS[0] if pages else limit + offset)
    batch_size = max(1, (HITS if backend.path is None else LOCAL_HITS) // limit)
    for start in range(0, len(vectors), batch_size):
        batch = vectors[start : start + batch_size]
        if not pages or not info.index.is_approximate or limit + offset <= TIERS[0]:
            yield from search.read(batch, limit, offset, params)
        else:
            yield from search.read_ranked(batch, limit, offset)


@dataclass(frozen=True, slots=True)
class _Search:
    """A search of one collection, and the fields to return."""

    backend: Backend
    info: CollectionInfo
    condition: str
    fields: tuple[str, ...]

    def read(
        self, queries: Vectors, limit: int, offset: int, params: Params
    ) -> list[list[tuple[float, Entity]]]:
        """Search with one call, or with several if the answer is too large for a message."""
        try:
            return self._call(queries, limit, offset, self.fields, params)
        except TooLargeError:
            if len(queries) > 1:
                parts = (self.read(half, limit, offset, params) for half in _halves(queries))
                return [hits for part in parts for hits in part]
            [hits] = self._call(queries, limit, offset, (_ID,), params)
            return self._with_fields([[(score, entity[_ID]) for score, entity in hits]])

    def read_ranked(
        self, queries: Vectors, limit: int, offset: int
    ) -> list[list[tuple[float, Entity]]]:
        """Return the entities at these ranks; see `_rank`."""
        try:
            ranked = self._rank(queries, offset + limit)
        except TooLargeError:
            if len(queries) == 1:
                raise
            parts = (self.read_ranked(half, limit, offset) for half in _halves(queries))
            return [hits for part in parts for hits in part]
        # A broader search may find a hit that belongs above the first ones of its page.
        return self._with_fields(
            [sorted(hits[offset:], key=lambda hit: -hit[0]) for hits in ranked]
        )

    def _rank(self, queries: Vectors, count: int) -> list[list[tuple[float, str]]]:
        """Return score and id of the first `count` hits of each query, the same for all pages.

        Deep pages need a broader search of the graph, which finds some hits that the search for
        the first page missed. So the ranks up to each of TIERS are those of a search that is broad
        enough for them, without the hits that are ranked before. All searches are from the start.
        """
        ranked: list[list[tuple[float, str]]] = [[] for _ in queries]
        for tier in TIERS:
            size = min(tier, count)
            params = self.info.index.search_params(tier)
            found = self._call(queries, size, 0, (_ID,), params)
            for hits, more in zip(ranked, found, strict=True):
                known = {id_ for _, id_ in hits}
                new = [(score, entity[_ID]) for score, entity in more if entity[_ID] not in known]
                hits += new[: size - len(hits)]
            if size == count:
                break
        return ranked

    def _with_fields(
        self, results: list[list[tuple[float, str]]]
    ) -> list[list[tuple[float, Entity]]]:
        """Read the entities of some hits, without those that were deleted meanwhile."""
        if self.fields == (_ID,):
            return [[(score, {_ID: id_}) for score, id_ in each] for each in results]
        scanner = Scanner(self.backend, self.info.milvus_name, self.info.model.dim)
        ids = [id_ for hits in results for _, id_ in hits]
        found = scanner.by_ids(ids, self.fields, vectors=EMBEDDING in self.fields)
        entities = {entity[_ID]: entity for entity in found}
        return [
            [(score, entities[id_]) for score, id_ in hits if id_ in entities] for hits in results
        ]

    def _call(
        self, queries: Vectors, limit: int, offset: int, fields: Sequence[str], params: Params
    ) -> list[list[tuple[float, Entity]]]:
        return self.backend.search(
            self.info.milvus_name,
            queries,
            vector=EMBEDDING,
            limit=limit,
            offset=offset,
            condition=self.condition,
            fields=fields,
            params=params,
        )


def _halves(queries: Vectors) -> tuple[Vectors, Vectors]:
    middle = len(queries) // 2
    return queries[:middle], queries[middle:]
