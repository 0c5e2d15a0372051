"""The query module: terms to one vector, the vector to hits."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clipsearch.batches import batches
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.query.background import backgrounds
from clipsearch.query.embedding import embed_queries, not_own
from clipsearch.query.filters import Filters
from clipsearch.query.terms import Term
from clipsearch.store import Collection
from clipsearch.store import filters as where
from clipsearch.types import Hit, Vectors

ANYTHING = Filters()
IDS_A_SEARCH = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for and which of the hits to return, best first.

    `min_score` is a cosine, `min_z` standard deviations above the collection's average (see Hit).
    `exclude_images` leaves out the query's own pictures and their identical copies.
    Raises UsageError where nothing could be found for certain: no term, a limit below 1, a negative
    offset, a threshold that is not a finite number.
    """

    terms: tuple[Term, ...]
    limit: int = 10
    offset: int = 0
    filters: Filters = field(default=ANYTHING)
    min_score: float | None = None
    min_z: float | None = None
    exclude_images: bool = False

    def __post_init__(self) -> None:
        if not self.terms:
            raise UsageError("the query is empty: give a text, a picture, or both")
        if self.limit < 1:
            raise UsageError(f"the limit must be at least 1, not {self.limit}")
        if self.offset < 0:
            raise UsageError(f"the offset must not be negative, not {self.offset}")
        for name, bound in (("score", self.min_score), ("z", self.min_z)):
            if bound is not None and not math.isfinite(bound):
                raise UsageError(f"the smallest {name} must be a finite number, not {bound}")


def search(
    queries: Sequence[Query], encoder: Callable[[], Encoder], collection: Collection
) -> list[list[Hit]]:
    """The hits of each query, in order; queries that share filters and limits cost one search."""
    vectors = embed_queries([query.terms for query in queries], encoder, collection)
    groups: defaultdict[tuple[str, str | None, int, int], list[int]] = defaultdict(list)
    for position, query in enumerate(queries):
        condition = _where(query, collection)
        groups[condition, query.filters.glob, query.limit, query.offset].append(position)

    found: dict[int, list[Hit]] = {}
    for (condition, glob, limit, offset), positions in groups.items():
        stack = np.stack([vectors[position] for position in positions])
        if glob is None:
            hits = collection.search(stack, limit=limit, offset=offset, where=condition)
        else:
            filters = replace(ANYTHING, glob=glob)
            hits = _search_glob(collection, stack, limit, offset, condition, filters)
        found.update(zip(positions, hits, strict=True))

    measures = backgrounds(collection, np.stack(vectors)) if vectors else []
    results = []
    for position, (query, background) in enumerate(zip(queries, measures, strict=True)):
        hits_of_query = [
            replace(hit, z=background.z(hit.score)) if background else hit
            for hit in found[position]
        ]
        results.append([hit for hit in hits_of_query if _is_close(hit, query)])
    return results


def _where(query: Query, collection: Collection) -> str:
    own = not_own(query.terms, collection) if query.exclude_images else ""
    return where.every(query.filters.where(), own)


def _is_close(hit: Hit, query: Query) -> bool:
    # A z is missing only in collections too small to have one; then the cut cannot be made.
    return (query.min_score is None or hit.score >= query.min_score) and (
        query.min_z is None or hit.z is None or hit.z >= query.min_z
    )


def _search_glob(
    collection: Collection,
    vectors: Vectors,
    limit: int,
    offset: int,
    condition: str,
    filters: Filters,
) -> list[list[Hit]]:
    """Search among the pictures whose path matches, exactly: Milvus itself knows no globs."""
    ids = [photo.id for photo in collection.scan(condition) if filters.matches_glob(photo)]
    merged: list[list[Hit]] = [[] for _ in vectors]
    for chunk in batches(ids, IDS_A_SEARCH):
        among = where.id_is_one_of(chunk)
        for best, hits in zip(
            merged, collection.search(vectors, limit=limit + offset, where=among), strict=True
        ):
            best.extend(hits)
            best.sort(key=lambda hit: -hit.score)
            del best[limit + offset :]
    return [best[offset:] for best in merged]
