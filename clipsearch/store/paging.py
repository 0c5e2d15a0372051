"""Reading many entities of a collection, in pages that each backend can return."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from clipsearch.errors import TooLargeError
from clipsearch.records import MAX_RESULTS
from clipsearch.store import filters
from clipsearch.store.backend import Backend
from clipsearch.store.milvus_lite.native_server import native_library
from clipsearch.store.schema import ID_LENGTH, TAGS, Entity

KEYS = 4_000
"""Keys in one filter: any number of them takes 0.2 s on a server, 11 ms a thousand on Lite."""

PAGE_BYTES = 16 << 20
"""Vectors of one page; a message of a server holds 64 MB."""

LOCAL_PAGE_BYTES = 512 << 10
"""The same for Milvus Lite 2.5.1: 256 rows of 512 dimensions take 0.05 s, 3,500 rows 17 s."""

LOCAL_TAGGED_ROWS = 128
"""Rows of a page with tags, for the same reason: 20,000 rows take 0.8 s, in large pages 48 s."""

LOCAL_TAGGED_KEYS = 64
"""The same for a page of ids that follow each other.

n tagged rows take 150 ns × n², and a page 0.7 ms; a range takes 2.5 ms for its comparison of all
ids, of 100,000. So such a row takes 20 to 25 µs in pages of 48 to 128 keys, 50 µs in ranges of 128.
"""

UNTAGGED_ROWS = 4_000
"""Rows of a page of ids, or without tags: 2 MB. A scan of more than half as many reads these first.
"""

SAMPLE_ROWS = 32
"""Rows that are checked when a collection is opened."""

ID_SPACE = 16**ID_LENGTH
"""Ids, read as numbers, are below this."""


class Scanner:
    """Reads the entities of one collection."""

    def __init__(self, backend: Backend, name: str, dim: int) -> None:
        self._backend = backend
        self._name = name
        self._dim = dim
        self._most_rows = MAX_RESULTS  # fewer once an answer was too large

    def by_ids(
        self, ids: Iterable[str], fields: Sequence[str], *, vectors: bool
    ) -> Iterator[Entity]:
        """Yield the entities with these ids; unknown ids are skipped."""
        remaining = sorted(set(ids))  # Milvus Lite finds neighbors faster than scattered ids
        is_slow = self._backend.path is not None and TAGS in fields
        while remaining:
            most = LOCAL_TAGGED_KEYS if is_slow else KEYS
            size = min(most, self._page_rows(fields, vectors=vectors))
            batch = remaining[:size]
            entities = self._query(filters.id_in(batch), fields, len(batch))
            if entities is not None:
                yield from entities
                remaining = remaining[size:]

    def scan(self, condition: str, fields: Sequence[str], *, vectors: bool) -> Iterator[Entity]:
        """Yield every matching entity once, in no defined order, one page in memory at a time.

        Pages are ranges of ids. Ids are hashes, so equal ranges hold about equally many. Pages
        with a limit and an offset would need an order, which Milvus does not promise.
        """
        matching = self._backend.count(self._name, condition)  # also rejects a malformed filter
        if TAGS in fields and matching > UNTAGGED_ROWS // 2 and self._is_native():
            with_tags = filters.all_of(condition, filters.HAS_TAGS)
            has_few_tags = 2 * self._backend.count(self._name, with_tags) < matching
            for low, high in _ranges(matching, UNTAGGED_ROWS):
                if has_few_tags and not vectors:
                    yield from self._read_tags_apart(condition, fields, low, high)
                else:
                    yield from self._read_ids_first(condition, fields, low, high, vectors=vectors)
            return
        for low, high in _ranges(matching, self._page_rows(fields, vectors=vectors)):
            yield from self.read_range(condition, fields, vectors=vectors, low=low, high=high)

    def read_range(
        self,
        condition: str,
        fields: Sequence[str],
        *,
        vectors: bool,
        low: int = 0,
        high: int = ID_SPACE,
    ) -> Iterator[Entity]:
        """Yield the matching entities with low <= id < high; a range with too many is halved."""
        page_rows = self._page_rows(fields, vectors=vectors)
        in_range = filters.all_of(condition, filters.id_range(low, high))
        entities = self._query(in_range, fields, page_rows)
        if entities is not None and len(entities) < page_rows:
            yield from entities
            return
        middle = (low + high) // 2
        yield from self.read_range(condition, fields, vectors=vectors, low=low, high=middle)
        yield from self.read_range(condition, fields, vectors=vectors, low=middle, high=high)

    def scan_outside(self, fields: Sequence[str]) -> Iterator[Entity]:
        """Yield the entities that `scan` misses as their damaged ids are in none of its ranges."""
        outside = filters.outside_id_range(0, ID_SPACE)
        page_rows = self._page_rows(fields, vectors=True)
        yield from self._backend.query(self._name, outside, fields, page_rows)

    def sample(self, fields: Sequence[str], rows: int) -> Iterator[Entity]:
        """Yield about SAMPLE_ROWS entities of a collection with `rows`, others each time."""
        width = ID_SPACE * SAMPLE_ROWS // max(rows, SAMPLE_ROWS)
        low = random.randrange(ID_SPACE - width + 1)
        condition = filters.id_range(low, low + width)
        yield from self._backend.query(self._name, condition, fields, 2 * SAMPLE_ROWS)

    def _read_tags_apart(
        self, condition: str, fields: Sequence[str], low: int, high: int
    ) -> Iterator[Entity]:
        """Yield the matching entities with low <= id < high: those with tags one small page each.

        Rows are read complete or have no tags, also while another process adds or removes tags.
        """
        in_range = filters.all_of(condition, filters.id_range(low, high))
        with_tags = filters.all_of(in_range, filters.HAS_TAGS)
        others = [name for name in fields if name != TAGS]
        tagged = self._ids(with_tags)
        entities = self._backend.query(self._name, in_range, others, UNTAGGED_ROWS)
        if len(entities) == UNTAGGED_ROWS:
            middle = (low + high) // 2
            yield from self._read_tags_apart(condition, fields, low, middle)
            yield from self._read_tags_apart(condition, fields, middle, high)
            return
        tagged |= self._ids(with_tags)
        yield from ({**entity, TAGS: []} for entity in entities if entity["id"] not in tagged)
        yield from self.by_ids(tagged, fields, vectors=False)

    def _read_ids_first(
        self, condition: str, fields: Sequence[str], low: int, high: int, *, vectors: bool
    ) -> Iterator[Entity]:
        """Yield the matching entities with low <= id < high, without those deleted meanwhile."""
        ids = self._ids(filters.all_of(condition, filters.id_range(low, high)))
        if len(ids) == UNTAGGED_ROWS:
            middle = (low + high) // 2
            yield from self._read_ids_first(condition, fields, low, middle, vectors=vectors)
            yield from self._read_ids_first(condition, fields, middle, high, vectors=vectors)
        else:
            yield from self.by_ids(ids, fields, vectors=vectors)

    def _query(self, condition: str, fields: Sequence[str], limit: int) -> list[Entity] | None:
        """Return up to `limit` entities; None, and smaller pages from now on, if too large."""
        try:
            return self._backend.query(self._name, condition, fields, limit)
        except TooLargeError:
            if limit == 1:
                raise
            self._most_rows = limit // 2
            return None

    def _ids(self, condition: str) -> set[str]:
        found = self._backend.query(self._name, condition, ["id"], UNTAGGED_ROWS)
        return {entity["id"] for entity in found}

    def _is_native(self) -> bool:
        return self._backend.path is not None and native_library() is not None

    def _page_rows(self, fields: Sequence[str], *, vectors: bool) -> int:
        is_local = self._backend.path is not None
        most = LOCAL_TAGGED_ROWS if is_local and TAGS in fields else MAX_RESULTS
        most = min(most, self._most_rows)
        if not vectors:
            return most
        page_bytes = min(PAGE_BYTES, LOCAL_PAGE_BYTES) if is_local else PAGE_BYTES
        return max(1, min(most, page_bytes // (4 * self._dim)))


def _ranges(rows: int, page_rows: int) -> Iterator[tuple[int, int]]:
    """Yield equal ranges of ids that hold about 0.8 pages each."""
    ranges = 1 + int(rows / (0.8 * page_rows))
    yield from pairwise(ID_SPACE * number // ranges for number in range(ranges + 1))
