"""The query module: terms to one vector, the vector to hits."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.models.base import Encoder
from clipsearch.query.embed import embed_queries, not_own
from clipsearch.query.filters import Filters
from clipsearch.query.parser import Term
from clipsearch.query.textness import Scale, check, scan_at_most, shifted, with_at_most
from clipsearch.query.zscore import Background, backgrounds
from clipsearch.store import Collection
from clipsearch.store import filters as where
from clipsearch.textness import Textness
from clipsearch.types import Hit, Vectors
from clipsearch.vectors import normalize

ANYTHING = Filters()
IDS_A_SEARCH = 2000


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for and which of the hits to return, best first.

    `min_score` is a cosine, `min_z` standard deviations above the collection's average (see Hit).
    `exclude_images` leaves out the query's own pictures and their identical copies. `textness` asks
    for pictures with less text (below 0) or more, -2 to 2 being sensible, or with "off" takes no
    notice of text; `max_textness`, 0..1, leaves out pictures that show more text and fills the limit
    with others. Raises UsageError where nothing could be found for certain: no term, a limit below
    1, a negative offset, a threshold or scale that is not a finite number.
    """

    terms: tuple[Term, ...]
    limit: int = 10
    offset: int = 0
    filters: Filters = field(default=ANYTHING)
    min_score: float | None = None
    min_z: float | None = None
    exclude_images: bool = False
    textness: Scale | None = None
    max_textness: float | None = None

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
        check(self.textness, self.max_textness)


def search(
    queries: Sequence[Query], encoder: Callable[[], Encoder], collection: Collection
) -> list[list[Hit]]:
    """The hits of each query, in order; queries that share filters and limits cost one search."""
    vectors = embed_queries([query.terms for query in queries], encoder, collection)
    textness = Textness(collection, encoder)
    vectors = [
        shifted(vector, query.textness, textness)
        for vector, query in zip(vectors, queries, strict=True)
    ]
    found = _found(queries, vectors, textness)
    measures = backgrounds(collection, np.stack(vectors)) if vectors else []
    close = [
        _close(hits, query, background)
        for hits, query, background in zip(found, queries, measures, strict=True)
    ]
    return _with_textness(close, queries, textness)


def rank_by_text(
    textness: Textness, *, limit: int = 10, offset: int = 0, filters: Filters = ANYTHING
) -> list[Hit]:
    """The pictures that show most text first; `score` is the cosine to the direction of text.

    A search for the bias itself, so that nothing but the hits is held in memory.
    """
    direction = normalize(textness.probe().bias)[None]
    [hits] = _search(textness.collection, direction, limit, offset, filters.where(), filters.glob)
    return textness.scored(hits)


def _found(
    queries: Sequence[Query], vectors: Sequence[Vectors], textness: Textness
) -> list[list[Hit]]:
    """What the store has near each vector."""
    found: dict[int, list[Hit]] = {}
    groups: defaultdict[tuple[str, str | None, int, int], list[int]] = defaultdict(list)
    for position, query in enumerate(queries):
        condition = _where(query, textness.collection)
        if query.max_textness is None:
            groups[condition, query.filters.glob, query.limit, query.offset].append(position)
        else:
            found[position] = _search_at_most(
                query.max_textness, query, vectors[position], condition, textness
            )
    for (condition, glob, limit, offset), positions in groups.items():
        stack = np.stack([vectors[position] for position in positions])
        hits = _search(textness.collection, stack, limit, offset, condition, glob)
        found.update(zip(positions, hits, strict=True))
    return [found[position] for position in range(len(queries))]


def _close(hits: Sequence[Hit], query: Query, background: Background | None) -> list[Hit]:
    """Hits with their z, where there is one, without those that the query cuts off."""
    if background:
        hits = [replace(hit, z=background.z(hit.score)) for hit in hits]
    return [hit for hit in hits if _is_close(hit, query)]


def _with_textness(
    found: Sequence[list[Hit]], queries: Sequence[Query], textness: Textness
) -> list[list[Hit]]:
    """The hits of queries that ask for some textness, with it; of all such queries at once."""
    asked = [query.textness is not None and query.max_textness is None for query in queries]
    scored = iter(textness.scored_each(list(compress(found, asked))))
    return [next(scored) if some else hits for hits, some in zip(found, asked, strict=True)]


def _where(query: Query, collection: Collection) -> str:
    own = not_own(query.terms, collection) if query.exclude_images else ""
    if query.filters.tags:
        collection.require_tags()
    return where.every(query.filters.where(), own)


def _is_close(hit: Hit, query: Query) -> bool:
    # A z is missing only in collections too small to have one; then the cut cannot be made.
    return (query.min_score is None or hit.score >= query.min_score) and (
        query.min_z is None or hit.z is None or hit.z >= query.min_z
    )


def _search(
    collection: Collection,
    vectors: Vectors,
    limit: int,
    offset: int,
    condition: str,
    glob: str | None,
) -> list[list[Hit]]:
    if glob is None:
        return collection.search(vectors, limit=limit, offset=offset, where=condition)
    filters = replace(ANYTHING, glob=glob)
    return _search_glob(collection, vectors, limit, offset, condition, filters)


def _search_at_most(
    most: float, query: Query, vector: Vectors, condition: str, textness: Textness
) -> list[Hit]:
    """The hits of one query without those that show more text than that."""
    wanted, collection, filters = query.offset + query.limit, textness.collection, query.filters

    def find(count: int) -> list[Hit]:
        return _search(collection, vector[None], count, 0, condition, filters.glob)[0]

    hits = with_at_most(most, wanted, find, textness)
    if hits is None:
        rows = (row for row in collection.scan_rows(condition) if filters.matches_glob(row.record))
        hits = scan_at_most(most, wanted, vector, rows, textness.probe())
    return hits[query.offset :]


def _search_glob(
    collection: Collection,
    vectors: Vectors,
    limit: int,
    offset: int,
    condition: str,
    filters: Filters,
) -> list[list[Hit]]:
    """Search among the pictures whose path matches, exactly: Milvus itself knows no globs."""
    ids = [record.id for record in collection.scan(condition) if filters.matches_glob(record)]
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
