"""The exact nearest neighbors of queries in a collection, to compare a search with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.evaluation.metrics import top_k
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors

ROW_BATCH = 4096
"""Rows that are compared with the queries at once."""

SCORE_TOLERANCE = 1e-5
"""Scores this close are equal: rounding decides which of two such vectors comes first."""


class TrueNeighbors:
    """The cosines of the nearest rows of a collection to (n, d) float32 queries of length 1."""

    def __init__(
        self, collection: Collection, queries: Vectors, count: int, progress: Progress | None
    ) -> None:
        """Read each row once; memory holds a few thousand of them."""
        self._collection = collection
        self._queries = queries
        self._scores = _highest_scores(collection.scan_rows(), queries, count, progress)
        self._vectors: dict[str, Vectors] = {}  # of rows that searches have found

    def recall(self, found: Sequence[Sequence[str]], k: int) -> NDArray[np.float64]:
        """Return for each query the share of its first k ids that are true neighbors, (n,).

        An id is right if its true cosine is as high as that of the k-th neighbor, so that
        duplicates do not count as misses. The cosines that the search returned do not matter: an
        index of compressed vectors only estimates them.
        """
        first = [ids[:k] for ids in found]
        self._read(set().union(*first))
        return np.array([self._share(number, ids, k) for number, ids in enumerate(first)])

    def _share(self, number: int, ids: Sequence[str], k: int) -> float:
        vectors = [self._vectors[key] for key in ids if key in self._vectors]
        if not vectors:
            return 0.0
        cosines = np.stack(vectors) @ self._queries[number]
        return float((cosines >= self._scores[number, k - 1] - SCORE_TOLERANCE).sum() / k)

    def _read(self, ids: set[str]) -> None:
        rows = self._collection.get(sorted(ids - self._vectors.keys()))
        self._vectors.update({key: row.embedding for key, row in rows.items()})


def sample_vectors(collection: Collection, count: int) -> Vectors:
    """Return the first vectors of a collection; ids are hashes, so this is a random sample."""
    return np.stack([row.embedding for row in islice(collection.scan_rows(), count)])


def _highest_scores(
    rows: Iterable[ImageRow], queries: Vectors, count: int, progress: Progress | None
) -> Vectors:
    """The `count` highest cosines of each query with all rows, (n, count), highest first."""
    highest = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    for batch in batches(rows, ROW_BATCH):
        scores = queries @ np.stack([row.embedding for row in batch]).T
        candidates = np.concatenate([highest, scores], axis=1)
        highest = np.take_along_axis(candidates, top_k(candidates, count), axis=1)
        if progress is not None:
            progress.update(len(batch))
    return highest
