"""A quick estimate of an index's recall, from a part of the rows."""

import random
from itertools import islice

import numpy as np

from clipsearch.evaluation.true_neighbors import SCORE_TOLERANCE
from clipsearch.store import Collection, filters
from clipsearch.store.paging import ID_SPACE

NEIGHBORS = 10
QUERIES = 256
"""Stored images that serve as queries."""

SAMPLE_ROWS = 4_000
"""Rows that each query is compared with."""

MIN_NEIGHBORS = 50
"""True neighbors in the sample, over all queries; with fewer, chance decides."""

ERROR = 0.03
"""How far an estimate may be from the recall."""


def estimate_recall(collection: Collection) -> float | None:
    """Estimate the recall@10 of the index of a collection, within ERROR.

    Of the rows of a random range of ids, those that are nearer to a query than its last hit are
    true neighbors of it: the estimate is the share of them among its hits. Cosines are those of the
    vectors, as an index of compressed ones only estimates them. Only that range is read, 8 MB at
    512 dimensions, and the last hits. Returns None if it holds too few neighbors to tell, as in
    very large collections, and for small ones.
    """
    rows = collection.count()
    if rows < 2 * SAMPLE_ROWS:
        return None
    width = ID_SPACE * SAMPLE_ROWS // rows
    low = random.randrange(ID_SPACE - 2 * width + 1)
    sample = list(collection.scan_rows(filters.id_range(low, low + width)))
    # Images outside the range, so that none of them finds itself in it.
    rest = collection.scan_rows(filters.id_range(low + width, low + 2 * width))
    queries = np.stack([row.embedding for row in islice(rest, QUERIES)])
    vectors = np.stack([row.embedding for row in sample])
    ids = np.array([row.record.id for row in sample])
    found = collection.search(queries, limit=NEIGHBORS)
    last = collection.get([best[-1].id for best in found])
    hits = misses = 0
    for query, scores, best in zip(queries, queries @ vectors.T, found, strict=True):
        if best[-1].id not in last:  # deleted meanwhile
            continue
        is_hit = np.isin(ids, [hit.id for hit in best])
        is_nearer = scores > query @ last[best[-1].id].embedding + SCORE_TOLERANCE
        hits += int(is_hit.sum())
        misses += int((is_nearer & ~is_hit).sum())
    return hits / (hits + misses) if hits + misses >= MIN_NEIGHBORS else None
