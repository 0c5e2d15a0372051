"""All images of a collection that pass some filters, the newest first."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from clipsearch.index import Index
from clipsearch.query.date_order import ids_by_date
from clipsearch.query.filters import Filters
from clipsearch.records import Hit
from clipsearch.store import Collection
from clipsearch.web.hits import Page

MAX_ORDERS = 8
"""Orders that are kept, the last used ones; 100,000 images take 8 MB."""

SECONDS = 60.0
"""How long an order is kept while the number of images stays the same."""


class DateOrders:
    """The ids of all images that pass some filters, by date, for the pages of one search.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[tuple[str, Filters, int], tuple[float, list[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, index: Index, filters: Filters, *, offset: int, limit: int) -> Page:
        """Return a page of the images by date, those without one last; all scores are 0."""
        collection = index.collection
        ids = self._ids(collection, filters)
        shown = ids[offset : offset + limit]
        rows = collection.get(shown)
        hits = [Hit(rows[id_].record, 0.0) for id_ in shown if id_ in rows]
        return Page(hits, len(ids) > offset + limit, len(ids), more_below=False)

    def _ids(self, collection: Collection, filters: Filters) -> Sequence[str]:
        key = (collection.info.created_at, filters, collection.count())
        with self._lock:
            made_at, ids = self._orders.get(key, (0.0, []))
        if time.monotonic() - made_at < SECONDS:
            return ids
        ids = ids_by_date(collection, filters)
        with self._lock:
            self._orders[key] = time.monotonic(), ids
            self._orders.move_to_end(key)
            while len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)
        return ids
