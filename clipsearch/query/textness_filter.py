"""Search limited to images that show at most so much text (`max_textness`)."""

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest

import numpy as np

from clipsearch.batching import batches
from clipsearch.records import MAX_RESULTS, Hit
from clipsearch.textness import Textness, TextnessProbe
from clipsearch.types import ImageRow, Vectors

BATCH_ROWS = 4_096  # rows scored at once during a scan


def search_with_max_textness(
    max_textness: float, count: int, search: Callable[[int], list[Hit]], textness: Textness
) -> list[Hit] | None:
    """The best `count` hits with a textness of at most `max_textness`.

    `search(n)` returns the best n hits. It is called with a growing n until enough hits remain or
    the collection has no more. Returns None if even the most hits that Milvus returns are too few.
    """
    size = 2 * count
    while True:
        size = min(size, MAX_RESULTS)
        hits = search(size)
        passing = [hit for hit in textness.score_hits(hits) if (hit.textness or 0) <= max_textness]
        if len(passing) >= count or len(hits) < size:
            return passing[:count]
        if size == MAX_RESULTS:
            return None
        size *= 4


def scan_with_max_textness(
    max_textness: float,
    count: int,
    query: Vectors,
    rows: Iterable[ImageRow],
    probe: TextnessProbe,
) -> list[Hit]:
    """The same from a scan of all rows, for queries whose best hits nearly all show text."""

    def passing_hits() -> Iterator[Hit]:
        for batch in batches(rows, BATCH_ROWS):
            vectors = np.stack([row.embedding for row in batch])
            scores = zip(vectors @ query, probe.score(vectors), strict=True)
            for row, (score, text) in zip(batch, scores, strict=True):
                if text <= max_textness:
                    yield Hit(row.record, float(score), textness=float(text))

    return nlargest(count, passing_hits(), key=lambda hit: hit.score)
