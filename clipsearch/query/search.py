"""Search: embed the queries, search the collection, cut and annotate the hits."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import compress

import numpy as np

from clipsearch.errors import UsageError
from clipsearch.images.decode import MAX_PIXELS
from clipsearch.models.base import Encoder
from clipsearch.models.text_loss import text_warnings
from clipsearch.query.condition import Selection, select
from clipsearch.query.embed import embed_queries, exclude_query_images
from clipsearch.query.empty_result import explain_empty_result
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.query.nearest import nearest
from clipsearch.query.probability import (
    Input,
    add_probabilities,
    is_cut_by_p,
    needs_embeddings,
    probability_warnings,
)
from clipsearch.query.query import Query
from clipsearch.query.response import SearchResponse
from clipsearch.query.said import find_said, says_reasons, says_warnings
from clipsearch.query.says_search import search_says
from clipsearch.query.textness_filter import (
    scan_with_max_textness,
    search_with_max_textness,
)
from clipsearch.query.thresholds import first_look, next_look, passes_thresholds
from clipsearch.query.zscore import score_backgrounds
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.textness import Textness
from clipsearch.textness.steering import steer
from clipsearch.types import Vectors
from clipsearch.vectors import normalize


def search(
    queries: Sequence[Query], encoder: Callable[[], Encoder], collection: Collection
) -> list[list[Hit]]:
    """The hits of each query, in order; queries with equal filters and limits share a search."""
    textness = Textness(collection, encoder)
    with_terms = [query for query in queries if query.terms]
    vectors = _embed(with_terms, encoder, textness)
    backgrounds = score_backgrounds(collection, np.stack(vectors)) if vectors else []
    embedded = iter(zip(vectors, backgrounds, strict=True))
    inputs = [(query, *(next(embedded) if query.terms else (None, None))) for query in queries]
    plain = [each for each in inputs if each[0].says is None]
    results = iter(_search_plain(plain, textness))
    passing = [
        next(results)
        if query.says is None
        else search_says(query, collection, _select(query, collection), vector, background)
        for query, vector, background in inputs
    ]
    return _add_textness(passing, queries, textness)


def respond(query: Query, encoder: Callable[[], Encoder], collection: Collection) -> SearchResponse:
    """Answer one query of a user, whether by the command line, the daemon or HTTP.

    Raises UsageError if nothing is found because no image has one of the tags.
    """
    started = time.perf_counter()
    load = cache(encoder)

    def search_again(query: Query) -> list[Hit]:
        return search([query], load, collection)[0]

    hits = search_again(query)
    reasons: Sequence[str] = ()
    if not hits:
        _require_known_tags(query.filters.tags, collection)
        reasons = explain_empty_result(query, search_again, collection)
        reasons = [*says_reasons(query, collection), *reasons]
    texts = query_texts([query])
    warnings = [
        *(text_warnings(load(), texts) if texts else []),
        *says_warnings(query, hits, collection),
        *probability_warnings(query, hits, collection.info.model.name),
    ]
    said = find_said(query, collection)
    milliseconds = 1000 * (time.perf_counter() - started)
    return SearchResponse(hits, collection.info.model.name, milliseconds, warnings, reasons, said)


def _embed(
    queries: Sequence[Query], encoder: Callable[[], Encoder], textness: Textness
) -> list[Vectors]:
    """The (d,) vector of each query, turned by its textness."""
    vectors = embed_queries(
        [query.terms for query in queries],
        encoder,
        textness.collection,
        max_pixels=max((query.max_pixels or MAX_PIXELS for query in queries), default=MAX_PIXELS),
    )
    return [
        steer(vector, textness.probe().bias, query.textness) if query.textness else vector
        for vector, query in zip(vectors, queries, strict=True)
    ]


def query_texts(queries: Sequence[Query]) -> list[str]:
    """The texts of some queries, in order."""
    contents = (term.content for query in queries for term in query.terms)
    return [content for content in contents if isinstance(content, str)]


def rank_by_text(
    textness: Textness, *, limit: int = 10, offset: int = 0, filters: Filters = NO_FILTERS
) -> list[Hit]:
    """The images that show the most text; `score` is the cosine to the direction of text.

    The query is the bias itself, so only the hits are held in memory.
    """
    direction = normalize(textness.probe().bias)[None]
    selection = select(filters, textness.collection)
    [hits] = nearest(textness.collection, direction, limit, offset, selection)
    return textness.score_hits(hits)


def _require_known_tags(tags: Sequence[str], collection: Collection) -> None:
    known = [name for name, _ in collection.tags().most_common()] if tags else []
    for tag in tags:
        if tag not in known:
            names = ", ".join(map(repr, known[:10]))
            raise UsageError(
                f"no image has the tag {tag!r}; "
                + (f"the tags are {names}" if names else "`clipsearch tag` adds tags")
            )


def _search_all(
    inputs: Sequence[Input], textness: Textness, embeddings: dict[str, Vectors] | None
) -> list[list[Hit]]:
    """The hits of each query before thresholds; `embeddings`, if given, gets those of the hits."""
    results: dict[int, list[Hit]] = {}
    groups: defaultdict[tuple[Selection, int, int], list[int]] = defaultdict(list)
    for position, (query, vector, _) in enumerate(inputs):
        selection = _select(query, textness.collection)
        if query.max_textness is None:
            groups[selection, query.limit, query.offset].append(position)
        else:
            results[position] = _search_max_textness(
                query.max_textness, query, vector, selection, textness
            )
    for (selection, limit, offset), positions in groups.items():
        stack = np.stack([inputs[position][1] for position in positions])
        hits = nearest(textness.collection, stack, limit, offset, selection, embeddings)
        results.update(zip(positions, hits, strict=True))
    return [results[position] for position in range(len(inputs))]


def _search_plain(inputs: Sequence[Input], textness: Textness) -> list[list[Hit]]:
    """The hits of each query that pass its thresholds; with a smallest p, as many as its limit."""
    results: dict[int, list[Hit]] = {}
    looks = {at: _first_look(query) for at, (query, _, _) in enumerate(inputs)}
    while looks:
        found = _search_scored([_look_at(inputs[at], look) for at, look in looks.items()], textness)
        following: dict[int, int | None] = {}
        for (at, look), hits in zip(looks.items(), found, strict=True):
            query = inputs[at][0]
            results[at] = [hit for hit in hits if passes_thresholds(hit, query)]
            if look is not None:
                end = query.offset + query.limit
                results[at] = results[at][query.offset : end]
                if more := next_look(look, hits, query, end):
                    following[at] = more
        looks = following
    return [results[at] for at in range(len(inputs))]


def _first_look(query: Query) -> int | None:
    """How many hits to look at from the first one on; None for those of the query's page."""
    return first_look(query.offset + query.limit) if is_cut_by_p(query) else None


def _look_at(each: Input, look: int | None) -> Input:
    query, vector, background = each
    return each if look is None else (replace(query, limit=look, offset=0), vector, background)


def _search_scored(inputs: Sequence[Input], textness: Textness) -> list[list[Hit]]:
    """The hits of each query before thresholds, with z and p where they can be measured."""
    embeddings: dict[str, Vectors] | None
    embeddings = {} if needs_embeddings(inputs, textness.collection) else None
    results = _search_all(inputs, textness, embeddings)
    scored = [
        [replace(hit, z=background.z(hit.score)) for hit in hits] if background else hits
        for hits, (_, _, background) in zip(results, inputs, strict=True)
    ]
    return add_probabilities(scored, inputs, textness.collection, embeddings or {})


def _add_textness(
    results: Sequence[list[Hit]], queries: Sequence[Query], textness: Textness
) -> list[list[Hit]]:
    """Set the textness of the hits of all queries that use it but did not score it yet."""
    unscored = [query.textness is not None and query.max_textness is None for query in queries]
    scored = iter(textness.score_hit_lists(list(compress(results, unscored))))
    return [
        next(scored) if is_unscored else hits
        for hits, is_unscored in zip(results, unscored, strict=True)
    ]


def _select(query: Query, collection: Collection) -> Selection:
    selection = select(query.filters, collection)
    if not query.exclude_images:
        return selection
    exclusion = exclude_query_images(query.terms, collection)
    return replace(selection, condition=store_filters.all_of(selection.condition, exclusion))


def _search_max_textness(
    max_textness: float, query: Query, vector: Vectors, selection: Selection, textness: Textness
) -> list[Hit]:
    """The hits of one query, without those that show more text than `max_textness`."""
    collection = textness.collection
    count = query.offset + query.limit

    def search_best(count: int) -> list[Hit]:
        return nearest(collection, vector[None], count, 0, selection)[0]

    hits = search_with_max_textness(max_textness, count, search_best, textness)
    if hits is None:
        scanned = collection.scan_rows(selection.condition)
        rows = (row for row in scanned if selection.matches(row.record))
        hits = scan_with_max_textness(max_textness, count, vector, rows, textness.probe())
    return hits[query.offset :]
