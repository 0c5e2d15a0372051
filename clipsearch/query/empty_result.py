"""Why a query finds nothing: what was near, and how many images each condition leaves."""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from clipsearch.query.condition import select
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.query.option_names import option_of
from clipsearch.query.query import Query
from clipsearch.query.thresholds import first_look
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.store.filters import without_value


def explain_empty_result(
    query: Query, search: Callable[[Query], list[Hit]], collection: Collection
) -> list[str]:
    """Sentences about why a query has no hits, for its user.

    `search` returns the hits of a query. It is called at most three times; each filter counts the
    images once.
    """
    total = collection.count()
    if not total:
        return ["the collection is empty: `clipsearch ingest` adds images"]
    if query.offset and search(replace(query, offset=0, limit=1)):
        return [f"fewer than {query.offset + 1:,} images match: use a smaller --offset"]
    reasons = list(_filter_reasons(query.filters, collection, total))
    query = replace(query, offset=0)
    open_query = replace(query, min_score=None, min_z=None, min_p=None)
    # A larger p may be further down.
    looked_at = 1 if query.min_p is None else first_look(query.limit)
    hits = [] if open_query == query else search(replace(open_query, limit=looked_at))
    if hits:
        return [_threshold_reason(query, max(hits, key=lambda hit: hit.p or 0))]
    if query.max_textness is not None:
        unlimited = search(replace(open_query, max_textness=None, textness=0.0))
        values = [hit.textness for hit in unlimited if hit.textness is not None]
        if values:
            least = math.ceil(100 * min(values)) / 100
            return [
                f"all images that match show more text than --max-textness {query.max_textness:g}; "
                f"of the best {len(values)} the least is {least:.2f}"
            ]
    if query.exclude_images and not reasons:
        return ["all images that match are the query images or copies of them"]
    return reasons


def _threshold_reason(query: Query, best: Hit) -> str:
    """Name the best hit's score, and a threshold that it passes."""
    score = f"score {best.score:.3f}" + ("" if best.z is None else f", z {best.z:+.1f}")
    if best.p is not None:
        score += f", p {best.p:.2f}"
        if query.min_p is not None and best.p < query.min_p:
            return f"best hit: {score}; try --min-p {math.floor(100 * best.p) / 100:g}"
    if query.min_z is not None and best.z is not None and best.z < query.min_z:
        return f"best hit: {score}; try --min-z {_below(best.z):g}"
    return f"best hit: {score}; try --min-score {math.floor(100 * best.score) / 100:g}"


def _below(z: float) -> float:
    """A round number below a z-score: a whole one unless that would lower it much."""
    return math.floor(z) if z >= 2 else math.floor(10 * z) / 10


def _filter_reasons(filters: Filters, collection: Collection, total: int) -> Iterator[str]:
    """Count the images that each filter leaves by itself."""
    singles = [
        field.name
        for field in fields(filters)
        if getattr(filters, field.name) != getattr(NO_FILTERS, field.name)
    ]
    for name in singles:
        single = replace(NO_FILTERS, **{name: getattr(filters, name)})
        count = _count(single, collection)
        yield f"{option_of(name)} leaves {count:,} of {total:,} images"
    if filters.taken_from is not None or filters.taken_before is not None:
        undated = collection.count(without_value("taken_at"))
        if undated:
            counts = f"{undated:,} of {total:,}"
            yield f"images without a date, which --after and --before skip: {counts}"
    if len(singles) > 1:
        yield f"together they leave {_count(filters, collection):,}"


def _count(filters: Filters, collection: Collection) -> int:
    selection = select(filters, collection)
    if selection.is_exact:
        return collection.count(selection.condition)
    return sum(map(selection.matches, collection.scan(selection.condition)))
