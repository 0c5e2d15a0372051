"""The rows that filters let through, without a search."""

from collections.abc import Iterator

from clipsearch.query.filters import Filters
from clipsearch.store import Collection
from clipsearch.types import ImageRow

ANYTHING = Filters()


def select_rows(collection: Collection, filters: Filters = ANYTHING) -> Iterator[ImageRow]:
    """Each matching row with its embedding, once, in no order, a page in memory at a time."""
    if filters.tags:
        collection.require_tags()
    return filter(
        lambda row: filters.matches_glob(row.record), collection.scan_rows(filters.where())
    )
