"""Hits whose files exist, as many as were asked for."""

from collections.abc import Callable, Sequence

from clipsearch.files.paths import is_missing
from clipsearch.records import MAX_RESULTS, Hit


def existing_hits(
    search: Callable[[int], Sequence[Hit]], *, limit: int, offset: int
) -> Sequence[Hit]:
    """Return `limit` hits after the first `offset`, of those whose file exists.

    `search` returns the best hits, so many. It is called again for more while files are missing, up
    to the most that a search returns.
    """
    wanted = count = offset + limit
    while True:
        hits = search(count)
        existing = [hit for hit in hits if not is_missing(hit.path)]
        if len(existing) >= wanted or len(hits) < count or count >= MAX_RESULTS:
            return existing[offset:wanted]
        count = min(4 * count, MAX_RESULTS)
