"""Recall of an approximate index: compare its results with an exact search."""

import time
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from clipsearch.batching import batches
from clipsearch.errors import UsageError
from clipsearch.evaluation import bootstrap
from clipsearch.evaluation.metrics import top_k
from clipsearch.evaluation.results import Evaluation, share_measures
from clipsearch.files.progress import Progress
from clipsearch.store import Collection
from clipsearch.types import ImageRow, Vectors

RECALL_LENGTHS = (1, 10, 100)
ROW_BATCH = 4096
"""Rows that are compared with the queries at once."""
SAMPLE = 200
"""Images of the collection that serve as queries if none are given."""
SCORE_TOLERANCE = 1e-5
"""Scores this close are equal: rounding decides which of two such vectors comes first."""


def evaluate_ann_recall(
    collection: Collection,
    *,
    queries: Vectors | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure recall@1, 10 and 100 of a collection's search: the share of neighbors found.

    `queries` is (n, d) float32 of length 1; None takes 200 images of the collection. Each vector of
    the collection is read once, and memory holds a few thousand. A hit that scores as high as the
    k-th true neighbor is right, so that duplicates do not count as misses. Raises UsageError on an
    empty collection.
    """
    count = collection.count()
    if not count:
        raise UsageError(f"the collection {collection.info.name!r} is empty")
    if progress is not None:
        progress.total = count
    started = time.monotonic()
    vectors = _sample_vectors(collection) if queries is None else queries
    lengths = [k for k in RECALL_LENGTHS if k <= count]
    exact_scores = _exact_scores(collection.scan_rows(), vectors, max(lengths), progress)
    found_scores = collection.scores(vectors, limit=max(lengths))
    recalls = np.stack([_recall(found_scores, exact_scores, k) for k in lengths], axis=1)
    names = [f"recall@{k}" for k in lengths]
    return Evaluation(
        kind="agreement",
        model=f"search of {collection.info.name} against exact",
        counts={"images": count, "queries": len(vectors)},
        measures=share_measures("approximate search", names, bootstrap.estimate_means(recalls)),
        seconds=time.monotonic() - started,
    )


def _recall(found_scores: Sequence[Vectors], exact_scores: Vectors, k: int) -> NDArray[np.float64]:
    """For each query, the share of its first k hits that score as high as the k-th neighbor."""
    return np.array(
        [
            (found[:k] >= exact[k - 1] - SCORE_TOLERANCE).sum() / k
            for found, exact in zip(found_scores, exact_scores, strict=True)
        ]
    )


def _exact_scores(
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


def _sample_vectors(collection: Collection) -> Vectors:
    """Take the first vectors of a collection; ids are hashes, so this is a random sample."""
    rows = islice(collection.scan_rows(), SAMPLE)
    return np.stack([row.embedding for row in rows])
