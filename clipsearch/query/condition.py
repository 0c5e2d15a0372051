"""Filters as a condition of the store, and the rows that they select."""

from collections.abc import Iterator

from clipsearch.files.paths import anchored, canonical
from clipsearch.query.filters import NO_FILTERS, Filters
from clipsearch.store import Collection
from clipsearch.store import filters as store_filters
from clipsearch.types import ImageRow


def filter_condition(filters: Filters) -> str:
    """The Milvus filter expression, "" for no condition; of the glob only its folder.

    Raises UsageError if the expression has unbalanced quotes or brackets.
    """
    conditions = [store_filters.raw_condition(filters.expression)]
    if filters.under is not None:
        conditions.append(store_filters.in_folder(canonical(filters.under)))
    if filters.glob is not None and (anchor := anchored(filters.glob)):
        conditions.append(store_filters.in_folder(anchor[0]))
    if filters.taken_from is not None:
        conditions.append(store_filters.taken_from(filters.taken_from))
    if filters.taken_before is not None:
        conditions.append(store_filters.taken_before(filters.taken_before))
    if filters.formats:
        conditions.append(store_filters.format_in(filters.formats))
    conditions += map(store_filters.has_tag, filters.tags)
    for field, minimum in (
        ("width", filters.min_width),
        ("height", filters.min_height),
        ("size", filters.min_bytes),
    ):
        if minimum is not None:
            conditions.append(store_filters.at_least(field, minimum))
    if filters.max_bytes is not None:
        conditions.append(store_filters.at_most("size", filters.max_bytes))
    return store_filters.all_of(*conditions)


def select_rows(collection: Collection, filters: Filters = NO_FILTERS) -> Iterator[ImageRow]:
    """Each matching row with its embedding, in no order, one page in memory at a time."""
    if filters.tags:
        collection.require_tags()
    rows = collection.scan_rows(filter_condition(filters))
    return filter(lambda row: filters.matches_glob(row.record), rows)
