"""All images that pass some filters, by date: what is there without a query."""

from clipsearch.query.condition import select
from clipsearch.query.filters import Filters
from clipsearch.store import Collection
from clipsearch.store.numbers import encode_time


def ids_by_date(collection: Collection, filters: Filters) -> list[str]:
    """Return the ids of all images that pass the filters, the newest first.

    Images without a date come last, by the time of their files.
    """
    selection = select(filters, collection)
    if selection.is_exact:
        fields = ["taken_at", "mtime_ns", "id"]
        times = list(collection.scan_values(fields, selection.condition))
    else:
        records = filter(selection.matches, collection.scan(selection.condition))
        times = [(encode_time(r.taken_at), r.mtime_ns, r.id) for r in records]
    times.sort(reverse=True)
    return [id_ for _, _, id_ in times]
