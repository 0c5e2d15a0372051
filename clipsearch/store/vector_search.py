"""Searching a collection: many queries in several calls, as each backend can answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clipsearch.errors import UsageError
from clipsearch.records import MAX_RESULTS
from clipsearch.store.backend import Backend
from clipsearch.store.catalog_entry import CollectionInfo
from clipsearch.store.index_kinds import Params
from clipsearch.store.schema import EMBEDDING, Entity
from clipsearch.store.vector_checks import check_queries
from clipsearch.types import Vectors

HITS = 100_000
"""Hits of one call: more queries than that are split into several calls."""

LOCAL_HITS = 2_000
"""The same for Milvus Lite 2.5.1: 0.05 ms a hit up to here, 0.12 ms for 5,000, and so on."""


def search_entities(
    backend: Backend,
    info: CollectionInfo,
    queries: Vectors,
    limit: int,
    offset: int,
    condition: str,
    fields: Sequence[str],
    params: Params | None = None,
) -> Iterator[list[tuple[float, Entity]]]:
    """Yield cosines and fields of the nearest rows for each of (n, d) or (d,) queries.

    `params` are those of the index; None takes what the collection was tuned to, or a safe default.
    Raises as `Collection.search` does.
    """
    if limit < 1 or offset < 0 or offset + limit > MAX_RESULTS:
        raise UsageError(
            f"limit must be at least 1, offset at least 0, and offset + limit at most "
            f"{MAX_RESULTS:,}: limit is {limit}, offset {offset}"
        )
    vectors = check_queries(queries, info.model.dim)
    hits = LOCAL_HITS if backend.path is not None else HITS
    batch_size = max(1, hits // limit)
    if params is None:
        params = info.index.search_params(limit + offset)
    for start in range(0, len(vectors), batch_size):
        yield from backend.search(
            info.milvus_name,
            vectors[start : start + batch_size],
            vector=EMBEDDING,
            limit=limit,
            offset=offset,
            condition=condition,
            fields=fields,
            params=params,
        )
