"""The exact nearest neighbors of queries in a collection, to compare a search with them."""

from __future__ import annotations

from collections import defaultdict
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
"""Rows that are read and compared with queries at once."""

SCORE_TOLERANCE = 1e-5
"""Scores this close are equal: rounding decides which of two such vectors comes first."""


class TrueNeighbors:
    """The cosines of the nearest rows of a collection to (n, d) float32 queries of length 1."""

    def __init__(
        self, collection: Collection, queries: Vectors, count: int, progress: Progress | None
    ) -> None:
        """Read each row once; memory holds ROW_BATCH of them."""
        self._collection = collection
        self._queries = queries
        self._scores = _highest_scores(collection.scan_rows(), queries, count, progress)
        self._cosines: dict[tuple[int, str], float] = {}  # by query and id of what was found

    def recall(self, found: Sequence[Sequence[str]], k: int) -> NDArray[np.float64]:
        """Return for each query the share of its first k ids that are true neighbors, (n,).

        An id is right if its true cosine is as high as that of the k-th neighbor, so that
        duplicates do not count as misses. The cosines that the search returned do not matter: an
        index of compressed vectors only estimates them.
        """
        first = [ids[:k] for ids in found]
        self._read_cosines(first)
        least = self._scores[:, k - 1] - SCORE_TOLERANCE
        # A row that was deleted meanwhile has no cosine.
        right = [
            sum(self._cosines.get((number, key), -np.inf) >= least[number] for key in ids)
            for number, ids in enumerate(first)
        ]
        return np.array(right) / k

    def _read_cosines(self, found: Sequence[Sequence[str]]) -> None:
        """Read the rows whose cosines with the query that found them are not known yet."""
        queries_of: defaultdict[str, list[int]] = defaultdict(list)
        for number, ids in enumerate(found):
            for key in ids:
                if (number, key) not in self._cosines:
                    queries_of[key].append(number)
        for batch in batches(sorted(queries_of), ROW_BATCH):
            for key, row in self._collection.get(batch).items():
                cosines = self._queries[queries_of[key]] @ row.embedding
                for number, cosine in zip(queries_of[key], cosines, strict=True):
                    self._cosines[number, key] = float(cosine)


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
